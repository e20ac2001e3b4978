#include "cluster/log.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

// Log lines that `body` wrote under `options`; puts the state before init_log back.
template <class Body>
std::string logged(const LogOptions& options, Body body) {
  testing::internal::CaptureStderr();
  init_log(options);
  body();
  init_log({.who = "", .quiet = true});
  set_log_run("");
  return testing::internal::GetCapturedStderr();
}

TEST(Log, ALineHoldsLevelWhoRunAreaAndText) {
  const std::string line = logged({.who = "host/3"}, [] {
    set_log_run("ab12");
    log_info("lease", "taken");
  });
  EXPECT_NE(line.find(" info host/3 ab12 [lease] taken\n"), std::string::npos) << line;
}

TEST(Log, QuietLeavesWarningsAndErrors) {
  const std::string lines = logged({.who = "", .quiet = true, .level = "debug"}, [] {
    log_info("a", "hidden");
    log_warning("a", "seen");
    log_error("a", "also seen");
  });
  EXPECT_EQ(lines.find("hidden"), std::string::npos) << lines;
  EXPECT_NE(lines.find("[a] seen"), std::string::npos) << lines;
  EXPECT_NE(lines.find("[a] also seen"), std::string::npos) << lines;
}

TEST(Log, DebugLinesComeOnlyWhenAskedFor) {
  const auto debug_line = [] { log_debug("a", "detail"); };
  EXPECT_EQ(logged({.who = ""}, debug_line), "");
  EXPECT_NE(logged({.who = "", .level = "debug"}, debug_line).find("detail"), std::string::npos);
}

TEST(Log, BracesInATextAreNoFormat) {
  const std::string line = logged({.who = ""}, [] { log_warning("a", "{} {0} {x"); });
  EXPECT_NE(line.find("[a] {} {0} {x"), std::string::npos) << line;
}

TEST(Log, RefusesAnUnknownLevel) {
  EXPECT_THROW(init_log({.who = "", .level = "loud"}), Error);
}

}  // namespace
}  // namespace marquee::cluster
