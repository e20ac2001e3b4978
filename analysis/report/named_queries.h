// Questions that come up again and again, by name: what `marquee query NAME` asks.
#pragma once

#include <string>
#include <vector>

namespace marquee::analysis {

struct NamedQuery {
  std::string name;
  std::string question;  // in one line
  std::string sql;       // a SELECT without ORDER BY
  std::string order;     // what stands behind ORDER BY
};

const std::vector<NamedQuery>& named_queries();
// Null for an unknown name.
const NamedQuery* find_named_query(const std::string& name);

}  // namespace marquee::analysis
