// Files that PyTorch's `torch.save` wrote of a dictionary of tensors: the zip form (1.6 and later)
// and the older one, a row of pickles with the storages behind them. No code of the file is run
// (pickle.h). Nested dictionaries come out as names joined by dots ("state_dict.fc.weight").
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "workers/weight_files/weight_file.h"

namespace marquee::workers {

// By the beginning alone.
bool looks_like_torch_zip(std::string_view bytes);
bool looks_like_torch_pickles(std::string_view bytes);

// `path`: the zip file. Throws environment naming it, and the tensor where it is one.
WeightFile parse_torch_zip(const std::filesystem::path& path);
// `bytes`: the whole file, which the tensors are views of; `source` names it in messages.
WeightFile parse_torch_pickles(std::string_view bytes, const std::string& source);

}  // namespace marquee::workers
