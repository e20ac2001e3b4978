// First act of a child that must not outlive its parent.
#pragma once

#include <sys/types.h>

namespace marquee::cluster {

// Asks the kernel to SIGKILL this process when the thread that started it ends, then compares the
// parent with `expected_parent`: if it is already gone, the process exits with code 3.
void die_with_parent(pid_t expected_parent);

}  // namespace marquee::cluster
