// Fields of messages whose bytes come from processes that may be broken: each is there, of its type
// and in its range, or an Error{environment} names it. Thread safe.
#pragma once

#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace marquee::orchestrator {

inline constexpr std::int64_t kAnyNumber = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kMostAttempts = 1'000'000;
inline constexpr int kLargestGang = 4096;

[[noreturn]] void refuse_message(const std::string& what);

// A JSON object.
nlohmann::json parse_message(std::string_view text);
// Its text, whatever it holds (log lines, paths): invalid UTF-8 is replaced, never thrown on.
std::string message_text(const nlohmann::json& message);

const nlohmann::json& field(const nlohmann::json& message, const char* key);
// At most 64 KiB.
std::string text_field(const nlohmann::json& message, const char* key);
std::int64_t whole_field(const nlohmann::json& message, const char* key, std::int64_t low,
                         std::int64_t high);
int attempt_field(const nlohmann::json& message);      // "attempt", from 1
double deadline_field(const nlohmann::json& message);  // "deadline_s": above 0, at most a day

// What the reader of another part makes of it; whatever that throws refuses the message.
template <typename Read>
auto read_field(const char* what, Read read) {
  try {
    return read();
  } catch (const std::exception& error) {
    refuse_message(std::string(what) + ": " + error.what());
  }
}

}  // namespace marquee::orchestrator
