// A stream whose device is this process: a thread that does what it is given, in order. For tests
// of what needs a stream on machines without a GPU.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "workers/gang/host_stream_handle.h"
#include "workers/gang/side_stream.h"

namespace marquee::workers {

class HostStream : public SideStream {
 public:
  HostStream();
  ~HostStream() override;  // when everything given is done
  HostStream(const HostStream&) = delete;
  HostStream& operator=(const HostStream&) = delete;

  torch::Device device() const override { return torch::kCPU; }
  void* handle() override { return &handle_; }
  Tensor allocate(std::int64_t numbers) override { return torch::empty({numbers}); }
  Tensor allocate_on_host(std::int64_t numbers) override { return torch::empty({numbers}); }
  void run(std::function<void()> work) override;
  void wait_for_compute() override {}  // it has been computed
  void uses(const Tensor&) override {}
  std::unique_ptr<StreamMark> mark() override;
  bool compute_waits_for(StreamMark&, const Tensor&) override { return false; }

 private:
  class Mark;
  void work();

  HostStreamHandle handle_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::uint64_t given_ = 0, done_ = 0;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace marquee::workers
