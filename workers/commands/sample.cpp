// marquee sample: images of a finished run, one class or all, with any seed.
#include <iostream>

#include "cluster/error.h"
#include "datasets/encode_png.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "workers/commands/commands.h"
#include "workers/image_tensor.h"
#include "workers/runs/result_file.h"
#include "workers/runs/sampling.h"

namespace marquee::workers {
namespace {

namespace po = boost::program_options;

constexpr int kMaxImages = 10'000;
constexpr int kColumns = 10;

// Copies the stored tensors into the adapter's leaves; a name or shape that does not fit is named.
void restore(const ParameterMap& stored, ParameterMap& leaves, const std::string& file) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, leaf] : leaves) {
    const auto found = stored.find(name);
    if (found == stored.end() || found->second.sizes() != leaf.sizes())
      cluster::throw_environment(file + ": trained tensor '" + name +
                                 "' is missing or has another shape than its run says");
    leaf.copy_(found->second);
  }
}

}  // namespace

int sample_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee sample RESULT --out FILE.png [options]";
  line.text =
      "Generates images from RESULT (the result.h5 of a finished attempt) and writes them as one\n"
      "PNG. The run's own seed gives the run's own images.\n\n"
      "  marquee sample results/runs/ID/attempt-1/result.h5 --label 3 --count 20 --out river.png";
  line.options.add_options()                                                             //
      ("out,o", po::value<std::string>()->required(), "PNG file to write")               //
      ("label", po::value<int>(), "class of all images (default: the classes in turn)")  //
      ("count", po::value<int>()->default_value(30), "number of images")                 //
      ("seed", po::value<std::uint64_t>(), "seed of the samples (default: the run's)")   //
      ("columns", po::value<int>()->default_value(kColumns), "images in a row")          //
      ("threads", po::value<int>()->default_value(0), "threads (default: the run's)")    //
      ("assets", po::value<std::string>()->default_value(""), "folder of base models");
  line.hidden.add_options()("result", po::value<std::string>()->required(), "RESULT");
  line.positional.add("result", 1);
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;

  const std::string file = values["result"].as<std::string>();
  StoredResult stored = read_result(file);
  experiments::RunConfig& run = stored.run;
  if (experiments::is_oracle(run))
    cluster::throw_usage(file + ": is an oracle row; it has real images and generates none");
  const int classes = experiments::num_classes(run);
  const int count = values["count"].as<int>();
  const int columns = values["columns"].as<int>();
  const int threads = values["threads"].as<int>() > 0 ? values["threads"].as<int>() : run.threads;
  if (count < 1 || count > kMaxImages)
    cluster::throw_usage("--count must lie in 1.." + std::to_string(kMaxImages));
  if (columns < 1 || columns > count) cluster::throw_usage("--columns must lie in 1..count");
  if (values.count("label") != 0) {
    const int label = values["label"].as<int>();
    if (label < 0 || label >= classes)
      cluster::throw_usage("--label must lie in 0.." + std::to_string(classes - 1) + " for " +
                           run.task);
  }
  if (values.count("seed") != 0) run.seed = values["seed"].as<std::uint64_t>();
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);

  const BaseModel base = load_base(experiments::load_base_manifest(
      experiments::find_assets_dir(values["assets"].as<std::string>()), run.base));
  if (base.base_hash != run.base_hash)
    cluster::throw_environment(file + ": was made with other weights of the base '" + run.base +
                               "' than those in the assets folder");
  const std::unique_ptr<Adapter> adapter = make_adapter(run, base, classes);
  restore(stored.trained, adapter->trained(), file);
  std::vector<datasets::Image> images;
  const torch::InferenceMode inference;
  for (int first = 0; first < count; first += run.decode_batch) {
    const std::int64_t size = std::min(run.decode_batch, count - first);
    const Tensor labels =
        values.count("label") != 0
            ? torch::full({size}, values["label"].as<int>(), torch::kInt64)
            : torch::remainder(torch::arange(first, first + size, torch::kInt64), classes);
    const Tensor tokens = adapter->sample_tokens(run, labels, static_cast<std::uint64_t>(first));
    for (datasets::Image& image : to_images(base.tokenizer.decode(tokens)))
      images.push_back(std::move(image));
  }
  const std::string out = values["out"].as<std::string>();
  datasets::write_png(out, datasets::make_grid(images, columns));
  std::cout << out << "\n";
  return 0;
}

}  // namespace marquee::workers
