// Pictures within a page: those that trainers have written for it (docs/file-formats.md), whole, as
// data: URIs, up to a size that a page bears; the rest as files beside it. Nothing is decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/report/comparison.h"

namespace marquee::analysis {

struct Picture {
  std::string uri;  // "data:image/png;base64,..."
  int width = 0, height = 0;
};

// What pictures.json of an attempt says of each place.
struct PictureFacts {
  std::vector<std::int64_t> labels;
  std::vector<std::string> classes;  // empty where they have no names
  std::vector<double> distances;     // to the nearest training image; empty where there are none
  std::string real_split;
};
// Nothing where there is none. Throws environment, naming the file, for one that is damaged or
// larger than 1 MiB.
std::optional<PictureFacts> read_picture_facts(const std::filesystem::path& attempt_folder);

class PictureBook {
 public:
  // `budget`: bytes of PNG that the page takes in all.
  explicit PictureBook(std::size_t budget) : left_(budget) {}

  // Nothing where the attempt has no such picture, the budget is spent, or it is no PNG (that is
  // logged).
  std::optional<Picture> embed(const std::filesystem::path& file);

 private:
  std::size_t left_;
};

}  // namespace marquee::analysis
