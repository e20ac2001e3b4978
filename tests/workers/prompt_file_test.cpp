// Prompts as files: what goes out comes in, on the same base alone.
#include "workers/runs/prompt_file.h"

#include <fstream>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "datasets/task.h"
#include "experiments/run_folder.h"
#include "experiments/run_size.h"
#include "tests/workers/quiet_progress.h"
#include "tests/workers/tiny_base.h"
#include "workers/runs/generator.h"
#include "workers/runs/result_file.h"
#include "workers/runs/run_executor.h"
#include "workers/runs/sampling.h"
#include "workers/safetensors.h"

namespace marquee::workers {
namespace {

class PromptFileTest : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    base_ = install_tiny_base(assets());
    run_ = tiny_run(base_);
    run_.conditions = "both";
  }
  std::filesystem::path assets() const { return folder_.path() / "assets"; }
  std::filesystem::path file() const { return folder_.path() / "prompt.safetensors"; }

  // Executes the run and writes its prompt file. Returns the run's folder.
  std::filesystem::path run_and_export() {
    const std::filesystem::path results = folder_.path() / "results";
    QuietProgress quiet;
    LocalCommunicator alone;
    RunExecutor(1).execute({run_, 1, 1, results, {}, assets()}, alone, quiet);
    const auto run_folder = experiments::run_dir(results, experiments::run_id(run_));
    const StoredResult stored = read_result(result_file_of(run_folder));
    PromptFile prompt;
    prompt.run = stored.run;
    prompt.classes = experiments::num_classes(run_);
    prompt.trained = stored.trained;
    if (experiments::knows_instances(run_)) prompt.instance_labels = stored.training_labels;
    prompt.metrics = experiments::read_attempt(run_folder / "attempt-1").result->metrics;
    write_prompt_file(file(), prompt);
    return run_folder;
  }
  std::string refusal() const {
    try {
      Generator::of_prompt(file(), assets());
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
      return error.what();
    }
    return "accepted";
  }

  TemporaryFolder folder_;
  BaseModel base_;
  experiments::RunConfig run_;
};

TEST_F(PromptFileTest, GivesTheImagesOfTheRun) {
  for (const char* method : {"prompt", "linear_class", "lora"}) {
    run_.method = method;
    const auto run_folder = run_and_export();
    const Generator of_run = Generator::of_run(run_folder, assets()),
                    of_prompt = Generator::of_prompt(file(), assets());
    const auto tokens = [](const Generator& generator) {
      const auto adapter = generator.adapter();
      return sample_image_tokens(generator.run, *adapter,
                                 subjects_of_image(generator.run, 5, generator.task), 5);
    };
    EXPECT_TRUE(torch::equal(tokens(of_run), tokens(of_prompt))) << method;
    EXPECT_EQ(of_prompt.run, of_run.run);
  }
}

TEST_F(PromptFileTest, HasACardThatNamesNoHostNorFolder) {
  run_and_export();
  const nlohmann::json card = read_prompt_card(file());
  EXPECT_EQ(card.at("base").at("hash"), base_.base_hash);
  EXPECT_EQ(card.at("task"), run_.task);
  EXPECT_EQ(card.at("classes"), 16);
  EXPECT_EQ(card.at("method"), "prompt");
  EXPECT_EQ(card.at("run_id"), experiments::run_id(run_).text());
  EXPECT_EQ(card.at("trained_numbers"),
            experiments::prompt_numbers(run_, 16, 16, 16));  // one shot: 16 instances
  EXPECT_EQ(card.at("metrics").size(), 8u);
  EXPECT_EQ(card.dump().find(cluster::host_name()), std::string::npos);
  EXPECT_EQ(card.dump().find(folder_.path().string()), std::string::npos);
}

TEST_F(PromptFileTest, IsRefusedOnAnotherBase) {
  run_and_export();
  BaseModel other = tiny_base();
  for (auto& [name, tensor] : other.transformer.weights) tensor = tensor + 0.125;
  std::filesystem::remove_all(assets());
  install(other, assets());
  const std::string reason = refusal();
  EXPECT_NE(reason.find(base_.base_hash.substr(0, 12)), std::string::npos) << reason;
  EXPECT_NE(reason.find(file().string()), std::string::npos) << reason;
}

TEST_F(PromptFileTest, RefusesWhatIsNoPromptFile) {
  run_and_export();
  const std::string good = cluster::read_file(file(), 1 << 20);
  const auto with = [&](const std::string& bytes) {
    std::filesystem::remove(file());
    std::ofstream(file(), std::ios::binary) << bytes;
    return refusal();
  };
  EXPECT_NE(with(good.substr(0, good.size() - 4)).find(file().string()), std::string::npos);
  EXPECT_NE(with("").find(file().string()), std::string::npos);
  EXPECT_EQ(with(good), "accepted");
  write_safetensors(file(), {{"prompt", torch::zeros({3})}});
  EXPECT_NE(refusal().find("no card"), std::string::npos);
  write_safetensors(file(), {{"prompt", torch::zeros({3})}}, {{"card", "{\"format\": 3"}});
  EXPECT_NE(refusal().find("damaged"), std::string::npos);
}

TEST_F(PromptFileTest, RefusesTensorsThatItsRunDoesNotHave) {
  run_and_export();
  PromptFile prompt = read_prompt_file(file());
  // Sizes that would take gigabytes are refused before anything is made in them.
  PromptFile huge = prompt;
  huge.run.prompt_kind = "free";
  huge.run.prompt_length = 4096;
  write_prompt_file(file(), huge);
  EXPECT_NE(refusal().find("trained numbers"), std::string::npos);
  PromptFile renamed = prompt;
  auto node = renamed.trained.extract("prompt_embeddings_ln/bias");
  node.key() = "prompt_embeddings_ln/offset";
  renamed.trained.insert(std::move(node));
  write_prompt_file(file(), renamed);
  const Generator generator = Generator::of_prompt(file(), assets());
  EXPECT_THROW(generator.adapter(), cluster::Error);
  PromptFile unlabelled = prompt;
  unlabelled.instance_labels = Tensor();
  write_prompt_file(file(), unlabelled);
  EXPECT_NE(refusal().find("training/labels"), std::string::npos);
  PromptFile outside = prompt;
  outside.instance_labels = prompt.instance_labels + 1;
  write_prompt_file(file(), outside);
  EXPECT_NE(refusal().find("training/labels"), std::string::npos);
}

TEST_F(PromptFileTest, AWholeTransformerIsNoPrompt) {
  PromptFile prompt;
  prompt.run = tiny_run(base_, "finetune");
  EXPECT_THROW(write_prompt_file(file(), prompt), cluster::Error);
}

TEST_F(PromptFileTest, EveryMethodTrainsTheNumbersThatAPlanCounts) {
  const auto manifest = experiments::load_base_manifest(assets(), "tiny");
  for (const char* method : {"prompt", "linear_class", "lora", "finetune", "scratch", "none"}) {
    for (const char* kind : {"additive", "factorised", "free"}) {
      for (const char* conditions : {"class", "instance", "both", "none"}) {
        experiments::RunConfig run = tiny_run(base_, method);
        run.prompt_kind = kind;
        run.factors = 3;
        run.conditions = conditions;
        run.hidden_mapping = std::string(kind) != "free";
        const std::int64_t images = 16;
        const auto adapter = make_adapter(run, base_, 16, images);
        EXPECT_EQ(count_parameters(adapter->trained()),
                  experiments::size_of_run(run, manifest, {images, 0}).trained_numbers)
            << method << " " << kind << " " << conditions;
      }
    }
  }
}

}  // namespace
}  // namespace marquee::workers
