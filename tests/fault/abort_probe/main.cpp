// For tests/fault/mpi_abort_test.py: ranks that end their MPI world when they are told to, or when
// their launcher is gone.  marquee_abort_probe FILE  (which is there once they shall)
#include <filesystem>
#include <iostream>

#include <unistd.h>

#include "cluster/mpi_session.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: mpirun ... marquee_abort_probe FILE\n";
    return 2;
  }
  const pid_t launcher = getppid();
  marquee::cluster::MpiSession session(argc, argv);
  std::cout << "rank " << session.rank() << " is up" << std::endl;
  // Ranks look one after another: one of them finds its launcher just gone.
  const auto nap = static_cast<useconds_t>(1 + 50 * session.rank());
  while (getppid() == launcher && !std::filesystem::exists(argv[1])) usleep(nap);
  session.abort(3);
}
