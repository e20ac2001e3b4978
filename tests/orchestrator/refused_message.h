// How messages are refused.
#pragma once

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cluster/error.h"

namespace marquee::orchestrator {

// The error text of a refused message; fails the test when it is accepted.
template <typename Parse>
std::string refusal(Parse parse, const nlohmann::json& message) {
  try {
    parse(message.dump());
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << message.dump();
  return "";
}

}  // namespace marquee::orchestrator
