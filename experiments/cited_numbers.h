// Numbers of other people's papers, as a user copied them: references.yaml (docs/file-formats.md).
// They are shown beside results and are none: nothing of them reaches a database or a statistic.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace marquee::experiments {

struct CitedNumber {
  std::string reference, citation, url;  // url: http(s)://, or empty
  std::string generator;                 // as the paper calls it
  std::string task, shots, metric;
  double value = 0;
  std::string value_text;            // as the file writes it: 12.30 says more than 12.3
  std::string protocol, page, note;  // as the paper says; note may be empty
};

// In the file's order. `metrics`: the names that a metric may have. No text holds a control
// character. Throws usage "FILE:LINE: 'KEY' ..." for what is none, environment for a file that
// cannot be read.
std::vector<CitedNumber> read_cited_numbers(const std::filesystem::path& file,
                                            const std::vector<std::string>& metrics);

// The same of `file`; where that is empty, of references.yaml in the folder `results`. None where
// `results` is empty or has no such file.
std::vector<CitedNumber> find_cited_numbers(const std::filesystem::path& file,
                                            const std::filesystem::path& results,
                                            const std::vector<std::string>& metrics);

}  // namespace marquee::experiments
