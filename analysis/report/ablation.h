// Ablations: what a sweep says about each part of a method, one factor at a time from one default.
// Nothing has to be declared: the default is the variant that most others differ from in one
// factor.
#pragma once

#include <string>
#include <vector>

#include "analysis/report/comparison.h"

namespace marquee::analysis {

// One variant of the configuration wherever it was run.
struct AblationVariant {
  std::string name;  // "prompt_length=64": what differs from the default; "default"
  std::vector<const ComparisonRow*> rows;  // by task and shots, as in the comparison
};

struct AblationFactor {
  std::string name;                       // "prompt_length"
  std::vector<AblationVariant> variants;  // the default first
  // For a variant that differs in more than the factor itself (a marquee header between training
  // images is told them): which of `variants` is the same without the factor. Else 0, the default.
  std::vector<std::size_t> without;
};

struct Ablations {
  std::vector<AblationFactor> factors;
  std::vector<std::string> left_out;  // variants that differ in several factors
};

// Of the finished rows of `comparison`, which must outlive the result.
Ablations find_ablations(const Comparison& comparison);

}  // namespace marquee::analysis
