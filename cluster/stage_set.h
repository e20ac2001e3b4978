// Files that are staged together: where they lie, and what they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cluster/error.h"

namespace marquee::cluster {

struct SourceFile {
  std::filesystem::path source;
  std::string name;  // below the staged folder, with '/'
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;  // since 1970
  std::string sha256;            // empty: not known
};

// `source` as it is now. `name`: a relative path without "..". Throws environment when it is no
// file that can be looked at.
SourceFile source_file(const std::filesystem::path& source, std::string name,
                       std::string sha256 = {});

struct StageSet {
  std::string identity;  // what else tells these files from others: a content hash of all
  std::vector<SourceFile> files;

  std::int64_t bytes() const;
  // SHA-256 over the identity and each file's name, size and hash; where its hash is not known,
  // over its absolute path and its time.
  std::string key() const;
};

// Nothing can be staged here: no room, no permission, no locks. Whoever meets it may read the files
// where they lie.
class StageRefused : public Error {
 public:
  explicit StageRefused(const std::string& message) : Error(ErrorKind::environment, message) {}
};

// Whatever goes wrong at the stage itself, in `act`, refuses it.
template <typename Act>
auto at_place(Act act) {
  try {
    return act();
  } catch (const StageRefused&) {
    throw;
  } catch (const std::exception& error) {
    throw StageRefused(error.what());
  }
}

}  // namespace marquee::cluster
