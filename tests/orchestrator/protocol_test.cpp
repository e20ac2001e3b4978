#include "orchestrator/sweep/protocol.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "tests/orchestrator/refused_message.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

template <typename Message, typename Variant>
Message as(const Variant& message) {
  return std::get<Message>(message);
}

TEST(Protocol, CarriesAHello) {
  const AgentHello sent{{"node1", {0, 2}, 1, {{"H100", 80}}, "EPYC", 1000}, "boot/space/00001"};
  const auto got = as<AgentHello>(parse_agent_message(to_text(AgentMessage(sent))));
  EXPECT_EQ(got.facts, sent.facts);
  EXPECT_EQ(got.doorbell, "boot/space/00001");
}

TEST(Protocol, CarriesProgress) {
  const RunProgress sent{3, "abc", 2, "tune", 10, 100, 2.5};
  const auto got = as<RunProgress>(parse_agent_message(to_text(AgentMessage(sent))));
  EXPECT_EQ(got.epoch, 3u);
  EXPECT_EQ(got.run_id, "abc");
  EXPECT_EQ(got.attempt, 2);
  EXPECT_EQ(got.phase, "tune");
  EXPECT_EQ(got.step, 10);
  EXPECT_EQ(got.total, 100);
  EXPECT_EQ(got.deadline_seconds, 2.5);
}

TEST(Protocol, CarriesAWelcome) {
  Welcome sent{5, {1, {2, 3}, 0}, "/r", "/d", "/a", std::nullopt, "boot/space/00002"};
  const auto got = as<Welcome>(parse_coordinator_message(to_text(CoordinatorMessage(sent))));
  EXPECT_EQ(got.epoch, 5u);
  EXPECT_EQ(got.slot, sent.slot);
  EXPECT_EQ(got.results, "/r");
  EXPECT_EQ(got.data, "/d");
  EXPECT_EQ(got.assets, "/a");
  EXPECT_EQ(got.doorbell, "boot/space/00002");
  EXPECT_FALSE(got.simulation);
  EXPECT_EQ(got.stage, "");

  sent.stage = "/scratch:1M";
  const auto staged = as<Welcome>(parse_coordinator_message(to_text(CoordinatorMessage(sent))));
  EXPECT_EQ(staged.stage, "/scratch:1M");

  sent.simulation.emplace();
  sent.simulation->seconds = 0.5;
  const auto simulated = as<Welcome>(parse_coordinator_message(to_text(CoordinatorMessage(sent))));
  ASSERT_TRUE(simulated.simulation);
  EXPECT_EQ(simulated.simulation->seconds, 0.5);
}

TEST(Protocol, CarriesAPlaceInAGang) {
  Assignment sent{7, "id", 3, {}};
  EXPECT_EQ(sent.gang.size(), 1);
  sent.gang = {9, 1, {{4, "boot/space/00004"}, {2, ""}}};
  const auto got = as<Assignment>(parse_coordinator_message(to_text(CoordinatorMessage(sent))));
  EXPECT_EQ(got.gang, sent.gang);

  json message = json::parse(to_text(CoordinatorMessage(sent)));
  message["gang"]["rank"] = 2;
  EXPECT_NE(refusal(parse_coordinator_message, message).find("'rank'"), std::string::npos);
  message["gang"]["rank"] = 0;
  message["gang"]["members"][0] = 4;
  EXPECT_NE(refusal(parse_coordinator_message, message).find("'members'"), std::string::npos);
  message.erase("gang");
  EXPECT_NE(refusal(parse_coordinator_message, message).find("'gang'"), std::string::npos);
}

TEST(Protocol, CarriesHowAMemberAndItsGangEnded) {
  experiments::AttemptCause cause;
  cause.kind = "crash";
  cause.message = "the trainer ended";
  cause.signal = 9;
  const auto part =
      as<MemberEnded>(parse_agent_message(to_text(AgentMessage(MemberEnded{3, 11, cause}))));
  EXPECT_EQ(part.epoch, 3u);
  EXPECT_EQ(part.generation, 11u);
  EXPECT_EQ(part.cause.kind, "crash");
  EXPECT_EQ(part.cause.message, "the trainer ended");
  EXPECT_EQ(part.cause.exit_code, -1);
  EXPECT_EQ(part.cause.signal, 9);
  const auto ended = as<GangEnded>(
      parse_coordinator_message(to_text(CoordinatorMessage(GangEnded{3, 11, "crash", "gone"}))));
  EXPECT_EQ(ended.generation, 11u);
  EXPECT_EQ(ended.kind, "crash");
  EXPECT_EQ(ended.message, "gone");
}

TEST(Protocol, CarriesSwaps) {
  const SwapReady ready{11, 5, 4096};
  EXPECT_EQ(as<SwapReady>(parse_peer_message(to_text(PeerMessage(ready)))), ready);
  const SwapsEnded none{11};
  EXPECT_EQ(as<SwapsEnded>(parse_peer_message(to_text(PeerMessage(none)))), none);
  const GangId id{11, "0123abcd"};
  EXPECT_EQ(as<GangId>(parse_peer_message(to_text(PeerMessage(id)))), id);
  json message = json::parse(to_text(PeerMessage(ready)));
  message["bytes"] = 0;
  EXPECT_NE(refusal(parse_peer_message, message).find("'bytes'"), std::string::npos);
  message["type"] = "alive";
  EXPECT_NE(refusal(parse_peer_message, message).find("'alive'"), std::string::npos);
}

TEST(Protocol, CarriesAnAssignmentWithItsRun) {
  Assignment sent{7, "id", 3, {}};
  sent.run.task = "eurosat";
  sent.run.method = "prompt";
  sent.run.seed = 11;
  sent.run.learning_rate = 0.125;
  const auto got = as<Assignment>(parse_coordinator_message(to_text(CoordinatorMessage(sent))));
  EXPECT_EQ(got.epoch, 7u);
  EXPECT_EQ(got.attempt, 3);
  EXPECT_EQ(experiments::to_json(got.run), experiments::to_json(sent.run));
}

TEST(Protocol, CarriesAnEndedAttemptWhateverItsLogHolds) {
  AttemptEnded sent;
  sent.epoch = 2;
  sent.record.run_id = std::string(64, 'a');
  sent.record.attempt = 1;
  sent.record.epoch = 2;
  sent.record.status = "failed";
  sent.record.cause.kind = "crash";
  sent.record.cause.signal = 9;
  sent.record.cause.log_tail = "bad bytes \xff\xfe";
  const auto got = as<AttemptEnded>(parse_agent_message(to_text(AgentMessage(sent))));
  EXPECT_EQ(got.record.status, "failed");
  EXPECT_EQ(got.record.cause.signal, 9);
}

TEST(Protocol, CarriesStop) {
  const auto got = as<Stop>(parse_coordinator_message(to_text(CoordinatorMessage(Stop{75}))));
  EXPECT_EQ(got.exit_code, 75);
}

TEST(Protocol, RefusesWhatIsNoObject) {
  for (const char* text : {"", "rats", "[]", "\"x\"", "{\"type\":"}) {
    EXPECT_THROW(parse_agent_message(text), cluster::Error) << text;
    EXPECT_THROW(parse_coordinator_message(text), cluster::Error) << text;
    EXPECT_THROW(parse_peer_message(text), cluster::Error) << text;
  }
}

TEST(Protocol, RefusesAnUnknownType) {
  EXPECT_NE(refusal(parse_agent_message, {{"type", "dance"}}).find("dance"), std::string::npos);
}

}  // namespace
}  // namespace marquee::orchestrator
