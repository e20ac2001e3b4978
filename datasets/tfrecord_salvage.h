// What can still be read of a TFRecord file whose framing is broken, to tell people what is lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/tfrecord.h"

namespace marquee::datasets {

struct BrokenFraming {
  std::size_t record = 0;    // number among those that are found
  std::uint64_t offset = 0;  // where no record begins although one should
  std::string reason;
};

struct SalvagedRecords {
  std::vector<RecordPlace> places;
  std::vector<BrokenFraming> broken;
};

// Every record, also behind places where the framing is broken: there the next bytes are looked for
// whose length and data have the right checksums. Throws environment when the file cannot be read.
SalvagedRecords salvage_records(const std::filesystem::path& file);

}  // namespace marquee::datasets
