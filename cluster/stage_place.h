// Where copies of files may lie on a host's own disk, as --stage and MARQUEE_STAGE say it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace marquee::cluster {

struct StagePlace {
  std::filesystem::path folder;  // absolute; empty: nothing is staged
  std::int64_t limit_bytes = 0;  // of all copies of this user together; 0: what the disk has
  bool operator==(const StagePlace&) const = default;
};

// "DIR" or "DIR:SIZE" with SIZE like 200G (K, M, G, T: powers of 1024; "GB" and "GiB" as well);
// "" is no place. A relative DIR is made absolute here. Throws usage for anything else: the name of
// a stage holds no colon.
StagePlace parse_stage_place(const std::string& text);
// What parse_stage_place reads as the same.
std::string to_text(const StagePlace& place);

// `named` (--stage) if given, else the environment variable MARQUEE_STAGE.
StagePlace find_stage_place(const std::string& named);

}  // namespace marquee::cluster
