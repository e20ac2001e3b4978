#include "workers/tuning/token_cache.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>

#include <ATen/Version.h>
#include <torch/version.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/file_lock.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/philox.h"
#include "cluster/sha256.h"
#include "datasets/resize.h"
#include "workers/hdf5_file.h"
#include "workers/image_tensor.h"
#include "workers/split_rows.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;
using Row = std::size_t;

constexpr int kTokensVersion = 1;  // raised when the same recipe gives other tokens
constexpr double kMergeSeconds = 20;
constexpr std::int64_t kLargestBatch = 8;  // views of one image at a time
constexpr const char* kDescription =
    "token ids of images of a split. rows: places in the split, ascending; tokens: integers [rows, "
    "crops, as it is and mirrored, positions] in raster order; labels, ids of the same rows; "
    "unreadable: images left out, with the reason";

std::string preprocessing(const TokenRecipe& recipe, const datasets::DataFolder& data,
                          const BaseModel& base) {
  const std::string size = std::to_string(base.tokenizer.image_size());
  return (recipe.crops == 1 ? "central square, antialiased bilinear to " + size
                            : "antialiased bilinear to cover " + size + ", cut out at " +
                                  std::to_string(recipe.crops) + " places") +
         (recipe.mirrored ? "; as it is and mirrored" : "") +
         (data.fast_dct ? "; JPEG as TensorFlow decodes it" : "; JPEG decoded accurately");
}

std::string key_of(const TokenRecipe& recipe, const datasets::DataFolder& data,
                   const BaseModel& base) {
  const bool skips = data.bad_records == datasets::BadRecords::skip;
  return cluster::sha256_hex("tokens " + std::to_string(kTokensVersion) + "\n" + recipe.task +
                             "\n" + recipe.split + "\n" + recipe.data_hash + "\n" +
                             base.tokenizer_hash + "\n" + preprocessing(recipe, data, base) + "\n" +
                             (skips ? "bad records skipped\n" : "") + TORCH_VERSION + " " +
                             at::get_cpu_capability());
}

// What a file holds.
struct Stored {
  std::vector<Row> rows;  // ascending
  Tensor tokens;          // [rows, crops, 1 or 2, N]; undefined where there are no rows
  std::map<Row, std::string> unreadable;

  bool knows(Row row) const {
    return std::binary_search(rows.begin(), rows.end(), row) || unreadable.contains(row);
  }
  std::size_t place_of(Row row) const {
    return static_cast<std::size_t>(std::lower_bound(rows.begin(), rows.end(), row) - rows.begin());
  }
};

// What has been encoded since.
struct Fresh {
  std::map<Row, Tensor> tokens;
  std::map<Row, std::string> unreadable;
};

void merge(Stored& stored, Fresh fresh) {
  stored.unreadable.merge(fresh.unreadable);
  if (fresh.tokens.empty()) return;
  std::vector<Row> rows = stored.rows;
  std::vector<Tensor> added;
  for (const auto& [row, tokens] : fresh.tokens) {
    rows.push_back(row);
    added.push_back(tokens);
  }
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });
  const Tensor joined =
      stored.rows.empty() ? at::stack(added) : at::cat({stored.tokens, at::stack(added)});
  stored.tokens = joined.index_select(0, rows_tensor(order));
  std::sort(rows.begin(), rows.end());
  stored.rows = std::move(rows);
}

// Of the tokens of so many images.
std::vector<std::int64_t> shape_of(const TokenRecipe& recipe, const BaseModel& base,
                                   std::size_t images) {
  return {static_cast<std::int64_t>(images), recipe.crops, recipe.mirrored ? 2 : 1,
          base.transformer.tokens()};
}

// Two bytes hold any code of the usual codebooks.
torch::ScalarType type_of(const BaseModel& base) {
  constexpr std::int64_t kMost = INT16_MAX;
  return base.tokenizer.codebook() - 1 <= kMost ? torch::kInt16 : torch::kInt32;
}

// Names and labels of the rows, so that a file is never believed for other images.
std::string rows_hash(const datasets::Dataset& dataset, const std::vector<Row>& rows) {
  cluster::Sha256 hash;
  for (const Row row : rows) {
    hash.update(std::to_string(row) + " " + std::to_string(dataset.label(row)) + " " +
                dataset.id(row) + "\n");
  }
  return hash.hex();
}

Stored parse(const Hdf5File& h5, const TokenRecipe& recipe, const datasets::Dataset& dataset,
             const BaseModel& base) {
  const auto fail = [&](const std::string& what) {
    cluster::throw_environment(h5.path().string() + ": " + what + " does not fit");
  };
  const auto rows_in = [&](const char* name) {
    return rows_from(h5.read_tensor(name), dataset.size(), h5.path().string());
  };
  Stored stored;
  stored.rows = rows_in("rows");
  if (h5.string_attribute("", "rows_sha256") != rows_hash(dataset, stored.rows)) fail("'rows'");
  stored.tokens = h5.read_tensor("tokens").to(type_of(base));
  const Tensor& tokens = stored.tokens;
  const bool fits =
      tokens.sizes() == at::IntArrayRef(shape_of(recipe, base, stored.rows.size())) &&
      (tokens >= 0).logical_and(tokens < base.tokenizer.codebook()).all().item<bool>();
  if (!fits) fail("'tokens'");
  if (h5.has("unreadable")) {
    const std::vector<Row> places = rows_in("unreadable/rows");
    const std::vector<std::string> reasons = h5.read_strings("unreadable/reasons");
    if (reasons.size() != places.size()) fail("'unreadable'");
    for (std::size_t i = 0; i < places.size(); ++i) stored.unreadable[places[i]] = reasons[i];
  }
  return stored;
}

class Builder {
 public:
  Builder(const TokenRecipe& recipe, const datasets::Dataset& dataset,
          const datasets::DataFolder& data, const BaseModel& base, int threads)
      : recipe_(recipe),
        dataset_(dataset),
        data_(data),
        base_(base),
        threads_(threads),
        file_(token_file(recipe, data, base)) {}

  // What the file has, once it has all of `rows`.
  Stored complete(const std::vector<Row>& rows, const CountProgress& progress) {
    Stored stored = read();
    const auto total = static_cast<std::int64_t>(missing(stored, rows).size());
    while (!missing(stored, rows).empty()) {
      const auto left = [&](std::int64_t encoded) {
        progress(total - static_cast<std::int64_t>(missing(stored, rows).size()) + encoded, total);
      };
      left(0);
      cluster::create_directories_durably(file_.parent_path());
      const cluster::FileLock lock(file_.string() + ".lock", [&] { left(0); });
      // Another builder may have gone on meanwhile.
      stored = read();
      add(stored, missing(stored, rows), left);
    }
    return stored;
  }

 private:
  static std::vector<Row> missing(const Stored& stored, const std::vector<Row>& rows) {
    std::vector<Row> wanted;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(wanted),
                 [&](Row row) { return !stored.knows(row); });
    return wanted;
  }

  Stored read() const {
    if (!fs::exists(file_)) return {};
    try {
      return parse(open_sealed_hdf5(file_), recipe_, dataset_, base_);
    } catch (const cluster::Error& error) {
      if (!warned_) cluster::log_warning("cache", std::string(error.what()) + "; made again");
      warned_ = true;
      return {};
    }
  }

  // Encodes for a while and writes what the file holds then; also when stopped.
  void add(Stored& stored, const std::vector<Row>& rows,
           const std::function<void(std::int64_t)>& progress) const {
    if (rows.empty()) return;
    Fresh fresh;
    const auto keep = [&] {
      if (fresh.tokens.empty() && fresh.unreadable.empty()) return;
      merge(stored, std::move(fresh));
      write(stored);
    };
    try {
      encode_rows(rows, fresh, progress);
    } catch (...) {
      keep();
      throw;
    }
    keep();
  }

  // Fills `fresh` on `threads_` threads until all rows are there or kMergeSeconds have passed; the
  // calling thread reports.
  void encode_rows(const std::vector<Row>& rows, Fresh& fresh,
                   const std::function<void(std::int64_t)>& progress) const {
    std::atomic<std::size_t> next{0}, done{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::exception_ptr failure;
    int running = threads_;
    std::condition_variable ended;
    const auto work = [&] {
      at::set_num_threads(1);  // of this thread
      const torch::InferenceMode inference;
      try {
        for (std::size_t i = next++; i < rows.size() && !stop; i = next++) {
          encode_row(rows[i], fresh, mutex);
          ++done;
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        stop = true;
      }
      const std::lock_guard lock(mutex);
      if (--running == 0) ended.notify_one();
    };
    {
      std::vector<std::jthread> workers;
      for (int thread = 0; thread < threads_; ++thread) workers.emplace_back(work);
      const double started = cluster::monotonic_seconds();
      std::unique_lock lock(mutex);
      while (!ended.wait_for(lock, std::chrono::milliseconds(200), [&] { return running == 0; })) {
        if (cluster::monotonic_seconds() - started > kMergeSeconds) stop = true;
        lock.unlock();
        try {
          progress(static_cast<std::int64_t>(done));
        } catch (...) {
          stop = true;
          throw;  // the workers end first
        }
        lock.lock();
      }
    }
    if (failure) std::rethrow_exception(failure);
  }

  void encode_row(Row row, Fresh& fresh, std::mutex& mutex) const {
    const auto size = static_cast<int>(base_.tokenizer.image_size());
    std::string reason;
    const auto image = image_or_skip(dataset_, row, data_, reason);
    if (!image) {
      const std::lock_guard lock(mutex);
      fresh.unreadable[row] = reason;
      return;
    }
    const Tensor views = image_views(*image, row, recipe_.crops, recipe_.mirrored, size);
    std::vector<Tensor> parts;
    for (const Tensor& batch : views.flatten(0, 1).split(kLargestBatch)) {
      parts.push_back(base_.tokenizer.encode(batch));
    }
    Tensor ids = at::cat(parts).to(type_of(base_)).reshape(shape_of(recipe_, base_, 1))[0];
    const std::lock_guard lock(mutex);
    fresh.tokens[row] = std::move(ids);
  }

  void write(const Stored& stored) const {
    std::vector<std::string> ids;
    for (const Row row : stored.rows) ids.push_back(dataset_.id(row));
    write_sealed_hdf5(file_, [&](Hdf5File& h5) {
      h5.set_attribute("", "description", kDescription);
      h5.set_attribute("", "task", recipe_.task);
      h5.set_attribute("", "split", recipe_.split);
      h5.set_attribute("", "data_hash", recipe_.data_hash);
      h5.set_attribute("", "tokenizer_hash", base_.tokenizer_hash);
      h5.set_attribute("", "preprocessing", preprocessing(recipe_, data_, base_));
      h5.set_attribute("", "images_in_split", static_cast<std::int64_t>(dataset_.size()));
      h5.set_attribute("", "rows_sha256", rows_hash(dataset_, stored.rows));
      h5.write_tensor("rows", rows_tensor(stored.rows), true);
      h5.write_tensor("tokens",
                      stored.rows.empty()
                          ? torch::empty(shape_of(recipe_, base_, 0), type_of(base_))
                          : stored.tokens,
                      true);
      h5.write_tensor("labels", labels_at(dataset_, stored.rows).to(torch::kInt32), true);
      h5.write_strings("ids", ids);
      if (stored.unreadable.empty()) return;
      std::vector<Row> unreadable;
      std::vector<std::string> reasons;
      for (const auto& [row, reason] : stored.unreadable) {
        unreadable.push_back(row);
        reasons.push_back(reason);
      }
      h5.write_tensor("unreadable/rows", rows_tensor(unreadable));
      h5.write_strings("unreadable/reasons", reasons);
    });
  }

  const TokenRecipe& recipe_;
  const datasets::Dataset& dataset_;
  const datasets::DataFolder& data_;
  const BaseModel& base_;
  int threads_;
  fs::path file_;
  mutable bool warned_ = false;
};

}  // namespace

fs::path token_file(const TokenRecipe& recipe, const datasets::DataFolder& data,
                    const BaseModel& base) {
  std::string task = recipe.task;
  std::replace(task.begin(), task.end(), '/', '_');
  return data.cache / ("tokens-" + task + "-" + recipe.split + "-" +
                       key_of(recipe, data, base).substr(0, 16) + ".h5");
}

Tensor image_views(const datasets::Image& image, Row row, int crops, bool mirrored, int size) {
  std::vector<Tensor> views;
  const auto add = [&](const datasets::FloatImage& view) {
    const Tensor plain = to_tensor(view);
    views.push_back(mirrored ? at::stack({plain, plain.flip(-1)}) : plain.unsqueeze(0));
  };
  if (crops == 1) {
    const int side = std::min(image.height, image.width);
    const datasets::Image square =
        datasets::crop(image, (image.height - side) / 2, (image.width - side) / 2, side, side);
    add(datasets::resize_to_float(square, size, size));
    return at::stack(views);
  }
  const datasets::Extent whole = datasets::covering_extent({image.height, image.width}, size);
  for (int crop = 0; crop < crops; ++crop) {
    // The same places in every run: the cache is shared.
    cluster::PhiloxStream stream(0, cluster::Purpose::crop, static_cast<std::uint64_t>(crop), row);
    const auto place = [&](int side) {
      return static_cast<int>(stream.below(static_cast<std::uint64_t>(side - size + 1)));
    };
    const int top = place(whole.height), left = place(whole.width);
    add(datasets::scale_then_crop(image, size, top, left));
  }
  return at::stack(views);
}

CachedTokens cached_tokens(const TokenRecipe& recipe, const datasets::Dataset& dataset,
                           const datasets::DataFolder& data, const BaseModel& base,
                           const std::vector<Row>& rows, int threads,
                           const CountProgress& progress) {
  const Stored stored = Builder(recipe, dataset, data, base, threads).complete(rows, progress);
  MARQUEE_CHECK(!rows.empty(), "no images to tokenise");
  CachedTokens result;
  std::vector<std::size_t> from, to;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (const auto bad = stored.unreadable.find(rows[i]); bad != stored.unreadable.end()) {
      result.unreadable.insert(*bad);
      continue;
    }
    from.push_back(stored.place_of(rows[i]));
    to.push_back(i);
  }
  result.ids = torch::zeros(shape_of(recipe, base, rows.size()), torch::kInt64);
  if (from.empty()) return result;
  result.ids.index_copy_(0, rows_tensor(to),
                         stored.tokens.index_select(0, rows_tensor(from)).to(torch::kInt64));
  return result;
}

}  // namespace marquee::workers
