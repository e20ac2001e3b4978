#include "orchestrator/sweep/protocol.h"

#include <cmath>
#include <limits>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

constexpr double kLongestDeadlineSeconds = 86400.0;
constexpr std::size_t kLongestText = 1 << 16;

[[noreturn]] void refuse(const std::string& what) {
  cluster::throw_environment("message refused: " + what);
}

json parse_object(std::string_view text) {
  json message = json::parse(text.begin(), text.end(), nullptr, false);
  if (message.is_discarded() || !message.is_object()) refuse("not a JSON object");
  return message;
}

const json& field(const json& message, const char* key) {
  const auto found = message.find(key);
  if (found == message.end()) refuse(std::string("field '") + key + "' is missing");
  return *found;
}

std::string text_field(const json& message, const char* key) {
  const json& value = field(message, key);
  if (!value.is_string()) refuse(std::string("field '") + key + "' must be text");
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > kLongestText) refuse(std::string("field '") + key + "' is too long");
  return text;
}

std::int64_t whole_field(const json& message, const char* key, std::int64_t low,
                         std::int64_t high) {
  const json& value = field(message, key);
  if (!value.is_number_integer()) {
    refuse(std::string("field '") + key + "' must be a whole number");
  }
  const bool beyond_signed =
      value.is_number_unsigned() &&
      value.get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::int64_t number = beyond_signed ? high : value.get<std::int64_t>();
  if (beyond_signed || number < low || number > high) {
    refuse(std::string("field '") + key + "' must lie in " + std::to_string(low) + ".." +
           std::to_string(high) + ", not " + value.dump());
  }
  return number;
}

constexpr std::int64_t kMostAttempts = 1'000'000;
constexpr std::int64_t kMany = std::numeric_limits<std::int64_t>::max();

std::uint64_t epoch_field(const json& message) {
  return static_cast<std::uint64_t>(whole_field(message, "epoch", 0, kMany));
}

double deadline_field(const json& message) {
  const json& deadline = field(message, "deadline_s");
  if (!deadline.is_number()) refuse("field 'deadline_s' must be a number");
  const double seconds = deadline.get<double>();
  if (!(seconds > 0.0) || seconds > kLongestDeadlineSeconds) {
    refuse("field 'deadline_s' must lie above 0 and at most one day");
  }
  return seconds;
}

int attempt_field(const json& message) {
  return static_cast<int>(whole_field(message, "attempt", 1, kMostAttempts));
}

std::vector<int> cpus_field(const json& message) {
  const json& values = field(message, "cpus");
  if (!values.is_array() || values.size() > 65536) refuse("field 'cpus' must be a short list");
  std::vector<int> cpus;
  for (const json& value : values) {
    if (!value.is_number_integer()) refuse("field 'cpus' must hold whole numbers");
    cpus.push_back(value.get<int>());
  }
  return cpus;
}

std::vector<cluster::Gpu> devices_field(const json& message) {
  const json& values = field(message, "devices");
  if (!values.is_array() || values.size() > 1024) refuse("field 'devices' must be a short list");
  std::vector<cluster::Gpu> gpus;
  for (const json& value : values) {
    if (!value.is_object()) refuse("field 'devices' must hold objects");
    gpus.push_back({text_field(value, "name"), whole_field(value, "memory", 0, kMany)});
  }
  return gpus;
}

std::uint64_t generation_field(const json& message) {
  return static_cast<std::uint64_t>(whole_field(message, "generation", 0, kMany));
}

GangPlace gang_field(const json& message) {
  const json& gang = field(message, "gang");
  if (!gang.is_object()) refuse("field 'gang' must be an object");
  const json& members = field(gang, "members");
  if (!members.is_array() || members.size() > 4096) refuse("field 'members' must be a short list");
  GangPlace place;
  place.generation = generation_field(gang);
  for (const json& member : members) {
    if (!member.is_object()) refuse("field 'members' must hold objects");
    place.members.push_back({static_cast<int>(whole_field(member, "agent", 1, 1'000'000)),
                             text_field(member, "doorbell")});
  }
  place.rank = static_cast<int>(whole_field(gang, "rank", 0, place.size() - 1));
  return place;
}

// Runs a parser of another part and turns whatever it throws into a refusal.
template <typename Parse>
auto guarded(const char* what, Parse parse) {
  try {
    return parse();
  } catch (const std::exception& error) {
    refuse(std::string(what) + ": " + error.what());
  }
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
          {"pid", m.pid},
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

// Text that may hold anything (log lines, paths): invalid UTF-8 is replaced, never thrown on.
std::string dump(const json& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string to_text(const AgentMessage& message) {
  return dump(std::visit([](const auto& m) { return body(m); }, message));
}

std::string to_text(const CoordinatorMessage& message) {
  return dump(std::visit([](const auto& m) { return body(m); }, message));
}

std::string to_text(const PeerMessage& message) {
  return dump(std::visit([](const auto& m) { return body(m); }, message));
}

AgentMessage parse_agent_message(std::string_view text) {
  const json m = parse_object(text);
  const std::string type = text_field(m, "type");
  if (type == "hello") {
    AgentHello hello;
    hello.facts.host = text_field(m, "host");
    hello.facts.cpus = cpus_field(m);
    hello.facts.gpus = static_cast<int>(whole_field(m, "gpus", 0, 1024));
    hello.facts.devices = devices_field(m);
    hello.facts.cpu = text_field(m, "cpu");
    hello.facts.memory_bytes = whole_field(m, "memory", 0, kMany);
    hello.pid = whole_field(m, "pid", 1, kMany);
    hello.doorbell = text_field(m, "doorbell");
    return hello;
  }
  if (type == "alive") return AgentAlive{};
  if (type == "progress") {
    return RunProgress{
        epoch_field(m),         text_field(m, "run_id"),          attempt_field(m),
        text_field(m, "phase"), whole_field(m, "step", 0, kMany), whole_field(m, "total", 0, kMany),
        deadline_field(m)};
  }
  if (type == "ended") {
    return AttemptEnded{epoch_field(m), guarded("attempt record", [&] {
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
  refuse("unknown type '" + type + "' from an agent");
}

CoordinatorMessage parse_coordinator_message(std::string_view text) {
  const json m = parse_object(text);
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
          guarded("simulation", [&] { return experiments::simulation_from_json(simulation); });
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
        guarded("run", [&] { return experiments::run_config_from_json(field(m, "run")); }),
        gang_field(m),
        static_cast<std::uint64_t>(whole_field(m, "claim", 0, kMany)),
        static_cast<int>(whole_field(m, "rerun_of", 0, kMostAttempts))};
  }
  if (type == "gang_ended") {
    return GangEnded{epoch_field(m), generation_field(m), text_field(m, "kind"),
                     text_field(m, "message")};
  }
  if (type == "alive") return CoordinatorAlive{};
  if (type == "interrupt") return Interrupt{epoch_field(m)};
  if (type == "stop") return Stop{static_cast<int>(whole_field(m, "exit_code", 0, 255))};
  refuse("unknown type '" + type + "' from the coordinator");
}

PeerMessage parse_peer_message(std::string_view text) {
  const json m = parse_object(text);
  const std::string type = text_field(m, "type");
  if (type == "swap_ready") {
    return SwapReady{generation_field(m), whole_field(m, "sequence", 1, kMany),
                     whole_field(m, "bytes", 1, kMany)};
  }
  if (type == "swaps_ended") return SwapsEnded{generation_field(m)};
  if (type == "gang_id") return GangId{generation_field(m), text_field(m, "id")};
  refuse("unknown type '" + type + "' from another agent");
}

TrainerMessage parse_trainer_message(std::string_view text) {
  const json m = parse_object(text);
  const std::string type = text_field(m, "type");
  if (type == "hello") return TrainerHello{whole_field(m, "pid", 1, kMany)};
  if (type == "progress") {
    return TrainerProgress{text_field(m, "run_id"),
                           attempt_field(m),
                           text_field(m, "phase"),
                           whole_field(m, "step", 0, kMany),
                           whole_field(m, "total", 0, kMany),
                           deadline_field(m)};
  }
  if (type == "done") {
    TrainerDone done{text_field(m, "run_id"), attempt_field(m), std::nullopt};
    if (const auto result = m.find("result"); result != m.end()) {
      done.result =
          guarded("result", [&] { return experiments::result_record_from_json(*result); });
    }
    return done;
  }
  if (type == "failed") {
    const std::string kind = text_field(m, "kind");
    if (kind != "usage" && kind != "environment" && kind != "defect" && kind != "out_of_memory") {
      refuse("field 'kind' must be usage, environment, defect or out_of_memory, not '" + kind +
             "'");
    }
    return TrainerFailed{text_field(m, "run_id"), attempt_field(m), kind, text_field(m, "message")};
  }
  if (type == "interrupted") {
    return TrainerInterrupted{text_field(m, "run_id"), attempt_field(m),
                              whole_field(m, "step", 0, kMany)};
  }
  if (type == "exchange") {
    return TrainerExchange{text_field(m, "run_id"), attempt_field(m),
                           static_cast<int>(whole_field(m, "partner", 0, 4095)),
                           whole_field(m, "sequence", 1, kMany), whole_field(m, "bytes", 1, kMany)};
  }
  if (type == "gang_id") {
    return TrainerGangId{text_field(m, "run_id"), attempt_field(m), text_field(m, "id")};
  }
  refuse("unknown type '" + type + "' from a trainer");
}

std::string trainer_run_request(const Assignment& assignment, const Welcome& welcome) {
  json request = {{"type", "run"},
                  {"run", experiments::to_short_json(assignment.run)},
                  {"run_id", assignment.run_id},
                  {"attempt", assignment.attempt},
                  {"epoch", assignment.epoch},
                  {"claim", assignment.claim},
                  {"rerun_of", assignment.rerun_of},
                  {"results", welcome.results},
                  {"data", welcome.data},
                  {"assets", welcome.assets},
                  {"stage", welcome.stage},
                  {"gang", {{"rank", assignment.gang.rank}, {"size", assignment.gang.size()}}}};
  if (welcome.simulation) request["simulation"] = experiments::to_json(*welcome.simulation);
  return dump(request);
}

std::string trainer_interrupt_request() {
  return dump({{"type", "interrupt"}});
}
std::string trainer_gang_id(const std::string& id) {
  return dump({{"type", "gang_id"}, {"id", id}});
}
std::string trainer_exchanged(std::int64_t sequence) {
  return dump({{"type", "exchanged"}, {"sequence", sequence}});
}
std::string trainer_gang_ended(const std::string& message) {
  return dump({{"type", "gang_ended"}, {"message", message}});
}
std::string trainer_stop_request() {
  return dump({{"type", "stop"}});
}

}  // namespace marquee::orchestrator
