#include "orchestrator/scheduling/slots.h"

#include <algorithm>

#include "cluster/error.h"
#include "cluster/host.h"

namespace marquee::orchestrator {

int slots_of_host(const HostFacts& host, int threads, int slots_per_host) {
  if (slots_per_host > 0) return slots_per_host;
  if (host.gpus > 0) return host.gpus;
  return std::max(1, static_cast<int>(host.cpus.size()) / std::max(1, threads));
}

std::vector<int> cpus_of_slot(const std::vector<int>& cpus, int slot, int threads) {
  std::vector<int> chosen;
  const std::size_t wanted = std::min(cpus.size(), static_cast<std::size_t>(std::max(1, threads)));
  for (std::size_t i = 0; i < wanted; ++i) {
    chosen.push_back(cpus[(static_cast<std::size_t>(slot) * wanted + i) % cpus.size()]);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::map<int, SlotAssignment> assign_slots(const std::map<int, HostFacts>& agents, int threads,
                                           int slots_per_host) {
  std::map<std::string, int> agents_on_host;
  for (const auto& [rank, facts] : agents) ++agents_on_host[facts.host];

  std::map<std::string, int> next_slot;
  std::map<int, SlotAssignment> assignments;
  for (const auto& [rank, facts] : agents) {
    const int slots = slots_of_host(facts, threads, slots_per_host);
    const int wanted = agents_on_host[facts.host];
    if (wanted > slots) {
      const std::string reason =
          slots_per_host > 0 ? "--slots-per-host " + std::to_string(slots_per_host)
          : facts.gpus > 0   ? std::to_string(facts.gpus) + " GPUs"
                             : std::to_string(facts.cpus.size()) + " cores, " +
                                 std::to_string(std::max(1, threads)) + " threads a trainer";
      cluster::throw_usage(std::to_string(wanted) + " agents on host " + facts.host +
                           ", which has " + std::to_string(slots) + " slots (" + reason +
                           "): start at most " + std::to_string(slots) +
                           " workers there (mpirun -n " + std::to_string(slots + 1) +
                           ", --workers " + std::to_string(slots) +
                           "), or raise --slots-per-host to let trainers share cores");
    }
    SlotAssignment assignment;
    assignment.slot = next_slot[facts.host]++;
    assignment.cpus = cpus_of_slot(facts.cpus, assignment.slot, threads);
    if (facts.gpus > 0) assignment.gpu = assignment.slot % facts.gpus;
    assignments[rank] = assignment;
  }
  return assignments;
}

SlotFacts facts_of_slot(const HostFacts& host, const SlotAssignment& slot) {
  if (slot.gpu < 0) return {host.host, host.cpu, host.memory_bytes};
  const auto place = static_cast<std::size_t>(slot.gpu);
  if (place >= host.devices.size()) return {host.host, "GPU", 0};
  return {host.host, host.devices[place].name, host.devices[place].memory_bytes};
}

HostFacts facts_of_this_host() {
  HostFacts facts;
  facts.host = cluster::host_name();
  facts.cpus = cluster::available_cpus();
  const std::vector<std::string> ids = cluster::visible_gpus();
  const std::vector<cluster::Gpu> devices = cluster::gpu_list();
  facts.gpus = static_cast<int>(ids.size());
  for (const std::string& id : ids) {
    // A device that has been given a name of its own (a part of one) is not looked up.
    if (id.find_first_not_of("0123456789") != std::string::npos) break;
    const auto place = static_cast<std::size_t>(std::stoi(id));
    if (place < devices.size()) facts.devices.push_back(devices[place]);
  }
  facts.cpu = cluster::cpu_model();
  facts.memory_bytes = cluster::memory_limit_bytes();
  return facts;
}

}  // namespace marquee::orchestrator
