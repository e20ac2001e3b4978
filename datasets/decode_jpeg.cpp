#include <cstdio>
// jpeglib.h needs FILE from cstdio first.
#include <csetjmp>
#include <string>

#include <jpeglib.h>
// after jpeglib.h
#include <jerror.h>

#include "cluster/error.h"
#include "datasets/image_formats.h"

namespace marquee::datasets {
namespace {

struct JpegErrors {
  jpeg_error_mgr base;
  jpeg_progress_mgr progress;
  std::jmp_buf leave;
  char message[JMSG_LENGTH_MAX];
  bool cut_off;
};

void leave_on_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->base.format_message(info, errors->message);
  std::longjmp(errors->leave, 1);
}

// libjpeg fills a cut-off image with grey and only warns; other warnings (stray bytes, a damaged
// scan) are passed over, as Pillow and TensorFlow do.
void notice_cut(j_common_ptr info, int) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  if (errors->base.msg_code == JWRN_JPEG_EOF) errors->cut_off = true;
}

// libjpeg goes over the whole picture for every scan that a progressive file announces, and a scan
// takes 12 bytes: a small file could keep it busy for hours. Encoders write about ten.
void limit_scans(j_common_ptr info) {
  constexpr int kMaxScans = 500;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  std::snprintf(errors->message, sizeof errors->message, "it has more than %d scans", kMaxScans);
  std::longjmp(errors->leave, 1);
}

// The part between setjmp and longjmp: no object with a destructor may live across it, so it works
// on storage of the caller. Returns false with a message in `errors`.
bool read_jpeg(jpeg_decompress_struct& info, JpegErrors& errors, std::span<const std::byte> bytes,
               const DecodeOptions& options, Image& image, std::vector<std::uint8_t>& row,
               bool& too_large) {
  if (setjmp(errors.leave) != 0) return false;
  jpeg_create_decompress(&info);
  info.progress = &errors.progress;
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  const std::int64_t width = info.image_width, height = info.image_height;
  image.width = static_cast<int>(width);
  image.height = static_cast<int>(height);
  if (width > options.max_side || height > options.max_side ||
      width * height > options.max_pixels) {
    too_large = true;
    return false;
  }
  info.dct_method = options.fast_dct ? JDCT_IFAST : JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info);
  image.rgb.resize(static_cast<std::size_t>(width * height) * 3);
  row.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(info.output_components));
  while (info.output_scanline < info.output_height) {
    std::uint8_t* out =
        image.rgb.data() + static_cast<std::size_t>(info.output_scanline) * width * 3;
    JSAMPROW line = cmyk ? row.data() : out;
    jpeg_read_scanlines(&info, &line, 1);
    // Adobe stores CMYK inverted: each colour is its value times black.
    for (std::int64_t x = 0; cmyk && x < width; ++x) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const int ink = row[static_cast<std::size_t>(4 * x + channel)];
        const int black = row[static_cast<std::size_t>(4 * x + 3)];
        out[3 * x + channel] = static_cast<std::uint8_t>((ink * black + 127) / 255);
      }
    }
  }
  jpeg_finish_decompress(&info);
  return true;
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> bytes, const DecodeOptions& options) {
  jpeg_decompress_struct info{};
  JpegErrors errors{};
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = leave_on_error;
  errors.base.emit_message = notice_cut;
  errors.progress.progress_monitor = limit_scans;
  Image image;
  std::vector<std::uint8_t> row;
  bool too_large = false;
  const bool read = read_jpeg(info, errors, bytes, options, image, row, too_large);
  jpeg_destroy_decompress(&info);
  if (too_large) check_image_size(image.width, image.height, options);
  if (!read) cluster::throw_environment(std::string("damaged JPEG: ") + errors.message);
  if (errors.cut_off) cluster::throw_environment("damaged JPEG: it ends too early");
  return image;
}

}  // namespace marquee::datasets
