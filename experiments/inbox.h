// results/inbox/: how everyone but the holder of the lease hands something in. A request is a small
// JSON file that is written aside, synced and renamed; the holder takes it in and removes it. The
// format: docs/file-formats.md.
//
// Nothing is lost and nothing is taken in twice, whoever is killed when: an entry is removed after
// the transaction that took it in, and the ledger remembers the names of those that it has. What is
// broken goes to inbox/refused/ with an event. Not thread safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "experiments/ledger.h"

namespace marquee::experiments {

struct InboxEntry {
  // cancel, rerun: of `runs`. attempt: number `attempt` of the one run in `runs` is sealed in its
  // folder. evaluation: `evaluation` is stored (evaluation_record.h).
  std::string kind;
  std::vector<std::string> runs{};
  int attempt = 0;
  std::string evaluation{};
  std::uint64_t epoch = 0;  // of the lease as its writer saw it
  std::string made, host;   // UTC; filled by seal_entry
};

nlohmann::json to_json(const InboxEntry& entry);
// Throws environment naming the key for anything that is not exactly an entry.
InboxEntry inbox_entry_from_json(const nlohmann::json& content);

// Durable when it returns; the name of the entry.
std::string seal_entry(const std::filesystem::path& results, InboxEntry entry);

// What the holder has to act on.
struct TakenIn {
  int entries = 0, refused = 0;
  std::vector<std::string> cancelled, wanted;  // runs whose state changed
  std::vector<std::string> finished;           // runs that an attempt handed in has finished
  int without_effect = 0;                      // runs that were cancelled or asked for in vain
};

bool inbox_waits(const std::filesystem::path& results);
// For the holder, outside a batch: takes in what waits, in one transaction, then removes it.
TakenIn take_in(Ledger& ledger, const std::filesystem::path& results);

}  // namespace marquee::experiments
