// A data set of image files: VTAB-1k folders and image folders.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/decode.h"

namespace marquee::datasets {

struct ImageFile {
  std::filesystem::path path;
  std::string id;  // path below the data set's folder
  int label = -1;
};

class FileDataset : public Dataset {
 public:
  FileDataset(std::vector<ImageFile> files, int num_classes, DecodeOptions options = {})
      : files_(std::move(files)), num_classes_(num_classes), options_(options) {}

  std::size_t size() const override { return files_.size(); }
  int num_classes() const override { return num_classes_; }
  int label(std::size_t index) const override { return files_.at(index).label; }
  std::string id(std::size_t index) const override { return files_.at(index).id; }
  Image image(std::size_t index) const override;
  std::string image_bytes(std::size_t index) const override;
  std::uint64_t stored_bytes(std::size_t index) const override;

 private:
  std::vector<ImageFile> files_;
  int num_classes_;
  DecodeOptions options_;
};

}  // namespace marquee::datasets
