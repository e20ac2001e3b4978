#include <bit>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "datasets/image_formats.h"

namespace marquee::datasets {
namespace {

constexpr std::uint32_t kPlain = 0, kRunLength8 = 1, kRunLength4 = 2, kBitFields = 3,
                        kBitFieldsWithAlpha = 6;

[[noreturn]] void fail(const std::string& what) {
  cluster::throw_environment("damaged BMP: " + what);
}

// Little-endian numbers at a place; everything outside the file is an error.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size(); }
  std::uint32_t u8(std::uint64_t at) const {
    if (at >= bytes_.size()) fail("it ends too early");
    return static_cast<std::uint32_t>(bytes_[static_cast<std::size_t>(at)]);
  }
  std::uint32_t u16(std::uint64_t at) const { return u8(at) | u8(at + 1) << 8; }
  std::uint32_t u32(std::uint64_t at) const { return u16(at) | u16(at + 2) << 16; }

 private:
  std::span<const std::byte> bytes_;
};

struct Header {
  std::int64_t width = 0, height = 0;
  bool top_down = false;
  std::uint32_t bits = 0, compression = kPlain;
  std::uint64_t pixels = 0;  // place of the first one
  std::uint32_t masks[3] = {0, 0, 0};
  std::vector<std::uint32_t> palette;  // 0xRRGGBB
};

Header read_header(const Bytes& bytes, const DecodeOptions& options) {
  constexpr std::uint64_t kInfo = 14;
  Header header;
  header.pixels = bytes.u32(10);
  const std::uint32_t size = bytes.u32(kInfo);
  const bool core = size == 12;
  if (!core && (size < 40 || size > 256))
    fail("its header has " + std::to_string(size) + " bytes, expected 12 or 40 to 256");
  if (core) {
    header.width = bytes.u16(kInfo + 4);
    header.height = bytes.u16(kInfo + 6);
    header.bits = bytes.u16(kInfo + 10);
  } else {
    header.width = static_cast<std::int32_t>(bytes.u32(kInfo + 4));
    header.height = static_cast<std::int32_t>(bytes.u32(kInfo + 8));
    header.bits = bytes.u16(kInfo + 14);
    header.compression = bytes.u32(kInfo + 16);
  }
  header.top_down = header.height < 0;
  if (header.top_down) header.height = -header.height;
  check_image_size(header.width, header.height, options);

  const std::uint32_t bits = header.bits;
  const bool fields = header.compression == kBitFields || header.compression == kBitFieldsWithAlpha;
  const bool known =
      (header.compression == kPlain &&
       (bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32)) ||
      (header.compression == kRunLength8 && bits == 8) ||
      (header.compression == kRunLength4 && bits == 4) || (fields && (bits == 16 || bits == 32));
  if (!known) {
    fail("compression " + std::to_string(header.compression) + " of " + std::to_string(bits) +
         " bits a pixel is not read");
  }
  if (fields) {
    // Behind a header of 40 bytes or at the same place inside a longer one.
    for (int channel = 0; channel < 3; ++channel)
      header.masks[channel] = bytes.u32(kInfo + 40 + 4 * static_cast<std::uint64_t>(channel));
  } else if (bits == 16) {
    header.masks[0] = 0x7C00, header.masks[1] = 0x3E0, header.masks[2] = 0x1F;
  } else {
    header.masks[0] = 0xFF0000, header.masks[1] = 0xFF00, header.masks[2] = 0xFF;
  }
  for (const std::uint32_t mask : header.masks)
    if (mask == 0) fail("a colour has no bits");
  if (bits <= 8) {
    const std::uint32_t most = 1U << bits, entry = core ? 3 : 4;
    std::uint32_t count = core ? 0 : bytes.u32(kInfo + 32);
    if (count == 0 || count > most) count = most;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t at = kInfo + size + std::uint64_t{entry} * i;
      header.palette.push_back(bytes.u8(at) | bytes.u8(at + 1) << 8 | bytes.u8(at + 2) << 16);
    }
  }
  return header;
}

// A masked channel as 8 bits: all its bits set are 255.
std::uint8_t channel_of(std::uint32_t value, std::uint32_t mask) {
  const std::uint64_t shifted = (value & mask) >> std::countr_zero(mask);
  const std::uint64_t most = mask >> std::countr_zero(mask);
  return static_cast<std::uint8_t>(shifted * 255 / most);
}

class Canvas {
 public:
  explicit Canvas(const Header& header) : header_(header) {
    image_.width = static_cast<int>(header.width);
    image_.height = static_cast<int>(header.height);
    image_.rgb.resize(static_cast<std::size_t>(header.width * header.height) * 3);
  }
  void put(std::int64_t x, std::int64_t line, std::uint8_t red, std::uint8_t green,
           std::uint8_t blue) {
    const std::int64_t row = header_.top_down ? line : header_.height - 1 - line;
    std::uint8_t* pixel = image_.rgb.data() + 3 * (row * header_.width + x);
    pixel[0] = red, pixel[1] = green, pixel[2] = blue;
  }
  void put_index(std::int64_t x, std::int64_t line, std::uint32_t index) {
    if (index >= header_.palette.size()) fail("a pixel lies outside the palette");
    const std::uint32_t colour = header_.palette[index];
    put(x, line, static_cast<std::uint8_t>(colour >> 16), static_cast<std::uint8_t>(colour >> 8),
        static_cast<std::uint8_t>(colour));
  }
  Image take() { return std::move(image_); }

 private:
  const Header& header_;
  Image image_;
};

void read_plain(const Bytes& bytes, const Header& header, Canvas& canvas) {
  const std::uint64_t bits = header.bits;
  const std::uint64_t stride = (static_cast<std::uint64_t>(header.width) * bits + 31) / 32 * 4;
  for (std::int64_t line = 0; line < header.height; ++line) {
    const std::uint64_t begin = header.pixels + stride * static_cast<std::uint64_t>(line);
    for (std::int64_t x = 0; x < header.width; ++x) {
      const auto column = static_cast<std::uint64_t>(x);
      if (bits <= 8) {
        const std::uint64_t bit = column * bits;
        const std::uint32_t byte = bytes.u8(begin + bit / 8);
        const std::uint32_t index = byte >> (8 - bits - bit % 8) & ((std::uint32_t{1} << bits) - 1);
        canvas.put_index(x, line, index);
        continue;
      }
      const std::uint64_t at = begin + column * bits / 8;
      if (bits == 24) {
        canvas.put(x, line, static_cast<std::uint8_t>(bytes.u8(at + 2)),
                   static_cast<std::uint8_t>(bytes.u8(at + 1)),
                   static_cast<std::uint8_t>(bytes.u8(at)));
        continue;
      }
      const std::uint32_t value = bits == 16 ? bytes.u16(at) : bytes.u32(at);
      canvas.put(x, line, channel_of(value, header.masks[0]), channel_of(value, header.masks[1]),
                 channel_of(value, header.masks[2]));
    }
  }
}

void read_run_lengths(const Bytes& bytes, const Header& header, Canvas& canvas) {
  const bool halves = header.compression == kRunLength4;
  std::uint64_t at = header.pixels;
  std::int64_t x = 0, line = 0;
  const auto put = [&](std::uint32_t index) {
    // What runs past a line is dropped, as its encoder meant padding.
    if (x < header.width) canvas.put_index(x, line, index);
    ++x;
  };
  while (line < header.height) {
    const std::uint32_t count = bytes.u8(at), value = bytes.u8(at + 1);
    at += 2;
    if (count > 0) {
      for (std::uint32_t i = 0; i < count; ++i)
        put(!halves ? value : (i % 2 == 0 ? value >> 4 : value & 15));
    } else if (value == 0) {
      x = 0;
      ++line;
    } else if (value == 1) {
      return;
    } else if (value == 2) {
      x += bytes.u8(at);
      line += bytes.u8(at + 1);
      at += 2;
    } else {
      for (std::uint32_t i = 0; i < value; ++i) {
        const std::uint32_t byte = bytes.u8(at + (halves ? i / 2 : i));
        put(!halves ? byte : (i % 2 == 0 ? byte >> 4 : byte & 15));
      }
      const std::uint32_t used = halves ? (value + 1) / 2 : value;
      at += used + used % 2;
    }
  }
}

}  // namespace

Image decode_bmp(std::span<const std::byte> bytes, const DecodeOptions& options) {
  const Bytes file(bytes);
  const Header header = read_header(file, options);
  const bool run_lengths = header.compression == kRunLength8 || header.compression == kRunLength4;
  if (!run_lengths) {
    // The last byte of the last line, before the picture is allocated.
    const std::uint64_t stride =
        (static_cast<std::uint64_t>(header.width) * header.bits + 31) / 32 * 4;
    const std::uint64_t last = (static_cast<std::uint64_t>(header.width) * header.bits + 7) / 8;
    file.u8(header.pixels + stride * static_cast<std::uint64_t>(header.height - 1) + last - 1);
  }
  Canvas canvas(header);
  if (run_lengths) {
    read_run_lengths(file, header, canvas);
  } else {
    read_plain(file, header, canvas);
  }
  return canvas.take();
}

}  // namespace marquee::datasets
