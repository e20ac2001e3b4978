// Weights on disk: safetensors and the base's folder.
#include <fstream>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/workers/tiny_base.h"
#include "workers/safetensors.h"

namespace marquee::workers {
namespace {

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment) << error.what();
    return error.what();
  }
  return "";
}

void write_text(const std::filesystem::path& file, const std::string& header,
                const std::string& data, std::uint64_t claimed_header) {
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&claimed_header), sizeof claimed_header);
  out << header << data;
}

class Safetensors : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "x.safetensors"; }
  std::string refusal(const std::string& header, const std::string& data,
                      std::optional<std::uint64_t> claimed = {}) const {
    write_text(file(), header, data, claimed.value_or(header.size()));
    return error_of([&] { read_safetensors(file()); });
  }
  TemporaryFolder folder_;
};

TEST_F(Safetensors, KeepsTypesShapesAndBits) {
  const ParameterMap tensors{{"a/half", torch::randn({3, 4}).to(torch::kFloat16)},
                             {"b/single", torch::randn({2})},
                             {"c/whole", torch::arange(6, torch::kInt64).view({1, 2, 3})},
                             {"d/scalar", torch::full({}, 2.5)},
                             {"e/bytes", torch::arange(5, torch::kUInt8)}};
  write_safetensors(file(), tensors);
  const ParameterMap read = read_safetensors(file());
  EXPECT_TRUE(same_bits(tensors, read));
  for (const auto& [name, tensor] : tensors)
    EXPECT_EQ(tensor.scalar_type(), read.at(name).scalar_type()) << name;
}

TEST_F(Safetensors, RefusesAHeaderLongerThanTheFile) {
  EXPECT_NE(refusal("{}", "", std::uint64_t{1} << 60).find("x.safetensors"), std::string::npos);
}

TEST_F(Safetensors, RefusesOffsetsBehindTheEnd) {
  const std::string error =
      refusal(R"({"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "short");
  EXPECT_NE(error.find("w"), std::string::npos);
}

TEST_F(Safetensors, RefusesAShapeThatDoesNotFitItsBytes) {
  EXPECT_NE(
      refusal(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}})", std::string(16, 'x')),
      "");
}

TEST_F(Safetensors, RefusesAShapeWhoseProductOverflows) {
  EXPECT_NE(
      refusal(
          R"({"w":{"dtype":"U8","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}})",
          ""),
      "");
}

TEST_F(Safetensors, RefusesNegativeSizesAndUnknownTypes) {
  EXPECT_NE(refusal(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "abcd"), "");
  EXPECT_NE(refusal(R"({"w":{"dtype":"F13","shape":[1],"data_offsets":[0,4]}})", "abcd"), "");
}

TEST_F(Safetensors, RefusesAHeaderThatIsNoJson) {
  EXPECT_NE(refusal("not json", ""), "");
}

TEST(BaseModel, ComesBackAsItWasSavedRoundedToHalf) {
  const TemporaryFolder folder;
  const BaseModel read = install_tiny_base(folder.path());
  const BaseModel made = tiny_base();
  EXPECT_EQ(read.tokenizer.config(), made.tokenizer.config());
  EXPECT_EQ(read.transformer.config, made.transformer.config);
  EXPECT_EQ(read.feature_config, made.feature_config);
  EXPECT_EQ(read.version, made.version);
  EXPECT_TRUE(
      same_bits(read.transformer.weights,
                converted(converted(made.transformer.weights, torch::kFloat16), torch::kFloat32)));
}

TEST(BaseModel, NamesTheDamagedFile) {
  const TemporaryFolder folder;
  install_tiny_base(folder.path());
  damage(folder.path() / "tiny" / "tokenizer.safetensors");
  const std::string error =
      error_of([&] { load_base(experiments::load_base_manifest(folder.path(), "tiny")); });
  EXPECT_NE(error.find("tokenizer.safetensors"), std::string::npos) << error;
}

TEST(BaseModel, RefusesSizesThatDoNotFitTheWeights) {
  const TemporaryFolder folder;
  install_tiny_base(folder.path());
  const auto file = folder.path() / "tiny" / "manifest.json";
  std::string text = cluster::read_file(file, 1 << 20);
  const std::string wanted = "\"layers\": 1";
  ASSERT_NE(text.find(wanted), std::string::npos);
  text.replace(text.find(wanted), wanted.size(), "\"layers\": 2");
  cluster::write_file_durably(file, text);
  EXPECT_NE(error_of([&] { load_base(experiments::load_base_manifest(folder.path(), "tiny")); }),
            "");
}

}  // namespace
}  // namespace marquee::workers
