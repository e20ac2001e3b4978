// Names of the files in a results folder that have no file pair of their own.
#pragma once

namespace marquee::experiments {

inline constexpr const char* kLedgerFile = "ledger.sqlite";
inline constexpr const char* kLedgerLog = "ledger.sqlite-wal";
inline constexpr const char* kPublishedFile = "results.sqlite";  // the ledger's copy for readers

}  // namespace marquee::experiments
