// Remembers that a person or the system asked this process to stop. SIGTERM and SIGINT are taken
// as they are; SIGUSR1 and SIGUSR2 stand for them, because mpirun forwards those two to every rank
// and gives the ranks time, where SIGTERM to mpirun means SIGKILL to the ranks one second later.
#pragma once

namespace marquee::cluster {

// Call once, from the main thread. Also ignores SIGPIPE: a closed channel is an error return.
void install_stop_signals();

// 0, SIGTERM or SIGINT: the first one received.
int stop_signal();

// How often it was asked; a second time means "now". Signals within two seconds of the last that
// counted are the same request: a scheduler that ends a job signals every process of it, and so do
// the launchers that pass the signal on.
int stop_signal_count();

// For a trainer: what a scheduler or a terminal sends to every process of a job is its agent's
// business, which asks it to write a checkpoint. Ignores SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2.
void leave_stop_signals_to_parent();

}  // namespace marquee::cluster
