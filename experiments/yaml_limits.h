// Looks a YAML text through before anything is built of it: bounds that hold before aliases are
// expanded, and what no file of ours may contain.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace marquee::experiments {

struct YamlLimits {
  std::size_t values = 200'000;  // keys, values and lists, aliases counted as what they stand for
  std::size_t depth = 32;        // lists and mappings inside each other
  std::size_t scalar_bytes = 1'000;  // of one word or number
};

// Called with the line (from 1) and what is wrong with it; must throw.
using YamlFailure = std::function<void(std::size_t line, const std::string& what)>;

// Fails at the first line that is no UTF-8, breaks a limit, holds a control character in a value, a
// key that stands twice in its mapping or is no word, an alias inside what it stands for, or a
// second document. `text` must hold no NUL.
void check_yaml(const std::string& text, const YamlFailure& fail, const YamlLimits& limits = {});

}  // namespace marquee::experiments
