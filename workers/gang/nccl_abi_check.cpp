// Compiled where nccl.h is found, and linked to nothing: the declarations of nccl_abi.h are the
// library's own.
#include <type_traits>

#include <cuda_runtime_api.h>
#include <nccl.h>

#include "workers/gang/nccl_abi.h"

namespace marquee::workers::nccl {
namespace {

static_assert(sizeof(UniqueId) == sizeof(ncclUniqueId) && sizeof(cudaStream_t) == sizeof(void*));
static_assert(kSuccess == int{ncclSuccess} && kRemoteError == int{ncclRemoteError} &&
              kInProgress == int{ncclInProgress} && kSystemError == int{ncclSystemError} &&
              kInternalError == int{ncclInternalError} && kInvalidUsage == int{ncclInvalidUsage} &&
              kInvalidArgument == int{ncclInvalidArgument} &&
              kUnhandledCudaError == int{ncclUnhandledCudaError});
static_assert(sizeof(ncclResult_t) == sizeof(int) && kFloat32 == int{ncclFloat32});
static_assert(NCCL_VERSION_CODE >= kOldestVersion && NCCL_CONFIG_UNDEF_INT == INT_MIN);
static_assert(offsetof(Config, magic) == offsetof(ncclConfig_t, magic) &&
              offsetof(Config, version) == offsetof(ncclConfig_t, version) &&
              offsetof(Config, blocking) == offsetof(ncclConfig_t, blocking) &&
              offsetof(Config, max_ctas) == offsetof(ncclConfig_t, maxCTAs) &&
              offsetof(Config, net_name) == offsetof(ncclConfig_t, netName) &&
              offsetof(Config, split_share) == offsetof(ncclConfig_t, splitShare));
constexpr ncclConfig_t kInitial = NCCL_CONFIG_INITIALIZER;
static_assert(kInitial.magic == Config{}.magic);

// Parameter by parameter, with its types: an int stands for their enums, a void* for a stream.
template <class T>
struct Plain {
  using type = std::conditional_t<std::is_enum_v<T>, int, T>;
};
template <>
struct Plain<cudaStream_t> {
  using type = void*;
};
template <>
struct Plain<ncclComm_t> {
  using type = Communicator*;
};
template <>
struct Plain<ncclComm_t*> {
  using type = Communicator**;
};
template <>
struct Plain<ncclUniqueId> {
  using type = UniqueId;
};
template <>
struct Plain<ncclUniqueId*> {
  using type = UniqueId*;
};
template <>
struct Plain<ncclConfig_t*> {
  using type = Config*;
};
template <>
struct Plain<ncclResult_t*> {
  using type = int*;
};
template <class R, class... A>
auto plain(R (*)(A...)) -> typename Plain<R>::type (*)(typename Plain<A>::type...);

#define MARQUEE_SAME(function, declared) \
  static_assert(std::is_same_v<decltype(plain(&(function))), declared*>)
MARQUEE_SAME(ncclGetVersion, GetVersion);
MARQUEE_SAME(ncclGetUniqueId, GetUniqueId);
MARQUEE_SAME(ncclCommInitRankConfig, InitRankConfig);
MARQUEE_SAME(ncclCommGetAsyncError, GetAsyncError);
MARQUEE_SAME(ncclGroupStart, GroupStart);
MARQUEE_SAME(ncclGroupEnd, GroupEnd);
MARQUEE_SAME(ncclSend, Send);
MARQUEE_SAME(ncclRecv, Recv);
MARQUEE_SAME(ncclAllGather, AllGather);
MARQUEE_SAME(ncclCommFinalize, End);
MARQUEE_SAME(ncclCommDestroy, End);
MARQUEE_SAME(ncclCommAbort, End);
MARQUEE_SAME(ncclGetErrorString, ErrorString);
#undef MARQUEE_SAME

}  // namespace
}  // namespace marquee::workers::nccl
