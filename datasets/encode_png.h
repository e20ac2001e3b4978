// PNG output with fixed settings (the same image gives the same bytes), and contact sheets.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "datasets/image.h"

namespace marquee::datasets {

std::vector<std::byte> encode_png(const Image& image);
// Durable: written aside, synced, renamed. Throws environment when the file system refuses.
void write_png(const std::filesystem::path& path, const Image& image);
// Images of one size side by side, row by row, `padding` white pixels between and around them.
Image make_grid(const std::vector<Image>& images, int columns, int padding = 2);

}  // namespace marquee::datasets
