#include "orchestrator/sweep/protocol.h"

#include <nlohmann/json.hpp>

#include "orchestrator/sweep/message_fields.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

std::uint64_t epoch_field(const json& message) {
  return static_cast<std::uint64_t>(whole_field(message, "epoch", 0, kAnyNumber));
}

std::vector<int> cpus_field(const json& message) {
  const json& values = field(message, "cpus");
  if (!values.is_array() || values.size() > 65536)
    refuse_message("field 'cpus' must be a short list");
  std::vector<int> cpus;
  for (const json& value : values) {
    if (!value.is_number_integer()) refuse_message("field 'cpus' must hold whole numbers");
    cpus.push_back(value.get<int>());
  }
  return cpus;
}

std::vector<cluster::Gpu> devices_field(const json& message) {
  const json& values = field(message, "devices");
  if (!values.is_array() || values.size() > 1024)
    refuse_message("field 'devices' must be a short list");
  std::vector<cluster::Gpu> gpus;
  for (const json& value : values) {
    if (!value.is_object()) refuse_message("field 'devices' must hold objects");
    gpus.push_back({text_field(value, "name"), whole_field(value, "memory", 0, kAnyNumber)});
  }
  return gpus;
}

std::uint64_t generation_field(const json& message) {
  return static_cast<std::uint64_t>(whole_field(message, "generation", 0, kAnyNumber));
}

GangPlace gang_field(const json& message) {
  const json& gang = field(message, "gang");
  if (!gang.is_object()) refuse_message("field 'gang' must be an object");
  const json& members = field(gang, "members");
  if (!members.is_array() || members.size() > kLargestGang)
    refuse_message("field 'members' must be a short list");
  GangPlace place;
  place.generation = generation_field(gang);
  for (const json& member : members) {
    if (!member.is_object()) refuse_message("field 'members' must hold objects");
    place.members.push_back({static_cast<int>(whole_field(member, "agent", 1, 1'000'000)),
                             text_field(member, "doorbell")});
  }
  place.rank = static_cast<int>(whole_field(gang, "rank", 0, place.size() - 1));
  return place;
}

json body(const AgentHello& m) {
  json devices = json::array();
  for (const cluster::Gpu& gpu : m.facts.devices)
    devices.push_back({{"name", gpu.name}, {"memory", gpu.memory_bytes}});
  return {{"type", "hello"},
          {"host", m.facts.host},
          {"cpus", m.facts.cpus},
          {"gpus", m.facts.gpus},
          {"devices", devices},
          {"cpu", m.facts.cpu},
          {"memory", m.facts.memory_bytes},
          {"doorbell", m.doorbell}};
}
json body(const AgentAlive&) {
  return {{"type", "alive"}};
}
json body(const RunProgress& m) {
  return {{"type", "progress"}, {"epoch", m.epoch},
          {"run_id", m.run_id}, {"attempt", m.attempt},
          {"phase", m.phase},   {"step", m.step},
          {"total", m.total},   {"deadline_s", m.deadline_seconds}};
}
json body(const AttemptEnded& m) {
  return {{"type", "ended"}, {"epoch", m.epoch}, {"record", experiments::to_json(m.record)}};
}
json body(const MemberEnded& m) {
  return {{"type", "member_ended"},  {"epoch", m.epoch},           {"generation", m.generation},
          {"kind", m.cause.kind},    {"message", m.cause.message}, {"exit_code", m.cause.exit_code},
          {"signal", m.cause.signal}};
}
json body(const StopRequest& m) {
  return {{"type", "stop_request"}, {"signal", m.signal}};
}
json body(const Welcome& m) {
  return {{"type", "welcome"},
          {"epoch", m.epoch},
          {"slot", m.slot.slot},
          {"cpus", m.slot.cpus},
          {"gpu", m.slot.gpu},
          {"results", m.results},
          {"data", m.data},
          {"assets", m.assets},
          {"simulation", m.simulation ? experiments::to_json(*m.simulation) : json()},
          {"doorbell", m.doorbell},
          {"stage", m.stage}};
}
json body(const GangPlace& place) {
  json members = json::array();
  for (const GangPlace::Member& member : place.members)
    members.push_back({{"agent", member.agent}, {"doorbell", member.doorbell}});
  return {{"generation", place.generation}, {"rank", place.rank}, {"members", members}};
}
json body(const Assignment& m) {
  return {{"type", "assignment"},
          {"epoch", m.epoch},
          {"run_id", m.run_id},
          {"attempt", m.attempt},
          {"run", experiments::to_short_json(m.run)},
          {"gang", body(m.gang)},
          {"claim", m.claim},
          {"rerun_of", m.rerun_of}};
}
json body(const GangEnded& m) {
  return {{"type", "gang_ended"},
          {"epoch", m.epoch},
          {"generation", m.generation},
          {"kind", m.kind},
          {"message", m.message}};
}
json body(const SwapReady& m) {
  return {{"type", "swap_ready"},
          {"generation", m.generation},
          {"sequence", m.sequence},
          {"bytes", m.bytes}};
}
json body(const GangId& m) {
  return {{"type", "gang_id"}, {"generation", m.generation}, {"id", m.id}};
}
json body(const SwapsEnded& m) {
  return {{"type", "swaps_ended"}, {"generation", m.generation}};
}
json body(const CoordinatorAlive&) {
  return {{"type", "alive"}};
}
json body(const Interrupt& m) {
  return {{"type", "interrupt"}, {"epoch", m.epoch}};
}
json body(const Stop& m) {
  return {{"type", "stop"}, {"exit_code", m.exit_code}};
}

}  // namespace

std::string to_text(const AgentMessage& message) {
  return message_text(std::visit([](const auto& m) { return body(m); }, message));
}

std::string to_text(const CoordinatorMessage& message) {
  return message_text(std::visit([](const auto& m) { return body(m); }, message));
}

std::string to_text(const PeerMessage& message) {
  return message_text(std::visit([](const auto& m) { return body(m); }, message));
}

AgentMessage parse_agent_message(std::string_view text) {
  const json m = parse_message(text);
  const std::string type = text_field(m, "type");
  if (type == "hello") {
    AgentHello hello;
    hello.facts.host = text_field(m, "host");
    hello.facts.cpus = cpus_field(m);
    hello.facts.gpus = static_cast<int>(whole_field(m, "gpus", 0, 1024));
    hello.facts.devices = devices_field(m);
    hello.facts.cpu = text_field(m, "cpu");
    hello.facts.memory_bytes = whole_field(m, "memory", 0, kAnyNumber);
    hello.doorbell = text_field(m, "doorbell");
    return hello;
  }
  if (type == "alive") return AgentAlive{};
  if (type == "progress") {
    return RunProgress{epoch_field(m),
                       text_field(m, "run_id"),
                       attempt_field(m),
                       text_field(m, "phase"),
                       whole_field(m, "step", 0, kAnyNumber),
                       whole_field(m, "total", 0, kAnyNumber),
                       deadline_field(m)};
  }
  if (type == "ended") {
    return AttemptEnded{epoch_field(m), read_field("attempt record", [&] {
                          return experiments::attempt_from_json(field(m, "record"));
                        })};
  }
  if (type == "member_ended") {
    MemberEnded ended{epoch_field(m), generation_field(m), {}};
    ended.cause.kind = text_field(m, "kind");
    ended.cause.message = text_field(m, "message");
    ended.cause.exit_code = static_cast<int>(whole_field(m, "exit_code", -1, 255));
    ended.cause.signal = static_cast<int>(whole_field(m, "signal", 0, 128));
    return ended;
  }
  if (type == "stop_request") {
    return StopRequest{static_cast<int>(whole_field(m, "signal", 1, 64))};
  }
  refuse_message("unknown type '" + type + "' from an agent");
}

CoordinatorMessage parse_coordinator_message(std::string_view text) {
  const json m = parse_message(text);
  const std::string type = text_field(m, "type");
  if (type == "welcome") {
    Welcome welcome;
    welcome.epoch = epoch_field(m);
    welcome.slot.slot = static_cast<int>(whole_field(m, "slot", 0, 1'000'000));
    welcome.slot.cpus = cpus_field(m);
    welcome.slot.gpu = static_cast<int>(whole_field(m, "gpu", -1, 1024));
    welcome.results = text_field(m, "results");
    welcome.data = text_field(m, "data");
    welcome.assets = text_field(m, "assets");
    if (const json& simulation = field(m, "simulation"); !simulation.is_null()) {
      welcome.simulation =
          read_field("simulation", [&] { return experiments::simulation_from_json(simulation); });
    }
    welcome.doorbell = text_field(m, "doorbell");
    welcome.stage = text_field(m, "stage");
    return welcome;
  }
  if (type == "assignment") {
    return Assignment{
        epoch_field(m),
        text_field(m, "run_id"),
        attempt_field(m),
        read_field("run", [&] { return experiments::run_config_from_json(field(m, "run")); }),
        gang_field(m),
        static_cast<std::uint64_t>(whole_field(m, "claim", 0, kAnyNumber)),
        static_cast<int>(whole_field(m, "rerun_of", 0, kMostAttempts))};
  }
  if (type == "gang_ended") {
    return GangEnded{epoch_field(m), generation_field(m), text_field(m, "kind"),
                     text_field(m, "message")};
  }
  if (type == "alive") return CoordinatorAlive{};
  if (type == "interrupt") return Interrupt{epoch_field(m)};
  if (type == "stop") return Stop{static_cast<int>(whole_field(m, "exit_code", 0, 255))};
  refuse_message("unknown type '" + type + "' from the coordinator");
}

PeerMessage parse_peer_message(std::string_view text) {
  const json m = parse_message(text);
  const std::string type = text_field(m, "type");
  if (type == "swap_ready") {
    return SwapReady{generation_field(m), whole_field(m, "sequence", 1, kAnyNumber),
                     whole_field(m, "bytes", 1, kAnyNumber)};
  }
  if (type == "swaps_ended") return SwapsEnded{generation_field(m)};
  if (type == "gang_id") return GangId{generation_field(m), text_field(m, "id")};
  refuse_message("unknown type '" + type + "' from another agent");
}

}  // namespace marquee::orchestrator
