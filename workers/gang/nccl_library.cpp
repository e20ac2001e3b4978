#include "workers/gang/nccl_library.h"

#include <cstdlib>

#include <dlfcn.h>

#include "cluster/error.h"

namespace marquee::workers {

NcclLibrary NcclLibrary::open(const std::string& name) {
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    cluster::throw_environment(
        std::string("gangs of several GPUs need NCCL: ") + (reason ? reason : name.c_str()) +
        "; install it (PyPI: nvidia-nccl-cu13), or name the file in MARQUEE_NCCL");
  }
  const auto find = [&](const char* symbol, auto*& function) {
    void* found = dlsym(library, symbol);
    if (found == nullptr)
      cluster::throw_environment(name + " lacks " + symbol + ": NCCL 2.18 or later is needed");
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
  };
  NcclLibrary opened;
  opened.name = name;
  nccl::GetVersion* get_version = nullptr;
  find("ncclGetVersion", get_version);
  if (get_version(&opened.version) != nccl::kSuccess || opened.version < nccl::kOldestVersion) {
    cluster::throw_environment(name + " is NCCL " + nccl_version_text(opened.version) +
                               "; 2.18 or later is needed");
  }
  find("ncclGetUniqueId", opened.get_unique_id);
  find("ncclCommInitRankConfig", opened.init_rank);
  find("ncclCommGetAsyncError", opened.async_error);
  find("ncclGroupStart", opened.group_start);
  find("ncclGroupEnd", opened.group_end);
  find("ncclSend", opened.send);
  find("ncclRecv", opened.recv);
  find("ncclAllGather", opened.all_gather);
  find("ncclCommFinalize", opened.finalize);
  find("ncclCommDestroy", opened.destroy);
  find("ncclCommAbort", opened.abort);
  find("ncclGetErrorString", opened.error_string);
  return opened;
}

const NcclLibrary& NcclLibrary::of_this_process() {
  static const NcclLibrary library = [] {
    const char* named = std::getenv("MARQUEE_NCCL");
    return open(named != nullptr ? named : "libnccl.so.2");
  }();
  return library;
}

std::string nccl_version_text(int version) {
  return std::to_string(version / 10'000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace marquee::workers
