#include "datasets/tfrecord.h"

#include "cluster/error.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

// Number of records that can be read, and the error that ended it.
std::pair<std::size_t, std::string> read_all(const std::filesystem::path& file) {
  std::size_t read = 0;
  try {
    const TfRecordFile records(file);
    for (; read < records.size(); ++read) records.record(read);
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    return {read, error.what()};
  }
  return {read, ""};
}

TEST(Crc32c, GivesTheKnownValueMaskedAsTfRecordStoresIt) {
  // CRC-32C of "123456789" is e3069283.
  const std::string text = "123456789";
  const std::uint32_t crc = 0xe3069283U;
  const std::uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
  EXPECT_EQ(masked_crc32c(std::as_bytes(std::span(text.data(), text.size()))), masked);
}

TEST(TfRecord, ReadsWholeFilesAndNamesEveryDamagedOne) {
  const auto folder = shared_data() / "corrupt_tfrecord";
  MARQUEE_NEEDS(folder);
  int damaged = 0;
  const auto content = read_json(folder / "expected.json");
  for (const auto& [name, expected] : content.at("files").items()) {
    if (name.starts_with("payload_")) continue;  // whole records with odd contents
    const auto& wanted = expected.at("wanted");
    const bool sound = !wanted.contains("error") || wanted.at("error").is_boolean();
    const auto [read, error] = read_all(folder / name);
    EXPECT_EQ(error.empty(), sound) << name << ": " << error;
    if (sound) {
      EXPECT_EQ(read, wanted.at("records").get<std::size_t>()) << name;
    } else {
      EXPECT_NE(error.find(name), std::string::npos) << error;
      ++damaged;
    }
  }
  EXPECT_GT(damaged, 10);
}

TEST(TfRecord, GivesTheRecordsBeforeADamagedPayload) {
  const auto file = shared_data() / "corrupt_tfrecord" / "flipped_bit_in_data.tfrecord";
  MARQUEE_NEEDS(file);
  const auto [read, error] = read_all(file);
  EXPECT_EQ(read, 2u);
  EXPECT_NE(error.find("record 2"), std::string::npos) << error;
}

TEST(TfRecord, NamesAMissingFile) {
  EXPECT_NE(read_all("/nowhere/a.tfrecord").second.find("/nowhere/a.tfrecord"), std::string::npos);
}

}  // namespace
}  // namespace marquee::datasets
