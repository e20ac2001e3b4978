// Copies of files on a disk of this host, made once for all processes of a user: who needs a set of
// files gets a folder that holds them, copied by whoever comes first while the others wait.
//
// <place>/marquee-<user id>/          mode 0700; a folder that is not ours alone is refused
//   <key>/files/...                   a whole copy of a set (StageSet::key), never changed
//   <key>/entry.json                  its size, and the boot of this host that it was made in
//   <key>.lock                        held shared by its users, exclusively while it is copied or
//                                     removed
//   .part-<key>/                      a copy that is being made or removed, or was when its maker
//                                     was killed
//   .room.lock                        held while room is made
//
// Nothing is synced: a copy of an earlier boot may have holes, and is made again. A copy is looked
// at before it is used (sizes and times; once in a process the hashes that are known) and made
// again where it is damaged. What nobody uses is removed, longest unused first, when a new copy
// would not fit. Not thread safe; any number of processes.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "cluster/file_lock.h"
#include "cluster/stage_place.h"
#include "cluster/stage_set.h"

namespace marquee::cluster {

class LocalStage {
 public:
  // Bytes copied or compared so far, and in all; while it waits for another's copy nothing goes on.
  // Called at most five times a second; may throw to stop.
  using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

  // As long as one lives, its copy stays.
  class Use {
   public:
    const std::filesystem::path& folder() const { return folder_; }

   private:
    friend class LocalStage;
    Use(std::filesystem::path folder, FileLock lock)
        : folder_(std::move(folder)), lock_(std::move(lock)) {}
    std::filesystem::path folder_;
    FileLock lock_;
  };

  // Makes what is missing of the folder, and removes what a dead process left there. Throws
  // StageRefused.
  explicit LocalStage(const StagePlace& place);

  // Throws StageRefused where there is no room (nothing is left of it), a damaged copy is in use,
  // or the place fails; environment naming the source where that cannot be read, has changed since
  // `set` was made, or differs from its hash.
  Use use(const StageSet& set, const Progress& progress);

 private:
  enum class State { absent, damaged, whole };
  struct Entry {
    std::string key;
    std::filesystem::path folder, part, lock;
  };
  class Pace;

  Entry entry_of(const std::string& key) const;
  static FileLock wait_for(const std::filesystem::path& file, FileLock::Mode mode, Pace& pace);
  static std::optional<std::string> hash_of(const std::filesystem::path& file, std::int64_t bytes,
                                            Pace& pace);
  State look(const Entry& entry, const StageSet& set, Pace& pace);
  static void remove(const Entry& entry);
  void copy(const Entry& entry, const StageSet& set, Pace& pace);
  void make_room(const Entry& entry, std::int64_t bytes, Pace& pace) const;
  void clear_leftovers() const;

  std::filesystem::path root_;
  std::int64_t limit_bytes_;
  std::set<std::string> compared_;  // keys whose hashes this process has compared
};

}  // namespace marquee::cluster
