// Files of torch.save: what they hold, and that nothing in them runs or reaches beyond the file.
#include "workers/weight_files/torch_file.h"

#include <gmock/gmock.h>

#include "cluster/durable_file.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/fixtures/torch_save.h"
#include "tests/workers/refusal.h"
#include "workers/mapped_tensor.h"
#include "workers/weight_files/pickle.h"

namespace marquee::workers {
namespace {

using fixtures::SavedTensors;
using testing::AllOf;
using testing::HasSubstr;

const SavedTensors kTensors{{"conv.weight", {{2, 3}, {1, 2, 3, 4, 5, 6}}}, {"fc.bias", {{1}, {7}}}};

// Of a literal with zeros inside.
template <std::size_t kSize>
std::string bytes(const char (&text)[kSize]) {
  return {text, kSize - 1};
}

class TorchFile : public testing::Test {
 protected:
  WeightFile legacy(const std::string& content) {
    path_ = folder_.path() / "weights.pth";
    cluster::write_file_durably(path_, content);
    return open_weight_file(path_);
  }
  WeightFile zip(const SavedTensors& tensors, const std::string& pickle = "") {
    path_ = folder_.path() / "weights.pt";
    fixtures::write_torch_zip(path_, tensors, pickle);
    return open_weight_file(path_);
  }
  static void expect_tensors(const WeightFile& file) {
    ASSERT_EQ(file.tensors.size(), 2U);
    const StoredTensor& weight = file.tensor("conv.weight");
    EXPECT_EQ(weight.shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_TRUE(torch::equal(mapped_tensor(weight, file.memory()),
                             torch::tensor({{1.F, 2.F, 3.F}, {4.F, 5.F, 6.F}})));
    EXPECT_TRUE(
        torch::equal(mapped_tensor(file.tensor("fc.bias"), file.memory()), torch::tensor({7.F})));
  }

  cluster::TemporaryFolder folder_;
  std::filesystem::path path_;
};

TEST_F(TorchFile, OfBothFormsHoldTheirTensors) {
  const WeightFile old = legacy(fixtures::legacy_torch_file(kTensors));
  EXPECT_EQ(old.format, "torch.save (pickles)");
  expect_tensors(old);
  const WeightFile recent = zip(kTensors);
  EXPECT_EQ(recent.format, "torch.save (zip)");
  expect_tensors(recent);
}

TEST_F(TorchFile, TensorsOutliveTheFileObject) {
  Tensor weight;
  {
    const WeightFile file = zip(kTensors);
    weight = mapped_tensor(file.tensor("fc.bias"), file.memory());
  }
  EXPECT_EQ(weight[0].item<float>(), 7);
}

// What a pickle that runs something looks like: refused by the name it asks for.
TEST_F(TorchFile, NothingRuns) {
  const std::string attack = bytes(
      "\x80\x02"
      "cposix\nsystem\n(X\x02\0\0\0idtR.");
  EXPECT_THAT(refusal_of([&] { zip(kTensors, attack); }),
              AllOf(HasSubstr("weights.pt"), HasSubstr("posix.system"),
                    HasSubstr("only tensors, numbers, texts, lists and dictionaries")));
  const std::string known = bytes(
      "\x80\x02"
      "ccollections\nOrderedDict\nctorch\nFloatStorage\nR.");
  EXPECT_THAT(refusal_of([&] { zip(kTensors, known); }), HasSubstr("calls what is no function"));
}

TEST_F(TorchFile, EveryCutIsFound) {
  const std::string whole = fixtures::legacy_torch_file(kTensors);
  for (std::size_t size = 4; size < whole.size(); ++size)
    EXPECT_THAT(refusal_of([&] { legacy(whole.substr(0, size)); }), HasSubstr("weights.pth"))
        << size;
  EXPECT_THAT(refusal_of([&] { legacy(whole + "x"); }), HasSubstr("1 bytes behind its end"));
}

TEST_F(TorchFile, TensorsBeyondTheirStorageAreFound) {
  SavedTensors tensors = kTensors;
  tensors["conv.weight"].shape = {2, 4};
  EXPECT_THAT(refusal_of([&] { zip(tensors); }),
              AllOf(HasSubstr("'conv.weight'"), HasSubstr("beyond its storage")));
  tensors["conv.weight"].shape = {-1};
  EXPECT_THAT(refusal_of([&] { zip(tensors); }), HasSubstr("a shape that is none"));
}

TEST_F(TorchFile, OfOtherThingsAreRefused) {
  EXPECT_THAT(refusal_of([&] { zip(kTensors, bytes("\x80\x02K\x01.")).tensor("a"); }),
              HasSubstr("missing"));
  EXPECT_THAT(refusal_of([&] { zip(kTensors, bytes("\x80\x02(.")); }), HasSubstr("weights.pt"));
  EXPECT_THAT(refusal_of([&] { zip(kTensors, bytes("\x80\x02h\x05.")); }),
              HasSubstr("recalls a value that is not there"));
}

// A dictionary that holds itself ends.
TEST_F(TorchFile, CirclesEnd) {
  const std::string circle = bytes("\x80\x02}q\x00X\x01\0\0\0ah\x00s.");
  EXPECT_THAT(refusal_of([&] { zip(kTensors, circle); }), HasSubstr("nested more than 32 deep"));
}

}  // namespace
}  // namespace marquee::workers
