#include "workers/features/inception_input.h"

#include "datasets/resize.h"
#include "workers/models/inception.h"

namespace marquee::workers {

std::string described(const InceptionInput& input) {
  return std::string(input.crop ? "center crop, " : "") + std::string(name_of(input.resize)) +
         " to " + std::to_string(kInceptionSide) +
         (input.range == InputRange::unit ? ", 2 (x / 255) - 1" : ", (x - 128) / 128");
}

Tensor inception_input(const std::vector<datasets::Image>& images, const InceptionInput& input) {
  std::vector<Tensor> rows;
  rows.reserve(images.size());
  for (const datasets::Image& image : images) {
    rows.push_back(resized(input.crop ? datasets::center_crop(image) : image, kInceptionSide,
                           kInceptionSide, input.resize));
  }
  const Tensor levels = at::stack(rows);
  return input.range == InputRange::unit ? levels / 255 * 2 - 1 : (levels - 128) / 128;
}

}  // namespace marquee::workers
