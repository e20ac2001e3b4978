// marquee export prompt: what a run has trained, as one small file for others.
#include <iostream>

#include "cluster/error.h"
#include "experiments/run_folder.h"
#include "workers/commands/commands.h"
#include "workers/runs/generator.h"
#include "workers/runs/prompt_file.h"
#include "workers/runs/result_file.h"

namespace marquee::workers {

namespace po = boost::program_options;

int export_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee export prompt RUN --out FILE.safetensors";
  line.text =
      "Writes what RUN has trained (method prompt, linear_class or lora) as a safetensors file\n"
      "with a card: base, task, method, settings, metrics; no host, user or folder. RUN is the\n"
      "folder of a run or of an attempt, or its result.h5. `marquee sample --prompt FILE` uses "
      "it.\n\n"
      "  marquee export prompt results/runs/ID --out eurosat.safetensors";
  line.options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("FILE")->required(), "file to write");
  line.hidden.add_options()("source", po::value<std::string>()->value_name("DIR")->required(),
                            "RUN");
  line.positional.add("source", 1);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;

  const std::filesystem::path file = result_file_of(values["source"].as<std::string>());
  StoredResult stored = read_result(file);
  PromptFile prompt;
  prompt.run = std::move(stored.run);
  prompt.classes = experiments::num_classes(prompt.run);
  prompt.trained = std::move(stored.trained);
  prompt.instance_labels =
      task_classes(prompt.run, prompt.classes, stored.training_labels).instance_labels;
  prompt.class_counts = std::move(stored.class_counts);
  const experiments::AttemptRecord record = experiments::read_attempt(file.parent_path());
  if (record.result) prompt.metrics = record.result->metrics;
  const std::string out = values["out"].as<std::string>();
  write_prompt_file(out, prompt);
  std::cout << out << ": " << count_parameters(prompt.trained) << " numbers, "
            << std::filesystem::file_size(out) << " bytes; for base " << prompt.run.base << " "
            << prompt.run.base_hash.substr(0, 12) << "\n";
  return 0;
}

}  // namespace marquee::workers
