// Published bases that `marquee import` knows: what they are, where they are, their sizes.
#pragma once

#include <string>
#include <vector>

#include "workers/network_configs.h"

namespace marquee::workers {

struct KnownBase {
  std::string name;  // of the base that is written
  std::string what;  // one line
  std::string pretrained_on;
  std::vector<std::string> published;  // where, a line each
  std::vector<std::string> steps;      // what to run, a line each
  BaseTokenizer::Config tokenizer;
  AnyTransformerConfig transformer;  // the heads of an autoregressive one must be given
};

const std::vector<KnownBase>& known_bases();
// Null where the name is none of them.
const KnownBase* find_known_base(const std::string& name);

}  // namespace marquee::workers
