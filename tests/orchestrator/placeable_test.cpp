#include "orchestrator/scheduling/placeable.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

std::string refusal(const experiments::RunConfig& run) {
  const SlotPool slots({{1, {"a", "NVIDIA H100", 80 * kGiB}},
                        {2, {"a", "NVIDIA H100", 80 * kGiB}},
                        {3, {"b", "NVIDIA A100", 40 * kGiB}}});
  try {
    check_placeable({experiments::RunConfig{}, run}, slots);
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    return error.what();
  }
  return "";
}

TEST(Placeable, NamesTheRunItsNeedAndWhatThereIs) {
  experiments::RunConfig run;
  run.task = "eurosat";
  run.shots = "5";
  run.method = "finetune";
  run.seed = 4;
  run.gang = 2;
  run.slot_kind = "h100";
  run.slot_memory = 80;
  EXPECT_EQ(refusal(run), "");
  run.slot_kind = "a100";
  const std::string text = refusal(run);
  for (const char* words : {"eurosat, 5 shots, finetune, seed 4", "2 slots of one kind", "'a100'",
                            "80 GiB of memory", "1 x NVIDIA A100 (40 GiB)"})
    EXPECT_NE(text.find(words), std::string::npos) << words << " in " << text;
  run.slot_kind = "";
  run.slot_memory = 0;
  run.gang = 4;
  EXPECT_NE(refusal(run).find("4 slots of one kind (gang)"), std::string::npos);
}

}  // namespace
}  // namespace marquee::orchestrator
