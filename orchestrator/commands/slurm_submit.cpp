// marquee slurm submit: a sweep as a job, or an array of jobs, of a Slurm cluster.
#include "cluster/error.h"
#include "orchestrator/commands/slurm_parts.h"
#include "orchestrator/commands/sweep_options.h"
#include "orchestrator/slurm/slurm_options.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

CommandLine submit_line() {
  CommandLine line;
  line.usage = "marquee slurm submit FILE --out DIR [options]";
  line.text =
      "Puts the sweep FILE into Slurm's queue: as one job in whose allocation mpirun starts a\n"
      "coordinator and an agent for each slot, or with --array as independent elements. "
      "Everything\n"
      "is checked here first, as by marquee plan. The job writes checkpoints and queues itself "
      "again\n"
      "when its time is over or it is preempted, and goes on from there. The same command again\n"
      "finds the job by its name: nothing is submitted twice, and what Slurm has lost is "
      "submitted\n"
      "anew. docs/cluster.md tells the rest.\n\n"
      "  marquee slurm submit experiments/vtab.yaml --out results --data /data/tfds \\\n"
      "      --nodes 4 --gpus-per-node 4 --time 1-00:00:00 --partition gpu\n"
      "  marquee slurm submit FILE --out DIR --array 32 --gpus-per-node 1 --print";
  line.options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(),
       "results folder, made when missing")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of TFDS data sets")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models")  //
      ("stage", po::value<std::string>()->value_name("DIR[:SIZE]")->default_value(""),
       "as of marquee sweep")                                                         //
      ("subset", po::value<std::string>()->default_value(""), "as of marquee sweep")  //
      ("max-fails", po::value<int>()->default_value(0), "as of marquee sweep")        //
      ("simulate", "no-op trainers, as of marquee sweep")                             //
      ("print", "show the script and submit nothing")                                 //
      ("json", "one object: name, number and what was done");
  add_slurm_options(line.options);
  line.hidden.add_options()("file", po::value<std::string>()->value_name("FILE")->default_value(""),
                            "sweep FILE");
  line.positional.add("file", 1);
  return line;
}

}  // namespace

int slurm_submit(const Arguments& arguments) {
  CommandLine line = submit_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const SweepOptions options = named_sweep_from(values, line.usage);
  log_warnings_alone();
  // A script can be looked at where neither data nor weights are.
  const experiments::SweepFile sweep = values.count("print") > 0
                                           ? experiments::load_sweep(options.file, options.subset)
                                           : prepare_sweep(options).sweep;
  BatchJob job = batch_job_from(values, threads_of(sweep.runs));
  if (const int largest = largest_gang(sweep.runs);
      job.launcher != BatchJob::Launcher::array && largest > job.nodes * job.slots_per_node) {
    cluster::throw_usage("a run asks for a gang of " + std::to_string(largest) + "; the job has " +
                         std::to_string(job.nodes * job.slots_per_node) +
                         " slots: ask for more (--nodes, --slots-per-node), or lower 'gang'");
  }
  const fs::path file = fs::canonical(options.file);
  job.title = "sweep " + sweep.name + " (" + file.string() + "), " +
              std::to_string(sweep.runs.size()) + " runs";
  complete_job(job, options, sweep.name, file.string() + "\n" + options.subset, {file.string()});
  return submit_or_print(job, options, values);
}

}  // namespace marquee::orchestrator
