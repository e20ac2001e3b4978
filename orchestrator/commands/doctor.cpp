// marquee doctor: checks this machine and installation, one line a check.
#include <functional>
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/gpu_list.h"
#include "cluster/host.h"
#include "cluster/lease.h"
#include "cluster/program_output.h"
#include "cluster/text.h"
#include "datasets/survey.h"
#include "datasets/task.h"
#include "datasets/tfds_builds.h"
#include "experiments/base_manifest.h"
#include "experiments/rebuild.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/commands/doctor_gpus.h"
#include "orchestrator/gangs/gang_check.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
constexpr double kLeastDiskBytes = 2.0 * kGiB;
constexpr double kLeastMemoryBytes = 2.0 * kGiB;
constexpr double kPatienceSeconds = 60;

struct Check {
  std::string name;
  bool ok = false;
  std::string text;
};

CommandLine doctor_line() {
  CommandLine line;
  line.usage =
      "marquee doctor [--out DIR] [--data DIR] [--assets DIR] [--json] | --rebuild --out DIR\n"
      "       [mpirun -n N] marquee doctor --gpus [--patience S] [--json]";
  line.text =
      "Checks what a sweep needs: the trainer program, the base model's weights, MPI, cores,\n"
      "memory, disk. Exit code 3 when a check fails.\n\n"
      "--data says which of the 19 tasks a folder holds, of which version, and whether their "
      "files\n"
      "are complete, without reading them; of missing ones the command that makes them.\n\n"
      "--gpus makes a gang of a trainer on each GPU of this host, or under mpirun of one for each\n"
      "rank: sums over NCCL are checked to the last bit and timed, the gang is given up and made\n"
      "anew. Start a rank for each GPU of each host: mpirun -n 16 marquee doctor --gpus\n\n"
      "--rebuild makes DIR/ledger.sqlite again from the run folders, and from results.sqlite what\n"
      "they do not hold (which sweep a run belongs to); the old file is kept beside it. Not while\n"
      "a sweep runs on DIR (exit code 75).";
  line.options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("DIR")->default_value("."),
       "folder whose disk is looked at")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of TFDS data sets or VTAB-1k folders")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models")                                                         //
      ("base", po::value<std::string>()->default_value("mini"), "base model to check")  //
      ("gpus", "check a gang over GPUs; no other checks")                               //
      ("patience", po::value<double>()->default_value(120),
       "with --gpus: seconds that a rank may be silent")        //
      ("rebuild", "make the ledger of --out again; no checks")  //
      ("json", "the checks as JSON");
  return line;
}

// A check that throws has failed for the reason given.
Check check(const std::string& name, const std::function<std::string()>& look) {
  try {
    return {name, true, look()};
  } catch (const std::exception& error) {
    return {name, false, error.what()};
  }
}

std::string gigabytes(double bytes) {
  return fmt::format("{:.1f} GiB", bytes / kGiB);
}

std::string look_at_mpi() {
  if (!cluster::program_exists("mpirun"))
    cluster::throw_environment("mpirun not found; install Open MPI (Debian: openmpi-bin)");
  const cluster::ProgramOutput version =
      cluster::run_program({"mpirun", "--version"}, kPatienceSeconds);
  if (version.took_too_long || version.status.exit_code != 0) {
    cluster::throw_environment("mpirun --version ended with " + version.status.describe() + ": " +
                               version.err);
  }
  return version.out.substr(0, version.out.find('\n'));
}

std::string look_at_base(const std::string& assets, const std::string& base) {
  const std::filesystem::path folder = experiments::find_assets_dir(assets);
  const experiments::BaseManifest manifest = experiments::load_base_manifest(folder, base);
  experiments::verify_base(manifest);
  return manifest.version + " in " + manifest.folder.string() + ", hashes as in the manifest";
}

std::string look_at_gpus() {
  const std::size_t visible = cluster::visible_gpus().size();
  const auto all = static_cast<std::size_t>(cluster::gpu_count());
  return std::to_string(visible) +
         (visible == all ? ""
                         : " of " + std::to_string(all) + " (CUDA_VISIBLE_DEVICES names these)");
}

std::string look_at_memory() {
  const double bytes = static_cast<double>(cluster::memory_bytes());
  if (bytes < kLeastMemoryBytes) {
    cluster::throw_environment(gigabytes(bytes) + ": a trainer needs about " +
                               gigabytes(kLeastMemoryBytes));
  }
  return gigabytes(bytes);
}

std::string look_at_disk(const std::string& folder) {
  const auto bytes = static_cast<double>(cluster::free_disk_bytes(folder));
  const std::string free =
      gigabytes(bytes) + " free at " + std::filesystem::absolute(folder).string();
  if (bytes < kLeastDiskBytes) {
    cluster::throw_environment("only " + free + "; a sweep needs about " +
                               gigabytes(kLeastDiskBytes));
  }
  return free;
}

// What the data folder holds; the survey is for the table below the checks.
std::string look_at_data(const std::string& data, std::vector<datasets::TaskPresence>& survey) {
  survey = datasets::survey_data(data);
  int there = 0, complete = 0;
  for (const datasets::TaskPresence& task : survey) {
    if (task.standing == datasets::Standing::missing) continue;
    ++there;
    complete += task.problems.empty() ? 1 : 0;
  }
  const std::string text = std::to_string(there) + " of the 19 tasks in " + data;
  if (there == 0) cluster::throw_environment(text);
  if (complete < there)
    cluster::throw_environment(text + ", " + std::to_string(there - complete) + " not complete");
  return text + ", each complete";
}

void print_survey(const std::vector<datasets::TaskPresence>& survey, const std::string& data) {
  std::cout << "\n";
  for (const datasets::TaskPresence& found : survey) {
    const datasets::TaskInfo& task = datasets::find_task(found.task);
    std::cout << fmt::format("  {:<30} ", found.task);
    if (found.standing == datasets::Standing::missing) {
      std::cout << "missing: " << datasets::tfds_build_command(task, data) << "\n";
      continue;
    }
    std::cout << fmt::format("{:<6} {:<14} {:>6} examples  {}", found.version,
                             datasets::to_string(found.standing), found.examples,
                             found.problems.empty() ? "complete" : "NOT COMPLETE");
    if (!found.note.empty()) std::cout << "  (" << found.note << ")";
    std::cout << "\n";
    for (const std::string& problem : found.problems)
      std::cout << "      " << cluster::printable(problem) << "\n";
  }
  std::cout << "\n  Looked at without reading the records; marquee data verify reads them.\n";
}

nlohmann::json survey_json(const std::vector<datasets::TaskPresence>& survey,
                           const std::string& data) {
  nlohmann::json list = nlohmann::json::array();
  for (const datasets::TaskPresence& found : survey) {
    list.push_back(datasets::to_json(found));
    list.back()["build"] = datasets::tfds_build_command(datasets::find_task(found.task), data);
  }
  return list;
}

int rebuild_ledger(const std::string& out, bool as_json) {
  if (!std::filesystem::is_directory(std::filesystem::path(out) / "runs")) {
    cluster::throw_environment("no run folders at " + out +
                               "/runs: --out must name a results folder");
  }
  const std::filesystem::path results = std::filesystem::canonical(out);
  const cluster::Lease lease = cluster::Lease::acquire(results, {});
  const experiments::RebuildReport report = experiments::rebuild(results, lease);
  if (as_json) {
    std::cout << nlohmann::json{{"runs", report.runs},
                                {"attempts", report.attempts},
                                {"skipped", report.skipped},
                                {"from_published", report.from_published},
                                {"kept_aside", report.kept_aside.string()}}
                     .dump()
              << "\n";
    return 0;
  }
  std::cout << "ledger made again: " << report.runs << " runs and " << report.attempts
            << " attempts from their folders, " << report.from_published
            << " further runs from results.sqlite, " << report.skipped << " folders skipped\n";
  if (!report.kept_aside.empty())
    std::cout << "the old one is kept as " << report.kept_aside.string() << "\n";
  return 0;
}

}  // namespace

int doctor_command(const Arguments& arguments) {
  CommandLine line = doctor_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const auto text = [&](const char* name) { return values[name].as<std::string>(); };
  if (values.count("gpus") > 0) {
    const double patience = values["patience"].as<double>();
    if (!(patience >= 1 && patience <= 3600))
      cluster::throw_usage("--patience must be 1 to 3600 seconds");
    return doctor_gpus(values.count("json") > 0, patience);
  }
  if (values.count("rebuild") > 0) return rebuild_ledger(text("out"), values.count("json") > 0);

  std::vector<Check> checks = {
      check("trainer", [] { return find_trainer().string(); }),
      check("base", [&] { return look_at_base(text("assets"), text("base")); }),
      check("mpi", look_at_mpi),
      check("cores",
            [] {
              return std::to_string(cluster::available_cpus().size()) + " x " +
                     cluster::cpu_model();
            }),
      check("gpus", look_at_gpus),
      check("gangs", nccl_environment_text),
      check("memory", look_at_memory),
      check("disk", [&] { return look_at_disk(text("out")); }),
  };
  std::vector<datasets::TaskPresence> survey;
  if (!text("data").empty())
    checks.push_back(check("data", [&] { return look_at_data(text("data"), survey); }));

  bool all_ok = true;
  nlohmann::json list = nlohmann::json::array();
  for (const Check& done : checks) {
    all_ok = all_ok && done.ok;
    list.push_back({{"check", done.name}, {"ok", done.ok}, {"text", done.text}});
    if (values.count("json") == 0) {
      std::cout << (done.ok ? "ok    " : "FAIL  ") << done.name
                << std::string(10 - done.name.size(), ' ') << done.text << "\n";
    }
  }
  if (values.count("json") > 0) {
    nlohmann::json all{{"ok", all_ok}, {"checks", list}};
    if (!text("data").empty()) all["data"] = survey_json(survey, text("data"));
    std::cout << all.dump(2) << "\n";
  } else if (!survey.empty()) {
    print_survey(survey, text("data"));
  }
  return all_ok ? 0 : static_cast<int>(cluster::ErrorKind::environment);
}

}  // namespace marquee::orchestrator
