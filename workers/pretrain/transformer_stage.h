// Pretraining of the class-conditional masked transformer on token sequences.
#pragma once

#include "workers/pretrain/image_pool.h"
#include "workers/pretrain/recipe.h"
#include "workers/pretrain/training_loop.h"

namespace marquee::workers {

// `tokenizer`: the weights that will ship (rounded to fp16).
ParameterMap pretrain_transformer(const PretrainRecipe& recipe, const ImagePool& pool,
                                  const ParameterMap& tokenizer,
                                  const std::filesystem::path& state_file,
                                  const std::string& identity, std::vector<double>& losses,
                                  const ProgressPrinter& print);

}  // namespace marquee::workers
