// NCCL, opened at run time: a machine without it still runs single trainers, and a fake can stand
// in for it (tests/fake_nccl). Thread safe.
#pragma once

#include <string>

#include "workers/gang/nccl_abi.h"

namespace marquee::workers {

// Functions of the library that is open until the process ends.
struct NcclLibrary {
  // `name` as dlopen takes it. Throws environment when it is not there, lacks a function or is
  // older than 2.18.
  static NcclLibrary open(const std::string& name);
  // What MARQUEE_NCCL names, else libnccl.so.2; opened once.
  static const NcclLibrary& of_this_process();

  std::string name;
  int version = 0;  // 22809: 2.28.9

  nccl::GetUniqueId* get_unique_id = nullptr;
  nccl::InitRankConfig* init_rank = nullptr;
  nccl::GetAsyncError* async_error = nullptr;
  nccl::GroupStart* group_start = nullptr;
  nccl::GroupEnd* group_end = nullptr;
  nccl::Send* send = nullptr;
  nccl::Recv* recv = nullptr;
  nccl::AllGather* all_gather = nullptr;
  nccl::End* finalize = nullptr;
  nccl::End* destroy = nullptr;
  nccl::End* abort = nullptr;
  nccl::ErrorString* error_string = nullptr;
};

// "2.28.9".
std::string nccl_version_text(int version);

}  // namespace marquee::workers
