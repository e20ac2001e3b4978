// What a reader says about a bad file.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::workers {

// The message of the environment error that `action` throws; "" and a failure where it throws none.
template <typename Action>
std::string refusal_of(Action action) {
  try {
    action();
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

}  // namespace marquee::workers
