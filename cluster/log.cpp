#include "cluster/log.h"

#include <memory>
#include <mutex>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

struct State {
  State()
      : logger(std::make_shared<spdlog::logger>(
            "marquee", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger->set_level(spdlog::level::warn);
  }
  std::mutex mutex;
  std::string who;
  std::string run;
  std::shared_ptr<spdlog::logger> logger;
};

State& state() {
  static State instance;
  return instance;
}

void write(spdlog::level::level_enum level, std::string_view area, std::string_view text) {
  State& log = state();
  const std::lock_guard lock(log.mutex);
  log.logger->log(level, "{}{}{}{}[{}] {}", log.who, log.who.empty() ? "" : " ", log.run,
                  log.run.empty() ? "" : " ", area, text);
  log.logger->flush();
}

}  // namespace

void init_log(const LogOptions& options) {
  State& log = state();
  const std::lock_guard lock(log.mutex);
  log.who = options.who;
  const auto level = options.quiet ? spdlog::level::warn : spdlog::level::from_str(options.level);
  if (level == spdlog::level::off) {
    throw_usage("log level '" + options.level +
                "' is unknown; expected debug, info, warning or error");
  }
  log.logger->set_level(level);
}

void set_log_run(std::string_view run_id_short) {
  State& log = state();
  const std::lock_guard lock(log.mutex);
  log.run = run_id_short;
}

void log_debug(std::string_view area, std::string_view text) {
  write(spdlog::level::debug, area, text);
}
void log_info(std::string_view area, std::string_view text) {
  write(spdlog::level::info, area, text);
}
void log_warning(std::string_view area, std::string_view text) {
  write(spdlog::level::warn, area, text);
}
void log_error(std::string_view area, std::string_view text) {
  write(spdlog::level::err, area, text);
}

}  // namespace marquee::cluster
