// Evaluations of outside generators: stored, taken in, found again by whoever opens the folder.
#include <fstream>

#include <gmock/gmock.h>

#include "cluster/error.h"
#include "experiments/brief_hold.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_records.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

EvaluationRecord some_evaluation() {
  EvaluationRecord evaluation;
  evaluation.name = "MineGAN";
  evaluation.citation = "Wang et al. 2020";
  evaluation.task = "dtd";
  evaluation.shots = "5";
  evaluation.generated = "gan/";
  evaluation.reference = "dtd:test";
  evaluation.generated_hash = std::string(64, '1');
  evaluation.reference_hash = std::string(64, '2');
  evaluation.protocol = "clean-fid";
  evaluation.network = "inception-2015-12-05";
  evaluation.network_hash = std::string(64, '3');
  evaluation.input_rule = "clean_fid_clean to 299, (x - 128) / 128";
  evaluation.made = "2026-01-01T00:00:00.000Z";
  evaluation.metrics = {{"fid", 42.5, 1.25, 100, 200, "clean-fid", std::string(64, '3')},
                        {"kid", -0.001, std::nullopt, 100, 200, "clean-fid", std::string(64, '3')}};
  return evaluation;
}

class Evaluations : public testing::Test {
 protected:
  const fs::path& results() const { return folder_.path(); }
  Delivery hand_in(const EvaluationRecord& evaluation) {
    InboxEntry entry;
    entry.kind = "evaluation";
    entry.evaluation = write_evaluation(results(), evaluation);
    return deliver(results(), entry);
  }
  std::vector<std::vector<std::string>> numbers() const {
    return published(results(),
                     "SELECT generator, task, shots, metric, value, n_generated, n_reference,"
                     " protocol FROM all_metrics ORDER BY generator, metric");
  }
  fs::path file_of(const EvaluationRecord& evaluation) const {
    return results() / "evaluations" / (evaluation_id(evaluation) + ".json");
  }
  std::string refusal(const std::string& id) const {
    try {
      read_evaluation(results(), id);
    } catch (const cluster::Error& error) {
      return error.what();
    }
    return "";
  }

  cluster::TemporaryFolder folder_;
};

const std::vector<std::vector<std::string>> kNumbers{
    {"MineGAN", "dtd", "5", "fid", "42.5", "100", "200", "clean-fid"},
    {"MineGAN", "dtd", "5", "kid", "-0.001", "100", "200", "clean-fid"}};

TEST_F(Evaluations, AreTakenInOnceAndReplacedWhenMeasuredAgain) {
  EvaluationRecord evaluation = some_evaluation();
  EXPECT_TRUE(hand_in(evaluation).taken.has_value());
  EXPECT_EQ(numbers(), kNumbers);
  evaluation.made = "2027-01-01T00:00:00.000Z";  // not a part of what it is
  hand_in(evaluation);
  EXPECT_EQ(numbers(), kNumbers);
  evaluation.generated_hash = std::string(64, '9');  // other images
  hand_in(evaluation);
  EXPECT_EQ(numbers().size(), 4U);
}

// Precision of another network than the distances: each number says of which.
TEST_F(Evaluations, MayHoldMetricsOfAnotherNetwork) {
  EvaluationRecord evaluation = some_evaluation();
  const std::string alone = evaluation_id(evaluation), other(64, '7');
  evaluation.metrics.push_back({"precision", 0.5, std::nullopt, 100, 200, "clean-fid", other});
  EXPECT_NE(evaluation_id(evaluation), alone);
  const std::string with_other = evaluation_id(evaluation);
  evaluation.metrics.back().network_hash = std::string(64, '8');
  EXPECT_NE(evaluation_id(evaluation), with_other);
  evaluation.metrics.back().network_hash = other;
  hand_in(evaluation);
  EXPECT_EQ(
      published(results(), "SELECT metric, network_hash FROM all_metrics ORDER BY metric"),
      (std::vector<std::vector<std::string>>{
          {"fid", std::string(64, '3')}, {"kid", std::string(64, '3')}, {"precision", other}}));
  evaluation.metrics.back().network_hash = "";
  EXPECT_THAT(refusal(write_evaluation(results(), evaluation)),
              HasSubstr("metric precision has no network_hash"));
}

TEST_F(Evaluations, WaitForTheHolderOfTheFolder) {
  {
    const Ledger ledger = Ledger::open(results(), 1);
    const auto lease = cluster::Lease::acquire(results(), {60, 0, 1});
    const Delivery delivery = hand_in(some_evaluation());
    EXPECT_FALSE(delivery.taken.has_value());
    EXPECT_TRUE(inbox_waits(results()));
  }
  std::string busy;
  BriefHold::try_take(results(), busy)->publish();
  EXPECT_EQ(numbers(), kNumbers);
}

// The ledger is lost, the folder is not.
TEST_F(Evaluations, AreFoundAgainByANewLedger) {
  hand_in(some_evaluation());
  for (const char* file : {"ledger.sqlite", "ledger.sqlite-wal", "results.sqlite"})
    fs::remove(results() / file);
  std::string busy;
  BriefHold::try_take(results(), busy)->publish();
  EXPECT_EQ(numbers(), kNumbers);
}

TEST_F(Evaluations, ThatWereChangedAreRefusedByName) {
  const EvaluationRecord evaluation = some_evaluation();
  const std::string id = write_evaluation(results(), evaluation);
  const auto change = [&](const char* key, const json& value) {
    json content = to_json(evaluation);
    if (value.is_null())
      content.erase(key);
    else
      content[key] = value;
    std::ofstream(file_of(evaluation)) << content.dump();
    return refusal(id);
  };
  EXPECT_THAT(change("protocol", "adm"), HasSubstr("metric fid is of another protocol"));
  EXPECT_THAT(change("task", "svhn"), HasSubstr("holds evaluation "));
  EXPECT_THAT(change("name", ""), HasSubstr("name is empty"));
  EXPECT_THAT(change("seed", nullptr), HasSubstr("seed"));
  EXPECT_THAT(change("metrics", json::array()), HasSubstr("1 to 100"));
  EXPECT_THAT(change("citation", std::string(5000, 'x')), HasSubstr("citation is above"));
  std::ofstream(file_of(evaluation)) << "{";
  EXPECT_THAT(refusal(id), HasSubstr(id + ".json"));
  // A holder that finds it goes on without it.
  std::string busy;
  BriefHold::try_take(results(), busy)->publish();
  EXPECT_TRUE(numbers().empty());
}

TEST(EvaluationEntries, HaveAnIdAndNoRuns) {
  const auto refused = [](const json& content) {
    try {
      inbox_entry_from_json(content);
      return std::string();
    } catch (const cluster::Error& error) {
      return std::string(error.what());
    }
  };
  InboxEntry entry;
  entry.kind = "evaluation";
  entry.evaluation = std::string(32, 'a');
  json content = to_json(entry);
  EXPECT_EQ(inbox_entry_from_json(content).evaluation, entry.evaluation);
  content["evaluation"] = "../x";
  EXPECT_THAT(refused(content), HasSubstr("32 hex digits"));
  content = to_json(entry);
  content["runs"] = {std::string(64, 'a')};
  EXPECT_THAT(refused(content), HasSubstr("do not belong to kind evaluation"));
}

}  // namespace
}  // namespace marquee::experiments
