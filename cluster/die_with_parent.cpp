#include "cluster/die_with_parent.h"

#include <csignal>

#include <sys/prctl.h>
#include <unistd.h>

namespace marquee::cluster {

void die_with_parent(pid_t expected_parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != expected_parent) ::_exit(3);
}

void outlive_parent() {
  ::prctl(PR_SET_PDEATHSIG, 0);
}

}  // namespace marquee::cluster
