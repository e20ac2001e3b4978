#include "orchestrator/sweep/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::orchestrator {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder() {
  std::string name = (fs::temp_directory_path() / "marquee-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    cluster::throw_environment(name + ": cannot be made (" + cluster::errno_text(errno) + ")");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace marquee::orchestrator
