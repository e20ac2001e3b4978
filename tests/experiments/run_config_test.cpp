#include "experiments/run_config.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "experiments/sweep_file.h"
#include "experiments/waypoints.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::experiments {
namespace {

RunConfig eurosat_prompt() {
  RunConfig run;
  run.task = "eurosat";
  run.shots = "5";
  run.method = "prompt";
  run.seed = 1;
  run.learning_rate = 0.01;
  run.base_hash = std::string(64, 'a');
  run.network_hash = std::string(64, 'b');
  run.data_hash = std::string(64, 'c');
  return run;
}

std::string usage_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage) << error.what();
    return error.what();
  }
  return "";
}

TEST(RunId, IsTheOneOfItsFirstDay) {
  // Pinned: when one of these changes, every stored result has lost its name.
  EXPECT_EQ(canonical_form(eurosat_prompt()),
            "{\"base_hash\":\"" + std::string(64, 'a') + "\",\"data_hash\":\"" +
                std::string(64, 'c') +
                "\",\"learning_rate\":0.01,\"method\":\"prompt\",\"network_hash\":\"" +
                std::string(64, 'b') + "\",\"seed\":1,\"shots\":\"5\",\"task\":\"eurosat\"}");
  EXPECT_EQ(run_id(eurosat_prompt()).text(),
            "5482bac5ccd88fdeec34bb23b5e2ec8117dda35aa0bd39354374a4b987d0b996");
  RunConfig none = eurosat_prompt();
  none.method = "none";
  none.samples = 256;
  EXPECT_EQ(run_id(none).text(),
            "5fae7c7183c07eea9e29a711b7d4072f9c2d8664e698f2f3b7ec8095e76adad3");
}

// Worked out from the rule in docs/sweeps.md by another program (Python's json and hashlib).
TEST(RunId, OfEachMethodIsPinned) {
  const std::map<std::string, std::string> pinned{
      {"prompt", "5482bac5ccd88fdeec34bb23b5e2ec8117dda35aa0bd39354374a4b987d0b996"},
      {"finetune", "ae68be921adac0c252c266f6945584c5bd8c0aac60f290952cdcf1514fff951a"},
      {"scratch", "153e4705e02db432108789d6173164af404fb40e84fba7fc9e9ce84f087f7bfb"},
      {"lora", "796c7c2b8c50cf8adf0fb8e4d8edd11f7ba7436533061df09e46a97d746fb230"},
      {"linear_class", "c4e75973c2bb9bc80fba7ad2a6c14b57cded164824a7ce74b52e9743ac321464"},
      {"none", "c5b29b745ea160f1a52ecf99e3b52a34a8b9e17927b118517b44d7de7551979a"},
      {"oracle_real", "48769469366eaadd74e3a46427a3fa1a8ca7fd559d977d47bf231100b344a46a"},
      {"oracle_reconstruction",
       "7f3263c8c297407974cb04f72874147db2b3b89f23055cb1b1d7414ee0230318"}};
  EXPECT_EQ(pinned.size(), method_names().size());
  for (const auto& [method, id] : pinned) {
    RunConfig run = eurosat_prompt();
    run.method = method;
    EXPECT_EQ(run_id(run).text(), id) << method << " " << canonical_form(run);
  }
}

TEST(RunId, CountsHowTheDataAreRead) {
  const std::string usual = run_id(eurosat_prompt()).text();
  for (const auto& [key, value] : std::map<std::string, nlohmann::json>{
           {"decode", "tensorflow"}, {"on_bad_record", "skip"}, {"crops", 4}}) {
    RunConfig run = eurosat_prompt();
    set_value(run, key, value);
    check_run(run);
    EXPECT_NE(run_id(run).text(), usual) << key;
  }
  RunConfig own = eurosat_prompt();
  own.num_classes = 7;  // the data hash says it already
  EXPECT_EQ(run_id(own).text(), usual);
  for (const auto& [key, value] : std::map<std::string, nlohmann::json>{
           {"decode", "fast"}, {"on_bad_record", "ignore"}, {"crops", 0}, {"crops", 257}}) {
    RunConfig run = eurosat_prompt();
    set_value(run, key, value);
    EXPECT_THROW(check_run(run), cluster::Error) << key;
  }
}

TEST(RunId, WithEveryKeyOffItsDefaultIsPinned) {
  const nlohmann::json every = nlohmann::json::parse(
      R"({"batch":64,"choice_temperature":3.25,"compute":"bf16","conditions":"both","crops":4,"decode":"tensorflow","decode_batch":10,
          "decode_steps":12,"dropout":0.25,"early_stopping":25,"factors":4,"flip":false,"hidden_mapping":true,"instance_dropout":0.25,
          "label_smoothing":0.2,"learning_rate":0.0003,"marquee":"instances","marquee_schedule":"step","marquee_space":"embedding",
          "marquee_waypoints":3,"mask_schedule":"pow2.5","masking":"per_sample",
          "method":"prompt","micro_batches":4,"on_bad_record":"skip","numerics_version":2,"patience":7,"profile":"p2",
          "prompt_kind":"factorised","prompt_length":16,"protocol":"q2","reference":"val200","sample_instances":"none","samples":50,
          "seed":9007199254740993,"shots":"vtab1k","steps":1000,"task":"svhn","threads":2,
          "weight_decay":0.045})");
  RunConfig run = run_config_from_json(every);
  run.base_hash = std::string(64, 'a');
  run.network_hash = std::string(64, 'b');
  run.data_hash = std::string(64, 'c');
  run.base = "another folder";
  run.checkpoint_interval = 1;
  EXPECT_EQ(run_id(run).text(), "2d4ecc0c73f0c88c3c13e203720668cb6d19e21d0c1cfe70a8407423e2d9f250");
  // A key that is added must be added here, or below, too: it counts only off its default.
  EXPECT_EQ(every.size() + 17, to_json(run).size());
  // The same on an autoregressive base, whose keys stand in the place of the masked ones.
  run.family = "autoregressive";
  run.temperature = 0.5;
  run.top_k = 100;
  run.top_p = 0.75;
  EXPECT_EQ(run_id(run).text(), "2e31ac9622a26e4954e139c609afc13c6b370494cc4d981782f12c70c5179f5a");
}

TEST(RunId, DoesNotSeeKeysThatTheFamilyDoesNotRead) {
  const auto ids_differ = [](const char* family, const char* key, const nlohmann::json& value) {
    RunConfig run = eurosat_prompt();
    run.family = family;
    RunConfig other = run;
    set_value(other, key, value);
    return run_id(run) != run_id(other);
  };
  for (const auto& [key, value] :
       std::map<std::string, nlohmann::json>{{"decode_steps", 3},
                                             {"choice_temperature", 1.0},
                                             {"mask_schedule", "log"},
                                             {"masking", "per_sample"}}) {
    EXPECT_TRUE(ids_differ("masked", key.c_str(), value)) << key;
    EXPECT_FALSE(ids_differ("autoregressive", key.c_str(), value)) << key;
  }
  for (const auto& [key, value] :
       std::map<std::string, nlohmann::json>{{"temperature", 0.5}, {"top_k", 3}, {"top_p", 0.5}}) {
    EXPECT_FALSE(ids_differ("masked", key.c_str(), value)) << key;
    EXPECT_TRUE(ids_differ("autoregressive", key.c_str(), value)) << key;
  }
}

TEST(RunId, OfAConfigurationFromBeforeAKeyIsTheOneWithTheKeyAtItsDefault) {
  const nlohmann::json defaults = to_json(RunConfig{});
  for (const std::string& method : method_names()) {
    RunConfig run = eurosat_prompt();
    run.method = method;
    const nlohmann::json full = to_json(run);
    for (const auto& [key, value] : full.items()) {
      if (value != defaults.at(key)) continue;
      nlohmann::json older = full;
      older.erase(key);
      EXPECT_EQ(run_id(run_config_from_json(older)), run_id(run)) << key << " of " << method;
    }
  }
}

TEST(RunId, DoesNotSeeWhatChangesNoNumber) {
  RunConfig other = eurosat_prompt();
  other.checkpoint_interval = 7;
  EXPECT_EQ(run_id(other), run_id(eurosat_prompt()));
}

TEST(RunId, DoesNotSeeKeysThatTheMethodDoesNotRead) {
  RunConfig finetune = eurosat_prompt();
  finetune.method = "finetune";
  RunConfig other = finetune;
  other.prompt_length = 64;
  EXPECT_EQ(run_id(finetune), run_id(other));
  RunConfig none = eurosat_prompt();
  none.method = "none";
  other = none;
  other.steps = 9999;
  other.learning_rate = 0.5;
  EXPECT_EQ(run_id(none), run_id(other));
  other.decode_steps = 3;
  EXPECT_NE(run_id(none), run_id(other));
}

TEST(RunId, SeesEveryKeyThatTheMethodReads) {
  RunConfig run = eurosat_prompt();
  run.prompt_kind = "factorised";
  run.factors = 2;
  run.conditions = "both";
  run.marquee = "instances";
  run.early_stopping = 10;
  const nlohmann::json content = to_json(run);
  for (const auto& [key, value] : content.items()) {
    // base, family and num_classes count by hashes, epochs by steps; the keys of the other family
    // and of other methods do not.
    const std::set<std::string> others{
        "checkpoint_interval",   "gang",  "priority",    "slot_kind", "slot_memory",
        "recompute_activations", "base",  "num_classes", "family",    "epochs",
        "temperature",           "top_k", "top_p",       "lora_rank"};
    if (others.contains(key)) continue;
    nlohmann::json changed = content;
    if (value.is_string()) {
      changed[key] = value.get<std::string>() + "x";
    } else if (value.is_boolean()) {
      changed[key] = !value.get<bool>();
    } else if (value.is_number_float()) {
      changed[key] = value.get<double>() + 0.125;
    } else {
      changed[key] = value.get<int>() + 1;
    }
    EXPECT_NE(run_id(run_config_from_json(changed)), run_id(run)) << key;
  }
}

TEST(RunId, DoesNotSeeWhatThePromptDoesNotUse) {
  for (const auto& [key, value] :
       std::map<std::string, nlohmann::json>{{"factors", 4},
                                             {"instance_dropout", 0.5},
                                             {"sample_instances", "none"},
                                             {"marquee_waypoints", 5},
                                             {"marquee_space", "embedding"},
                                             {"patience", 9},
                                             {"epochs", 3},
                                             {"lora_rank", 2}}) {
    RunConfig run = eurosat_prompt();
    set_value(run, key, value);
    EXPECT_EQ(run_id(run), run_id(eurosat_prompt())) << key;
  }
  RunConfig lora = eurosat_prompt(), other = lora;
  lora.method = other.method = "lora";
  other.lora_rank = 2;
  EXPECT_NE(run_id(lora), run_id(other));
}

TEST(RunId, IsSixtyFourHexDigitsAndNothingElse) {
  EXPECT_NO_THROW(RunId(std::string(64, '0')));
  for (const std::string& text : {std::string(63, '0'), std::string(64, 'g'), std::string("../x")})
    EXPECT_THROW(RunId{text}, cluster::Error) << text;
}

TEST(RunConfig, GoesThroughJsonAndYaml) {
  const RunConfig run = eurosat_prompt();
  EXPECT_EQ(run_config_from_json(to_json(run)), run);
  const cluster::TemporaryFolder folder;
  cluster::write_file_durably(folder.path() / "run.yaml", to_yaml(run));
  EXPECT_EQ(load_run(folder.path() / "run.yaml"), run);
}

TEST(RunConfig, NamesAnUnknownKeyAndTheNearest) {
  nlohmann::json content = to_json(eurosat_prompt());
  content["learning_rat"] = 1;
  const std::string error = usage_error([&] { run_config_from_json(content); });
  EXPECT_NE(error.find("'learning_rat'"), std::string::npos);
  EXPECT_NE(error.find("'learning_rate'"), std::string::npos);
}

TEST(RunConfig, RefusesValuesOfTheWrongType) {
  for (const auto& [key, value] : std::map<std::string, nlohmann::json>{{"steps", "many"},
                                                                        {"steps", 1.5},
                                                                        {"seed", -1},
                                                                        {"flip", 1},
                                                                        {"task", 3},
                                                                        {"samples", 1e20}}) {
    nlohmann::json content = to_json(eurosat_prompt());
    content[key] = value;
    EXPECT_NE(usage_error([&] { run_config_from_json(content); }).find(key), std::string::npos)
        << key;
  }
}

TEST(CheckRun, NamesWhatCannotBe) {
  const auto refusal = [](auto change) {
    RunConfig run = eurosat_prompt();
    change(run);
    return usage_error([&] { check_run(run); });
  };
  EXPECT_EQ(refusal([](RunConfig&) {}), "");
  EXPECT_NE(refusal([](RunConfig& run) { run.method = "promt"; }).find("'prompt'"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.micro_batches = 3; }).find("micro_batches"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.steps = 0; }).find("steps"), std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.seed = std::uint64_t{1} << 63; }).find("'seed'"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.priority = 1001; }).find("'priority'"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.slot_memory = -1; }).find("'slot_memory'"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.slot_kind = "H100\n"; }).find("'slot_kind'"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.learning_rate = NAN; }).find("learning_rate"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.shots = "5.5"; }).find("5.5"), std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.prompt_kind = "factorised"; }).find("factors"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.prompt_kind = "factorized"; }).find("'factorised'"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.conditions = "instances"; }).find("'instance'"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.marquee = "instances"; }).find("knows no instances"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) {
              run.conditions = "instance";
              run.marquee = "classes:0,1";
            }).find("knows no classes"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) {
              run.shots = "vtab1k";
              run.early_stopping = 10;
            }).find("val200"),
            std::string::npos);
  EXPECT_NE(refusal([](RunConfig& run) { run.task = "caltech101"; }).find("caltech101"),
            std::string::npos);
}

TEST(Waypoints, AreDrawnOrListed) {
  EXPECT_EQ(parse_waypoints("none").source, WaypointSource::none);
  EXPECT_EQ(parse_waypoints("instances").source, WaypointSource::instances);
  EXPECT_TRUE(parse_waypoints("classes").list.empty());
  const WaypointRule listed = parse_waypoints("classes:3,0,42");
  EXPECT_EQ(listed.source, WaypointSource::classes);
  EXPECT_EQ(listed.list, (std::vector<int>{3, 0, 42}));
  std::string many = "instances:0";
  for (int i = 0; i < kMaxWaypoints; ++i) many += ",1";
  for (const std::string& text :
       {std::string(), std::string("class"), std::string("classes:"), std::string("classes:1"),
        std::string("classes:1,"), std::string("classes:1,,2"), std::string("classes:1,-2"),
        std::string("classes:1,2x"), std::string("instances:1,99999999999"), many})
    EXPECT_NE(usage_error([&] { parse_waypoints(text); }).find("'marquee'"), std::string::npos)
        << text;
}

TEST(RunConfig, ShortJsonHoldsWhatIsNotTheDefault) {
  EXPECT_EQ(to_short_json(RunConfig{}), nlohmann::json::object());
  RunConfig run;
  run.task = "dtd";
  run.learning_rate = 0.25;
  run.flip = false;
  run.seed = UINT64_MAX;
  EXPECT_EQ(to_short_json(run).size(), 4U);
  EXPECT_EQ(run_config_from_json(to_short_json(run)), run);
}

}  // namespace
}  // namespace marquee::experiments
