#include "cluster/local_stage.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/descriptor.h"
#include "cluster/durable_file.h"
#include "cluster/failpoint.h"
#include "cluster/file_copy.h"
#include "cluster/host.h"
#include "cluster/sha256.h"

namespace marquee::cluster {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMostFiles = 1'000'000;
constexpr std::size_t kLargestAbout = 4096;
constexpr std::size_t kKeyDigits = 64;
constexpr double kDamagedPatience = 2;  // seconds that others may go on with a damaged copy
constexpr std::int64_t kKeptFree = std::int64_t{256} << 20;  // or a twentieth of a small disk
constexpr std::chrono::milliseconds kNap{100};
constexpr int kMostCopies = 2;  // that are found damaged right after they were made
constexpr std::string_view kPart = ".part-";
constexpr const char* kAbout = "entry.json";
constexpr const char* kFiles = "files";

const std::string& this_boot() {
  static const std::string kBoot = [] {
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    return boot;
  }();
  return kBoot;
}

void remove_whole(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw StageRefused(path.string() + ": cannot be removed (" + error.message() + ")");
}

// Size in entry.json; 0 where nothing can be read.
std::int64_t told_bytes(const fs::path& folder) {
  try {
    const json about = json::parse(read_file(folder / kAbout, kLargestAbout));
    return std::max(std::int64_t{0}, about.at("bytes").get<std::int64_t>());
  } catch (const std::exception&) {
    return 0;
  }
}

std::int64_t bytes_below(const fs::path& folder) {
  std::int64_t sum = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entries(folder, error), end; !error && entries != end;
       entries.increment(error)) {
    std::error_code gone;
    const std::uintmax_t size = entries->file_size(gone);
    if (!gone) sum += static_cast<std::int64_t>(size);
  }
  return sum;
}

bool is_key(const std::string& name) {
  return name.size() == kKeyDigits &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entries(folder, error), end; !error && entries != end;
       entries.increment(error))
    names.push_back(entries->path().filename().string());
  return names;
}

struct stat status_of(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) status.st_mode = 0;
  return status;
}

void write_about(const fs::path& folder, std::int64_t bytes) {
  const json about{{"format", 1}, {"boot", this_boot()}, {"bytes", bytes}};
  const Descriptor out(folder / kAbout, O_WRONLY | O_CREAT | O_TRUNC);
  out.write(about.dump() + "\n");
}

// Gone with its owner unless it was put in place.
class Part {
 public:
  explicit Part(fs::path path) : path_(std::move(path)) {}
  ~Part() {
    std::error_code ignored;
    if (!placed_) fs::remove_all(path_, ignored);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  void place(const fs::path& final_path) {
    fs::rename(path_, final_path);
    placed_ = true;
  }

 private:
  fs::path path_;
  bool placed_ = false;
};

}  // namespace

// What is told of progress, and how often.
class LocalStage::Pace {
 public:
  Pace(const Progress& progress, std::int64_t total) : progress_(progress), total_(total) {}
  void restart() { done_ = 0; }
  void took(std::int64_t bytes) {
    constexpr double kSeconds = 0.2;
    done_ += bytes;
    const double now = monotonic_seconds();
    if (now - told_ < kSeconds) return;
    told_ = now;
    progress_(done_, total_);
  }

 private:
  const Progress& progress_;
  std::int64_t done_ = 0, total_;
  double told_ = 0;
};

LocalStage::LocalStage(const StagePlace& place)
    : root_(place.folder / ("marquee-" + std::to_string(::geteuid()))),
      limit_bytes_(place.limit_bytes) {
  std::error_code error;
  fs::create_directories(place.folder, error);
  if (::mkdir(root_.c_str(), 0700) != 0 && errno != EEXIST)
    throw StageRefused(root_.string() + ": cannot be made (" + errno_text(errno) + ")");
  // Somebody else may have made it, where everybody may write.
  const struct stat status = status_of(root_);
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    throw StageRefused(root_.string() +
                       ": is not a folder that this user alone can open (mode 0700); remove it or "
                       "name another place");
  }
  at_place([&] { clear_leftovers(); });
}

LocalStage::Entry LocalStage::entry_of(const std::string& key) const {
  return {key, root_ / key, root_ / (std::string(kPart) + key), root_ / (key + ".lock")};
}

void LocalStage::clear_leftovers() const {
  constexpr std::string_view kLock = ".lock";
  std::set<std::string> keys;
  for (const std::string& name : names_in(root_)) {
    if (name.starts_with(kPart)) keys.insert(name.substr(kPart.size()));
    if (name.ends_with(kLock)) keys.insert(name.substr(0, name.size() - kLock.size()));
  }
  for (const std::string& key : keys) {
    if (!is_key(key)) continue;
    const Entry entry = entry_of(key);
    const auto lock = FileLock::try_lock(entry.lock, FileLock::Mode::exclusive);
    if (!lock || !lock->held()) continue;
    remove_whole(entry.part);
    if (!fs::exists(entry.folder)) remove_whole(entry.lock);
  }
}

FileLock LocalStage::wait_for(const fs::path& file, FileLock::Mode mode, Pace& pace) {
  for (;;) {
    std::optional<FileLock> lock = at_place([&] { return FileLock::try_lock(file, mode); });
    if (lock) return std::move(*lock);
    pace.took(0);
    std::this_thread::sleep_for(kNap);
  }
}

LocalStage::Use LocalStage::use(const StageSet& set, const Progress& progress) {
  if (set.files.size() > kMostFiles) {
    throw StageRefused(std::to_string(set.files.size()) + " files are not staged, at most " +
                       std::to_string(kMostFiles));
  }
  const Entry entry = entry_of(set.key());
  Pace pace(progress, set.bytes());
  std::optional<double> damaged_since;
  int copies = 0;
  for (;;) {
    {
      FileLock lock = wait_for(entry.lock, FileLock::Mode::shared, pace);
      if (!lock.held()) throw StageRefused(root_.string() + ": its file system has no file locks");
      const State state = look(entry, set, pace);
      if (state == State::whole) {
        ::utimensat(AT_FDCWD, entry.lock.c_str(), nullptr, 0);  // last used now
        return {entry.folder / kFiles, std::move(lock)};
      }
      if (state == State::absent) damaged_since.reset();
      if (state == State::damaged && !damaged_since) damaged_since = monotonic_seconds();
    }
    const auto lock =
        at_place([&] { return FileLock::try_lock(entry.lock, FileLock::Mode::exclusive); });
    if (!lock) {
      if (damaged_since && monotonic_seconds() - *damaged_since > kDamagedPatience)
        throw StageRefused(entry.folder.string() +
                           ": is damaged, or of another boot or host, and in use");
      pace.took(0);
      std::this_thread::sleep_for(kNap);
      continue;
    }
    if (look(entry, set, pace) == State::whole) continue;
    if (damaged_since && copies == kMostCopies)
      throw StageRefused(entry.folder.string() + ": is damaged whenever it is made");
    copy(entry, set, pace);
    ++copies;
  }
}

// Nothing where the copy cannot be read.
std::optional<std::string> LocalStage::hash_of(const fs::path& file, std::int64_t bytes,
                                               Pace& pace) {
  std::optional<BlockReader> in;
  Sha256 hash;
  for (;;) {
    std::string_view block;
    try {
      if (!in) in.emplace(file, bytes);
      block = in->next();
    } catch (const Error&) {
      return std::nullopt;
    }
    if (block.empty()) return hash.hex();
    hash.update(block);
    pace.took(static_cast<std::int64_t>(block.size()));
  }
}

LocalStage::State LocalStage::look(const Entry& entry, const StageSet& set, Pace& pace) {
  if (!fs::exists(entry.folder)) return State::absent;
  try {
    const json about = json::parse(read_file(entry.folder / kAbout, kLargestAbout));
    if (about.at("format") != 1 || about.at("boot") != this_boot()) return State::damaged;
  } catch (const json::exception&) {
    return State::damaged;
  } catch (const Error&) {
    return State::damaged;
  }
  for (const SourceFile& file : set.files)
    if (!looks_like(entry.folder / kFiles / file.name, file)) return State::damaged;
  if (compared_.contains(entry.key)) return State::whole;
  pace.restart();
  for (const SourceFile& file : set.files) {
    if (file.sha256.empty()) continue;
    const auto hash = hash_of(entry.folder / kFiles / file.name, file.bytes, pace);
    if (hash != file.sha256) return State::damaged;
  }
  compared_.insert(entry.key);
  return State::whole;
}

// Under the entry's exclusive lock, as copy. Out of its name at once: who is killed in the midst of
// it leaves no half of a copy.
void LocalStage::remove(const Entry& entry) {
  remove_whole(entry.part);
  std::error_code error;
  fs::rename(entry.folder, entry.part, error);
  if (error && error != std::errc::no_such_file_or_directory)
    throw StageRefused(entry.folder.string() + ": cannot be removed (" + error.message() + ")");
  remove_whole(entry.part);
}

void LocalStage::copy(const Entry& entry, const StageSet& set, Pace& pace) {
  remove(entry);
  const std::int64_t bytes = set.bytes();
  pace.restart();
  Part part(entry.part);
  make_room(entry, bytes, pace);
  std::set<fs::path> made;
  for (const SourceFile& file : set.files) {
    const fs::path target = entry.part / kFiles / file.name;
    if (made.insert(target.parent_path()).second)
      at_place([&] { fs::create_directories(target.parent_path()); });
    copy_file(file, target, [&](std::int64_t took) {
      pace.took(took);
      failpoint("stage.copying");
    });
  }
  at_place([&] {
    write_about(entry.part, bytes);
    part.place(entry.folder);
  });
  compared_.insert(entry.key);  // while it was copied
}

// Makes entry.part, which says how much is going to lie in it: copies that are made at the same
// time know of one another.
void LocalStage::make_room(const Entry& entry, std::int64_t bytes, Pace& pace) const {
  struct Copy {
    Entry entry;
    std::int64_t bytes = 0;
    timespec last_use{};
  };
  const FileLock room = wait_for(root_ / ".room.lock", FileLock::Mode::exclusive, pace);
  at_place([&] { clear_leftovers(); });
  std::vector<Copy> copies;
  std::int64_t used = 0, promised = 0;
  for (const std::string& name : names_in(root_)) {
    const fs::path folder = root_ / name;
    if (is_key(name)) {
      const Entry other = entry_of(name);
      copies.push_back({other, told_bytes(folder), status_of(other.lock).st_mtim});
      used += copies.back().bytes;
    } else if (name.starts_with(kPart)) {
      used += told_bytes(folder);
      promised += std::max(std::int64_t{0}, told_bytes(folder) - bytes_below(folder));
    }
  }
  std::sort(copies.begin(), copies.end(), [](const Copy& a, const Copy& b) {
    return std::pair(a.last_use.tv_sec, a.last_use.tv_nsec) <
           std::pair(b.last_use.tv_sec, b.last_use.tv_nsec);
  });
  const fs::space_info disk = at_place([&] { return fs::space(root_); });
  const std::int64_t kept =
      std::min(kKeptFree, static_cast<std::int64_t>(disk.capacity / 20)) + promised;
  std::int64_t freed = 0;
  const auto fits = [&] {
    return (limit_bytes_ == 0 || used + bytes - freed <= limit_bytes_) &&
           bytes + kept <= static_cast<std::int64_t>(disk.available) + freed;
  };
  // All or none: a set that cannot fit drives nothing out.
  std::vector<std::pair<const Entry*, FileLock>> unused;
  for (const Copy& copy : copies) {
    if (fits()) break;
    std::optional<FileLock> lock =
        at_place([&] { return FileLock::try_lock(copy.entry.lock, FileLock::Mode::exclusive); });
    if (!lock || !lock->held()) continue;
    unused.emplace_back(&copy.entry, std::move(*lock));
    freed += copy.bytes;
  }
  if (!fits()) {
    throw StageRefused(root_.string() + ": has no room for " + std::to_string(bytes) + " bytes (" +
                       std::to_string(used) + " are used by copies" +
                       (limit_bytes_ > 0 ? " of at most " + std::to_string(limit_bytes_) : "") +
                       ", the disk has " + std::to_string(disk.available) + " free)");
  }
  for (const auto& [other, lock] : unused) {
    remove(*other);
    remove_whole(other->lock);
    pace.took(0);
  }
  at_place([&] {
    fs::create_directory(entry.part);
    write_about(entry.part, bytes);
  });
}

}  // namespace marquee::cluster
