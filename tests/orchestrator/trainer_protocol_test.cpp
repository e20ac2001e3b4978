#include "orchestrator/sweep/trainer_protocol.h"

#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "tests/orchestrator/refused_message.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

TEST(TrainerProtocol, CarriesWhatAGangExchanges) {
  const auto made = std::get<TrainerGangId>(parse_trainer_message(
      R"({"type": "gang_id", "run_id": "ab", "attempt": 2, "id": "0123abcd"})"));
  EXPECT_EQ(made.attempt, 2);
  EXPECT_EQ(made.id, "0123abcd");
  const auto wanted = std::get<TrainerExchange>(parse_trainer_message(
      R"({"type":"exchange","run_id":"id","attempt":2,"partner":3,"sequence":5,"bytes":4096})"));
  EXPECT_EQ(wanted.partner, 3);
  EXPECT_EQ(wanted.sequence, 5);
  EXPECT_EQ(wanted.bytes, 4096);
  EXPECT_EQ(json::parse(trainer_gang_id("0123abcd")).at("id"), "0123abcd");
  EXPECT_EQ(json::parse(trainer_exchanged(5)).at("sequence"), 5);
  EXPECT_EQ(json::parse(trainer_gang_ended("gone")).at("message"), "gone");
}

TEST(TrainerProtocol, RefusesWhatIsNoObject) {
  for (const char* text : {"", "rats", "[]", "\"x\"", "{\"type\":"})
    EXPECT_THROW(parse_trainer_message(text), cluster::Error) << text;
}

TEST(TrainerProtocol, RefusesAnUnknownType) {
  EXPECT_NE(refusal(parse_trainer_message, {{"type", "dance"}}).find("dance"), std::string::npos);
}

TEST(TrainerProtocol, NamesAMissingField) {
  const std::string text = refusal(parse_trainer_message, {{"type", "done"}, {"run_id", "a"}});
  EXPECT_NE(text.find("attempt"), std::string::npos);
}

TEST(TrainerProtocol, RefusesNumbersOutOfRange) {
  const json progress = {{"type", "progress"}, {"run_id", "a"}, {"attempt", 1},
                         {"phase", "tune"},    {"step", 0},     {"total", 1},
                         {"deadline_s", 5.0}};
  parse_trainer_message(progress.dump());
  for (const auto& [key, value] :
       std::multimap<std::string, json>{{"deadline_s", -1},
                                        {"deadline_s", 1e12},
                                        {"attempt", 0},
                                        {"step", -1},
                                        {"total", 1.5},
                                        {"phase", 3},
                                        {"step", 18446744073709551615ull}}) {
    json broken = progress;
    broken[key] = value;
    EXPECT_NE(refusal(parse_trainer_message, broken).find(key), std::string::npos);
  }
}

TEST(TrainerProtocol, RefusesAnUnknownKindOfFailure) {
  refusal(
      parse_trainer_message,
      {{"type", "failed"}, {"run_id", "a"}, {"attempt", 1}, {"kind", "mood"}, {"message", "m"}});
}

TEST(TrainerProtocol, LetsEveryKindOfFailureThroughThatATrainerKnows) {
  for (const char* kind : {"usage", "environment", "defect", "out_of_memory"}) {
    const json failed{
        {"type", "failed"}, {"run_id", "a"}, {"attempt", 1}, {"kind", kind}, {"message", "m"}};
    EXPECT_EQ(std::get<TrainerFailed>(parse_trainer_message(failed.dump())).kind, kind);
  }
}

TEST(TrainerProtocol, AsksTheTrainerWithEveryFolder) {
  Assignment assignment{7, "id", 3, {}};
  Welcome welcome{7, {}, "/r", "/d", "/a", std::nullopt, ""};
  json request = json::parse(trainer_run_request(assignment, welcome));
  EXPECT_EQ(request.at("type"), "run");
  EXPECT_EQ(request.at("results"), "/r");
  EXPECT_EQ(request.at("data"), "/d");
  EXPECT_EQ(request.at("assets"), "/a");
  EXPECT_EQ(request.at("attempt"), 3);
  EXPECT_EQ(request.at("epoch"), 7);
  EXPECT_EQ(request.count("simulation"), 0u);
  EXPECT_EQ(request.at("stage"), "");
  EXPECT_EQ(request.at("gang"), json({{"rank", 0}, {"size", 1}}));

  assignment.gang = {9, 1, {{4, "boot/space/00004"}, {2, ""}}};
  welcome.stage = "/scratch:1M";
  welcome.simulation.emplace();
  welcome.simulation->seconds = 0.5;
  request = json::parse(trainer_run_request(assignment, welcome));
  EXPECT_EQ(request.at("gang"), json({{"rank", 1}, {"size", 2}}));
  EXPECT_EQ(request.at("stage"), "/scratch:1M");
  EXPECT_EQ(request.at("simulation").at("seconds"), 0.5);
}

}  // namespace
}  // namespace marquee::orchestrator
