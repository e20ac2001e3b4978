// Why an attempt ended without a result, and how often it is tried again. Pure; thread safe.
#pragma once

#include <string>

namespace marquee::orchestrator {

// `interrupted` is no failure: the run goes back into the queue and the attempt is not counted.
enum class FailureKind {
  crash,
  deadline,
  protocol,
  environment,
  defect,
  usage,
  out_of_memory,
  interrupted
};

std::string failure_name(FailureKind kind);
// The kind named in an attempt's cause; an unknown name counts as a defect.
FailureKind failure_kind(const std::string& name);

// Attempts of one run allowed in one sweep command when they end with this kind of failure:
// 1 for usage, 2 for environment, defect and out_of_memory (the second on a slot with more memory,
// else there is none), 3 for crash, deadline and protocol.
int attempts_allowed(FailureKind kind);

// What a person can do about runs that are set aside for it; "" where the message says it all.
std::string remedy(FailureKind kind);

}  // namespace marquee::orchestrator
