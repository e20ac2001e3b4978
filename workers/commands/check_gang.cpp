// marquee-trainer check-gang: one rank of a gang that does nothing but exchange, for `marquee
// doctor --gpus`. Sums are checked number by number, bandwidth is measured, and the gang is given
// up and made anew.
#include <algorithm>
#include <iostream>

#include <boost/algorithm/string.hpp>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/host.h"
#include "workers/commands/commands.h"
#include "workers/device.h"
#include "workers/gang/nccl_communicator.h"

namespace marquee::workers {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

constexpr std::int64_t kMostNumbers = 997;  // distinct ones; sums of them are exact in float32
constexpr double kSecondsASize = 0.5;
constexpr int kMostRepeats = 200;

void say(const json& line) {
  std::cout << line.dump() << std::endl;
}

// Rank r gives (r + 1) times 0, 1, 2, ...: every rank must get the sum, to the last bit.
void check_sum(Communicator& gang, const torch::Device& device, std::int64_t count) {
  const Tensor numbers =
      torch::arange(count, torch::device(device)).remainder(kMostNumbers).to(torch::kFloat32);
  const double share = gang.size() * (gang.size() + 1) / 2.0;
  const std::unique_ptr<PendingSum> sum = gang.start_sum(numbers * (gang.rank() + 1));
  gang.settle();
  const Tensor wrong = sum->result().ne(numbers * share);
  if (wrong.any().item<bool>()) {
    cluster::throw_environment("a sum of " + std::to_string(count) + " numbers is wrong in " +
                               std::to_string(wrong.sum().item<std::int64_t>()) + " places");
  }
}

// Seconds of one sum of so many bytes, the median of several.
double time_sum(Communicator& gang, const torch::Device& device, std::int64_t bytes) {
  const Tensor numbers = torch::ones({bytes / std::int64_t{sizeof(float)}}, torch::device(device));
  const auto once = [&] {
    const double began = cluster::monotonic_seconds();
    gang.start_sum(numbers);
    gang.settle();
    return cluster::monotonic_seconds() - began;
  };
  once();
  // Every rank must ask as often.
  const double first = gang.sum(torch::full({1}, once())).item<float>() / gang.size();
  const int repeats = std::clamp(static_cast<int>(kSecondsASize / first), 3, kMostRepeats);
  std::vector<double> seconds;
  for (int i = 0; i < repeats; ++i) seconds.push_back(once());
  std::nth_element(seconds.begin(), seconds.begin() + repeats / 2, seconds.end());
  return seconds[static_cast<std::size_t>(repeats / 2)];
}

std::vector<NcclId> ids_of(const std::string& text) {
  std::vector<std::string> words;
  boost::split(words, text, boost::is_any_of(","));
  if (words.size() != 2) cluster::throw_usage("--ids must be two ids, separated by a comma");
  return {nccl_id_of(words[0]), nccl_id_of(words[1])};
}

int check_gang(int rank, int size, const std::string& ids_text, std::int64_t most_bytes,
               double seconds) {
  const torch::Device device = compute_device();
  if (!gangs_over_nccl(device))
    cluster::throw_environment(
        "no GPU here that LibTorch sees: a gang of trainers exchanges through their agents");
  at::set_num_threads(1);
  if (device.is_cpu()) most_bytes = std::min(most_bytes, std::int64_t{1} << 18);  // a fake
  const NcclLibrary& library = NcclLibrary::of_this_process();
  std::vector<NcclId> ids;
  if (rank == 0) {
    ids = {NcclCommunicator::make_id(library), NcclCommunicator::make_id(library)};
    say({{"ids", hex_of(ids[0]) + "," + hex_of(ids[1])}});
  } else {
    ids = ids_of(ids_text);
  }
  NcclWaiting waiting;
  waiting.join_seconds = seconds;
  const double began = cluster::monotonic_seconds();
  json answer = describe_device(device);
  answer["nccl"] = nccl_version_text(library.version);
  answer["host"] = cluster::host_name();
  answer["rank"] = rank;
  {
    auto gang = std::make_unique<NcclCommunicator>(library, side_stream(device), ids[0], rank, size,
                                                   waiting);
    answer["join_s"] = cluster::monotonic_seconds() - began;
    gang->be_patient_for(seconds);
    for (const std::int64_t count : {std::int64_t{1}, std::int64_t{1000}, std::int64_t{1} << 20})
      check_sum(*gang, device, count);
    for (std::int64_t bytes = 1 << 12; bytes <= most_bytes; bytes *= 8)
      answer["sums"].push_back({{"bytes", bytes}, {"seconds", time_sum(*gang, device, bytes)}});
    gang->give_up();
  }
  NcclCommunicator again(library, side_stream(device), ids[1], rank, size, waiting);
  again.be_patient_for(seconds);
  check_sum(again, device, 1000);
  answer["made_anew"] = true;
  say(answer);
  return 0;
}

}  // namespace

int check_gang_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee-trainer check-gang --rank R --size N [--ids HEX,HEX]";
  line.text =
      "One rank of a gang over NCCL that checks sums, measures how long they take, gives the gang\n"
      "up and makes a new one. Started by marquee doctor --gpus. Rank 0 prints the ids that the\n"
      "others are started with; each prints one line of JSON.";
  line.options.add_options()                                                           //
      ("rank", po::value<int>()->default_value(0), "in the gang")                      //
      ("size", po::value<int>()->default_value(1), "of the gang, a power of 2")        //
      ("ids", po::value<std::string>()->default_value(""), "what rank 0 has printed")  //
      ("most-bytes", po::value<std::int64_t>()->default_value(std::int64_t{1} << 28),
       "of one sum")  //
      ("patience", po::value<double>()->default_value(120), "seconds that a rank may be silent");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const int rank = values["rank"].as<int>(), size = values["size"].as<int>();
  if (size < 1 || (size & (size - 1)) != 0 || rank < 0 || rank >= size)
    cluster::throw_usage("--size must be a power of two and --rank below it");
  return check_gang(rank, size, values["ids"].as<std::string>(),
                    values["most-bytes"].as<std::int64_t>(), values["patience"].as<double>());
}

}  // namespace marquee::workers
