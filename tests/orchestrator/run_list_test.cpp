#include "orchestrator/sweep/run_list.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

experiments::RunConfig a_run() {
  experiments::RunConfig run;
  run.task = "eurosat";
  run.shots = "5";
  run.method = "prompt";
  run.data_hash = std::string(64, 'd');
  run.checkpoint_interval = 7;
  return run;
}

class RunListTest : public testing::Test {
 protected:
  // What reading a file of this content says; "" where it is read.
  std::string refusal(const std::string& text) {
    cluster::write_file_durably(file_, text);
    try {
      read_run_list(file_);
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::environment) << error.what();
      EXPECT_NE(std::string(error.what()).find("list.json"), std::string::npos) << error.what();
      return error.what();
    }
    return "";
  }

  cluster::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "list.json";
};

TEST_F(RunListTest, KeepsEveryKeyOfItsRuns) {
  write_run_list(file_, {{a_run()}});
  const RunList list = read_run_list(file_);
  EXPECT_EQ(list.runs, std::vector<experiments::RunConfig>{a_run()});
  EXPECT_FALSE(list.derived());
}

TEST_F(RunListTest, KeepsWhatDerivedRunsComeFrom) {
  const RunList list{{a_run()},
                     {{std::string(64, 'a'), std::string(64, 'b')}},
                     {"slot_kind=$(reboot) 'x' \"y\"", "steps=3"}};
  write_run_list(file_, list);
  const RunList read = read_run_list(file_);
  EXPECT_TRUE(read.derived());
  EXPECT_EQ(read.runs, list.runs);
  EXPECT_EQ(read.from, list.from);
  EXPECT_EQ(read.set, list.set);
}

TEST_F(RunListTest, NamesAFileThatIsNone) {
  for (const char* text : {"", "[]", "{}", "{\"runs\": 3}", "{\"runs\": []}",
                           "{\"runs\": [{\"task\": 1}]}", "{\"runs\": [3]}", "\xff"}) {
    EXPECT_NE(refusal(text), "") << text;
  }
}

// Whatever is wrong is told by name, and nothing of it reaches a terminal as it is.
TEST_F(RunListTest, RefusesHostileContent) {
  const std::string id(64, 'a');
  const json run = experiments::to_json(a_run());
  const json good{
      {"runs", {run}}, {"from", json::array({json::array({id})})}, {"set", {"steps=3"}}};
  ASSERT_EQ(refusal(good.dump()), "");
  const auto expect = [&](const std::string& key, const json& value, const std::string& words) {
    json content = good;
    content[key] = value;
    EXPECT_NE(refusal(content.dump()).find(words), std::string::npos)
        << key << " " << value.dump().substr(0, 100) << ": " << refusal(content.dump());
  };
  const auto array = [](const json& value) { return json::array({value}); };
  json other = run, unknown = run;
  other["steps"] = -3;
  unknown["\x1b[2J"] = 1;
  expect("runs", array(other), "'steps' is");
  expect("runs", array(unknown), "unknown run key '\\x1b[2J'");
  expect("runs", {run, run}, "stands there twice");
  expect("mode", "x", "unknown key 'mode'");
  expect("from", id, "'from' must be an array");
  expect("from", array(id), "'from' must be an array");
  expect("from", array(json::array()), "'from' has 0 entries");
  expect("from", json::array({json::array({id}), json::array({id})}), "expected 1 as 'runs' has");
  for (const json& no_id : {json("../../etc"), json(std::string(64, 'g')), json(3), json()})
    expect("from", array(array(no_id)), "no run id");
  expect("set", array(3), "'set' must hold texts");
  expect("set", json::array(), "'set' has 0 entries");
  expect("set", json(std::vector<std::string>(101, "steps=3")), "'set' has 101 entries");
  expect("set", array(std::string(5000, 'x')), "longer than");
  json half = good;
  half.erase("set");
  EXPECT_NE(refusal(half.dump()).find("'from' and 'set' together"), std::string::npos);
  json many = good;
  many["from"] = array(json(std::vector<std::string>(200'001, id)));
  EXPECT_NE(refusal(many.dump()).find("200001"), std::string::npos);
}

}  // namespace
}  // namespace marquee::orchestrator
