// marquee pretrain: makes a base model from a recipe.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/build_info.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/sha256.h"
#include "datasets/encode_png.h"
#include "workers/base_model.h"
#include "workers/commands/commands.h"
#include "workers/pretrain/feature_stage.h"
#include "workers/pretrain/image_pool.h"
#include "workers/pretrain/reconstruction.h"
#include "workers/pretrain/tokenizer_stage.h"
#include "workers/pretrain/transformer_stage.h"

namespace marquee::workers {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;
using nlohmann::json;

// Means over windows of 50 steps: enough to draw a curve.
json smoothed_curve_of(const std::vector<double>& losses) {
  constexpr std::size_t kWindow = 50;
  json steps = json::array(), values = json::array();
  for (std::size_t first = 0; first < losses.size(); first += kWindow) {
    const std::size_t last = std::min(losses.size(), first + kWindow);
    double sum = 0;
    for (std::size_t i = first; i < last; ++i) sum += losses[i];
    steps.push_back(last);
    values.push_back(sum / static_cast<double>(last - first));
  }
  return {{"steps", steps}, {"loss", values}};
}

void print_line(const std::string& line) {
  std::cout << line << std::endl;
}

ParameterMap as_shipped(const ParameterMap& parameters) {
  return converted(converted(parameters, torch::kFloat16), torch::kFloat32);
}

// Prints what the tokenizer makes of each task's test images and writes the pictures to `folder`.
json measure(const BaseModel& base, const std::vector<std::string>& tasks, const fs::path& data,
             const fs::path& folder, const ProgressPrinter& print) {
  json measured = json::object();
  for (const std::string& task : tasks) {
    const ReconstructionReport report = measure_reconstruction(base, task, data);
    measured[task] = to_json(report);
    std::string name = "reconstruction-" + task + ".png";
    std::replace(name.begin(), name.end(), '/', '-');
    datasets::write_png(folder / name, report.picture);
    print(to_text(report) + "pictures in " + (folder / name).string());
  }
  return measured;
}

// The entry of another base's network, for the manifest of a base that takes it.
experiments::WeightFile borrowed_file(const experiments::BaseManifest& manifest,
                                      const char* network) {
  const auto found = manifest.files.find(network);
  if (found == manifest.files.end()) {
    cluster::throw_environment("base '" + manifest.name + "' has no " + network + " to take");
  }
  experiments::WeightFile file = found->second;
  if (file.from.empty()) {
    file.from = manifest.name;
    file.version = manifest.version;
  }
  return file;
}

// What a recipe takes from other bases.
struct Borrowed {
  std::map<std::string, experiments::WeightFile> files;
  std::string identity;  // hash of the tokenizer's file, where that is taken
};

// Fills in the tokenizer and the features that the recipe does not train.
Borrowed borrow(PretrainRecipe& recipe, const fs::path& assets, BaseModel& base) {
  Borrowed borrowed;
  for (const std::string& from : std::set{recipe.tokenizer_base, recipe.features_base}) {
    if (from.empty()) continue;
    const experiments::BaseManifest manifest = experiments::load_base_manifest(assets, from);
    const BaseModel other = load_base(manifest);
    if (from == recipe.tokenizer_base) {
      borrowed.files["tokenizer"] = borrowed_file(manifest, "tokenizer");
      borrowed.identity = borrowed.files.at("tokenizer").sha256;
      base.tokenizer = other.tokenizer;
      set_grid(recipe, base.tokenizer.codebook(), base.tokenizer.latent());
    }
    if (from == recipe.features_base) {
      borrowed.files["features"] = borrowed_file(manifest, "features");
      base.features = other.features;
      base.feature_config = other.feature_config;
    }
  }
  return borrowed;
}

int pretrain(PretrainRecipe recipe, const fs::path& data, const fs::path& out,
             const fs::path& work) {
  at::set_num_threads(recipe.threads);
  const ProgressPrinter print = print_line;
  BaseModel base;
  base.version = recipe.version;
  const Borrowed borrowed = borrow(recipe, out, base);
  const ImagePool pool(recipe.task, recipe.splits, recipe.scenes, data);
  print("pretraining base '" + recipe.name + "' on " + std::to_string(pool.size()) + " images of " +
        recipe.task + (recipe.scenes > 0 ? " and drawn scenes" : ""));
  const auto with_data = [&](const std::string& stage) {
    return cluster::sha256_hex(stage + borrowed.identity + pool.content_hash());
  };

  json curves, measured = json::object(), seconds;
  double mark = cluster::monotonic_seconds();
  const auto lap = [&](const char* stage) {
    const double now = cluster::monotonic_seconds();
    seconds[stage] = std::round(now - mark);
    mark = now;
  };
  std::vector<double> losses;
  if (recipe.tokenizer_base.empty()) {
    base.tokenizer = BaseTokenizer(
        recipe.tokenizer,
        as_shipped(pretrain_tokenizer(recipe, pool, work / "tokenizer.h5",
                                      with_data(recipe.tokenizer_identity), losses, print)));
    curves["tokenizer"] = smoothed_curve_of(losses);
    lap("tokenizer");
    constexpr std::size_t kFirstLook = 1000;
    for (const std::string& task : recipe.evaluate) {
      print(fmt::format("tokenizer: {:.2f} dB on the first test images of {} (at most {})",
                        reconstruction_psnr(base.tokenizer, task, data, kFirstLook), task,
                        kFirstLook));
    }
  }
  base.transformer.config = recipe.transformer;
  std::visit([&](auto& sizes) { sizes.classes = pool.num_classes(); }, base.transformer.config);
  base.transformer.weights =
      pretrain_transformer(recipe, pool, base.tokenizer, work / "transformer.h5",
                           with_data(recipe.transformer_identity), losses, print);
  curves["transformer"] = smoothed_curve_of(losses);
  lap("transformer");
  if (recipe.features_base.empty()) {
    base.feature_config = recipe.features;
    base.feature_config.classes = pool.num_classes();
    base.features = as_shipped(pretrain_features(
        recipe, pool, work / "features.h5", with_data(recipe.features_identity), losses, print));
    curves["features"] = smoothed_curve_of(losses);
    lap("features");
    measured["features"]["training_accuracy"] =
        training_accuracy(base.feature_config, base.features, pool);
  }
  if (recipe.tokenizer_base.empty())
    measured["reconstruction"] = measure(base, recipe.evaluate, data, work, print);

  const json provenance{{"recipe_sha256", recipe.sha256},
                        {"task", recipe.task},
                        {"splits", recipe.splits},
                        {"drawn_scenes", recipe.scenes},
                        {"data_hash", pool.content_hash()},
                        {"images", pool.size()},
                        {"measured", measured},
                        {"seconds_of_last_start", seconds},
                        {"cpu", cluster::cpu_model()},
                        {"compute", recipe.bf16 ? "bf16" : "fp32"},
                        {"threads", recipe.threads},
                        {"commit", std::string(cluster::build_commit())},
                        {"made", cluster::utc_now()}};
  const experiments::BaseManifest manifest =
      save_base(base, out / recipe.name, provenance, borrowed.files);
  cluster::write_file_durably(out / recipe.name / "curves.json", curves.dump() + "\n");
  load_base(experiments::load_base_manifest(out, recipe.name));
  for (const auto& [network, file] : manifest.files) {
    print(network + ": " + std::to_string(file.numbers) + " numbers, " +
          std::to_string(file.bytes) + " bytes" + (file.from.empty() ? "" : ", of " + file.from));
  }
  print("written to " + manifest.folder.string());
  return 0;
}

}  // namespace

int pretrain_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee pretrain RECIPE [--data DIR] [--out DIR] [--work DIR] [--measure]";
  line.text =
      "Trains the tokenizer, the transformer (masked or autoregressive) and the feature network "
      "that\n"
      "RECIPE (experiments/pretrain_mini.yaml, experiments/pretrain_mini_ar.yaml) describes, or\n"
      "takes those of another base in --out where it says so, and writes them as a base model: "
      "fp16\n"
      "safetensors, manifest.json with hashes and what was measured, curves.json. Interrupted, it\n"
      "goes on from its last state and ends with the same bits.";
  line.options.add_options()  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "TFDS folder with the images to pretrain on")  //
      ("out", po::value<std::string>()->value_name("DIR")->default_value("assets"),
       "assets folder; the base goes into a folder of its name")  //
      ("work", po::value<std::string>()->value_name("DIR")->default_value("results-pretrain"),
       "folder for the state; the same command again goes on from there")  //
      ("threads", po::value<int>()->default_value(0),
       "threads; 0: as the recipe says (recorded: they change the last bits)")  //
      ("measure", "train nothing: show how the finished base in --out rebuilds test images");
  line.hidden.add_options()("recipe", po::value<std::string>()->value_name("FILE")->required(),
                            "RECIPE");
  line.positional.add("recipe", 1);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  PretrainRecipe recipe = load_recipe(values["recipe"].as<std::string>());
  if (recipe.bf16 && !cluster::cpu_has_bf16()) {
    recipe.bf16 = false;
    std::cout << "this processor has no bfloat16 instructions: training in fp32 instead of bf16"
              << std::endl;
  }
  if (const int threads = values["threads"].as<int>(); threads > 0) recipe.threads = threads;
  const fs::path data = values["data"].as<std::string>(), out = values["out"].as<std::string>(),
                 work = values["work"].as<std::string>();
  cluster::create_directories_durably(work);
  if (values.count("measure") > 0) {
    at::set_num_threads(recipe.threads);
    measure(load_base(experiments::load_base_manifest(out, recipe.name)), recipe.evaluate, data,
            work, print_line);
    return 0;
  }
  return pretrain(recipe, data, out, work);
}

}  // namespace marquee::workers
