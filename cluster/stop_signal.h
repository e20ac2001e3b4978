// Remembers that a person or the system asked this process to stop. SIGTERM and SIGINT are taken
// as they are; SIGUSR1 and SIGUSR2 stand for them, because mpirun forwards those two to every rank
// and gives the ranks time, where SIGTERM to mpirun means SIGKILL to the ranks one second later.
#pragma once

namespace marquee::cluster {

// Call once, from the main thread. Also ignores SIGPIPE: a closed channel is an error return.
void install_stop_signals();

// 0, SIGTERM or SIGINT: the first one received.
int stop_signal();

// How many stop signals came in all; a second one means "now".
int stop_signal_count();

}  // namespace marquee::cluster
