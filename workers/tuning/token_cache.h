// Token ids of a split's images, made once and shared by every run, whatever its method, seed or
// shots.
//
// One HDF5 file for each split, tokenizer and preprocessing
// (<cache>/tokens-<task>-<split>-<key>.h5, docs/file-formats.md). It holds the images that some run
// has asked for so far, and grows: missing ones are encoded, each by itself and on one thread, so
// that its tokens depend neither on what else was asked for nor on the number of threads. Every 20
// seconds what is new is merged into the file (under a lock, written aside and renamed), so a
// killed builder loses little and two at once share the work.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "workers/base_model.h"

namespace marquee::workers {

// Called with (images done, images in all); may throw to stop.
using CountProgress = std::function<void(std::int64_t done, std::int64_t total)>;

struct TokenRecipe {
  std::string task, split, data_hash;
  int crops = 1;  // 1: the centre; more: the image scaled to cover, cut out at random places
  bool mirrored = false;  // each view mirrored too
};

struct CachedTokens {
  Tensor ids;  // int64 [rows, crops, 1 or 2, N]; of the third axis the second is mirrored
  // What cannot be read (BadRecords::skip), with the reason; its ids are 0.
  std::map<std::size_t, std::string> unreadable;
};

// Tokens of the images at `rows` of `dataset`, which must be `recipe.split` opened with `data`.
// Throws environment naming the record where an image cannot be read and `data` does not skip.
CachedTokens cached_tokens(const TokenRecipe& recipe, const datasets::Dataset& dataset,
                           const datasets::DataFolder& data, const BaseModel& base,
                           const std::vector<std::size_t>& rows, int threads,
                           const CountProgress& progress);

// Where they are kept.
std::filesystem::path token_file(const TokenRecipe& recipe, const datasets::DataFolder& data,
                                 const BaseModel& base);

// The views of an image that are encoded, float32 [crops, 1 or 2, 3, size, size] in [0, 1]. As in
// the official preprocessing, pixels are not rounded to levels after resizing.
Tensor image_views(const datasets::Image& image, std::size_t row, int crops, bool mirrored,
                   int size);

}  // namespace marquee::workers
