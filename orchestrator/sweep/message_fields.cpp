#include "orchestrator/sweep/message_fields.h"

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

constexpr double kLongestDeadlineSeconds = 86400.0;
constexpr std::size_t kLongestText = 1 << 16;

[[noreturn]] void refuse_field(const char* key, const std::string& what) {
  refuse_message(std::string("field '") + key + "' " + what);
}

}  // namespace

void refuse_message(const std::string& what) {
  cluster::throw_environment("message refused: " + what);
}

json parse_message(std::string_view text) {
  json message = json::parse(text.begin(), text.end(), nullptr, false);
  if (message.is_discarded() || !message.is_object()) refuse_message("not a JSON object");
  return message;
}

std::string message_text(const json& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json& field(const json& message, const char* key) {
  const auto found = message.find(key);
  if (found == message.end()) refuse_field(key, "is missing");
  return *found;
}

std::string text_field(const json& message, const char* key) {
  const json& value = field(message, key);
  if (!value.is_string()) refuse_field(key, "must be text");
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > kLongestText) refuse_field(key, "is too long");
  return text;
}

std::int64_t whole_field(const json& message, const char* key, std::int64_t low,
                         std::int64_t high) {
  const json& value = field(message, key);
  if (!value.is_number_integer()) refuse_field(key, "must be a whole number");
  const bool beyond_signed = value.is_number_unsigned() &&
                             value.get<std::uint64_t>() > static_cast<std::uint64_t>(kAnyNumber);
  const std::int64_t number = beyond_signed ? high : value.get<std::int64_t>();
  if (beyond_signed || number < low || number > high) {
    refuse_field(key, "must lie in " + std::to_string(low) + ".." + std::to_string(high) +
                          ", not " + value.dump());
  }
  return number;
}

int attempt_field(const json& message) {
  return static_cast<int>(whole_field(message, "attempt", 1, kMostAttempts));
}

double deadline_field(const json& message) {
  const json& deadline = field(message, "deadline_s");
  if (!deadline.is_number()) refuse_field("deadline_s", "must be a number");
  const double seconds = deadline.get<double>();
  if (!(seconds > 0.0) || seconds > kLongestDeadlineSeconds)
    refuse_field("deadline_s", "must lie above 0 and at most one day");
  return seconds;
}

}  // namespace marquee::orchestrator
