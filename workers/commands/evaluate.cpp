// marquee evaluate: the metrics of any two sets of images, by a named protocol.
#include <algorithm>
#include <iostream>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/build_info.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/split.h"
#include "cluster/suggest.h"
#include "datasets/scratch_cache.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/brief_hold.h"
#include "workers/commands/commands.h"
#include "workers/commands/terminal_progress.h"
#include "workers/evaluation/measure.h"
#include "workers/evaluation/run_source.h"
#include "workers/features/feature_files.h"

namespace marquee::workers {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;
using experiments::MetricValue;
using experiments::Protocol;
using nlohmann::json;

void print_protocols() {
  for (const Protocol& protocol : experiments::protocols()) {
    std::cout << protocol.name << (protocol.verified ? "" : " (unverified)") << "\n  "
              << protocol.follows << "\n";
    if (!protocol.verified) std::cout << "  unverified: " << protocol.unverified_because << "\n";
    if (protocol.network == "inception")
      std::cout << "  inception, " << (protocol.crop ? "center crop, " : "") << protocol.resize
                << " to 299, layer " << protocol.layer << "\n";
    if (!protocol.manifold_network.empty())
      std::cout << "  precision and recall: " << protocol.manifold_network
                << ", a TorchScript module\n";
    std::cout << "  " << cluster::join(protocol.metrics) << "\n";
  }
}

bool is_statistics(const std::string& what) {
  return fs::is_regular_file(what) && fs::path(what).extension() == ".npz" &&
         holds_statistics(what);
}

Protocol protocol_of(const po::variables_map& values) {
  Protocol protocol = experiments::protocol_named(values["protocol"].as<std::string>());
  // Options that the tools have too; the number then is one of another protocol, and says so.
  std::string changed;
  const auto change = [&](const char* option, const char* text, std::int64_t& setting) {
    if (values.count(option) == 0) return;
    setting = values[option].as<std::int64_t>();
    if (setting < 1) cluster::throw_usage(std::string("--") + option + " must be at least 1");
    changed += fmt::format("{}{} {}", changed.empty() ? "" : ", ", text, setting);
  };
  change("kid-subsets", "kid subsets", protocol.kid_subsets);
  change("kid-subset-size", "kid subset size", protocol.kid_size);
  if (!changed.empty()) {
    if (protocol.kid_subsets == 0)
      cluster::throw_usage("protocol " + protocol.name + " takes kid over all pairs");
    protocol.name += " (" + changed + ")";
  }
  return protocol;
}

// The network of `--features`, or the protocol's own; with a TorchScript module the protocol
// becomes another one.
std::unique_ptr<FeatureNetwork> chosen_network(Protocol& protocol, const po::variables_map& values,
                                               const fs::path& assets) {
  const std::string named = values["features"].as<std::string>(),
                    compute = values["compute"].as<std::string>();
  if (!named.empty() && protocol.network != "inception")
    cluster::throw_usage("--features: protocol " + protocol.name + " has a network of its own");
  if (!named.empty() && !fs::is_regular_file(named)) {
    if (auto network = find_script_network(assets, named)) {
      if (compute != "fp32") cluster::throw_usage("--compute bf16 is for Inception");
      protocol = experiments::with_network(std::move(protocol), named);
      return network;
    }
  }
  return load_feature_network(protocol, assets, named,
                              compute == "bf16" ? torch::kBFloat16 : torch::kFloat32);
}

// What precision and recall of some protocols are computed from; nothing where `metrics` have none
// of it. Where it is not there, those are left out of the list unless they were asked for.
std::unique_ptr<FeatureNetwork> manifold_network_of(const Protocol& protocol, bool asked,
                                                    const fs::path& assets,
                                                    std::vector<std::string>& metrics) {
  const auto is_of_it = [&](const std::string& metric) {
    return is_of_manifold_network(protocol, metric);
  };
  if (std::none_of(metrics.begin(), metrics.end(), is_of_it)) return nullptr;
  ScriptInput own_levels;
  own_levels.side = 0;
  own_levels.normalise = false;
  const std::string& name = protocol.manifold_network;
  const std::string importing = "marquee import features " + name +
                                ".pt --torchscript --trust --name " + name + " --side 0 --levels";
  auto network = find_script_network(assets, name);
  if (network && network->input_rule() != described(own_levels)) {
    cluster::throw_environment("network " + name + " was imported for input '" +
                               network->input_rule() + "', protocol " + protocol.name +
                               " gives it '" + described(own_levels) + "': " + importing);
  }
  if (network) return network;
  const std::string why = "they need network " + name + " (" + importing + ")";
  if (asked) {
    cluster::throw_environment("precision and recall of protocol " + protocol.name +
                               " cannot be computed: " + why);
  }
  std::cerr << "precision and recall are left out: " << why << "\n";
  std::erase_if(metrics, is_of_it);
  return nullptr;
}

// What measures in this call.
struct Networks {
  std::unique_ptr<FeatureNetwork> main, manifold;  // manifold: may be none
};

json json_of(const Protocol& protocol, const std::vector<MetricValue>& metrics,
             const Networks& networks, const po::variables_map& values,
             const MeasuredSet& generated, const MeasuredSet& reference) {
  json numbers = json::object(), errors = json::object();
  for (const MetricValue& metric : metrics) {
    numbers[metric.metric] = metric.value;
    if (metric.standard_error) errors[metric.metric] = *metric.standard_error;
  }
  const auto described_network = [](const FeatureNetwork& network) {
    return json{{"network", network.name()},
                {"network_hash", network.hash()},
                {"input_rule", network.input_rule()}};
  };
  json content{{"protocol", protocol.name},
               {"follows", protocol.follows},
               {"verified", protocol.verified},
               {"generated", values["generated"].as<std::string>()},
               {"reference", values["reference"].as<std::string>()},
               {"n_generated", generated.images},
               {"n_reference", reference.images},
               {"seed", values["seed"].as<std::uint64_t>()},
               {"metrics", numbers},
               {"standard_errors", errors}};
  content.update(described_network(*networks.main));
  if (networks.manifold) content["precision_and_recall"] = described_network(*networks.manifold);
  return content;
}

void print_table(const Protocol& protocol, const std::vector<MetricValue>& metrics,
                 const Networks& networks, const MeasuredSet& generated,
                 const MeasuredSet& reference) {
  const auto count = [](const MeasuredSet& set) {
    return set.images > 0 ? std::to_string(set.images) : std::string("statistics");
  };
  std::cout << fmt::format("protocol {}{}: {}\n", protocol.name,
                           protocol.verified ? "" : " (unverified)", protocol.follows);
  for (const auto& network : {std::cref(networks.main), std::cref(networks.manifold)}) {
    if (const FeatureNetwork* one = network.get().get())
      std::cout << fmt::format("{} {}, {}\n", one->name(), one->hash().substr(0, 12),
                               one->input_rule());
  }
  std::cout << fmt::format("{} generated, {} reference\n\n", count(generated), count(reference));
  for (const MetricValue& metric : metrics) {
    std::cout << fmt::format("{:<16} {:.10g}", metric.metric, metric.value);
    if (metric.standard_error) std::cout << fmt::format("  ± {:.2g}", *metric.standard_error);
    std::cout << "\n";
  }
  std::cout << std::flush;
}

// Into a results folder: by this process, or by whoever holds it.
void hand_in(const fs::path& results, const po::variables_map& values, const Protocol& protocol,
             const std::vector<MetricValue>& metrics, const FeatureNetwork& network,
             const MeasuredSet& generated, const MeasuredSet& reference) {
  const auto text = [&](const char* option) { return values[option].as<std::string>(); };
  experiments::EvaluationRecord record;
  record.name = text("name");
  record.citation = text("citation");
  record.task = text("task");
  record.shots = text("shots");
  record.generated = text("generated");
  record.reference = text("reference");
  record.generated_hash = generated.content_hash;
  record.reference_hash = reference.content_hash;
  if (is_run(record.generated)) {
    const RunOfImages made_by = run_of_images(record.generated);
    record.run_id = experiments::run_id(made_by.run).text();
    record.attempt = made_by.attempt;
    for (const auto& [said, known] : {std::pair{&record.name, &made_by.run.method},
                                      {&record.task, &made_by.run.task},
                                      {&record.shots, &made_by.run.shots}}) {
      if (said->empty()) *said = *known;
    }
  }
  record.protocol = protocol.name;
  record.network = network.name();
  record.network_hash = network.hash();
  record.input_rule = network.input_rule();
  record.seed = values["seed"].as<std::uint64_t>();
  record.made = cluster::utc_now();
  record.commit = std::string(cluster::build_commit());
  record.metrics = metrics;
  experiments::InboxEntry entry;
  entry.kind = "evaluation";
  entry.evaluation = experiments::write_evaluation(results, record);
  const experiments::Delivery delivery = experiments::deliver(results, entry);
  std::cerr << (delivery.taken ? "entered as evaluation " : "left for the holder as evaluation ")
            << entry.evaluation << " of " << results.string() << "\n";
}

cluster::CommandLine evaluate_line() {
  cluster::CommandLine line;
  line.usage = "marquee evaluate --generated X --reference Y [options] | --list";
  line.text =
      "Compares two sets of images by a protocol of the field's tools: the same network input,\n"
      "estimators and counts, so that the number is the same number. X and Y are each a folder of\n"
      "images, a zip or tar archive, an .h5 or .npz file of uint8 [n, H, W, 3], a TASK:SPLIT, a\n"
      "finished run (its folder or result.h5), or (fid only) a statistics file of pytorch-fid,\n"
      "clean-fid or ADM. docs/metrics.md sets the protocols side by side and says what may be\n"
      "compared with what.\n\n"
      "  marquee import features pt_inception-2015-12-05-6726825d.pth\n"
      "  marquee evaluate --generated samples/ --reference eurosat:test --protocol clean-fid\n"
      "  marquee evaluate --generated results/runs/ID --reference eurosat:test --protocol vtab\n"
      "  marquee evaluate --generated a.zip --reference b.npz --protocol pytorch-fid --json\n"
      "  marquee evaluate --generated gan/ --reference dtd:test --out results --name MineGAN "
      "--task dtd\n"
      "  marquee evaluate --list";
  line.options.add_options()                                                                    //
      ("generated", po::value<std::string>()->default_value(""), "images that were made")       //
      ("reference", po::value<std::string>()->default_value(""), "what they should look like")  //
      ("protocol", cluster::one_of(experiments::protocol_names())->default_value("clean-fid"),
       "see --list")  //
      ("metrics", po::value<std::string>()->default_value(""),
       "names with commas between them (default: all of the protocol)")  //
      ("json", "one JSON object on standard output")                     //
      ("save-stats", po::value<std::string>()->value_name("FILE")->default_value(""),
       "write mean and covariance of the reference's features (.npz)")  //
      ("features", po::value<std::string>()->value_name("FILE|NAME")->default_value(""),
       "network: a weight file, or a name below assets/features (default: inception)")  //
      ("compute", cluster::one_of({"fp32", "bf16"})->default_value("fp32"),
       "bf16: faster; docs/metrics.md states the error")                                  //
      ("recursive", "look into the folders of folders")                                   //
      ("mixed-sizes", "allow images of several sizes; each is resized")                   //
      ("seed", po::value<std::uint64_t>()->default_value(0), "of bootstrap and subsets")  //
      ("resamples", po::value<int>()->default_value(20),
       "of the bootstrap behind standard errors; 0: none")                     //
      ("kid-subsets", po::value<std::int64_t>(), "other than the protocol's")  //
      ("kid-subset-size", po::value<std::int64_t>(), "likewise")               //
      ("out", po::value<std::string>()->value_name("DIR")->default_value(""),
       "results folder: enter the numbers as those of an outside generator, or of the run whose "
       "images they are")                                                                        //
      ("name", po::value<std::string>()->default_value(""), "with --out: the generator's name")  //
      ("citation", po::value<std::string>()->default_value(""),
       "with --out: where it is described")  //
      ("task", cluster::such_as(datasets::task_names())->default_value(""),
       "with --out: what it was adapted to; its row then stands in the task's table")  //
      ("shots", po::value<std::string>()->default_value(""),
       "with --out: images per class it saw")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value("data"),
       "folder of the tasks")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of networks")  //
      ("cache", po::value<std::string>()->value_name("DIR")->default_value(""),
       "keep features here, by content (and unpack archives here)")              //
      ("batch", po::value<std::int64_t>()->default_value(32), "images at once")  //
      ("threads", po::value<int>()->default_value(0), "default: all cores")      //
      ("list", "the protocols")                                                  //
      ("quiet", "no progress");
  return line;
}

void check_options(const po::variables_map& values) {
  const auto text = [&](const char* option) { return values[option].as<std::string>(); };
  for (const char* side : {"generated", "reference"})
    if (text(side).empty()) cluster::throw_usage(std::string("--") + side + " is missing");
  if (values["batch"].as<std::int64_t>() < 1) cluster::throw_usage("--batch must be at least 1");
  if (const int resamples = values["resamples"].as<int>(); resamples < 0 || resamples == 1)
    cluster::throw_usage("--resamples must be 0, or 2 or more");
  if (!text("out").empty() && text("name").empty() && !is_run(text("generated")))
    cluster::throw_usage("--out needs --name, the generator's (a run knows its own)");
  if (!text("task").empty()) datasets::find_task(text("task"));
}

// Those of the protocol, as far as they can be computed from statistics where there are no images.
std::vector<std::string> metrics_of(const Protocol& protocol, bool from_statistics) {
  std::vector<std::string> metrics = protocol.metrics;
  if (from_statistics)
    std::erase_if(metrics,
                  [](const std::string& name) { return name != "fid" && name != "fid_mini"; });
  return metrics;
}

// The outputs of the main network that are asked for.
std::vector<std::string> main_outputs(const Protocol& protocol,
                                      const std::vector<std::string>& metrics,
                                      bool keep_statistics) {
  std::vector<std::string> outputs = outputs_needed(protocol, metrics);
  std::erase(outputs, protocol.manifold_network);
  const std::string distances = main_output(protocol);
  if (keep_statistics && std::find(outputs.begin(), outputs.end(), distances) == outputs.end())
    outputs.push_back(distances);
  return outputs;
}

}  // namespace

int evaluate_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line = evaluate_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  if (values.count("list") != 0) {
    print_protocols();
    return 0;
  }
  check_options(values);
  const auto text = [&](const char* option) { return values[option].as<std::string>(); };
  if (values["threads"].as<int>() > 0) at::set_num_threads(values["threads"].as<int>());
  Protocol protocol = protocol_of(values);
  const fs::path assets = experiments::find_assets_dir(text("assets"));
  Networks networks{chosen_network(protocol, values, assets), nullptr};
  const bool statistics[] = {is_statistics(text("generated")), is_statistics(text("reference"))};
  if (statistics[1] && !text("save-stats").empty())
    cluster::throw_usage("--save-stats: the reference is statistics already");
  std::vector<std::string> metrics = cluster::names_in_list(text("metrics"));
  const bool asked = !metrics.empty();
  if (!asked) metrics = metrics_of(protocol, statistics[0] || statistics[1]);
  outputs_needed(protocol, metrics);  // throws for an unknown name
  networks.manifold = manifold_network_of(protocol, asked, assets, metrics);
  const std::vector<std::string> outputs =
      main_outputs(protocol, metrics, !text("save-stats").empty());
  SourceOptions source;
  source.recursive = values.count("recursive") != 0;
  source.data = text("data");
  source.assets = assets;
  std::optional<datasets::ScratchCache> scratch;
  if (text("cache").empty()) scratch.emplace();
  source.cache = scratch ? scratch->path() : fs::path(text("cache"));
  MeasureOptions options;
  options.batch = values["batch"].as<std::int64_t>();
  options.mixed_sizes = values.count("mixed-sizes") != 0 || protocol.mixed_sizes;
  options.cache = text("cache");
  options.identify = !text("out").empty();
  TerminalProgress shown(values.count("quiet") != 0);
  const auto measured = [&](const char* side, bool stored) {
    if (stored) return read_statistics(text(side), main_output(protocol), networks.main.get());
    const auto told = [&](std::int64_t done, std::int64_t total) {
      shown.progress(side, done, total, 0);
      if (shown.interrupted()) throw cluster::Error(cluster::ErrorKind::environment, "interrupted");
    };
    const auto images = open_image_source(text(side), source);
    MeasuredSet set = measure(*images, *networks.main, outputs, options, told);
    if (networks.manifold) {
      set.outputs[protocol.manifold_network] =
          measure(*images, *networks.manifold, {kFeaturesOutput}, options, told)
              .outputs.at(kFeaturesOutput);
    }
    return set;
  };
  const MeasuredSet generated = measured("generated", statistics[0]),
                    reference = measured("reference", statistics[1]);
  shown.end();
  if (!text("save-stats").empty())
    write_statistics(text("save-stats"), reference, protocol, *networks.main);
  const std::vector<MetricValue> numbers =
      score(protocol, metrics, generated, reference, networks.main->hash(),
            {values["seed"].as<std::uint64_t>(), values["resamples"].as<int>(),
             networks.manifold ? networks.manifold->hash() : ""});
  if (!text("out").empty())
    hand_in(text("out"), values, protocol, numbers, *networks.main, generated, reference);
  if (values.count("json") != 0) {
    std::cout << json_of(protocol, numbers, networks, values, generated, reference).dump(2)
              << std::endl;
  } else {
    print_table(protocol, numbers, networks, generated, reference);
  }
  return 0;
}

}  // namespace marquee::workers
