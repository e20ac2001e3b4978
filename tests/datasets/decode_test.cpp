#include "datasets/decode.h"

#include <random>

#include "cluster/error.h"
#include "datasets/encode_png.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Pillow's reading of 16-bit grey is white where it is not black: TensorFlow's is taken.
constexpr const char* kTensorFlowsReading = "png_16bit_gray.png";
// TensorFlow rounds colour times black down, which is about a third of a level.
constexpr const char* kCmyk = "jpeg_cmyk.jpg";

// Neither of the two tools reads it, or it declares more than anyone should allocate.
bool to_be_refused(const nlohmann::json& expected) {
  return expected.contains("declared_size") || !expected.at("pillow").contains("rgb_sha256");
}

void expect_mean(const Image& image, const nlohmann::json& wanted, double tolerance,
                 const std::string& name) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    double sum = 0;
    for (std::size_t i = channel; i < image.rgb.size(); i += 3) sum += image.rgb[i];
    EXPECT_NEAR(3 * sum / static_cast<double>(image.rgb.size()), wanted.at(channel).get<double>(),
                tolerance)
        << name;
  }
}

// Every file is an image equal to that of one of the two tools, or a named error.
TEST(Decode, GivesForEveryHardImageWhatItsExpectedFileSays) {
  const auto folder = shared_data() / "hard_images";
  MARQUEE_NEEDS(folder);
  int equal = 0, refused = 0, means = 0;
  const auto content = read_json(folder / "expected.json");
  for (const auto& [name, expected] : content.at("files").items()) {
    const std::string bytes = read_bytes(folder / name);
    DecodeOptions fast;
    fast.fast_dct = true;
    if (to_be_refused(expected)) {
      for (const DecodeOptions& options : {DecodeOptions{}, fast}) {
        try {
          decode_image(bytes_of(bytes), options);
          ADD_FAILURE() << name << " was read";
        } catch (const cluster::Error& error) {
          EXPECT_EQ(error.kind(), cluster::ErrorKind::environment) << name;
          EXPECT_GT(std::string_view(error.what()).size(), 15u) << name;
          if (expected.contains("declared_size")) {
            EXPECT_NE(std::string(error.what()).find("20000 x 20000"), std::string::npos)
                << error.what();
          }
        }
      }
      ++refused;
      continue;
    }
    const auto& pillow = expected.at("pillow");
    const auto& tensorflow = expected.at("tensorflow");
    const Image image = decode_image(bytes_of(bytes));
    EXPECT_EQ(image.width, pillow.at("width")) << name;
    EXPECT_EQ(image.height, pillow.at("height")) << name;
    constexpr double kWritten = 5.1e-4;  // the file gives three digits
    if (name == kTensorFlowsReading) {
      expect_mean(image, tensorflow.at("rgb_mean"), kWritten, name);
    } else {
      EXPECT_EQ(rgb_hash(image), pillow.at("rgb_sha256")) << name;
      expect_mean(image, pillow.at("rgb_mean"), kWritten, name);
    }
    ++equal;
    // `decode: tensorflow`. Where TensorFlow refuses (a wrong checksum of whole pixels), Pillow's
    // reading stands.
    if (!tensorflow.contains("rgb_mean")) continue;
    expect_mean(decode_image(bytes_of(bytes), fast), tensorflow.at("rgb_mean"),
                name == kCmyk ? 0.5 : kWritten, name + ", TensorFlow's decoding");
    ++means;
  }
  EXPECT_GT(equal, 25);
  EXPECT_GT(means, 25);
  EXPECT_GE(refused, 8);
}

TEST(Decode, ChecksTheDeclaredSizeAgainstTheLimits) {
  const std::vector<std::byte> png = encode_png({8, 8, std::vector<std::uint8_t>(192, 7)});
  EXPECT_NO_THROW(decode_image(png));
  EXPECT_THROW(decode_image(png, {63, 30000, false}), cluster::Error);
  EXPECT_THROW(decode_image(png, {1000, 7, false}), cluster::Error);
}

TEST(Decode, RefusesEveryPrefixThatLacksPixels) {
  Image image{9, 5, std::vector<std::uint8_t>(135)};
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(i * 7);
  const std::vector<std::byte> png = encode_png(image);
  // Behind the pixels only checksums follow, which Pillow passes over as well.
  constexpr std::size_t kTail = 20;
  for (std::size_t size = 0; size + kTail < png.size(); ++size)
    EXPECT_THROW(decode_image(std::span(png).first(size)), cluster::Error) << size;
}

class CutJpeg : public testing::TestWithParam<const char*> {};

TEST_P(CutJpeg, IsOneClearErrorWhereverItIsCut) {
  const auto file = shared_data() / "hard_images" / GetParam();
  MARQUEE_NEEDS(file);
  const std::string bytes = read_bytes(file);
  for (std::size_t size = 3; size < bytes.size(); size += 61) {
    try {
      decode_image(bytes_of(bytes).first(size));
      ADD_FAILURE() << "decoded from " << size << " of " << bytes.size() << " bytes";
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
      EXPECT_TRUE(std::string_view(error.what()).starts_with("damaged JPEG: ")) << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Jpeg, CutJpeg,
                         testing::Values("jpeg_420.jpg", "jpeg_progressive.jpg", "jpeg_gray.jpg",
                                         "jpeg_440_restart.jpg"));

TEST(Decode, SaysThatACutJpegEndsTooEarly) {
  const auto file = shared_data() / "hard_images/jpeg_truncated_60pct.jpg";
  MARQUEE_NEEDS(file);
  const std::string bytes = read_bytes(file);
  try {
    decode_image(bytes_of(bytes));
    FAIL() << "decoded";
  } catch (const cluster::Error& error) {
    EXPECT_STREQ(error.what(), "damaged JPEG: it ends too early");
  }
}

TEST(Decode, ChecksAJpegsDeclaredSizeAgainstTheLimits) {
  const auto file = shared_data() / "hard_images/jpeg_420.jpg";
  MARQUEE_NEEDS(file);
  const std::string bytes = read_bytes(file);
  EXPECT_NO_THROW(decode_image(bytes_of(bytes), {150 * 99, 150, false}));
  try {
    decode_image(bytes_of(bytes), {150 * 99 - 1, 150, false});
    FAIL() << "decoded";
  } catch (const cluster::Error& error) {
    EXPECT_NE(std::string(error.what()).find("150 x 99"), std::string::npos) << error.what();
  }
}

// A grey progressive JPEG of 8 x 8 with that many scans of 10 bytes each.
std::string progressive_jpeg(int scans) {
  using namespace std::string_literals;
  std::string text = "\xff\xd8\xff\xdb\x00\x43\x00"s + std::string(64, '\1') +
                     "\xff\xc2\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"s +
                     "\xff\xc4\x00\x14\x00\x01"s + std::string(15, '\0') + "\0"s +
                     "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x01\x7f"s;
  for (int i = 1; i < scans; ++i) text += "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x10\x7f"s;
  return text + "\xff\xd9";
}

TEST(Decode, RefusesAJpegWithScansWithoutEnd) {
  EXPECT_EQ(decode_image(bytes_of(progressive_jpeg(20))).width, 8);
  try {
    decode_image(bytes_of(progressive_jpeg(502)));
    FAIL() << "decoded";
  } catch (const cluster::Error& error) {
    EXPECT_STREQ(error.what(), "damaged JPEG: it has more than 500 scans");
  }
}

// A picture of 4 x 3 in every form that a BMP may have, made here byte by byte.
class BmpFile {
 public:
  BmpFile(int width, int height, int bits, int compression, int header = 40) {
    text_ = "BM";
    add(0, 4), add(0, 4), add(0, 4);  // the place of the pixels is filled in by pixels()
    add(header, 4), add(width, 4), add(height, 4), add(1, 2), add(bits, 2), add(compression, 4);
    for (int i = 0; i < (header - 20) / 4; ++i) add(0, 4);
  }
  BmpFile& add(std::int64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) text_ += static_cast<char>(value >> (8 * i));
    return *this;
  }
  BmpFile& pixels() {
    for (std::size_t i = 0; i < 4; ++i) text_[10 + i] = static_cast<char>(text_.size() >> (8 * i));
    return *this;
  }
  Image read() const { return decode_image(bytes_of(text_)); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

TEST(DecodeBmp, ReadsBitFieldsFromTheTopDown) {
  BmpFile file(2, -2, 16, 3);
  file.add(0xF800, 4).add(0x7E0, 4).add(0x1F, 4).pixels();
  file.add(0xF800, 2).add(0x7E0, 2).add(0x1F, 2).add(0xFFFF, 2);
  EXPECT_EQ(file.read(), (Image{2, 2, {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255}}));
}

TEST(DecodeBmp, ReadsPalettesOfOneAndFourBitsFromTheBottomUp) {
  BmpFile one(2, 2, 1, 0);
  one.add(0, 4).add(0xFFFFFF, 4).pixels().add(0x40, 4).add(0x80, 4);
  EXPECT_EQ(one.read(), (Image{2, 2, {255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255}}));
  BmpFile four(3, 1, 4, 0);
  for (int i = 0; i < 16; ++i) four.add(i * 0x010101, 4);
  four.pixels().add(0x30F5, 4);
  EXPECT_EQ(four.read(), (Image{1, 3, {15, 15, 15, 5, 5, 5, 3, 3, 3}}));
}

TEST(DecodeBmp, ReadsRunLengths) {
  BmpFile file(4, 2, 8, 1);
  for (int i = 0; i < 256; ++i) file.add(i * 0x010101, 4);
  // Three times 7, one 9; end of line; four given one by one; end of picture.
  file.pixels().add(0x0703, 2).add(0x0901, 2).add(0, 2);
  file.add(0x0400, 2).add(0x04030201, 4).add(0x0100, 2);
  EXPECT_EQ(
      file.read(),
      (Image{2, 4, {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 7, 7, 7, 7, 7, 7, 7, 7, 7, 9, 9, 9}}));
}

TEST(DecodeBmp, RefusesWhatEndsEarlyOrPointsOutside) {
  BmpFile file(3, 1, 1, 0);
  file.add(0, 4).add(1, 4).pixels().add(0, 4);
  EXPECT_NO_THROW(file.read());
  const std::string& whole = file.text();
  // The three bytes that fill up the line hold no pixel.
  for (std::size_t size = 2; size + 3 < whole.size(); ++size)
    EXPECT_THROW(decode_image(bytes_of(whole).first(size)), cluster::Error) << size;
  BmpFile deep(100, 100, 24, 0);
  EXPECT_THROW(deep.pixels().add(0, 4).read(), cluster::Error);
  BmpFile strange(1, 1, 24, 9);
  EXPECT_THROW(strange.pixels().add(0, 4).read(), cluster::Error);
}

TEST(EncodePng, GivesTheSameBytesForTheSameImage) {
  const Image image{5, 4, std::vector<std::uint8_t>(60, 200)};
  EXPECT_EQ(encode_png(image), encode_png(image));
}

TEST(EncodePng, RoundTripsEverySmallSize) {
  std::mt19937 random(7);
  for (int height = 1; height <= 9; ++height) {
    for (int width = 1; width <= 9; ++width) {
      Image image{height, width,
                  std::vector<std::uint8_t>(static_cast<std::size_t>(height * width) * 3)};
      for (std::uint8_t& level : image.rgb) level = static_cast<std::uint8_t>(random());
      EXPECT_EQ(decode_image(encode_png(image)), image) << height << " x " << width;
    }
  }
}

TEST(WritePng, WritesAFileThatDecodesToTheImage) {
  const cluster::TemporaryFolder folder;
  const Image image{2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}};
  write_png(folder.path() / "a.png", image);
  const std::string bytes = read_bytes(folder.path() / "a.png");
  EXPECT_EQ(decode_image(bytes_of(bytes)), image);
}

TEST(WritePng, NamesAFolderThatIsNotThere) {
  try {
    write_png("/nowhere/a.png", {1, 1, {1, 2, 3}});
    FAIL() << "written";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("/nowhere"), std::string::npos) << error.what();
  }
}

TEST(MakeGrid, PutsImagesRowByRow) {
  const auto plain = [](std::uint8_t level) {
    return Image{2, 2, std::vector<std::uint8_t>(12, level)};
  };
  const Image grid = make_grid({plain(10), plain(20), plain(30)}, 2, 1);
  EXPECT_EQ(grid.height, 7);
  EXPECT_EQ(grid.width, 7);
  const auto level = [&](int row, int column) {
    return grid.rgb[static_cast<std::size_t>(row * grid.width + column) * 3];
  };
  EXPECT_EQ(level(0, 0), 255);
  EXPECT_EQ(level(1, 1), 10);
  EXPECT_EQ(level(1, 4), 20);
  EXPECT_EQ(level(4, 1), 30);
}

}  // namespace
}  // namespace marquee::datasets
