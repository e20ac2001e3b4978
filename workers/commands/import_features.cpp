// marquee import features: a network that metrics are measured with, from the file that others
// publish.
#include <iostream>

#include "cluster/error.h"
#include "experiments/base_manifest.h"
#include "workers/commands/commands.h"
#include "workers/features/feature_files.h"

namespace marquee::workers {

namespace po = boost::program_options;

int import_features_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee import features FILE [--trust] [options]";
  line.text =
      "Makes the FID Inception available to `marquee evaluate`: FILE is the state dictionary that\n"
      "pytorch-fid and torch-fidelity publish (pt_inception-2015-12-05-6726825d.pth or\n"
      "weights-inception-2015-12-05-6726825d.pth, or the same tensors as safetensors). It is read\n"
      "by a reader that knows tensors and dictionaries and runs nothing. With --torchscript FILE "
      "is\n"
      "a TorchScript module of whoever made it (DINOv2, VGG16): it is code, so --trust is "
      "needed.\n\n"
      "  marquee import features pt_inception-2015-12-05-6726825d.pth\n"
      "  marquee import features dinov2.pt --torchscript --trust --name dinov2 --side 224";
  line.options.add_options()  //
      ("name", po::value<std::string>()->default_value(experiments::kInceptionNetwork),
       "folder below assets/features; torchscript needs one of its own")                 //
      ("trust", "take a file that is none of the published ones, recorded by its hash")  //
      ("torchscript", "FILE is a TorchScript module")                                    //
      ("side", po::value<std::int64_t>()->default_value(224),
       "torchscript: images are resized to this side; 0: passed as they are")  //
      ("resize", po::value<std::string>()->default_value("pil_bicubic_float_noclip"),
       "torchscript: rule, of docs/metrics.md")                                            //
      ("levels", "torchscript: pass levels 0 to 255 instead of ImageNet's normalisation")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of networks");
  line.hidden.add_options()("file", po::value<std::string>()->value_name("FILE")->required(),
                            "FILE");
  line.positional.add("file", 1);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  FeatureImport import;
  import.file = values["file"].as<std::string>();
  import.name = values["name"].as<std::string>();
  const bool script = values.count("torchscript") != 0;
  import.kind = script ? experiments::kTorchScriptNetwork : experiments::kInceptionNetwork;
  import.trusted = values.count("trust") != 0;
  const bool plain = !import.name.empty() && !import.name.starts_with(".") &&
                     import.name.find('/') == std::string::npos;
  if (!plain) cluster::throw_usage("--name is '" + import.name + "'; expected a folder's name");
  if (script && values["name"].defaulted())
    cluster::throw_usage("--torchscript needs --name: inception is the FID Inception");
  import.script.side = values["side"].as<std::int64_t>();
  constexpr std::int64_t kMostSide = 4096;
  if (import.script.side < 0 || import.script.side > kMostSide)
    cluster::throw_usage("--side must be 0 to 4096");
  import.script.normalise = values.count("levels") == 0;
  const auto resize = resize_rule_named(values["resize"].as<std::string>());
  if (!resize)
    cluster::throw_usage("--resize is '" + values["resize"].as<std::string>() +
                         "', which is no rule of docs/metrics.md");
  import.script.resize = *resize;
  const experiments::FeatureManifest manifest =
      import_features(import, experiments::find_assets_dir(values["assets"].as<std::string>()));
  std::cout << "wrote " << manifest.folder.string() << "\n"
            << (manifest.published_as.empty() ? "none of the published files: recorded as "
                                              : manifest.published_as + ", ")
            << manifest.source_sha256 << std::endl;
  return 0;
}

}  // namespace marquee::workers
