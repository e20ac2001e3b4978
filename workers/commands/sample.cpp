// marquee sample: images of a finished run, or of a base as it was pretrained, one class or all,
// with any seed.
#include <iostream>
#include <optional>

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

// What generates: a run's settings and adapter on its base.
struct Generator {
  BaseModel base;
  experiments::RunConfig run;
  int classes = 0;
  ParameterMap stored;  // trained tensors of the run; empty for a base
  std::string source;   // for messages
};

// Settings of a run belong to it; those of a base are said here.
constexpr const char* kBaseOptions[] = {"steps", "temperature", "top-k", "top-p"};

Generator generator_of_run(const std::string& file, const po::variables_map& values) {
  for (const char* option : kBaseOptions) {
    if (!values[option].defaulted())
      cluster::throw_usage("--" + std::string(option) + " goes with --base; a run has its own");
  }
  StoredResult stored = read_result(file);
  if (experiments::is_oracle(stored.run))
    cluster::throw_usage(file + ": is an oracle row; it has real images and generates none");
  Generator generator;
  generator.base = load_base(experiments::load_base_manifest(
      experiments::find_assets_dir(values["assets"].as<std::string>()), stored.run.base));
  if (generator.base.base_hash != stored.run.base_hash)
    cluster::throw_environment(file + ": was made with other weights of the base '" +
                               stored.run.base + "' than those in the assets folder");
  generator.classes = experiments::num_classes(stored.run);
  generator.run = std::move(stored.run);
  generator.stored = std::move(stored.trained);
  generator.source = file;
  return generator;
}

Generator generator_of_base(const std::string& name, const po::variables_map& values) {
  Generator generator;
  generator.base = load_base(experiments::load_base_manifest(
      experiments::find_assets_dir(values["assets"].as<std::string>()), name));
  generator.classes = static_cast<int>(generator.base.transformer.classes());
  generator.source = name;
  experiments::RunConfig& run = generator.run;
  run.method = "none";
  run.base = name;
  run.decode_steps = values["steps"].as<int>();
  run.temperature = values["temperature"].as<double>();
  run.top_k = values["top-k"].as<int>();
  run.top_p = values["top-p"].as<double>();
  if (run.decode_steps < 1 || run.decode_steps > 1024)
    cluster::throw_usage("--steps must lie in 1..1024");
  if (!(run.temperature >= 0 && run.temperature <= 1000))
    cluster::throw_usage("--temperature must lie in 0..1000");
  if (run.top_k < 0) cluster::throw_usage("--top-k must not be below 0");
  if (!(run.top_p >= 0 && run.top_p <= 1)) cluster::throw_usage("--top-p must lie in 0..1");
  if (std::holds_alternative<GptConfig>(generator.base.transformer.config))
    run.family = experiments::kAutoregressive;
  return generator;
}

std::vector<datasets::Image> sample_images(const Generator& generator, int count,
                                           std::optional<int> label) {
  const experiments::RunConfig& run = generator.run;
  const std::unique_ptr<Adapter> adapter = make_adapter(run, generator.base, generator.classes);
  restore(generator.stored, adapter->trained(), generator.source);
  std::vector<datasets::Image> images;
  const torch::InferenceMode inference;
  for (int first = 0; first < count; first += run.decode_batch) {
    const std::int64_t size = std::min(run.decode_batch, count - first);
    const Tensor labels = label
                              ? torch::full({size}, *label, torch::kInt64)
                              : torch::remainder(torch::arange(first, first + size, torch::kInt64),
                                                 generator.classes);
    const Tensor tokens = adapter->sample_tokens(run, labels, static_cast<std::uint64_t>(first));
    for (datasets::Image& image : to_images(generator.base.tokenizer.decode(tokens)))
      images.push_back(std::move(image));
  }
  return images;
}

}  // namespace

int sample_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee sample RESULT | --base NAME --out FILE.png [options]";
  line.text =
      "Generates images from RESULT (the result.h5 of a finished attempt), or from a base as it "
      "was\n"
      "pretrained, and writes them as one PNG. The run's own seed gives the run's own images.\n\n"
      "  marquee sample results/runs/ID/attempt-1/result.h5 --label 3 --count 20 --out river.png\n"
      "  marquee sample --base mini_ar --label 5 --count 10 --out five.png";
  line.options.add_options()                                                                 //
      ("out,o", po::value<std::string>()->required(), "PNG file to write")                   //
      ("base", po::value<std::string>()->default_value(""), "a base, with its own classes")  //
      ("label", po::value<int>(), "class of all images (default: the classes in turn)")      //
      ("count", po::value<int>()->default_value(30), "number of images")                     //
      ("seed", po::value<std::uint64_t>(), "seed of the samples (default: the run's)")       //
      ("columns", po::value<int>()->default_value(kColumns), "images in a row, at most")     //
      ("steps", po::value<int>()->default_value(12), "decoding steps of a masked --base")    //
      ("temperature", po::value<double>()->default_value(1.0),
       "of an autoregressive --base; 0: the most likely token")                                 //
      ("top-k", po::value<int>()->default_value(0), "of its tokens the k most likely; 0: all")  //
      ("top-p", po::value<double>()->default_value(1.0),
       "of those the most likely with this share of the probability")                  //
      ("threads", po::value<int>()->default_value(0), "threads (default: the run's)")  //
      ("assets", po::value<std::string>()->default_value(""), "folder of base models");
  line.hidden.add_options()("result", po::value<std::string>()->default_value(""), "RESULT");
  line.positional.add("result", 1);
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;

  const std::string file = values["result"].as<std::string>(),
                    name = values["base"].as<std::string>();
  if (file.empty() == name.empty())
    cluster::throw_usage("name either RESULT or a --base to sample from");
  const int count = values["count"].as<int>();
  const int columns = values["columns"].as<int>();
  if (count < 1 || count > kMaxImages)
    cluster::throw_usage("--count must lie in 1.." + std::to_string(kMaxImages));
  if (columns < 1) cluster::throw_usage("--columns must be at least 1");
  Generator generator =
      name.empty() ? generator_of_run(file, values) : generator_of_base(name, values);
  std::optional<int> label;
  if (values.count("label") != 0) {
    label = values["label"].as<int>();
    if (*label < 0 || *label >= generator.classes)
      cluster::throw_usage("--label must lie in 0.." + std::to_string(generator.classes - 1) +
                           " for " + (name.empty() ? generator.run.task : name));
  }
  if (values.count("seed") != 0) generator.run.seed = values["seed"].as<std::uint64_t>();
  const int threads = values["threads"].as<int>();
  at::set_num_threads(threads > 0 ? threads : generator.run.threads);
  at::set_num_interop_threads(1);
  const std::vector<datasets::Image> images = sample_images(generator, count, label);
  const std::string out = values["out"].as<std::string>();
  datasets::write_png(out, datasets::make_grid(images, std::min(columns, count)));
  std::cout << out << "\n";
  return 0;
}

}  // namespace marquee::workers
