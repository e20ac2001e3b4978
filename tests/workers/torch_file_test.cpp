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

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all.append(part);
  return all;
}
std::string repeated(const std::string& text, std::size_t times) {
  return joined(std::vector<std::string>(times, text));
}

// Dictionaries of two keys, each holding the one before it twice.
std::string doubled(const std::string& a, const std::string& b, int levels) {
  const auto entry = [](const std::string& key) {
    const std::string size{static_cast<char>(key.size() & 0xff), static_cast<char>(key.size() >> 8),
                           '\0', '\0'};
    return joined({"X", size, key, bytes("h\x00s")});
  };
  std::string pickle = bytes("\x80\x02Nq\x00");
  for (int level = 0; level < levels; ++level)
    pickle.append(joined({"0}", entry(a), entry(b), bytes("q\x00")}));
  pickle.push_back('.');
  return pickle;
}

// Files of some kilobytes that would take gigabytes, as they refer to one thing again and again.
TEST_F(TorchFile, WhatWouldOutgrowTheFileIsRefused) {
  // One list of 3,000 pairs, made an OrderedDict of 3,000 times.
  const std::string copies =
      joined({bytes("\x80\x02N2\x86q\x00"), "0ccollections\nOrderedDict\nq", bytes("\x01"), "0(",
              repeated(bytes("h\x00"), 3000), bytes("lq\x02"), "0]",
              repeated(bytes("h\x01h\x02\x85Ra"), 3000), "."});
  EXPECT_THAT(refusal_of([&] { zip(kTensors, copies); }), HasSubstr("copies more than 2 million"));
  const std::string key =
      joined({bytes("\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\0\x10\0\0"),
              std::string(4096, 'k'), bytes("X\x03\0\0\0cpuK\x01tQ.")});
  EXPECT_THAT(refusal_of([&] { zip(kTensors, key); }), HasSubstr("names a storage by more than"));
  EXPECT_THAT(refusal_of([&] { zip(kTensors, doubled("a", "b", 20)); }),
              HasSubstr("more than 100,000 values beside its tensors"));
  const std::string long_a(600, 'a'), long_b(600, 'b');
  EXPECT_THAT(refusal_of([&] { zip(kTensors, doubled(long_a, long_b, 20)); }),
              HasSubstr("a name above 1,024 bytes"));
}

}  // namespace
}  // namespace marquee::workers
