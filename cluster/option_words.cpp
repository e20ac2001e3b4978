#include "cluster/option_words.h"

#include "cluster/suggest.h"

namespace marquee::cluster {

WordValue<std::string>* one_of(const std::vector<std::string>& words) {
  constexpr std::size_t kLongestName = 24;
  auto* value = new WordValue<std::string>(words, true);
  const std::string name = join(words, "|");
  value->value_name(name.size() <= kLongestName ? name : "WORD");
  return value;
}

}  // namespace marquee::cluster
