#include "cluster/mapped_file.h"

#include <array>
#include <fstream>
#include <numeric>
#include <string>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::cluster {
namespace {

std::string refusal(const std::filesystem::path& path) {
  try {
    MappedFile::open(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "mapped " << path;
  return "";
}

unsigned sum_of(std::string_view bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), 0u,
                         [](unsigned sum, char c) { return sum + static_cast<unsigned char>(c); });
}

TEST(MappedFile, HoldsTheBytesOfTheFile) {
  const TemporaryFolder folder;
  std::string content(100'000, '\0');
  std::iota(content.begin(), content.end(), '\0');
  write_file_durably(folder.path() / "a", content);
  const auto file = MappedFile::open(folder.path() / "a");
  file->read_ahead();
  EXPECT_TRUE(file->bytes() == content);
  EXPECT_EQ(file->path(), folder.path() / "a");
}

TEST(MappedFile, OfAnEmptyFileIsEmpty) {
  const TemporaryFolder folder;
  write_file_durably(folder.path() / "a", "");
  const auto file = MappedFile::open(folder.path() / "a");
  file->read_ahead();
  EXPECT_TRUE(file->bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNoRegularFile) {
  const TemporaryFolder folder;
  EXPECT_NE(refusal(folder.path() / "absent").find("No such file"), std::string::npos);
  EXPECT_NE(refusal(folder.path()).find("folder"), std::string::npos);
  ASSERT_EQ(::mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  EXPECT_NE(refusal(folder.path() / "pipe").find("no regular file"), std::string::npos);
}

TEST(MappedFile, KeepsWhatItMappedWhenTheFileIsReplaced) {
  const TemporaryFolder folder;
  write_file_durably(folder.path() / "a", "old");
  const auto file = MappedFile::open(folder.path() / "a");
  write_file_durably(folder.path() / "a", "new, and longer");
  EXPECT_EQ(file->bytes(), "old");
  std::filesystem::remove(folder.path() / "a");
  EXPECT_EQ(file->bytes(), "old");
}

TEST(MappedFile, CannotBeMadeWritable) {
  const TemporaryFolder folder;
  write_file_durably(folder.path() / "a", "fixed");
  const auto file = MappedFile::open(folder.path() / "a");
  EXPECT_NE(::mprotect(const_cast<char*>(file->bytes().data()), file->bytes().size(),
                       PROT_READ | PROT_WRITE),
            0);
}

// A field of /proc/self/smaps in KiB, summed over the mappings of `path`.
long smaps_kib(const std::filesystem::path& path, const std::string& field) {
  std::ifstream smaps("/proc/self/smaps");
  long total = 0;
  bool ours = false;
  for (std::string line; std::getline(smaps, line);) {
    const bool head = line.find('-') < line.find(' ') && line.find(':') > line.find(' ');
    if (head) ours = line.ends_with(path.string());
    if (ours && line.starts_with(field + ":")) total += std::stol(line.substr(field.size() + 1));
  }
  return total;
}

TEST(MappedFile, SharesItsPagesWithAnotherProcess) {
  constexpr long kMebibytes = 8;
  const TemporaryFolder folder;
  const auto path = std::filesystem::canonical(folder.path()) / "weights";
  write_file_durably(path, std::string(kMebibytes << 20, 'w'));

  std::array<int, 2> ready{}, answer{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  ASSERT_EQ(::pipe(answer.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Mapped after the parent did: nothing is inherited.
    char go = 0;
    if (::read(ready[0], &go, 1) != 1) ::_exit(1);
    const auto file = MappedFile::open(path);
    const unsigned sum = sum_of(file->bytes());
    const std::array<long, 4> found{static_cast<long>(sum), smaps_kib(path, "Rss"),
                                    smaps_kib(path, "Pss"), smaps_kib(path, "Private_Dirty")};
    ::_exit(::write(answer[1], found.data(), sizeof found) == sizeof found ? 0 : 1);
  }
  const auto file = MappedFile::open(path);
  const unsigned sum = sum_of(file->bytes());
  ASSERT_EQ(::write(ready[1], "g", 1), 1);
  std::array<long, 4> found{};
  ASSERT_EQ(::read(answer[0], found.data(), sizeof found), static_cast<ssize_t>(sizeof found));
  int status = 0;
  ::waitpid(child, &status, 0);
  for (const int fd : {ready[0], ready[1], answer[0], answer[1]}) ::close(fd);

  const auto [child_sum, rss, pss, private_dirty] = found;
  EXPECT_EQ(child_sum, static_cast<long>(sum));
  EXPECT_EQ(rss, kMebibytes * 1024);
  EXPECT_LT(pss, rss * 6 / 10);
  EXPECT_EQ(private_dirty, 0);
  RecordProperty("rss_kib", static_cast<int>(rss));
  RecordProperty("pss_kib", static_cast<int>(pss));
}

TEST(MappedFile, WhatWasReleasedIsReadAgain) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "file";
  constexpr long kKib = 1024;
  const std::string content(kKib * 1024, 'x');
  write_file_durably(path, content);
  const auto file = MappedFile::open(path);
  const unsigned sum = sum_of(file->bytes());
  EXPECT_EQ(smaps_kib(path, "Rss"), kKib);
  file->release(file->bytes().substr(1, 512 * 1024));  // whole pages of it alone
  EXPECT_GE(smaps_kib(path, "Rss"), 512);
  EXPECT_LT(smaps_kib(path, "Rss"), 530);
  file->release(file->bytes().substr(100, 10));
  EXPECT_EQ(sum_of(file->bytes()), sum);
}

}  // namespace
}  // namespace marquee::cluster
