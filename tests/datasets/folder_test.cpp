// VTAB-1k folders, image folders and their archives.
#include <fstream>
#include <map>
#include <set>

#include <archive.h>
#include <archive_entry.h>

#include "cluster/error.h"
#include "datasets/dataset_hash.h"
#include "datasets/encode_png.h"
#include "datasets/image_archive.h"
#include "datasets/image_folder.h"
#include "datasets/vtab1k.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

void expect_error(const std::function<void()>& call, cluster::ErrorKind kind,
                  const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "accepted; expected '" << part << "'";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Vtab1k, HasTheExpectedLinesAndFiles) {
  const fs::path data = shared_data() / "vtab1k";
  MARQUEE_NEEDS(data);
  const auto expected = read_json(shared_data() / "expected/vtab1k_eurosat.json").at("splits");
  const TaskInfo& task = find_task("eurosat");
  EXPECT_EQ(layout_of(task, data), DataLayout::vtab1k);
  for (const auto& [split, wanted] : expected.items()) {
    const auto dataset = open_dataset(task, split, data);
    ASSERT_EQ(dataset->size(), wanted.at("lines").get<std::size_t>()) << split;
    std::map<std::string, int> histogram;
    cluster::Sha256 digests;
    for (std::size_t i = 0; i < dataset->size(); ++i) {
      ++histogram[std::to_string(dataset->label(i))];
      digests.update(cluster::sha256_hex(read_bytes(data / "eurosat" / dataset->id(i))));
    }
    EXPECT_EQ(nlohmann::json(histogram), wanted.at("histogram")) << split;
    EXPECT_EQ(digests.hex(), wanted.at("sha256_of_file_digests")) << split;
    EXPECT_EQ(dataset->image(0).width, 64);
  }
  expect_error([&] { open_dataset(task, "train", data); }, cluster::ErrorKind::usage, "train800");
}

TEST(Vtab1k, KnowsEveryTasksFolder) {
  std::set<std::string> folders;
  for (const TaskInfo& task : all_tasks())
    if (task.group != TaskGroup::drawn) folders.insert(task.vtab1k_folder);
  EXPECT_EQ(folders, (std::set<std::string>{
                         "caltech101", "cifar", "dtd", "oxford_flowers102", "oxford_iiit_pet",
                         "patch_camelyon", "sun397", "svhn", "resisc45", "eurosat", "dmlab",
                         "kitti", "smallnorb_azi", "smallnorb_ele", "dsprites_loc", "dsprites_ori",
                         "clevr_dist", "clevr_count", "diabetic_retinopathy"}));
}

class SmallVtab1k : public testing::Test {
 protected:
  void write_list(const std::string& text) {
    fs::create_directories(folder_.path() / "eurosat");
    std::ofstream(folder_.path() / "eurosat/test.txt") << text;
  }
  void expect_refused(const std::string& text, const std::string& part) {
    write_list(text);
    expect_error([&] { open_dataset(find_task("eurosat"), "test", folder_.path()); },
                 cluster::ErrorKind::environment, part);
  }
  cluster::TemporaryFolder folder_;
};

TEST_F(SmallVtab1k, NamesTheLineThatIsWrong) {
  expect_refused("images/a.jpg 3\nimages/b.jpg\n", "test.txt:2");
  expect_refused("images/a.jpg 10\n", "from 0 to 9");
  expect_refused("images/a.jpg -1\n", "from 0 to 9");
  expect_refused("images/a.jpg 3x\n", "test.txt:1");
  expect_refused("../../secret 3\n", "below the folder");
  expect_refused("/etc/passwd 3\n", "below the folder");
  write_list("images/a b.jpg 3\r\n\nimages/c.jpg 0");
  const auto dataset = open_dataset(find_task("eurosat"), "test", folder_.path());
  ASSERT_EQ(dataset->size(), 2u);
  EXPECT_EQ(dataset->id(0), "images/a b.jpg");
  EXPECT_EQ(dataset->label(0), 3);
  expect_error([&] { dataset->image(1); }, cluster::ErrorKind::environment, "images/c.jpg");
}

TEST_F(SmallVtab1k, HashFollowsLabelsAndSizes) {
  write_list("images/a.jpg 3\n");
  const auto hash = [&] { return dataset_content_hash(find_task("eurosat"), folder_.path()); };
  const std::string missing = hash();
  fs::create_directories(folder_.path() / "eurosat/images");
  std::ofstream(folder_.path() / "eurosat/images/a.jpg") << "1234";
  const std::string there = hash();
  EXPECT_NE(there, missing);
  write_list("images/a.jpg 4\n");
  EXPECT_NE(hash(), there);
}

TEST(ImageFolder, EveryImageIsInOneSplit) {
  for (int size = 1; size <= 40; ++size) {
    std::vector<std::string> paths;
    for (int i = 0; i < size; ++i) paths.push_back("a/" + std::to_string(i) + ".png");
    const FolderSplits splits = split_folder(paths, "folder");
    std::multiset<std::string> found;
    for (const auto* part : {&splits.train, &splits.val, &splits.test})
      for (const FolderImage& image : *part) found.insert(image.path);
    EXPECT_EQ(found, std::multiset<std::string>(paths.begin(), paths.end())) << size;
  }
}

TEST(ImageFolder, HasTheExpectedClassesAndPixels) {
  const fs::path root = shared_data() / "folders/eurosat_tiny";
  MARQUEE_NEEDS(root);
  const auto expected = read_json(shared_data() / "expected/folder_eurosat_tiny.json");
  std::map<std::string, nlohmann::json> wanted;
  for (const auto& file : expected.at("files")) wanted[file.at("path").get<std::string>()] = file;
  const FolderSplits splits = list_image_folder(root, {});
  EXPECT_EQ(splits.classes, expected.at("classes").get<std::vector<std::string>>());
  const std::size_t classes = splits.classes.size(), each = wanted.size() / classes;
  EXPECT_EQ(splits.train.size(), classes * (each * 80 / 100));
  std::set<std::string> seen;
  for (const char* split : {"train", "val", "test"}) {
    const auto dataset = open_image_folder(split, {root});
    for (std::size_t i = 0; i < dataset->size(); ++i) {
      const auto& file = wanted.at(dataset->id(i));
      EXPECT_EQ(dataset->label(i), file.at("class"));
      EXPECT_EQ(rgb_hash(dataset->image(i)), file.at("sha256_rgb")) << dataset->id(i);
      EXPECT_TRUE(seen.insert(dataset->id(i)).second) << dataset->id(i) << " is in two splits";
    }
  }
  EXPECT_EQ(seen.size(), wanted.size());
}

TEST(ImageFolder, TakesTheUsersSplitAndCutsATenthForValidation) {
  std::vector<std::string> paths{"test/a/1.jpg", "test/b/1.PNG", "notes.txt", ".hidden/a/1.jpg",
                                 "stray.jpg"};
  for (int i = 0; i < 20; ++i) paths.push_back("train/a/" + std::to_string(i) + ".jpg");
  for (int i = 0; i < 10; ++i) paths.push_back("train/b/deep/" + std::to_string(i) + ".webp");
  const FolderSplits splits = split_folder(paths, "root");
  EXPECT_EQ(splits.classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(splits.train.size(), 27u);
  EXPECT_EQ(splits.val.size(), 3u);
  EXPECT_EQ(splits.test.size(), 2u);
  paths.push_back("validation/a/9.gif");
  const FolderSplits given = split_folder(paths, "root");
  EXPECT_EQ(given.train.size(), 30u);
  ASSERT_EQ(given.val.size(), 1u);
  EXPECT_EQ(given.val[0].path, "validation/a/9.gif");
}

TEST(ImageFolder, OrderAndSplitsDependOnNamesAlone) {
  std::vector<std::string> paths;
  for (int i = 0; i < 50; ++i) paths.push_back((i % 2 ? "x/" : "y/") + std::to_string(i) + ".jpg");
  const FolderSplits first = split_folder(paths, "one");
  std::reverse(paths.begin(), paths.end());
  const FolderSplits second = split_folder(paths, "two");
  ASSERT_EQ(first.train.size(), second.train.size());
  for (std::size_t i = 0; i < first.train.size(); ++i)
    EXPECT_EQ(first.train[i].path, second.train[i].path);
}

TEST(ImageFolder, WithoutClassesHasOneOfAllImages) {
  const FolderSplits splits = split_folder({"1.jpg", "2.jpg", "3.jpg"}, "root");
  EXPECT_EQ(splits.classes, (std::vector<std::string>{"all"}));
}

TEST(ImageFolder, RefusesWhatHoldsNoImagesOrHalfASplit) {
  expect_error([] { split_folder({"a/readme.txt"}, "here"); }, cluster::ErrorKind::environment,
               "here: holds no images");
  expect_error([] { split_folder({"train/a/1.jpg"}, "here"); }, cluster::ErrorKind::environment,
               "none named test");
  expect_error(
      [] {
        split_folder({"test/a/1.jpg", "test/b/2.jpg", "val/a/3.jpg"}, "here");
      },
      cluster::ErrorKind::environment, "none named train");
  EXPECT_EQ(split_folder({"test/1.jpg", "bus/2.jpg"}, "here").classes,
            (std::vector<std::string>{"bus", "test"}));
}

using Entries = std::vector<std::pair<std::string, std::string>>;

std::string png_text(std::uint8_t level) {
  const std::vector<std::byte> png = encode_png({2, 2, std::vector<std::uint8_t>(12, level)});
  return {reinterpret_cast<const char*>(png.data()), png.size()};
}

void write_archive(const fs::path& path, const Entries& entries) {
  archive* out = archive_write_new();
  if (path.extension() == ".zip") {
    archive_write_set_format_zip(out);
  } else {
    archive_write_set_format_pax_restricted(out);
    if (path.extension() == ".tgz") archive_write_add_filter_gzip(out);
  }
  ASSERT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  for (const auto& [name, bytes] : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    ASSERT_EQ(archive_write_header(out, entry), ARCHIVE_OK);
    archive_write_data(out, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
}

class Archives : public testing::TestWithParam<const char*> {
 protected:
  fs::path file() const { return folder_.path() / (std::string("set.") + GetParam()); }
  fs::path cache() const { return folder_.path() / "cache"; }
  cluster::TemporaryFolder folder_;
};

TEST_P(Archives, AreReadLikeTheFolderInThem) {
  Entries entries;
  for (int i = 0; i < 10; ++i) {
    entries.emplace_back("set/cat/" + std::to_string(i) + ".png", png_text(10));
    entries.emplace_back("set/dog/" + std::to_string(i) + ".png", png_text(20));
  }
  entries.emplace_back("set/readme.txt", "words");
  write_archive(file(), entries);
  const FolderSplits splits = list_image_folder(file(), cache());
  EXPECT_EQ(splits.classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(splits.train.size(), 16u);
  const auto dataset = open_image_folder("test", {file(), cache()});
  ASSERT_EQ(dataset->size(), 2u);
  for (std::size_t i = 0; i < dataset->size(); ++i)
    EXPECT_EQ(dataset->image(i).rgb.at(0), dataset->label(i) == 0 ? 10 : 20);
  // The second reader takes the copy.
  const auto packs = [&] {
    return std::distance(fs::directory_iterator(cache()), fs::directory_iterator());
  };
  EXPECT_EQ(packs(), 1);
}

TEST_P(Archives, NamesNeverBecomePaths) {
  write_archive(file(), {{"../../escape/1.png", png_text(1)}, {"/abs/2.png", png_text(2)}});
  const ImageArchive archive(file(), cache());
  EXPECT_FALSE(fs::exists(folder_.path() / ".." / "escape"));
  EXPECT_FALSE(fs::exists("/abs/2.png"));
  EXPECT_EQ(archive.names().size(), 2u);
}

TEST_P(Archives, CutShortAreRefusedAndLeaveNoCopy) {
  std::string noise;
  for (std::uint32_t i = 0, x = 1; i < 100000; ++i, x = x * 1664525 + 1013904223)
    noise += static_cast<char>(x >> 24);
  write_archive(file(), {{"a/1.png", noise}, {"a/2.png", noise}});
  const std::string whole = read_bytes(file());
  std::ofstream(file(), std::ios::binary | std::ios::trunc) << whole.substr(0, 70000);
  expect_error([&] { ImageArchive(file(), cache()); }, cluster::ErrorKind::environment,
               file().filename().string());
  EXPECT_TRUE(fs::is_empty(cache()));
}

// An uncompressed archive cannot grow.
class CompressedArchives : public Archives {};

TEST_P(CompressedArchives, ThatUnpackToFarMoreThanTheirSizeAreRefused) {
  write_archive(file(), {{"a/1.png", std::string(300 << 20, 'x')}});
  expect_error([&] { ImageArchive(file(), cache()); }, cluster::ErrorKind::environment,
               "more than 256 MiB");
}

INSTANTIATE_TEST_SUITE_P(Formats, Archives, testing::Values("zip", "tar", "tgz"));
INSTANTIATE_TEST_SUITE_P(Formats, CompressedArchives, testing::Values("zip", "tgz"));

TEST(ImageArchive, ReadsNamesThatAreNotAscii) {
  const cluster::TemporaryFolder folder;
  const fs::path archives = fs::path(MARQUEE_SOURCE_DIR) / "tests/fuzz/corpus/archive";
  for (const char* name : {"utf8.zip", "utf8.tar"}) {
    const ImageArchive archive(archives / name, folder.path() / "cache");
    EXPECT_EQ(archive.names(), (std::vector<std::string>{"b/2.png", "\xc3\xa4/1.png"})) << name;
  }
}

// libarchive would unpack these forms by a program of the system.
TEST(ImageArchive, StartsNoProgram) {
  const cluster::TemporaryFolder folder;
  const fs::path program = folder.path() / "lrzip";
  std::ofstream(program) << "#!/bin/sh\n: > " << (folder.path() / "started").string() << "\n";
  fs::permissions(program, fs::perms::owner_all);
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", (folder.path().string() + ":" + before).c_str(), 1);
  std::ofstream(folder.path() / "a.tar", std::ios::binary)
      << std::string("LRZI\0\6", 6) << std::string(1000, 'x');
  EXPECT_THROW(ImageArchive(folder.path() / "a.tar", folder.path() / "cache"), cluster::Error);
  ::setenv("PATH", before.c_str(), 1);
  EXPECT_FALSE(fs::exists(folder.path() / "started"));
}

TEST(ImageArchive, RefusesWhatIsNone) {
  const cluster::TemporaryFolder folder;
  std::ofstream(folder.path() / "a.zip") << "no archive at all";
  expect_error([&] { ImageArchive(folder.path() / "a.zip", folder.path() / "cache"); },
               cluster::ErrorKind::environment, "a.zip");
  expect_error([&] { ImageArchive(folder.path() / "b.zip", folder.path() / "cache"); },
               cluster::ErrorKind::environment, "neither a folder nor an archive");
}

}  // namespace
}  // namespace marquee::datasets
