// How fast the trainers of a gang on CPUs exchange numbers, beside plain MPI of the same size:
//
//   mpirun --oversubscribe -n 3 build/release/bin/marquee_exchange_benchmark [ROUNDS]
//
// with two or four agents beside rank 0 (-n 3 or -n 5). Each agent is the real one; its trainer is
// this program again, which does what marquee-trainer does without LibTorch: numbers are copied
// into the memory shared with the agent, agents swap them over MPI, sums are added up pair by pair.
// Each round measures that and then MPI_Sendrecv and MPI_Allreduce between the same ranks.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <mpi.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/frame_channel.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/mpi_session.h"
#include "cluster/shared_buffer.h"
#include "orchestrator/sweep/agent.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

const std::vector<std::size_t> kSizes{1U << 16, 1U << 18, 1U << 20, 1U << 22, 1U << 24, 1U << 26};
constexpr std::size_t kBytesOfSize = std::size_t{1} << 28;  // about so many are moved for a size
constexpr double kDeadlineSeconds = 600, kTurnNapMicroseconds = 5000;

// Median seconds of one call, by size and what is done.
using Times = std::map<std::string, std::map<std::string, double>>;

std::string name_of(std::size_t bytes) {
  return bytes < (1U << 20) ? std::to_string(bytes >> 10) + " KiB"
                            : std::to_string(bytes >> 20) + " MiB";
}

double median_seconds(std::size_t bytes, const std::function<void()>& work) {
  const std::size_t turns = std::clamp<std::size_t>(kBytesOfSize / bytes, 5, 200);
  work();
  std::vector<double> seconds;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    const double begun = cluster::monotonic_seconds();
    work();
    seconds.push_back(cluster::monotonic_seconds() - begun);
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(turns / 2),
                   seconds.end());
  return seconds[turns / 2];
}

// ---- the trainer -------------------------------------------------------------------------------

class Trainer {
 public:
  Trainer(int control_fd, cluster::SharedBuffer buffer)
      : channel_(control_fd), buffer_(std::move(buffer)) {}

  void serve() {
    channel_.send(json{{"type", "hello"}}.dump());
    while (true) {
      const json message = json::parse(channel_.receive());
      if (message.at("type") == "stop") return;
      if (message.at("type") == "run") work(message);
    }
  }

 private:
  void work(const json& request) {
    about_ = {{"run_id",
               experiments::run_id(experiments::run_config_from_json(request.at("run"))).text()},
              {"attempt", request.at("attempt")}};
    rank_ = request.at("gang").at("rank");
    size_ = request.at("gang").at("size");
    say({{"type", "progress"},
         {"phase", "tune"},
         {"step", 0},
         {"total", 1},
         {"deadline_s", kDeadlineSeconds}});
    Times times;
    for (const std::size_t bytes : kSizes) {
      const std::vector<float> mine(bytes / sizeof(float), static_cast<float>(rank_ + 1));
      std::vector<float> sum;
      times[name_of(bytes)]["swap"] = median_seconds(bytes, [&] {
        in_parts(mine.size(), [&](std::size_t first, std::size_t count) {
          swap(rank_ ^ 1, std::span(mine).subspan(first, count));
        });
      });
      times[name_of(bytes)]["sum"] = median_seconds(bytes, [&] {
        sum = mine;
        in_parts(sum.size(), [&](std::size_t first, std::size_t count) {
          const std::span<float> part = std::span(sum).subspan(first, count);
          for (int bit = 1; bit < size_; bit *= 2) {
            const std::span<const float> theirs = swap(rank_ ^ bit, part);
            std::transform(part.begin(), part.end(), theirs.begin(), part.begin(), std::plus<>());
          }
        });
      });
      MARQUEE_CHECK(std::all_of(sum.begin(), sum.end(),
                                [&](float each) { return each == size_ * (size_ + 1) / 2.0F; }),
                    "a wrong sum");
    }
    if (rank_ == 0)
      cluster::write_file_durably(request.at("results").get<std::string>() + "/times.json",
                                  json(times).dump());
    say({{"type", "interrupted"}, {"step", 0}});
  }

  template <typename Work>
  void in_parts(std::size_t numbers, const Work& work) const {
    const std::size_t most = buffer_.bytes().size() / 2 / sizeof(float);
    for (std::size_t first = 0; first < numbers; first += most)
      work(first, std::min(most, numbers - first));
  }

  std::span<const float> swap(int partner, std::span<const float> mine) {
    const std::span<std::byte> in =
        buffer_.bytes().subspan(buffer_.bytes().size() / 2, mine.size_bytes());
    std::memcpy(buffer_.bytes().data(), mine.data(), mine.size_bytes());
    say({{"type", "exchange"},
         {"partner", partner},
         {"sequence", ++sequence_},
         {"bytes", mine.size_bytes()}});
    while (true) {
      const json message = json::parse(channel_.receive());
      if (message.at("type") == "exchanged" && message.at("sequence") == sequence_) break;
      if (message.at("type") != "exchanged") cluster::throw_environment("the gang has ended");
    }
    return {reinterpret_cast<const float*>(in.data()), mine.size()};
  }

  void say(json message) {
    message.update(about_);
    channel_.send(message.dump());
  }

  cluster::FrameChannel channel_;
  cluster::SharedBuffer buffer_;
  json about_;
  int rank_ = 0, size_ = 1;
  std::int64_t sequence_ = 0;
};

int be_trainer(int argc, char** argv) {
  std::map<std::string, int> options;
  for (int i = 2; i + 1 < argc; i += 2) options[argv[i]] = std::atoi(argv[i + 1]);
  Trainer(options.at("--control-fd"),
          cluster::SharedBuffer::adopt(options.at("--gang-fd"),
                                       static_cast<std::size_t>(options.at("--gang-bytes"))))
      .serve();
  return 0;
}

// ---- rank 0, in the coordinator's place
// ----------------------------------------------------------

AgentMessage receive(cluster::MpiSession& session, int& rank) {
  while (true) {
    session.progress();
    if (const auto message = session.try_receive()) {
      rank = message->first;
      return parse_agent_message(message->second);
    }
    session.wait(0.01, -1);
  }
}

Times exchange_of_agents(cluster::MpiSession& session) {
  const cluster::TemporaryFolder folder;
  cluster::create_directories_durably(folder.path() / "logs");
  const auto tell = [&](int rank, const CoordinatorMessage& message) {
    session.send(rank, to_text(message));
  };
  const int agents = session.size() - 1;
  GangPlace place;
  place.generation = 1;
  place.members.resize(static_cast<std::size_t>(agents));
  for (int told = 0; told < agents;) {
    int rank = 0;
    const AgentMessage message = receive(session, rank);
    if (const auto* hello = std::get_if<AgentHello>(&message)) {
      place.members[static_cast<std::size_t>(rank - 1)] = {rank, hello->doorbell};
      session.set_doorbell(rank, hello->doorbell);
      ++told;
    }
  }
  Assignment assignment{1, "", 1, {}, place};
  assignment.run.task = "drawn/dsprites_location";
  assignment.run.shots = "5";
  assignment.run.method = "prompt";
  assignment.run_id = experiments::run_id(assignment.run).text();
  for (int rank = 1; rank <= agents; ++rank) {
    assignment.gang.rank = rank - 1;
    tell(rank, Welcome{1,
                       {rank - 1, {}, -1},
                       folder.path().string(),
                       "",
                       "",
                       std::nullopt,
                       session.doorbell()});
    tell(rank, assignment);
  }
  for (int ended = 0; ended < agents;) {
    int rank = 0;
    const AgentMessage message = receive(session, rank);
    const auto* attempt = std::get_if<AttemptEnded>(&message);
    const bool part = std::holds_alternative<MemberEnded>(message);
    if (attempt != nullptr && attempt->record.status != "interrupted")
      cluster::throw_environment(attempt->record.cause.message + attempt->record.cause.log_tail);
    ended += attempt != nullptr || part ? 1 : 0;
  }
  for (int rank = 1; rank <= agents; ++rank) tell(rank, Stop{0});
  return json::parse(cluster::read_file(folder.path() / "times.json", 1U << 20)).get<Times>();
}

// ---- plain MPI
// -----------------------------------------------------------------------------------

// Between the agents' ranks; rank 0 sleeps until the first of them sends it the times.
Times plain_mpi(MPI_Comm agents) {
  constexpr int kTag = 7;
  Times times;
  if (agents == MPI_COMM_NULL) {
    int there = 0;
    MPI_Status status;
    while (there == 0) {
      usleep(static_cast<useconds_t>(kTurnNapMicroseconds));
      MPI_Iprobe(1, kTag, MPI_COMM_WORLD, &there, &status);
    }
    int count = 0;
    MPI_Get_count(&status, MPI_CHAR, &count);
    std::string text(static_cast<std::size_t>(count), '\0');
    MPI_Recv(text.data(), count, MPI_CHAR, 1, kTag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return json::parse(text).get<Times>();
  }
  int rank = 0;
  MPI_Comm_rank(agents, &rank);
  for (const std::size_t bytes : kSizes) {
    const auto count = static_cast<int>(bytes / sizeof(float));
    std::vector<float> mine(bytes / sizeof(float), 1.0F), theirs(mine.size());
    times[name_of(bytes)]["swap"] = median_seconds(bytes, [&] {
      MPI_Sendrecv(mine.data(), count, MPI_FLOAT, rank ^ 1, 0, theirs.data(), count, MPI_FLOAT,
                   rank ^ 1, 0, agents, MPI_STATUS_IGNORE);
    });
    times[name_of(bytes)]["sum"] = median_seconds(bytes, [&] {
      MPI_Allreduce(mine.data(), theirs.data(), count, MPI_FLOAT, MPI_SUM, agents);
    });
  }
  if (rank == 0) {
    const std::string text = json(times).dump();
    MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, 0, kTag, MPI_COMM_WORLD);
  }
  return times;
}

void print(const std::vector<Times>& ours, const std::vector<Times>& plain, int agents) {
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  std::printf("%d ranks, medians of %zu rounds; ratios: plain MPI's time / ours\n", agents,
              ours.size());
  std::printf("%-8s %14s %14s %7s %14s %14s %7s\n", "", "swap, MB/s", "Sendrecv", "ratio",
              "sum, MB/s", "Allreduce", "ratio");
  for (const std::size_t bytes : kSizes) {
    std::printf("%-8s", name_of(bytes).c_str());
    for (const char* what : {"swap", "sum"}) {
      std::vector<double> own, other, ratio;
      for (std::size_t round = 0; round < ours.size(); ++round) {
        const double mine = ours[round].at(name_of(bytes)).at(what),
                     theirs = plain[round].at(name_of(bytes)).at(what);
        own.push_back(static_cast<double>(bytes) / mine / 1e6);
        other.push_back(static_cast<double>(bytes) / theirs / 1e6);
        ratio.push_back(theirs / mine);
      }
      std::printf(" %14.0f %14.0f %7.2f", median(own), median(other), median(ratio));
    }
    std::printf("\n");
  }
}

int measure(int argc, char** argv) {
  setenv("MARQUEE_TRAINER", cluster::executable_path().c_str(), 1);
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 3;
  cluster::MpiSession session(argc, argv);
  cluster::init_log({"", false, "error"});
  const int agents = session.size() - 1;
  if (agents != 2 && agents != 4) cluster::throw_usage("start it with mpirun -n 3 or -n 5");
  MPI_Comm others = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, session.rank() == 0 ? MPI_UNDEFINED : 0, session.rank(), &others);
  std::vector<Times> ours, plain;
  for (int round = 0; round < rounds; ++round) {
    if (session.rank() == 0) {
      ours.push_back(exchange_of_agents(session));
    } else {
      Agent(session).run();
    }
    plain.push_back(plain_mpi(others));
  }
  if (session.rank() == 0) print(ours, plain, agents);
  if (others != MPI_COMM_NULL) MPI_Comm_free(&others);
  session.finalize();
  return 0;
}

}  // namespace
}  // namespace marquee::orchestrator

int main(int argc, char** argv) {
  try {
    if (argc > 1 && std::strcmp(argv[1], "serve") == 0)
      return marquee::orchestrator::be_trainer(argc, argv);
    return marquee::orchestrator::measure(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "marquee_exchange_benchmark: %s\n", error.what());
    std::_Exit(marquee::cluster::exit_code_of(error));
  }
}
