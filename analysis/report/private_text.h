// Texts of a results folder for the eyes of others: where runs were made, by whom and in which
// folders stays out.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace marquee::analysis {

class PrivateText {
 public:
  // `hosts`: names that are replaced. With `shown` everything stays as it is.
  PrivateText(const std::set<std::string>& hosts, bool shown);

  // Hosts become "host-1" and so on, by name; of an absolute path (also behind '=', a colon or a
  // quote, and "~/...") its last part stays: ".../result.h5".
  std::string operator()(const std::string& text) const;
  // Every text within.
  nlohmann::json within(const nlohmann::json& content) const;
  bool shown() const { return shown_; }

 private:
  std::vector<std::pair<std::string, std::string>> hosts_;  // longest first; and what they become
  bool shown_;
};

}  // namespace marquee::analysis
