// The sizes of a network, read off the shapes of its tensors. What no shape shows has to be given.
// Each throws environment naming file and tensor when a tensor that tells a size is missing or of
// another rank; whether all others fit is for SourceNetwork::check with the shapes of the result.
#pragma once

#include <cstdint>

#include "workers/import/source_network.h"
#include "workers/network_configs.h"

namespace marquee::workers {

// `codebook`: of the tokenizer; the rest of the vocabulary but the mask are classes.
TransformerConfig infer_masked_transformer(const SourceNetwork& network, std::int64_t codebook);

// `latent`: grid side that the transformer has.
TokenizerConfig infer_maskgit_tokenizer(const SourceNetwork& network, std::int64_t latent);

// `heads` and `classes` are visible in no weight. Tokens are taken to fill the block.
GptConfig infer_autoregressive_transformer(const SourceNetwork& network, std::int64_t heads,
                                           std::int64_t classes);

VqganConfig infer_taming_tokenizer(const SourceNetwork& network, std::int64_t latent);

}  // namespace marquee::workers
