#include "datasets/tfds_features.h"

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/json_text.h"
#include "cluster/text.h"
#include "datasets/json_file.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

class FeatureReader {
 public:
  FeatureReader(fs::path file, json content)
      : file_(std::move(file)), content_(std::move(content)) {
    const json* dictionary = member(content_, "featuresDict");
    features_ = dictionary != nullptr ? member(*dictionary, "features") : nullptr;
    if (features_ == nullptr || !features_->is_object())
      fail("is no JSON object with featuresDict.features");
  }

  // "objects/size" is feature "size" of the sequence "objects".
  const json& feature(const std::string& name) const {
    const json* at = features_;
    const json* found = nullptr;
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t slash = std::min(name.find('/', begin), name.size());
      found = at != nullptr ? member(*at, name.substr(begin, slash - begin).c_str()) : nullptr;
      if (found == nullptr) fail("has no feature '" + name + "', which the task reads");
      const json* sequence = member(*found, "sequence");
      const json* inner = sequence != nullptr ? member(*sequence, "feature") : nullptr;
      const json* dictionary = inner != nullptr ? member(*inner, "featuresDict") : nullptr;
      at = dictionary != nullptr ? member(*dictionary, "features") : nullptr;
      begin = slash + 1;
    }
    return *found;
  }
  std::string kind(const json& feature) const {
    const json* name = member(feature, "pythonClassName");
    if (name == nullptr || !name->is_string()) return "";
    const auto& text = name->get_ref<const std::string&>();
    return text.substr(std::min(text.rfind('.') + 1, text.size()));
  }
  void expect_classes(const std::string& name, int wanted) const {
    const json* label = member(feature(name), "classLabel");
    const json* count = label != nullptr ? member(*label, "numClasses") : nullptr;
    if (count == nullptr) return;  // a plain number
    const std::string text = cluster::plain_text(*count);
    if (text != std::to_string(wanted)) {
      fail("feature '" + name + "' has " + cluster::printable(text.substr(0, 40)) +
           " classes, the task " + std::to_string(wanted));
    }
  }
  void expect_image(const std::string& name) const {
    const std::string found = kind(feature(name));
    if (found != "Image")
      fail("feature '" + name + "' is of kind '" + cluster::printable(found.substr(0, 40)) +
           "', expected Image");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    cluster::throw_environment(file_.string() + ": " + what);
  }
  fs::path file_;
  json content_;
  const json* features_ = nullptr;
};

}  // namespace

void check_tfds_features(const TaskInfo& task, const fs::path& folder) {
  const fs::path file = folder / "features.json";
  if (!fs::exists(file)) return;
  const FeatureReader reader(file, read_json_file(file));
  reader.expect_image(task.image_key);
  switch (task.rule) {
    case LabelRule::plain:
      reader.expect_classes(task.label_key, task.num_classes);
      break;
    case LabelRule::floor_division:
      reader.feature(task.label_key);
      break;
    case LabelRule::clevr_count:
      reader.feature("objects/size");
      break;
    case LabelRule::clevr_distance:
      reader.feature("objects/pixel_coords");
      break;
    case LabelRule::kitti_distance:
      reader.feature("objects/type");
      reader.feature("objects/location");
      break;
  }
}

}  // namespace marquee::datasets
