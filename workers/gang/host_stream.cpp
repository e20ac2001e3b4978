#include "workers/gang/host_stream.h"

namespace marquee::workers {

class HostStream::Mark : public StreamMark {
 public:
  Mark(HostStream& stream, std::uint64_t place) : stream_(stream), place_(place) {}
  bool reached() override {
    const std::lock_guard lock(stream_.mutex_);
    return stream_.done_ >= place_;
  }

 private:
  HostStream& stream_;
  std::uint64_t place_;
};

HostStream::HostStream() {
  handle_.stream = this;
  handle_.give = [](void* stream, void (*task)(void*), void* argument) {
    static_cast<HostStream*>(stream)->run([task, argument] { task(argument); });
  };
  thread_ = std::thread([this] { work(); });
}

HostStream::~HostStream() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void HostStream::run(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    ++given_;
  }
  changed_.notify_all();
}

std::unique_ptr<StreamMark> HostStream::mark() {
  const std::lock_guard lock(mutex_);
  return std::make_unique<Mark>(*this, given_);
}

void HostStream::work() {
  const torch::NoGradGuard no_grad;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::function<void()> next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    next();
    lock.lock();
    ++done_;
  }
}

}  // namespace marquee::workers
