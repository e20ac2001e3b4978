#include "orchestrator/sweep/trainer_protocol.h"

#include <nlohmann/json.hpp>

#include "orchestrator/sweep/message_fields.h"

namespace marquee::orchestrator {

using nlohmann::json;

TrainerMessage parse_trainer_message(std::string_view text) {
  const json m = parse_message(text);
  const std::string type = text_field(m, "type");
  if (type == "hello") return TrainerHello{};
  if (type == "progress") {
    return TrainerProgress{text_field(m, "run_id"),
                           attempt_field(m),
                           text_field(m, "phase"),
                           whole_field(m, "step", 0, kAnyNumber),
                           whole_field(m, "total", 0, kAnyNumber),
                           deadline_field(m)};
  }
  if (type == "done") {
    TrainerDone done{text_field(m, "run_id"), attempt_field(m), std::nullopt};
    if (const auto result = m.find("result"); result != m.end()) {
      done.result =
          read_field("result", [&] { return experiments::result_record_from_json(*result); });
    }
    return done;
  }
  if (type == "failed") {
    const std::string kind = text_field(m, "kind");
    if (kind != "usage" && kind != "environment" && kind != "defect" && kind != "out_of_memory") {
      refuse_message("field 'kind' must be usage, environment, defect or out_of_memory, not '" +
                     kind + "'");
    }
    return TrainerFailed{text_field(m, "run_id"), attempt_field(m), kind, text_field(m, "message")};
  }
  if (type == "interrupted") {
    return TrainerInterrupted{text_field(m, "run_id"), attempt_field(m),
                              whole_field(m, "step", 0, kAnyNumber)};
  }
  if (type == "exchange") {
    return TrainerExchange{text_field(m, "run_id"), attempt_field(m),
                           static_cast<int>(whole_field(m, "partner", 0, kLargestGang - 1)),
                           whole_field(m, "sequence", 1, kAnyNumber),
                           whole_field(m, "bytes", 1, kAnyNumber)};
  }
  if (type == "gang_id") {
    return TrainerGangId{text_field(m, "run_id"), attempt_field(m), text_field(m, "id")};
  }
  refuse_message("unknown type '" + type + "' from a trainer");
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
  return message_text(request);
}

std::string trainer_interrupt_request() {
  return message_text({{"type", "interrupt"}});
}
std::string trainer_gang_id(const std::string& id) {
  return message_text({{"type", "gang_id"}, {"id", id}});
}
std::string trainer_exchanged(std::int64_t sequence) {
  return message_text({{"type", "exchanged"}, {"sequence", sequence}});
}
std::string trainer_gang_ended(const std::string& message) {
  return message_text({{"type", "gang_ended"}, {"message", message}});
}
std::string trainer_stop_request() {
  return message_text({{"type", "stop"}});
}

}  // namespace marquee::orchestrator
