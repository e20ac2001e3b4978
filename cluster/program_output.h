// What another program prints, within a time limit. Not thread safe.
#pragma once

#include <string>
#include <vector>

#include "cluster/child_process.h"

namespace marquee::cluster {

struct ProgramOutput {
  ExitStatus status;  // {-1, SIGKILL} when it took too long
  bool took_too_long = false;
  std::string out, err;  // at most a MiB each is read; more counts as a failure of the program
};

// argv[0] is looked up in PATH; standard input is empty, and so on as SpawnOptions has it. Throws
// environment, naming the program, when it cannot be started.
ProgramOutput run_program(const std::vector<std::string>& argv, double patience_seconds,
                          std::vector<std::string> environment = clean_environment());

// Whether a program of this name is found in PATH.
bool program_exists(const std::string& name);

}  // namespace marquee::cluster
