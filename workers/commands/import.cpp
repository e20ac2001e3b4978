// marquee import: a base from checkpoints that other projects published.
#include <iostream>

#include <fmt/format.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "experiments/base_manifest.h"
#include "workers/commands/commands.h"
#include "workers/import/import_base.h"

namespace marquee::workers {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr double kMegabyte = 1e6;

void print_known() {
  for (const KnownBase& base : known_bases()) {
    std::cout << base.name << "\n  " << base.what << "\n";
    for (const std::string& line : base.published) std::cout << "  published  " << line << "\n";
    for (const std::string& line : base.steps) std::cout << "  then       " << line << "\n";
  }
  std::cout
      << "\nNothing is fetched: download the files, then import them. Models of the same two\n"
         "kinds with other sizes are imported with --kind.\n";
}

std::string sizes_text(const char* name, const SourceNetwork& network,
                       const nlohmann::json& config) {
  return fmt::format("{:<12} {} tensors, {} numbers, {} of {}\n             {}", name,
                     network.tensors.size(), network.numbers(), network.format, network.source,
                     config.dump());
}

ImportRequest request_of(const po::variables_map& values) {
  ImportRequest request;
  request.name = values["name"].as<std::string>();
  const bool plain = request.name.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                         "_-.") == std::string::npos &&
                     !request.name.empty() && !request.name.starts_with(".");
  if (!plain)
    cluster::throw_usage("NAME is '" + request.name + "'; expected letters, digits, _, - and .");
  request.transformer = values["transformer"].as<std::string>();
  request.tokenizer = values["tokenizer"].as<std::string>();
  request.heads = values["heads"].as<std::int64_t>();
  request.classes = values["classes"].as<std::int64_t>();
  request.kind = values["kind"].as<std::string>();
  if (const KnownBase* known = find_known_base(request.name)) {
    const auto* gpt = std::get_if<GptConfig>(&known->transformer);
    const std::string kind = gpt != nullptr ? experiments::kTaming : experiments::kMaskGit;
    if (!request.kind.empty() && request.kind != kind)
      cluster::throw_usage(request.name + " is of kind " + kind + ", not " + request.kind);
    request.kind = kind;
    const std::int64_t classes = gpt != nullptr ? gpt->classes : 0;
    if (request.classes != 0 && request.classes != classes)
      cluster::throw_usage("--classes: those of " + request.name + " are known");
    request.classes = classes;
  } else if (request.kind.empty()) {
    cluster::throw_usage("'" + request.name +
                         "' is none of the known bases (marquee import --list); for another model "
                         "say of which --kind it is, maskgit or taming");
  }
  request.type = values["dtype"].as<std::string>() == "bf16" ? torch::kBFloat16 : torch::kFloat32;
  return request;
}

}  // namespace

int import_command(const cluster::Arguments& arguments) {
  if (!arguments.empty() && arguments.front() == "features")
    return import_features_command({arguments.begin() + 1, arguments.end()});
  cluster::CommandLine line;
  line.usage =
      "marquee import NAME --transformer FILE [--tokenizer FILE] [options] | --list | features "
      "FILE";
  line.text =
      "Makes a base of published checkpoints: flax msgpack files of MaskGIT, or safetensors files\n"
      "of taming-transformers (docs/models.md converts their PyTorch checkpoints). Every tensor's\n"
      "name and shape is checked before anything is written.\n\n"
      "  marquee import --list\n"
      "  marquee import maskgit256 --tokenizer tokenizer_imagenet256_checkpoint \\\n"
      "                            --transformer maskgit_imagenet256_checkpoint\n"
      "  marquee import taming256 --transformer last.safetensors --heads N\n"
      "  marquee import my_base --kind maskgit --tokenizer FILE --transformer FILE";
  line.options.add_options()                                         //
      ("list", "what is known, where it is published, what to run")  //
      ("transformer", po::value<std::string>()->value_name("FILE")->default_value(""),
       "file with its weights")  //
      ("tokenizer", po::value<std::string>()->value_name("FILE")->default_value(""),
       "file with its weights (taming: where the transformer's file has none)")  //
      ("kind", po::value<std::string>()->default_value(""),
       "maskgit or taming, for a NAME that is not known: sizes are read off the weights")  //
      ("heads", po::value<std::int64_t>()->default_value(0),
       "taming: heads of attention, visible in no weight")  //
      ("classes", po::value<std::int64_t>()->default_value(0),
       "taming, NAME not known: classes of pretraining")  //
      ("dtype", cluster::one_of({"fp32", "bf16"})->default_value("fp32"),
       "of the transformer as it is written; bf16: at half the size")  //
      ("out", po::value<std::string>()->value_name("DIR")->default_value(""),
       "assets folder; the base goes into a folder of its name (default: MARQUEE_ASSETS, else the "
       "installed one)")  //
      ("dry-run", "check the files and say what would be written");
  line.parts = {{"features", "a feature network, for marquee evaluate and protocols of sweeps",
                 import_features_command}};
  line.hidden.add_options()("name", po::value<std::string>()->default_value(""), "NAME");
  line.positional.add("name", 1);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  if (values.count("list") != 0) {
    print_known();
    return 0;
  }
  const double started = cluster::monotonic_seconds();
  const ImportRequest request = request_of(values);
  const fs::path assets = experiments::find_assets_dir(values["out"].as<std::string>());
  const CheckedImport import = check_import(request);
  std::cout << sizes_text("tokenizer", import.tokenizer, to_json(import.tokenizer_config)) << "\n"
            << sizes_text("transformer", import.transformer, to_json(import.transformer_config))
            << std::endl;
  if (values.count("dry-run") != 0) {
    std::cout << "every name and shape fits; would write " << (assets / request.name).string()
              << std::endl;
    return 0;
  }
  const experiments::BaseManifest manifest = write_import(import, assets);
  for (const auto& [network, file] : manifest.files) {
    std::cout << fmt::format("wrote {} ({:.1f} MB)\n",
                             experiments::weight_path(manifest, file).string(),
                             static_cast<double>(file.bytes) / kMegabyte);
  }
  std::cout << fmt::format(
      "{:.1f} s, peak memory {:.0f} MB; see it: marquee sample --base {} --out "
      "sample.png\n",
      cluster::monotonic_seconds() - started,
      static_cast<double>(cluster::peak_memory_bytes()) / kMegabyte, request.name);
  return 0;
}

}  // namespace marquee::workers
