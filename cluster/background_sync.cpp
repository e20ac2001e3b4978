#include "cluster/background_sync.h"

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cluster/error.h"

namespace marquee::cluster {

struct BackgroundSync::Thread {
  explicit Thread(std::filesystem::path path)
      : file(std::move(path)),
        fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC)),
        done(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd < 0 || done < 0) {
      const std::string reason = errno_text(errno);
      close_all();
      throw_environment(file.string() + ": cannot be opened to be synced (" + reason + ")");
    }
    // Signals are for the thread that has handlers to look at.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    worker = std::thread([this] { work(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() {
    {
      const std::lock_guard lock(mutex);
      end = true;
    }
    changed.notify_one();
    worker.join();
    close_all();
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return wanted || end; });
      if (!wanted) return;
      lock.unlock();
      const int failure = ::fdatasync(fd) == 0 ? 0 : errno;
      lock.lock();
      wanted = false;
      error = failure;
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(done, &one, sizeof one);
    }
  }

  void close_all() const {
    if (fd >= 0) ::close(fd);
    if (done >= 0) ::close(done);
  }

  std::filesystem::path file;
  int fd, done;  // the file; an eventfd, readable when a sync has ended
  std::mutex mutex;
  std::condition_variable changed;
  bool wanted = false, end = false;
  int error = 0;
  std::thread worker;
};

BackgroundSync::BackgroundSync(const std::filesystem::path& file)
    : thread_(std::make_unique<Thread>(file)) {}
BackgroundSync::BackgroundSync(BackgroundSync&&) noexcept = default;
BackgroundSync::~BackgroundSync() = default;

void BackgroundSync::start() {
  MARQUEE_CHECK(!started_, "a sync while another is under way");
  started_ = true;
  {
    const std::lock_guard lock(thread_->mutex);
    thread_->wanted = true;
  }
  thread_->changed.notify_one();
}

bool BackgroundSync::ready() const {
  pollfd waiting{thread_->done, POLLIN, 0};
  return started_ && ::poll(&waiting, 1, 0) == 1;
}

int BackgroundSync::fd() const {
  return thread_->done;
}

void BackgroundSync::finish() {
  MARQUEE_CHECK(started_, "no sync to wait for");
  pollfd waiting{thread_->done, POLLIN, 0};
  while (::poll(&waiting, 1, -1) < 0 && errno == EINTR) continue;
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(thread_->done, &count, sizeof count);
  started_ = false;
  const std::lock_guard lock(thread_->mutex);
  if (thread_->error != 0)
    throw_environment(thread_->file.string() + ": cannot be synced (" + errno_text(thread_->error) +
                      ")");
}

}  // namespace marquee::cluster
