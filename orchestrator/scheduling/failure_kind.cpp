#include "orchestrator/scheduling/failure_kind.h"

namespace marquee::orchestrator {
namespace {

struct NamedKind {
  FailureKind kind;
  const char* name;
  int attempts;
};

constexpr NamedKind kKinds[] = {
    {FailureKind::crash, "crash", 3},
    {FailureKind::deadline, "deadline", 3},
    {FailureKind::protocol, "protocol", 3},
    {FailureKind::environment, "environment", 2},
    {FailureKind::defect, "defect", 2},
    {FailureKind::usage, "usage", 1},
    {FailureKind::out_of_memory, "out_of_memory", 2},
    {FailureKind::interrupted, "interrupted", 0},
};

}  // namespace

std::string failure_name(FailureKind kind) {
  for (const NamedKind& known : kKinds) {
    if (known.kind == kind) return known.name;
  }
  return "defect";
}

FailureKind failure_kind(const std::string& name) {
  for (const NamedKind& known : kKinds) {
    if (name == known.name) return known.kind;
  }
  return FailureKind::defect;
}

int attempts_allowed(FailureKind kind) {
  for (const NamedKind& known : kKinds) {
    if (known.kind == kind) return known.attempts;
  }
  return 1;
}

std::string remedy(FailureKind kind) {
  if (kind != FailureKind::out_of_memory) return "";
  return "raise micro_batches (fewer images at once; another run with numbers of its own) or set "
         "recompute_activations, take a smaller base, or a GPU with more memory (slot_memory)";
}

}  // namespace marquee::orchestrator
