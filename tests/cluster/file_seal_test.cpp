#include "cluster/file_seal.h"

#include <fstream>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::cluster {
namespace {

class FileSeal : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& body) const {
    const auto file = folder_.path() / "file.h5";
    std::ofstream(file, std::ios::binary) << std::string(kSealBlockBytes, '\0') << body;
    return file;
  }
  static void overwrite(const std::filesystem::path& file, std::streamoff at, char byte) {
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(at);
    stream.put(byte);
  }
  TemporaryFolder folder_;
};

TEST_F(FileSeal, IsTheHashOfWhatIsBehindTheBlock) {
  const auto file = write("what counts");
  const std::string hash = seal_file(file);
  EXPECT_EQ(hash, sha256_hex("what counts"));
  EXPECT_EQ(check_seal(file), hash);
  const std::string bytes = read_file(file, 4096);
  EXPECT_EQ(bytes.size(), kSealBlockBytes + 11);
  EXPECT_TRUE(bytes.starts_with("marquee-hdf5-1 sha256:" + hash + "\n"));
}

TEST_F(FileSeal, BreaksWithEveryByteBehindTheBlock) {
  const std::string body = "what counts";
  const auto file = write(body);
  seal_file(file);
  for (std::size_t i = 0; i < body.size(); ++i) {
    const auto at = static_cast<std::streamoff>(kSealBlockBytes + i);
    overwrite(file, at, static_cast<char>(body[i] ^ 1));
    EXPECT_FALSE(has_valid_seal(file)) << i;
    overwrite(file, at, body[i]);
    EXPECT_TRUE(has_valid_seal(file)) << i;
  }
}

TEST_F(FileSeal, BreaksWithACutAtEveryLength) {
  const auto file = write(std::string(700, 'x'));
  seal_file(file);
  for (std::uintmax_t size = std::filesystem::file_size(file); size-- > 0;) {
    std::filesystem::resize_file(file, size);
    EXPECT_FALSE(has_valid_seal(file)) << size;
  }
}

TEST_F(FileSeal, NamesTheFileThatHasNone) {
  const auto file = write("unsealed");
  try {
    check_seal(file);
    FAIL() << "believed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos);
  }
  EXPECT_FALSE(has_valid_seal(folder_.path() / "absent.h5"));
}

}  // namespace
}  // namespace marquee::cluster
