// JPEG as Pillow's save() writes it by default: baseline, 4:2:0, standard tables.
#pragma once

#include <string>

#include "datasets/image.h"

namespace marquee::datasets {

std::string encode_jpeg(const Image& image, int quality = 75);

}  // namespace marquee::datasets
