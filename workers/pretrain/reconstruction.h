// How well the tokenizer of a base shows a task's test images, beside ways that need no network:
// what a number of decibels is worth is seen only there.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "datasets/image.h"
#include "workers/base_model.h"

namespace marquee::workers {

struct Reconstruction {
  std::string name;
  double psnr = 0;      // dB, from the mean squared error over all images, 8-bit levels
  double fid_mini = 0;  // of the reconstructions against the images
};

struct ReconstructionReport {
  std::string task;
  std::int64_t images = 0;
  std::int64_t codes = 0, codes_used = 0;  // of the codebook
  // "tokenizer"; "one colour": each image's mean; "thumbnail": 8 x 8 pixels enlarged (bilinear);
  // "256 colours": the nearest of a fixed palette, 8 levels of red and green, 4 of blue.
  std::vector<Reconstruction> ways;
  datasets::Image picture;  // a row of images, and one for each way
};

ReconstructionReport measure_reconstruction(const BaseModel& base, const std::string& task,
                                            const std::filesystem::path& data_dir);

// PSNR of the first `most` test images alone: what a tokenizer is worth, before there is a base.
double reconstruction_psnr(const BaseTokenizer& tokenizer, const std::string& task,
                           const std::filesystem::path& data_dir, std::size_t most);

std::string to_text(const ReconstructionReport& report);
nlohmann::json to_json(const ReconstructionReport& report);

}  // namespace marquee::workers
