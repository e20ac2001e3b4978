// Log lines on standard error: "time level host/rank run [area] text". Results never travel through
// logs. Thread safe after init_log. No spdlog or fmt in this header.
#pragma once

#include <string>
#include <string_view>

namespace marquee::cluster {

struct LogOptions {
  std::string who;             // "host/rank", "trainer", ...
  bool quiet = false;          // warnings and errors only
  std::string level = "info";  // debug, info, warning, error
};

// Before init_log, warnings and errors are printed in the same form with an empty `who`.
void init_log(const LogOptions& options);
// Short run id shown in every following line; "" for none.
void set_log_run(std::string_view run_id_short);

void log_debug(std::string_view area, std::string_view text);
void log_info(std::string_view area, std::string_view text);
void log_warning(std::string_view area, std::string_view text);
void log_error(std::string_view area, std::string_view text);

}  // namespace marquee::cluster
