// Named places at which the fault harness ends a process, to show that nothing is lost there.
//
// MARQUEE_FAILPOINT=NAME or NAME:N sends this process SIGKILL when it passes the place NAME for the
// Nth time (default: the first). With MARQUEE_FAILPOINT_ONCE=FILE only the first process that gets
// there dies: it creates FILE. Without the variable a failpoint costs one comparison.
#pragma once

#include <string_view>
#include <vector>

namespace marquee::cluster {

// Every place, "WHO.WHERE"; WHO is a kind of process, or what any of them may do (file, stage).
const std::vector<std::string_view>& failpoint_names();

// Throws defect for a name that is not in the list, usage for a variable that names no place.
void failpoint(std::string_view name);

}  // namespace marquee::cluster
