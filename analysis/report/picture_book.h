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

// pictures.json of an attempt.
struct PictureFacts {
  int columns = 0;
  std::vector<std::int64_t> labels;
  std::vector<std::string> classes;  // by place; empty where they have no names
  std::string real_split, training_split;
  std::vector<double> distances;  // to the nearest training images
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
  bool is_full() const { return full_; }

 private:
  std::size_t left_;
  bool full_ = false;
};

}  // namespace marquee::analysis
