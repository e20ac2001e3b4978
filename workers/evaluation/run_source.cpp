#include "workers/evaluation/run_source.h"

#include <mutex>
#include <vector>

#include "cluster/error.h"
#include "experiments/run_folder.h"
#include "workers/image_tensor.h"
#include "workers/runs/generator.h"
#include "workers/runs/result_file.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

class RunSource : public ImageSource {
 public:
  RunSource(const fs::path& what, const fs::path& assets)
      : generator_(Generator::of_run(what, assets)), tokens_(read_tokens(generator_.name)) {
    const BaseTokenizer& tokenizer = generator_.base().tokenizer;
    const bool fits = tokens_.size(1) == tokenizer.latent() * tokenizer.latent() &&
                      tokens_.min().item<std::int64_t>() >= 0 &&
                      tokens_.max().item<std::int64_t>() < tokenizer.codebook();
    if (!fits) {
      cluster::throw_environment(generator_.name + ": its tokens are not those of base " +
                                 generator_.run.base);
    }
  }

  std::size_t size() const override { return static_cast<std::size_t>(tokens_.size(0)); }
  std::string where(std::size_t index) const override {
    return generator_.name + ": image " + std::to_string(index);
  }
  datasets::Image image(std::size_t index) const override {
    const std::lock_guard lock(mutex_);
    const auto size = static_cast<std::size_t>(generator_.run.decode_batch);
    const std::size_t first = index / size * size;
    if (batch_.empty() || first != first_) {
      const torch::InferenceMode inference;
      const auto begin = static_cast<std::int64_t>(first);
      const std::int64_t count =
          std::min<std::int64_t>(generator_.run.decode_batch, tokens_.size(0) - begin);
      batch_ = to_images(generator_.base().tokenizer.decode(tokens_.narrow(0, begin, count)));
      first_ = first;
    }
    return batch_[index - first];
  }
  // What the image is made of.
  std::string stored_bytes(std::size_t index) const override {
    const Tensor row = tokens_[static_cast<std::int64_t>(index)].contiguous();
    return "tokens of tokenizer " + generator_.base().tokenizer_hash + "\n" +
           std::string(static_cast<const char*>(row.const_data_ptr()), row.nbytes());
  }

 private:
  Generator generator_;
  Tensor tokens_;  // int64 [n, N]
  mutable std::mutex mutex_;
  mutable std::size_t first_ = 0;
  mutable std::vector<datasets::Image> batch_;  // from first_ on
};

}  // namespace

bool is_run(const fs::path& what) {
  if (fs::is_directory(what)) {
    return fs::exists(what / "result.h5") || experiments::newest_finished(what) > 0;
  }
  const bool hdf5 = what.extension() == ".h5" && fs::is_regular_file(what);
  return hdf5 && is_result(what);
}

RunOfImages run_of_images(const fs::path& what) {
  const fs::path file = result_file_of(what);
  RunOfImages found{read_result(file).run};
  if (fs::exists(file.parent_path() / "attempt.json"))
    found.attempt = experiments::read_attempt(file.parent_path()).attempt;
  return found;
}

std::unique_ptr<ImageSource> open_run_images(const fs::path& what, const fs::path& assets) {
  return std::make_unique<RunSource>(what, assets);
}

}  // namespace marquee::workers
