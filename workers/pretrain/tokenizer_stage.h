// Pretraining of the VQ tokenizer: squared error, straight-through quantisation, codes as moving
// averages of the vectors assigned to them, codes out of use re-seeded from the batch.
#pragma once

#include "workers/pretrain/image_pool.h"
#include "workers/pretrain/recipe.h"
#include "workers/pretrain/training_loop.h"

namespace marquee::workers {

// Returns the weights and appends the curve to `losses`.
ParameterMap pretrain_tokenizer(const PretrainRecipe& recipe, const ImagePool& pool,
                                const std::filesystem::path& state_file,
                                const std::string& identity, std::vector<double>& losses,
                                const ProgressPrinter& print);

}  // namespace marquee::workers
