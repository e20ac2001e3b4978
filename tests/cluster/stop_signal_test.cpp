// Signals are taken in forked processes: what is remembered lasts as long as the process.
#include "cluster/stop_signal.h"

#include <csignal>
#include <functional>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/die_with_parent.h"

namespace marquee::cluster {
namespace {

// Exit code of `body` in a process of its own.
int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int raw = 0;
  waitpid(child, &raw, 0);
  return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

int signal_after(int raised) {
  return in_child([&] {
    install_stop_signals();
    std::raise(raised);
    return stop_signal();
  });
}

TEST(StopSignal, IsZeroBeforeAnyCame) {
  EXPECT_EQ(in_child([] {
              install_stop_signals();
              return stop_signal() + stop_signal_count();
            }),
            0);
}

TEST(StopSignal, TellsTerminateAndInterruptApart) {
  EXPECT_EQ(signal_after(SIGTERM), SIGTERM);
  EXPECT_EQ(signal_after(SIGINT), SIGINT);
}

TEST(StopSignal, TakesTheUserSignalsThatMpirunForwardsForThem) {
  EXPECT_EQ(signal_after(SIGUSR1), SIGTERM);
  EXPECT_EQ(signal_after(SIGUSR2), SIGINT);
}

TEST(StopSignal, KeepsTheFirstAndCountsWhatComesTogetherOnce) {
  EXPECT_EQ(in_child([] {
              install_stop_signals();
              std::raise(SIGINT);
              std::raise(SIGTERM);
              std::raise(SIGUSR1);
              if (stop_signal() != SIGINT || stop_signal_count() != 1) return 100;
              usleep(2'100'000);
              std::raise(SIGTERM);
              return stop_signal() == SIGINT ? stop_signal_count() : 101;
            }),
            2);
}

TEST(StopSignal, OfAJobEndsNoTrainer) {
  EXPECT_EQ(in_child([] {
              leave_stop_signals_to_parent();
              for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2})
                std::raise(signal);
              return 7;
            }),
            7);
}

TEST(StopSignal, AClosedPipeDoesNotEndTheProcess) {
  EXPECT_EQ(in_child([] {
              install_stop_signals();
              int ends[2];
              if (pipe(ends) != 0) return 1;
              close(ends[0]);
              return write(ends[1], "x", 1) == -1 ? 0 : 2;
            }),
            0);
}

TEST(DieWithParent, ExitsWhenTheParentIsNotTheExpectedOne) {
  EXPECT_EQ(in_child([] {
              die_with_parent(getpid());  // nobody is its own parent
              return 0;
            }),
            3);
}

TEST(DieWithParent, GoesOnUnderTheExpectedParent) {
  const pid_t parent = getpid();
  EXPECT_EQ(in_child([&] {
              die_with_parent(parent);
              return 42;
            }),
            42);
}

TEST(DieWithParent, IsKilledWhenItsParentEnds) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    const pid_t middle = getpid();
    int ready[2];
    if (pipe(ready) != 0) _exit(1);
    if (fork() == 0) {
      close(ends[0]);
      alarm(60);  // a failed test leaves nothing behind
      die_with_parent(middle);
      [[maybe_unused]] const auto written = write(ready[1], "r", 1);
      for (;;) pause();  // holds the pipe's end open as long as it lives
    }
    char byte = 0;
    _exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
  }
  close(ends[1]);
  int raw = 0;
  ASSERT_EQ(waitpid(parent, &raw, 0), parent);
  ASSERT_EQ(WEXITSTATUS(raw), 0);
  pollfd end{ends[0], POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, 20000), 1) << "the grandchild still holds the pipe";
  close(ends[0]);
}

}  // namespace
}  // namespace marquee::cluster
