// One example of a TFDS record: the label by VTAB's rule, the id, the stored image.
#pragma once

#include <memory>
#include <string>

#include "datasets/decode.h"
#include "datasets/image.h"
#include "datasets/task.h"

namespace marquee::datasets::wire {
class Example;
}

namespace marquee::datasets {

class TfdsExample {
 public:
  // `where` names the record in messages. Throws environment when the bytes are no
  // tf.train.Example.
  TfdsExample(const std::string& record, std::string where);
  ~TfdsExample();
  TfdsExample(const TfdsExample&) = delete;

  // What the rule gives, without regard to the number of classes; kNoLabel where it gives nothing.
  // Throws environment for a feature that is missing or of another kind or length.
  int raw_label(const TaskInfo& task) const;
  // File name or id as stored; empty where the data set has none.
  std::string id() const;
  // The stored bytes.
  const std::string& image_bytes(const TaskInfo& task) const;
  Image image(const TaskInfo& task, const DecodeOptions& options) const;

 private:
  [[noreturn]] void fail(const std::string& what) const;

  std::unique_ptr<wire::Example> example_;
  std::string where_;
};

// Raw labels outside [0, classes) mean that the rule has no class for the example.
inline constexpr int kNoLabel = -1000000;

}  // namespace marquee::datasets
