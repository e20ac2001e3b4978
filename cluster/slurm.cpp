#include "cluster/slurm.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>

#include "cluster/error.h"
#include "cluster/program_output.h"
#include "cluster/text.h"

namespace marquee::cluster {
namespace {

constexpr double kPatienceSeconds = 60;
constexpr std::size_t kLongestName = 128, kLongestId = 12, kLongestWords = 300;
constexpr const char* kFields = "JobArrayID:|,Name:|,State:|,Reason:|,NodeList:|";
constexpr std::size_t kFieldCount = 5;

std::string words_of(const ProgramOutput& output) {
  std::string text = output.err.empty() ? output.out : output.err;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.pop_back();
  return printable(text.substr(0, kLongestWords));
}

// Standard output of a program that has succeeded.
std::string answer_of(const std::vector<std::string>& argv) {
  const ProgramOutput output = run_program(argv, kPatienceSeconds);
  if (output.took_too_long)
    throw_environment(argv[0] +
                      " gave no answer within a minute: is the Slurm controller down? "
                      "scontrol ping tells");
  if (!(output.status == ExitStatus{0, 0}))
    throw_environment(argv[0] + " failed (" + output.status.describe() + "): " + words_of(output));
  return output.out;
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream text(line);
  for (std::string field; std::getline(text, field, '|');) {
    const std::size_t begin = field.find_first_not_of(' '), end = field.find_last_not_of(' ');
    fields.push_back(begin == std::string::npos ? "" : field.substr(begin, end - begin + 1));
  }
  return fields;
}

// "17", "17_3" or, of elements that nobody has asked about one by one, "17_[4-9%2]".
bool is_listed_id(const std::string& id) {
  return !id.empty() && std::isdigit(static_cast<unsigned char>(id[0])) != 0 &&
         id.find_first_not_of("0123456789_[]-,%.") == std::string::npos;
}

}  // namespace

bool is_active(const SlurmJob& job) {
  constexpr std::array kEnded{"BOOT_FAIL", "CANCELLED", "COMPLETED",     "DEADLINE", "FAILED",
                              "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "TIMEOUT",  "REVOKED"};
  return std::none_of(kEnded.begin(), kEnded.end(),
                      [&](const char* state) { return job.state == state; });
}

bool is_held(const SlurmJob& job) {
  if (job.state == "SPECIAL_EXIT" || job.state == "REQUEUE_HOLD") return true;
  return job.state == "PENDING" &&
         (job.reason.starts_with("JobHeld") || job.reason.find("held") != std::string::npos);
}

std::string base_id(const SlurmJob& job) {
  return job.id.substr(0, job.id.find('_'));
}

bool is_job_name(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName &&
         std::isalnum(static_cast<unsigned char>(name[0])) != 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
         });
}

bool is_job_id(const std::string& id) {
  return !id.empty() && id.size() <= kLongestId &&
         id.find_first_not_of("0123456789") == std::string::npos;
}

void require_slurm() {
  for (const char* program : {"sbatch", "squeue", "scancel", "scontrol"}) {
    if (program_exists(program)) continue;
    throw_environment(std::string(program) +
                      " is not in PATH: run this on a host of a Slurm cluster (Debian: package "
                      "slurm-client); marquee slurm submit --print shows the script without it");
  }
}

std::string submit_batch(const std::filesystem::path& script) {
  std::string answer = answer_of({"sbatch", "--parsable", script.string()});
  // "17" or "17;cluster".
  answer = answer.substr(0, answer.find_first_of(";\n"));
  if (!is_job_id(answer))
    throw_environment("sbatch answered '" + printable(answer.substr(0, kLongestWords)) +
                      "'; expected the number of a job");
  return answer;
}

std::vector<SlurmJob> jobs_named(const std::string& name) {
  MARQUEE_CHECK(is_job_name(name), "a job's name");
  // --me is of Slurm 20.11.
  std::vector<SlurmJob> jobs =
      parse_jobs(answer_of({"squeue", "--me", "--noheader", "--array", "--states=all",
                            "--name=" + name, std::string("--Format=") + kFields}));
  std::erase_if(jobs, [&](const SlurmJob& job) { return job.name != name; });
  return jobs;
}

std::vector<SlurmJob> parse_jobs(const std::string& text) {
  std::vector<SlurmJob> jobs;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(' ') == std::string::npos) continue;
    const std::vector<std::string> fields = fields_of(line);
    if (fields.size() != kFieldCount || !is_listed_id(fields[0]))
      throw_environment("squeue printed '" + printable(line.substr(0, kLongestWords)) +
                        "'; expected " + kFields);
    jobs.push_back({fields[0], fields[1], fields[2], fields[3], fields[4]});
  }
  return jobs;
}

void cancel_job(const std::string& id) {
  answer_of({"scancel", id});
}

void signal_batch(const std::string& id, const std::string& signal) {
  answer_of({"scancel", "--batch", "--signal=" + signal, id});
}

void release_job(const std::string& id) {
  answer_of({"scontrol", "release", id});
}

}  // namespace marquee::cluster
