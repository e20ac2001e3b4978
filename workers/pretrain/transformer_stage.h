// Pretraining of the class-conditional transformer, masked or autoregressive, on token sequences.
#pragma once

#include "workers/base_tokenizer.h"
#include "workers/pretrain/image_pool.h"
#include "workers/pretrain/recipe.h"
#include "workers/pretrain/training_loop.h"

namespace marquee::workers {

// `tokenizer`: with the weights that will ship (rounded to fp16). recipe.transformer tells the
// family and the sizes, but for the classes, which are the pool's.
ParameterMap pretrain_transformer(const PretrainRecipe& recipe, const ImagePool& pool,
                                  const BaseTokenizer& tokenizer,
                                  const std::filesystem::path& state_file,
                                  const std::string& identity, std::vector<double>& losses,
                                  const ProgressPrinter& print);

}  // namespace marquee::workers
