#include "cluster/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include "cluster/error.h"

namespace marquee::cluster {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder() {
  std::string name = (fs::temp_directory_path() / "marquee-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw_environment(name + ": cannot be made (" + errno_text(errno) + ")");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace marquee::cluster
