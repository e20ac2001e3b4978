#include "orchestrator/gangs/gang_check.h"

#include <algorithm>
#include <bit>
#include <csignal>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include "cluster/child_process.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/gpu_list.h"
#include "cluster/host.h"
#include "cluster/scratch_folder.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

constexpr double kNapSeconds = 0.02;
constexpr double kSlackSeconds = 30.0;  // of a start, beside the patience
constexpr std::uintmax_t kMostOutput = std::uintmax_t{1} << 20;

// One trainer and what it has printed.
class Member {
 public:
  Member(int rank, int size, int gpu, const std::string& ids, double patience_seconds)
      : output_(scratch_.path() / "output"),
        rank_(rank),
        child_(start(rank, size, gpu, ids, patience_seconds)) {}

  // The line of JSON that has `key`, once it is there.
  std::optional<json> said(const std::string& key) const {
    std::istringstream lines(text());
    for (std::string line; std::getline(lines, line);) {
      const json content = json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (content.is_object() && content.contains(key)) return content;
    }
    return std::nullopt;
  }
  std::optional<cluster::ExitStatus> ended() { return child_.try_wait(); }
  void kill() { child_.kill(SIGKILL); }
  std::string problem(const cluster::ExitStatus& status) const {
    const std::string output = cluster::printable(text());
    return fmt::format("rank {} on {}: the trainer ended with {}: {}", rank_, cluster::host_name(),
                       status.describe(),
                       output.substr(output.size() - std::min<std::size_t>(output.size(), 500)));
  }

 private:
  std::string text() const {
    return std::filesystem::exists(output_) ? cluster::read_file(output_, kMostOutput) : "";
  }
  cluster::ChildProcess start(int rank, int size, int gpu, const std::string& ids,
                              double patience_seconds) const {
    cluster::SpawnOptions options;
    options.argv = {find_trainer().string(),
                    "check-gang",
                    "--rank",
                    std::to_string(rank),
                    "--size",
                    std::to_string(size),
                    "--patience",
                    std::to_string(patience_seconds)};
    if (!ids.empty()) options.argv.insert(options.argv.end(), {"--ids", ids});
    options.environment = environment_of_trainer(/*threads=*/1);
    const std::vector<std::string> gpus = cluster::visible_gpus();
    if (gpu >= 0 && static_cast<std::size_t>(gpu) < gpus.size())
      cluster::set_variable(options.environment, "CUDA_VISIBLE_DEVICES", gpus[gpu]);
    options.log_file = output_;
    return cluster::ChildProcess::spawn(options);
  }

  cluster::ScratchFolder scratch_;
  std::filesystem::path output_;
  int rank_;
  cluster::ChildProcess child_;
};

// What a rank does for rank 0, which is one of them: starts its trainer when told where it stands,
// passes the ids on, and says how it ended.
class Rank {
 public:
  explicit Rank(double patience_seconds) : patience_(patience_seconds) {}

  void start(const json& place) {
    member_.emplace(place.at("rank").get<int>(), place.at("size").get<int>(),
                    place.at("gpu").get<int>(), place.at("ids").get<std::string>(), patience_);
    give_up_ = cluster::monotonic_seconds() + 4 * patience_ + kSlackSeconds;
  }
  // What there is to say now.
  std::optional<json> look() {
    if (!member_ || done_) return std::nullopt;
    if (!ids_said_) {
      if (const auto ids = member_->said("ids")) {
        ids_said_ = true;
        return ids;
      }
    }
    const auto ended = member_->ended();
    if (ended) {
      done_ = true;
      if (const auto answer = member_->said("made_anew"); answer && ended->exit_code == 0)
        return json{{"answer", *answer}};
      return json{{"problem", member_->problem(*ended)}};
    }
    if (cluster::monotonic_seconds() > give_up_) member_->kill();
    return std::nullopt;
  }

 private:
  double patience_, give_up_ = 0;
  std::optional<Member> member_;
  bool ids_said_ = false, done_ = false;
};

json hello_of_this_host() {
  return {{"host", cluster::host_name()}, {"gpus", cluster::visible_gpus().size()}};
}

// Rank 0's book.
class Conductor {
 public:
  Conductor(cluster::Transport& session, double patience_seconds)
      : session_(session), own_(patience_seconds), patience_(patience_seconds) {}

  GangCheck conduct() {
    size_ = static_cast<int>(std::bit_floor(static_cast<unsigned>(session_.size())));
    check_.left_out = session_.size() - size_;
    check_.members.resize(static_cast<std::size_t>(size_));
    facts_[0] = hello_of_this_host();
    const double hello_end = cluster::monotonic_seconds() + kSlackSeconds;
    const double end = hello_end + 5 * patience_ + 2 * kSlackSeconds;
    while (std::ssize(reported_) < size_) {
      session_.progress();
      while (const auto received = session_.try_receive())
        take(received->first, json::parse(received->second, nullptr, false));
      if (const auto said = own_.look()) take(0, *said);
      begin_when_all_are_there();
      const double now = cluster::monotonic_seconds();
      if (!begun_ && now > hello_end) blame("has not started", facts_);
      if (now > end) blame("has not answered", reported_);
      session_.wait(kNapSeconds, -1);
    }
    for (int rank = 1; rank < session_.size(); ++rank)
      session_.send(rank, json{{"stop", true}}.dump());
    return check_;
  }

 private:
  template <class Known>
  void blame(const std::string& what, const Known& known) {
    for (int rank = 0; rank < size_; ++rank) {
      if (known.count(rank) > 0) continue;
      report(rank, "rank " + std::to_string(rank) + " " + what);
    }
    for (int rank = 0; rank < size_; ++rank) reported_.insert(rank);
  }
  void report(int rank, const std::string& problem) {
    if (reported_.insert(rank).second) check_.problems.push_back(problem);
  }
  void place(int rank, const std::string& ids) {
    placed_.insert(rank);
    const std::string host = facts_.at(rank).value("host", "");
    int gpu = 0;
    for (int other = 0; other < rank; ++other)
      if (facts_.at(other).value("host", "") == host) ++gpu;
    const int gpus = facts_.at(rank).value("gpus", 0);
    const json place = {
        {"rank", rank}, {"size", size_}, {"ids", ids}, {"gpu", gpus > 0 ? gpu : -1}};
    if (gpus > 0 && gpu >= gpus) {
      report(rank, "rank " + std::to_string(rank) + ": " + host + " has " + std::to_string(gpus) +
                       " GPUs and more ranks: start one rank for each GPU");
    } else if (rank == 0) {
      own_.start(place);
    } else {
      session_.send(rank, json{{"place", place}}.dump());
    }
  }
  void begin_when_all_are_there() {
    if (begun_) return;
    for (int rank = 0; rank < size_; ++rank)
      if (facts_.count(rank) == 0) return;
    begun_ = true;
    place(0, "");
  }
  void take(int rank, const json& message) {
    if (!message.is_object()) return;
    if (message.contains("host")) facts_[rank] = message;
    if (message.contains("ids") && rank == 0) {
      for (int other = 1; other < size_; ++other) place(other, message.value("ids", ""));
    }
    if (message.contains("answer") && rank < size_) {
      check_.members[static_cast<std::size_t>(rank)] = message.at("answer");
      reported_.insert(rank);
    }
    if (message.contains("problem")) {
      report(rank, message.value("problem", ""));
      // Without its ids the others were never started.
      if (rank == 0) blame("was not started: rank 0 made no ids", placed_);
    }
  }
  cluster::Transport& session_;
  Rank own_;
  double patience_;
  int size_ = 1;
  bool begun_ = false;
  std::map<int, json> facts_;
  std::set<int> placed_, reported_;
  GangCheck check_;
};

void be_other_rank(cluster::Transport& session, double patience_seconds) {
  Rank own(patience_seconds);
  session.send(0, hello_of_this_host().dump());
  const double end = cluster::monotonic_seconds() + 6 * patience_seconds + 4 * kSlackSeconds;
  while (cluster::monotonic_seconds() < end) {
    session.progress();
    while (const auto received = session.try_receive()) {
      const json message = json::parse(received->second, nullptr, false);
      if (received->first != 0 || !message.is_object()) continue;
      if (message.contains("stop")) return;
      if (message.contains("place")) own.start(message.at("place"));
    }
    if (const auto said = own.look()) session.send(0, said->dump());
    session.wait(kNapSeconds, -1);
  }
  cluster::throw_environment("rank 0 has not said stop");
}

}  // namespace

GangCheck check_gang(cluster::Transport& session, double patience_seconds) {
  if (session.rank() == 0) return Conductor(session, patience_seconds).conduct();
  be_other_rank(session, patience_seconds);
  return {};
}

std::string gang_check_text(const GangCheck& check) {
  std::string text;
  for (const json& member : check.members) {
    if (!member.is_object()) continue;
    text += fmt::format("  rank {:<3} {}, {}, NCCL {}, joined in {:.1f} s\n",
                        member.value("rank", 0), cluster::printable(member.value("host", "")),
                        cluster::printable(member.value("device", "")),
                        cluster::printable(member.value("nccl", "")), member.value("join_s", 0.0));
  }
  if (!check.problems.empty()) {
    for (const std::string& problem : check.problems)
      text += "  FAIL  " + cluster::printable(problem) + "\n";
    return text;
  }
  const auto size = static_cast<double>(check.members.size());
  text += fmt::format("\n  {:>12} {:>12} {:>14} {:>14}\n", "bytes", "seconds", "GB/s of sums",
                      "GB/s a link");
  const json& slowest = *std::max_element(check.members.begin(), check.members.end(),
                                          [](const json& a, const json& b) {
                                            return a.at("sums").back().value("seconds", 0.0) <
                                                   b.at("sums").back().value("seconds", 0.0);
                                          });
  for (const json& sum : slowest.at("sums")) {
    const double seconds = sum.value("seconds", 0.0);
    const double rate = static_cast<double>(sum.value("bytes", 0)) / std::max(seconds, 1e-9) / 1e9;
    text += fmt::format("  {:>12} {:>12.6f} {:>14.2f} {:>14.2f}\n", sum.value("bytes", 0), seconds,
                        rate, 2 * (size - 1) / size * rate);
  }
  text += "  Every sum was right to the last bit; the gang was given up and made anew.\n";
  if (check.left_out > 0)
    text +=
        fmt::format("  {} ranks beyond the largest power of two took no part.\n", check.left_out);
  return text;
}

std::string nccl_environment_text() {
  std::vector<std::string> words;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string entry = *variable;
    if (entry.starts_with("NCCL_") || entry.starts_with("MARQUEE_NCCL="))
      words.push_back(cluster::printable(entry));
  }
  std::sort(words.begin(), words.end());
  if (words.empty()) words.emplace_back("no NCCL_* variables, so NCCL chooses the interface");
  std::string interfaces;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) == 0) {
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
      if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET ||
          (entry->ifa_flags & IFF_UP) == 0 || (entry->ifa_flags & IFF_LOOPBACK) != 0)
        continue;
      char address[INET_ADDRSTRLEN] = "";
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, address,
                sizeof address);
      interfaces +=
          fmt::format("{}{} {}", interfaces.empty() ? "" : ", ", entry->ifa_name, address);
    }
    freeifaddrs(list);
  }
  return cluster::join(words) + "; interfaces: " + (interfaces.empty() ? "none" : interfaces) +
         "; a gang joins within 120 s, and a rank that is silent for 120 s or 50 times its slowest "
         "step has gone";
}

}  // namespace marquee::orchestrator
