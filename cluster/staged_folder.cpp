#include "cluster/staged_folder.h"

#include <utility>

#include "cluster/durable_file.h"
#include "cluster/error.h"

namespace marquee::cluster {

namespace fs = std::filesystem;

StagedFolder::StagedFolder(fs::path final_path)
    : final_(std::move(final_path)), staging_(final_.string() + ".part") {
  if (fs::exists(final_))
    throw_usage(final_.string() + ": is there already; remove it or name another folder");
  fs::remove_all(staging_);
  create_directories_durably(staging_);
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(staging_, ignored);
}

void StagedFolder::commit() {
  sync_directory(staging_);
  fs::rename(staging_, final_);
  sync_directory(final_.parent_path());
  committed_ = true;
}

}  // namespace marquee::cluster
