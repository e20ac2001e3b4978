// Runs made of others by changing some of their keys: what `marquee rerun --set KEY=VALUE`
// computes. Every key but those changed stays, so the difference of results is that of the keys.
// Thread safe.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "analysis/report/run_differences.h"
#include "experiments/run_config.h"
#include "orchestrator/sweep/run_list.h"

namespace marquee::orchestrator {

// One --set.
struct KeyChange {
  std::string key;
  nlohmann::json value;  // in the key's type
  std::string word;      // "prompt_length=16", as it was said

  bool operator==(const KeyChange&) const = default;
};

// Reads "KEY=VALUE" words, values as in a sweep file. Throws usage for no word of that form,
// unknown keys, keys that only another sweep file can change (task, base and what is filled in),
// values of the wrong type, and a key that is set twice.
std::vector<KeyChange> parse_changes(const std::vector<std::string>& words);

// Where runs are computed: what derived runs take their hashes, protocol and network from.
struct RunInputs {
  std::filesystem::path assets, data;  // as resolve_hashes takes them
  bool simulated = false;              // instead of both
};

struct DerivedRuns {
  RunList list;                        // by first origin, in the order of `chosen`
  std::vector<std::string> unchanged;  // ids of chosen runs that the changes leave as they are
  std::size_t oracles = 0;             // chosen oracle rows: they have no keys to change
};

// Applies the changes to each of `chosen`, whose ids are final. Runs that become one are one, with
// all its origins. Throws usage where a run cannot have these values; environment where weights,
// data or this program's numerics are not those that a chosen run was planned with: the results
// would differ by more than the keys.
DerivedRuns derive_runs(const std::vector<experiments::RunConfig>& chosen,
                        const std::vector<KeyChange>& changes, const RunInputs& inputs);

// Each origin with what was derived from it.
std::vector<analysis::RunPair> pairs_of(const RunList& derived);
// "prompt_length=16, steps=300", printable.
std::string set_text(const RunList& derived);
// What a published database says about the difference, for people: what was set, then the
// differences.
std::string difference_report(const RunList& derived, const analysis::RunDifferences& differences);

}  // namespace marquee::orchestrator
