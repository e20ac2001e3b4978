#include "datasets/encode_jpeg.h"

#include <cstdio>
// jpeglib.h needs FILE from cstdio first.
#include <cstdlib>

#include <jpeglib.h>

namespace marquee::datasets {

// Errors other than of memory cannot happen with a checked image; libjpeg's default ends the
// program.
std::string encode_jpeg(const Image& image, int quality) {
  jpeg_compress_struct writer;
  jpeg_error_mgr errors;
  writer.err = jpeg_std_error(&errors);
  jpeg_create_compress(&writer);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&writer, &bytes, &size);
  writer.image_width = static_cast<JDIMENSION>(image.width);
  writer.image_height = static_cast<JDIMENSION>(image.height);
  writer.input_components = 3;
  writer.in_color_space = JCS_RGB;
  jpeg_set_defaults(&writer);
  jpeg_set_quality(&writer, quality, TRUE);
  jpeg_start_compress(&writer, TRUE);
  const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
  for (int y = 0; y < image.height; ++y) {
    auto* row = const_cast<JSAMPROW>(image.rgb.data() + static_cast<std::size_t>(y) * stride);
    jpeg_write_scanlines(&writer, &row, 1);
  }
  jpeg_finish_compress(&writer);
  std::string result(reinterpret_cast<char*>(bytes), size);
  jpeg_destroy_compress(&writer);
  std::free(bytes);
  return result;
}

}  // namespace marquee::datasets
