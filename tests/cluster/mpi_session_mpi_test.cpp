// Four ranks: messages arrive whole and in order, and nothing blocks. Every rank runs the same
// tests; a failure on any ends all with its exit code.
#include <deque>
#include <map>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/mpi_session.h"

namespace marquee::cluster {
namespace {

MpiSession* session = nullptr;

// Messages that have come and that no test has asked for yet: ranks do not go through the tests in
// step.
std::map<int, std::deque<std::string>> waiting;

std::string receive_from(int rank) {
  const double give_up = monotonic_seconds() + 60;
  while (waiting[rank].empty()) {
    if (monotonic_seconds() > give_up) return "nothing came";
    session->progress();
    if (auto message = session->try_receive()) {
      waiting[message->first].push_back(std::move(message->second));
    } else {
      usleep(1000);
    }
  }
  std::string text = std::move(waiting[rank].front());
  waiting[rank].pop_front();
  return text;
}

int next() {
  return (session->rank() + 1) % session->size();
}
int previous() {
  return (session->rank() + session->size() - 1) % session->size();
}

TEST(MpiSession, HasSeveralRanks) {
  EXPECT_GE(session->size(), 2);
  EXPECT_LT(session->rank(), session->size());
}

TEST(MpiSession, KeepsTheOrderBetweenTwoRanks) {
  constexpr int kMessages = 50;
  for (int i = 0; i < kMessages; ++i) session->send(next(), "number " + std::to_string(i));
  for (int i = 0; i < kMessages; ++i)
    ASSERT_EQ(receive_from(previous()), "number " + std::to_string(i));
}

TEST(MpiSession, CarriesAnEmptyText) {
  session->send(next(), "");
  EXPECT_EQ(receive_from(previous()), "");
}

TEST(MpiSession, SendReturnsBeforeAnybodyReceives) {
  // A ring in which all send first: with blocking sends every rank would wait for the next.
  const std::string large(std::size_t{4} << 20, 'r');
  session->send(next(), large);
  EXPECT_TRUE(receive_from(previous()) == large);
}

// What rank `to` is asked by rank `from`: differs for every pair, a little more than 1 MB.
std::string question(int from, int to) {
  std::string text = std::to_string(from) + " asks " + std::to_string(to) + " ";
  for (int i = 0; text.size() < std::size_t{1} << 20; ++i)
    text += static_cast<char>('a' + (i * (from + 3) + to) % 26);
  return text;
}

TEST(MpiSession, AnswersMessagesOfAMegabyteBetweenAllPairs) {
  const int me = session->rank();
  for (int rank = 0; rank < session->size(); ++rank) {
    if (rank != me) session->send(rank, question(me, rank));
  }
  for (int rank = 0; rank < session->size(); ++rank) {
    if (rank == me) continue;
    std::string text = receive_from(rank);
    ASSERT_TRUE(text == question(rank, me)) << "from " << rank << ": " << text.substr(0, 20);
    session->send(rank, "answer to " + text);
  }
  for (int rank = 0; rank < session->size(); ++rank) {
    if (rank == me) continue;
    ASSERT_TRUE(receive_from(rank) == "answer to " + question(me, rank)) << rank;
  }
}

TEST(MpiSession, CarriesAMessageToItsOwnRank) {
  session->send(session->rank(), "to myself");
  EXPECT_EQ(receive_from(session->rank()), "to myself");
}

TEST(MpiSession, RefusesAMessageThatIsTooLongAndARankThatIsNotThere) {
  const std::size_t pending = session->pending();
  EXPECT_THROW(session->send(next(), std::string(MpiSession::kMaxMessageBytes + 1, 'x')), Error);
  EXPECT_THROW(session->send(session->size(), "x"), Error);
  EXPECT_THROW(session->send(-1, "x"), Error);
  EXPECT_EQ(session->pending(), pending);
}

// Numbers that tell apart who gives them to whom.
std::vector<std::byte> given(int from, int to, std::size_t bytes) {
  std::vector<std::byte> numbers(bytes);
  for (std::size_t i = 0; i < bytes; ++i)
    numbers[i] = static_cast<std::byte>((i * 7 + static_cast<std::size_t>(from * 31 + to)) % 251);
  return numbers;
}

TEST(MpiSession, SwapsLargeBuffersWithSeveralRanksAtOnce) {
  const int me = session->rank();
  constexpr std::size_t kBytes = (std::size_t{5} << 20) + 3;
  std::map<int, std::vector<std::byte>> out, in;
  std::map<int, std::uint64_t> swaps;
  for (int rank = 0; rank < session->size(); ++rank) {
    if (rank == me) continue;
    out[rank] = given(me, rank, kBytes);
    in[rank].resize(kBytes);
    swaps[rank] = session->start_swap(rank, 40 + me + rank, out[rank], in[rank]);
  }
  const double give_up = monotonic_seconds() + 60;
  while (!swaps.empty() && monotonic_seconds() < give_up) {
    std::erase_if(swaps, [](const auto& swap) { return session->swap_done(swap.second); });
    session->wait(0.01, -1);
  }
  ASSERT_TRUE(swaps.empty());
  for (const auto& [rank, numbers] : in) EXPECT_TRUE(numbers == given(rank, me, kBytes)) << rank;
  EXPECT_THROW(session->start_swap(me, 1, {}, {}), Error);
  EXPECT_THROW(session->start_swap(next(), 1, out[next()], std::span<std::byte>()), Error);
}

TEST(MpiSession, AMessageWakesWhoSleeps) {
  session->send(previous(), session->doorbell());
  session->set_doorbell(next(), receive_from(next()));
  constexpr double kLong = 30;
  session->wait(0.001, -1);
  const double start = monotonic_seconds();
  session->send(next(), "wake up");
  while (waiting[previous()].empty() && monotonic_seconds() - start < kLong) {
    session->progress();
    if (auto message = session->try_receive()) {
      waiting[message->first].push_back(std::move(message->second));
    } else {
      session->wait(kLong, -1);
    }
  }
  EXPECT_EQ(receive_from(previous()), "wake up");
  EXPECT_TRUE(session->woken_by_messages());
  EXPECT_LT(monotonic_seconds() - start, kLong);
}

TEST(MpiSession, NothingStaysPendingOnceAllHasArrived) {
  session->send(next(), "last");
  EXPECT_EQ(receive_from(previous()), "last");
  session->send(previous(), "received");
  EXPECT_EQ(receive_from(next()), "received");
  // What this rank sent to `previous` may still be on its way until that rank has taken it.
  const double give_up = monotonic_seconds() + 60;
  while (session->pending() > 0 && monotonic_seconds() < give_up) session->progress();
  EXPECT_EQ(session->pending(), 0u);
}

}  // namespace
}  // namespace marquee::cluster

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  marquee::cluster::MpiSession session(argc, argv);
  marquee::cluster::session = &session;
  const int failed = RUN_ALL_TESTS();
  if (failed != 0) session.abort(1);
  session.finalize();
  return 0;
}
