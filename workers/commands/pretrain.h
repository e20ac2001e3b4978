// `marquee pretrain RECIPE`: makes a base model from a recipe.
#pragma once

#include <string>
#include <vector>

namespace marquee::workers {

// Arguments behind the word `pretrain`. Returns the exit code; throws cluster::Error.
int pretrain_command(const std::vector<std::string>& arguments);

}  // namespace marquee::workers
