#include "cluster/durable_file.h"

#include <fstream>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "cluster/sha256.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::cluster {
namespace {

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder),
                                                std::filesystem::directory_iterator()));
}

TEST(WriteFileDurably, ReplacesAFileAndLeavesNothingElse) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.txt";
  write_file_durably(file, "one");
  write_file_durably(file, std::string("two\0three", 9));
  EXPECT_EQ(read_file(file, 100), std::string("two\0three", 9));
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(WriteFileDurably, NamesAFileThatCannotBeWritten) {
  try {
    write_file_durably("/nowhere/at/all.txt", "x");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("/nowhere/at"), std::string::npos);
  }
}

TEST(DurableWriter, PutsItsPiecesInPlaceOnCommit) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a";
  write_file_durably(file, "old");
  DurableWriter writer(file);
  writer.append("one");
  writer.append(" two");
  EXPECT_EQ(read_file(file, 100), "old");
  writer.commit();
  EXPECT_EQ(read_file(file, 100), "one two");
  EXPECT_EQ(files_in(folder.path()), 1u);
  EXPECT_THROW(writer.append("three"), Error);
}

TEST(DurableWriter, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  {
    DurableWriter writer(folder.path() / "a");
    writer.append("half");
  }
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(StagedFile, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  {
    const StagedFile staged(folder.path() / "a.h5");
    std::ofstream(staged.staging_path()) << "half";
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.h5"));
  }
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(StagedFile, KeepsTheOldFileUntilCommit) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.h5";
  write_file_durably(file, "old");
  StagedFile staged(file);
  std::ofstream(staged.staging_path()) << "new";
  EXPECT_EQ(read_file(file, 100), "old");
  staged.commit();
  EXPECT_EQ(read_file(file, 100), "new");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(ReadFile, RefusesMoreThanItsBound) {
  const TemporaryFolder folder;
  write_file_durably(folder.path() / "a", "12345");
  EXPECT_EQ(read_file(folder.path() / "a", 5), "12345");
  EXPECT_THROW(read_file(folder.path() / "a", 4), Error);
}

TEST(ReadFile, NamesAMissingFileAndAFolder) {
  const TemporaryFolder folder;
  for (const auto& path : {folder.path() / "absent", folder.path()}) {
    try {
      read_file(path, 100);
      ADD_FAILURE() << "read " << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::environment);
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    }
  }
}

TEST(StagedFile, CannotBeCommittedWhenNothingWasWritten) {
  const TemporaryFolder folder;
  StagedFile staged(folder.path() / "a.h5");
  EXPECT_THROW(staged.commit(), Error);
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(StagedFile, OfOneFileDoNotShareAPlace) {
  const TemporaryFolder folder;
  const StagedFile one(folder.path() / "a"), two(folder.path() / "a");
  EXPECT_NE(one.staging_path(), two.staging_path());
}

TEST(CreateDirectoriesDurably, MakesParentsAndAcceptsExistingOnes) {
  const TemporaryFolder folder;
  create_directories_durably(folder.path() / "a/b/c");
  create_directories_durably(folder.path() / "a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "a/b/c"));
  write_file_durably(folder.path() / "file", "x");
  EXPECT_THROW(create_directories_durably(folder.path() / "file/below"), Error);
}

TEST(Sha256, GivesTheKnownAnswers) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, GivesTheKnownAnswerOverTwoBlocks) {
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, IsToldByItsForm) {
  EXPECT_TRUE(is_sha256_hex(sha256_hex("abc")));
  EXPECT_FALSE(is_sha256_hex(""));
  EXPECT_FALSE(is_sha256_hex(std::string(63, 'a')));
  EXPECT_FALSE(is_sha256_hex(std::string(65, 'a')));
  EXPECT_FALSE(is_sha256_hex(std::string(64, 'A')));
}

TEST(Sha256, NamesAFileThatCannotBeRead) {
  try {
    sha256_file("/nowhere/at/all");
    FAIL() << "hashed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/at/all"), std::string::npos);
  }
}

TEST(Sha256, IsTheSameInPiecesAndFromAFile) {
  const TemporaryFolder folder;
  const std::string text(100000, 'q');
  write_file_durably(folder.path() / "q", text);
  Sha256 pieces;
  pieces.update(std::string_view(text).substr(0, 777));
  pieces.update(std::string_view(text).substr(777));
  EXPECT_EQ(pieces.hex(), sha256_hex(text));
  EXPECT_EQ(sha256_file(folder.path() / "q"), sha256_hex(text));
}

}  // namespace
}  // namespace marquee::cluster
