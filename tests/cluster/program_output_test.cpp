#include "cluster/program_output.h"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "cluster/host.h"

namespace marquee::cluster {
namespace {

TEST(ProgramOutput, KeepsWhatIsPrintedApart) {
  const ProgramOutput output = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"}, 10);
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err, "err\n");
  EXPECT_EQ(output.status, (ExitStatus{3, 0}));
  EXPECT_FALSE(output.took_too_long);
}

TEST(ProgramOutput, EndsWhatTakesTooLong) {
  const double began = monotonic_seconds();
  const ProgramOutput output = run_program({"sh", "-c", "echo begun; exec sleep 30"}, 0.3);
  EXPECT_TRUE(output.took_too_long);
  EXPECT_EQ(output.status.signal, SIGKILL);
  EXPECT_EQ(output.out, "begun\n");
  EXPECT_LT(monotonic_seconds() - began, 10);
}

TEST(ProgramOutput, IsBounded) {
  const ProgramOutput output = run_program({"sh", "-c", "exec yes"}, 60);
  EXPECT_NE(output.status, (ExitStatus{0, 0}));
  EXPECT_LE(output.out.size(), std::size_t{1} << 20);
}

TEST(ProgramOutput, NamesAProgramThatIsNotThere) {
  EXPECT_FALSE(program_exists("marquee-no-such-program"));
  EXPECT_TRUE(program_exists("sh"));
  EXPECT_TRUE(program_exists("/bin/sh"));
  try {
    run_program({"marquee-no-such-program"}, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("marquee-no-such-program"), std::string::npos);
  }
}

}  // namespace
}  // namespace marquee::cluster
