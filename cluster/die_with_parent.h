// For processes that must not outlive their parent: a child's first act, or while it waits where it
// could not notice.
#pragma once

#include <sys/types.h>

namespace marquee::cluster {

// Asks the kernel to SIGKILL this process when the thread that started it ends, then compares the
// parent with `expected_parent`: if it is already gone, the process exits with code 3.
void die_with_parent(pid_t expected_parent);
// Takes that back.
void outlive_parent();

}  // namespace marquee::cluster
