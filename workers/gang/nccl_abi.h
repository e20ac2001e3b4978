// The part of NCCL's binary interface that gangs use. NCCL is opened at run time and its header
// need not be there when the project is built; where it is, nccl_abi_check.cpp holds this against
// it.
#pragma once

#include <climits>
#include <cstddef>

namespace marquee::workers::nccl {

enum Result : int {
  kSuccess = 0,
  kUnhandledCudaError = 1,
  kSystemError = 2,
  kInternalError = 3,
  kInvalidArgument = 4,
  kInvalidUsage = 5,
  kRemoteError = 6,
  kInProgress = 7,
};

constexpr int kFloat32 = 7;  // of its data types

struct UniqueId {
  char bytes[128];
};

struct Communicator;  // opaque

// As of version 2.18, the oldest that is used; newer libraries fill in the rest.
constexpr int kOldestVersion = 21800;
struct Config {
  std::size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = kOldestVersion;
  int blocking = 0;
  int cga_cluster_size = INT_MIN;  // INT_MIN, nullptr: as NCCL likes
  int min_ctas = INT_MIN;
  int max_ctas = INT_MIN;
  const char* net_name = nullptr;
  int split_share = INT_MIN;
};

extern "C" {
using GetVersion = int(int*);
using GetUniqueId = int(UniqueId*);
using InitRankConfig = int(Communicator**, int size, UniqueId, int rank, Config*);
using GetAsyncError = int(Communicator*, int*);
using GroupStart = int();
using GroupEnd = int();
// `stream`: cudaStream_t
using Send = int(const void*, std::size_t count, int type, int peer, Communicator*, void* stream);
using Recv = int(void*, std::size_t count, int type, int peer, Communicator*, void* stream);
using AllGather = int(const void*, void*, std::size_t count, int type, Communicator*, void* stream);
using End = int(Communicator*);  // finalize, destroy, abort
using ErrorString = const char*(int);
}

}  // namespace marquee::workers::nccl
