// The part of Python's pickle format that `torch.save` needs for tensors in dictionaries, and
// nothing else: numbers, texts, tuples, lists, dictionaries, OrderedDict, and the functions that
// put a tensor together. A pickle is a program; this reader knows no instruction that runs
// anything, and whatever else a file asks for by name is refused with that name. Protocols 2 to 5.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workers/weight_files/stored_tensor.h"

namespace marquee::workers {

// Numbers in a storage; where a storage is, the file around the pickle says.
struct PickledStorage {
  ElementType type = ElementType::f32;
  std::string key;
  std::int64_t elements = 0;
};

struct PickledTensor {
  PickledStorage storage;
  std::int64_t offset = 0;                   // of the first element, in elements
  std::vector<std::int64_t> shape, strides;  // strides in elements
};

struct PickledValue {
  enum class Kind {
    none,
    boolean,
    integer,
    number,
    text,
    sequence,
    dictionary,
    storage,
    tensor,
    name
  };

  Kind kind = Kind::none;
  std::int64_t integer = 0;  // boolean: 0 or 1
  double number = 0;
  std::string text;                        // name: "torch.FloatStorage"
  std::vector<const PickledValue*> items;  // lists and tuples
  std::vector<std::pair<const PickledValue*, const PickledValue*>> entries;  // dictionaries
  PickledStorage storage;
  PickledTensor tensor;
};

// Values refer to each other, also in circles where the file says so; they live as long as this.
class Pickle {
 public:
  // Reads one pickle from the beginning of `bytes`. Throws environment naming `source` for what is
  // damaged, refused or out of bounds.
  Pickle(std::string_view bytes, const std::string& source);

  const PickledValue& value() const { return *top_; }
  std::size_t size() const { return size_; }  // bytes that the pickle took

 private:
  friend class PickleMachine;

  std::deque<PickledValue> values_;
  const PickledValue* top_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace marquee::workers
