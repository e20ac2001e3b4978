// Slots: places on a host where a trainer can run. A host has as many as GPUs, else as its cores
// hold trainers, or as many as --slots-per-host says (affinities may then overlap). An agent's slot
// is its index among the agents of its host, never the MPI local rank, because rank 0 takes none.
// Pure functions; thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/gpu_list.h"
#include "orchestrator/scheduling/slot_pool.h"

namespace marquee::orchestrator {

// What an agent says about its host. `cpus` are the processor numbers a trainer may use.
struct HostFacts {
  std::string host;
  std::vector<int> cpus;
  int gpus = 0;
  std::vector<cluster::Gpu> devices{};  // of the GPUs, as far as they are known
  std::string cpu{};                    // its model
  std::int64_t memory_bytes = 0;        // that processes may use together

  bool operator==(const HostFacts&) const = default;
};

struct SlotAssignment {
  int slot = 0;
  std::vector<int> cpus;  // the trainer's CPU affinity; empty: as the agent's
  int gpu = -1;           // -1: none

  bool operator==(const SlotAssignment&) const = default;
};

// Slots of one host: `slots_per_host` where positive, else GPUs, else cores / threads (at least 1).
int slots_of_host(const HostFacts& host, int threads, int slots_per_host);

// CPUs of a slot: `threads` consecutive ones; wraps round where slots overlap.
std::vector<int> cpus_of_slot(const std::vector<int>& cpus, int slot, int threads);

// One slot for each agent; keys are ranks. Throws usage when a host has more agents than slots,
// naming both numbers and the option.
std::map<int, SlotAssignment> assign_slots(const std::map<int, HostFacts>& agents, int threads,
                                           int slots_per_host);

// What a slot offers: the memory of its GPU, else of the whole host, which trainers share.
SlotFacts facts_of_slot(const HostFacts& host, const SlotAssignment& slot);

// Facts of the host that this process runs on.
HostFacts facts_of_this_host();

}  // namespace marquee::orchestrator
