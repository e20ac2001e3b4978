// A sweep plan for people and for scripts.
#include <fmt/format.h>

#include "orchestrator/human.h"
#include "orchestrator/planning/sweep_plan.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

json json_of(const RunPlan& run) {
  return {{"run_id", run.run_id.empty() ? json() : json(run.run_id)},
          {"task", run.run.task},
          {"shots", run.run.shots},
          {"method", run.run.method},
          {"seed", run.run.seed},
          {"status", run.status},
          {"resume_step", run.resume_step},
          {"seconds", run.seconds ? json(*run.seconds) : json()},
          {"basis", run.basis}};
}

std::string time_line(const SweepPlan& plan) {
  if (plan.to_do == 0) return "nothing to do";
  const std::string workers =
      fmt::format("with {} worker{}", plan.workers, plan.workers == 1 ? "" : "s");
  if (plan.time_basis.empty())
    return "unknown " + workers + ": no finished run of this kind to go by";
  std::string line = fmt::format("about {} {} (from {})", human_seconds(plan.known_seconds),
                                 workers, plan.time_basis);
  if (plan.without_prediction > 0) {
    line += fmt::format("; {} run{} more of unknown length", plan.without_prediction,
                        plan.without_prediction == 1 ? "" : "s");
  }
  return line;
}

std::string runs_line(const SweepPlan& plan) {
  std::string line =
      fmt::format("{} in all, {} done, {} to do", plan.runs.size(), plan.done, plan.to_do);
  if (plan.failed > 0) line += fmt::format(", {} of them failed before", plan.failed);
  if (plan.resumable > 0) line += fmt::format(", {} go on from a checkpoint", plan.resumable);
  if (plan.cancelled > 0)
    line += fmt::format("; {} cancelled (marquee rerun takes them up)", plan.cancelled);
  return line;
}

}  // namespace

json to_json(const SweepPlan& plan) {
  json missing = json::array(), list = json::array();
  for (const experiments::MissingInput& input : plan.missing) {
    missing.push_back({{"what", input.what},
                       {"name", input.name},
                       {"text", input.text},
                       {"remedy", input.remedy}});
  }
  for (const RunPlan& run : plan.runs) list.push_back(json_of(run));
  const bool all_known = plan.without_prediction == 0;
  return {{"sweep", plan.sweep},
          {"subset", plan.subset},
          {"out", plan.out},
          {"can_start", plan.can_start()},
          {"runs",
           {{"total", plan.runs.size()},
            {"done", plan.done},
            {"cancelled", plan.cancelled},
            {"failed", plan.failed},
            {"to_do", plan.to_do},
            {"resumable", plan.resumable}}},
          {"workers", plan.workers},
          {"time",
           {{"seconds", all_known ? json(plan.known_seconds) : json()},
            {"known_seconds", plan.known_seconds},
            {"runs_without_prediction", plan.without_prediction},
            {"basis", plan.time_basis}}},
          {"memory",
           {{"trainer_bytes", plan.memory_of_trainer},
            {"total_bytes", plan.memory_in_all},
            {"machine_bytes", plan.memory_there},
            {"measured", plan.memory_measured}}},
          {"disk", {{"needed_bytes", plan.disk_needed}, {"free_bytes", plan.disk_free}}},
          {"missing", missing},
          {"notes", plan.notes},
          {"list", list}};
}

std::string to_text(const SweepPlan& plan) {
  std::string text =
      "sweep " + plan.sweep + (plan.subset.empty() ? "" : ", subset " + plan.subset) + "\n";
  const auto line = [&](const char* name, const std::string& what) {
    text += fmt::format("  {:<9} {}\n", name, what);
  };
  line("runs", runs_line(plan));
  line("time", time_line(plan));
  if (plan.to_do > 0) {
    line("memory",
         fmt::format("about {} a trainer, {} in all{}; this machine has {}",
                     human_bytes(plan.memory_of_trainer), human_bytes(plan.memory_in_all),
                     plan.memory_measured ? " (measured)" : "", human_bytes(plan.memory_there)));
  }
  line("disk", fmt::format("at most {} more; {} free", human_bytes(plan.disk_needed),
                           human_bytes(plan.disk_free)));
  for (const std::string& note : plan.notes) line("note", note);
  for (const experiments::MissingInput& input : plan.missing) {
    line("missing", input.what + " " + input.name + ": " + input.text);
    line("", "-> " + input.remedy);
  }
  text += plan.can_start() ? "The sweep can start.\n" : "The sweep cannot start.\n";
  return text;
}

}  // namespace marquee::orchestrator
