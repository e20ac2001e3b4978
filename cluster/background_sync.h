// fdatasync of one open file while its writer goes on: a thread that does nothing else. What had
// been written before start() is durable once finish() has returned. Used from one thread.
#pragma once

#include <filesystem>
#include <memory>

namespace marquee::cluster {

class BackgroundSync {
 public:
  // Opens the file for reading; it must stay in its place. Throws environment.
  explicit BackgroundSync(const std::filesystem::path& file);
  BackgroundSync(BackgroundSync&&) noexcept;
  ~BackgroundSync();  // waits for a sync that is under way

  // One at a time.
  void start();
  bool started() const { return started_; }
  // Whether finish() would return at once. fd() can be read from then on until finish().
  bool ready() const;
  int fd() const;
  // Waits. Throws environment when the sync has failed: nothing is known about the file then.
  void finish();

 private:
  struct Thread;
  std::unique_ptr<Thread> thread_;
  bool started_ = false;
};

}  // namespace marquee::cluster
