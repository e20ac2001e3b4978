#include "orchestrator/slurm/slurm_jobs.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/number_list.h"
#include "cluster/suggest.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 1;
constexpr std::uintmax_t kMaxRecordBytes = 1 << 20, kMaxTraceBytes = 64;
constexpr std::size_t kMaxTraces = 200'000;
constexpr int kMostElements = 1'000'000, kMostRestarts = 1'000'000, kExitCodes = 256;
constexpr const char* kFolder = "slurm";

// "<prefix><job>-<restart>".
std::optional<std::pair<std::string, int>> start_in(const std::string& name,
                                                    const std::string& prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const std::string rest = name.substr(prefix.size());
  const std::size_t dash = rest.find('-');
  if (dash == std::string::npos || !cluster::is_job_id(rest.substr(0, dash))) return std::nullopt;
  const auto restart = cluster::parse_number(rest.substr(dash + 1), kMostRestarts);
  if (!restart) return std::nullopt;
  return std::pair{rest.substr(0, dash), static_cast<int>(*restart)};
}

SubmittedJob job_from_json(const json& content, const std::string& name) {
  SubmittedJob job;
  if (!content.is_object()) cluster::throw_environment("is no JSON object");
  try {
    if (content.at("marquee_slurm") != kFormat)
      cluster::throw_environment("marquee_slurm must be " + std::to_string(kFormat));
    job.name = content.at("name");
    job.title = content.at("title");
    job.launcher = content.at("launcher");
    job.elements = content.at("elements");
    job.made = content.at("made");
    job.host = content.at("host");
    job.job_id = content.at("job_id");
    job.submissions = content.at("submissions");
  } catch (const json::exception& error) {
    cluster::throw_environment(error.what());
  }
  if (job.name != name || !cluster::is_job_name(name))
    cluster::throw_environment("name must be that of its folder");
  if (!job.job_id.empty() && !cluster::is_job_id(job.job_id))
    cluster::throw_environment("job_id must be a number or empty");
  if (job.elements < 1 || job.elements > kMostElements)
    cluster::throw_environment("elements must lie in 1.." + std::to_string(kMostElements));
  return job;
}

std::string counted(const std::map<std::string, int>& counts) {
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  return text;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

JobStanding of_active(const std::vector<cluster::SlurmJob>& active, int elements) {
  JobStanding standing;
  std::map<std::string, int> states;
  std::set<std::string> ids, reasons, nodes;
  bool runs = false;
  for (const cluster::SlurmJob& job : active) {
    ids.insert(cluster::base_id(job));
    ++states[lower(job.state)];
    if (cluster::is_held(job)) standing.held_ids.push_back(job.id);
    if (job.state == "PENDING") {
      if (!job.reason.empty() && job.reason != "None") reasons.insert(job.reason);
    } else {
      runs = true;
      if (!job.nodes.empty()) nodes.insert(job.nodes);
    }
  }
  standing.active_ids.assign(ids.begin(), ids.end());
  std::sort(standing.active_ids.begin(), standing.active_ids.end(),
            [](const std::string& a, const std::string& b) {
              return std::pair(a.size(), a) < std::pair(b.size(), b);
            });
  standing.state = runs                        ? JobStanding::State::running
                   : standing.held_ids.empty() ? JobStanding::State::waiting
                                               : JobStanding::State::held;
  if (elements > 1) standing.text = counted(states);
  const auto add = [&](const std::string& words) {
    standing.text += (standing.text.empty() ? "" : "; ") + words;
  };
  if (!nodes.empty())
    add("on " + cluster::join(std::vector<std::string>(nodes.begin(), nodes.end())));
  if (!reasons.empty())
    add("waits: " + cluster::join(std::vector<std::string>(reasons.begin(), reasons.end())));
  if (!standing.held_ids.empty())
    add("held: the same marquee slurm submit, or scontrol release " +
        cluster::join(standing.held_ids, " ") + ", lets it go on");
  if (standing.active_ids.size() > 1)
    add("jobs " + cluster::join(standing.active_ids) +
        " have its name: the same marquee slurm submit cancels all but the first");
  return standing;
}

JobStanding over(JobStanding::State state, std::string text, int code = -1) {
  return {state, std::move(text), code, {}, {}};
}

// Those of the last submission. One before it may have run too, where the controller had forgotten
// it. Elements of an array have the number of the array and later ones.
JobTraces of_last_submission(const SubmittedJob& job, JobTraces traces) {
  if (job.job_id.empty()) return traces;
  const auto number = [](const std::string& id) { return std::pair(id.size(), id); };
  const auto foreign = [&](const std::string& id) {
    return job.launcher == "array" ? number(id) < number(job.job_id) : id != job.job_id;
  };
  std::erase_if(traces.started, [&](const auto& start) { return foreign(start.first); });
  std::erase_if(traces.ended, [&](const auto& end) { return foreign(end.job_id); });
  return traces;
}

// What a script that has written its end said last, by job; nothing where a later start of it has
// not.
std::optional<std::map<std::string, int>> last_codes(const JobTraces& traces) {
  std::map<std::string, int> restarts, codes;
  for (const auto& [id, restart] : traces.started) restarts[id] = std::max(restarts[id], restart);
  for (const JobTraces::End& end : traces.ended)
    if (restarts[end.job_id] == end.restart) codes[end.job_id] = end.code;
  if (codes.size() < restarts.size() || codes.empty()) return std::nullopt;
  return codes;
}

// A controller that is killed before it has written down a job's end takes the job for running for
// ever, on processors that others wait for.
void note_unheard_end(JobStanding& standing, const SubmittedJob& job, const JobTraces& traces) {
  if (standing.state != JobStanding::State::running || job.elements > 1) return;
  const auto codes = last_codes(traces);
  if (!codes || standing.active_ids.size() != 1 || !codes->contains(standing.active_ids[0])) return;
  standing.exit_code = codes->at(standing.active_ids[0]);
  standing.text += fmt::format(
      "; its script has ended with exit code {}: where Slurm lists it for more than a minute, it "
      "has not heard of that, and scancel {} frees the place",
      standing.exit_code, standing.active_ids[0]);
}

}  // namespace

fs::path job_folder(const fs::path& results, const std::string& name) {
  MARQUEE_CHECK(cluster::is_job_name(name), "a job's name");
  return results / kFolder / name;
}

void write_job(const fs::path& results, const SubmittedJob& job) {
  const fs::path folder = job_folder(results, job.name);
  cluster::create_directories_durably(folder);
  const json content{
      {"marquee_slurm", kFormat}, {"name", job.name},         {"title", job.title},
      {"launcher", job.launcher}, {"elements", job.elements}, {"made", job.made},
      {"host", job.host},         {"job_id", job.job_id},     {"submissions", job.submissions}};
  cluster::write_file_durably(folder / "job.json",
                              content.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

SubmittedJob read_job(const fs::path& results, const std::string& name) {
  const fs::path file = job_folder(results, name) / "job.json";
  try {
    return job_from_json(json::parse(cluster::read_file(file, kMaxRecordBytes), nullptr, false),
                         name);
  } catch (cluster::Error& error) {
    throw error.add_context(file.string());
  }
}

std::vector<SubmittedJob> read_jobs(const fs::path& results) {
  std::vector<SubmittedJob> jobs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(results / kFolder, error)) {
    const std::string name = entry.path().filename().string();
    if (!cluster::is_job_name(name) || !fs::exists(entry.path() / "job.json")) continue;
    try {
      jobs.push_back(read_job(results, name));
    } catch (const cluster::Error& problem) {
      cluster::log_warning("slurm", problem.what());
    }
  }
  std::sort(jobs.begin(), jobs.end(), [](const SubmittedJob& a, const SubmittedJob& b) {
    return std::pair(a.made, a.name) < std::pair(b.made, b.name);
  });
  return jobs;
}

JobTraces read_traces(const fs::path& folder) {
  JobTraces traces;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "cancelled") traces.cancelled = true;
    if (traces.started.size() + traces.ended.size() > kMaxTraces) break;
    if (const auto start = start_in(name, "started-")) traces.started.push_back(*start);
    const auto end = start_in(name, "ended-");
    if (!end) continue;
    try {
      const std::string text = cluster::read_file(entry.path(), kMaxTraceBytes);
      if (const auto code = cluster::parse_number(text.substr(0, text.find('\n')), kExitCodes))
        traces.ended.push_back({end->first, end->second, static_cast<int>(*code)});
    } catch (const cluster::Error& problem) {
      cluster::log_warning("slurm", problem.what());
    }
  }
  std::sort(traces.started.begin(), traces.started.end());
  return traces;
}

std::string state_name(JobStanding::State state) {
  constexpr std::array kNames{"waiting",   "held", "running", "ended",
                              "cancelled", "lost", "vanished"};
  return kNames.at(static_cast<std::size_t>(state));
}

bool is_over(const JobStanding& standing) {
  return standing.active_ids.empty();
}

JobStanding standing_of(const SubmittedJob& job, const JobTraces& all_traces,
                        const std::vector<cluster::SlurmJob>& jobs) {
  using State = JobStanding::State;
  const JobTraces traces = of_last_submission(job, all_traces);
  std::vector<cluster::SlurmJob> active;
  std::copy_if(jobs.begin(), jobs.end(), std::back_inserter(active), cluster::is_active);
  if (!active.empty()) {
    JobStanding standing = of_active(active, job.elements);
    note_unheard_end(standing, job, traces);
    return standing;
  }
  if (traces.cancelled) return over(State::cancelled, "by marquee slurm cancel");
  const std::string again = "; the same marquee slurm submit goes on from there";
  if (const auto codes = last_codes(traces)) {
    std::map<std::string, int> counts;
    int worst = 0;
    for (const auto& [id, code] : *codes) {
      ++counts["with exit code " + std::to_string(code)];
      worst = std::max(worst, code);
    }
    const bool whole =
        job.launcher != "array" || codes->size() >= static_cast<std::size_t>(job.elements);
    const std::string text =
        job.launcher == "array" ? counted(counts) : "with exit code " + std::to_string(worst);
    if (whole) return over(State::ended, text + (worst != 0 ? again : ""), worst);
    return over(State::vanished,
                text +
                    fmt::format("; of {} elements {} told nothing", job.elements,
                                static_cast<std::size_t>(job.elements) - codes->size()) +
                    again);
  }
  if (!jobs.empty()) {
    std::map<std::string, int> states;
    bool cancelled = true;
    for (const cluster::SlurmJob& one : jobs) {
      ++states[lower(one.state)];
      cancelled = cancelled && one.state == "CANCELLED";
    }
    return over(cancelled ? State::cancelled : State::ended,
                "by Slurm: " + counted(states) + again);
  }
  if (!traces.started.empty())
    return over(State::vanished, "it started, and neither it nor Slurm tells of its end" + again);
  return over(State::lost, "Slurm does not know it, and it never started" + again);
}

}  // namespace marquee::orchestrator
