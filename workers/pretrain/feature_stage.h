// Pretraining of the small classifier whose features the `mini` metrics are computed on.
#pragma once

#include "workers/pretrain/image_pool.h"
#include "workers/pretrain/recipe.h"
#include "workers/pretrain/training_loop.h"

namespace marquee::workers {

ParameterMap pretrain_features(const PretrainRecipe& recipe, const ImagePool& pool,
                               const std::filesystem::path& state_file, const std::string& identity,
                               std::vector<double>& losses, const ProgressPrinter& print);

// Share of centre-cropped images of the pool that the classifier names rightly.
double training_accuracy(const FeatureConfig& config, const ParameterMap& parameters,
                         const ImagePool& pool);

}  // namespace marquee::workers
