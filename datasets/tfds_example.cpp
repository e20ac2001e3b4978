#include "datasets/tfds_example.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "cluster/error.h"
#include "example.pb.h"

namespace marquee::datasets {
namespace {

using Features = google::protobuf::Map<std::string, wire::Feature>;

// Depths of clevr's objects and distances of kitti's vehicles: the third of every three numbers.
double nearest(const google::protobuf::RepeatedField<float>& triples, int index) {
  return triples.Get(3 * index + 2);
}

// The last threshold that is passed; what passes them all may be no class of the task.
int bin_of(double distance, std::initializer_list<double> thresholds) {
  int bin = kNoLabel, i = 0;
  for (const double threshold : thresholds) {
    if (threshold < distance) bin = i;
    ++i;
  }
  return bin;
}

const Features& features_of(const wire::Example& example) {
  return example.features().feature();
}

}  // namespace

TfdsExample::TfdsExample(const std::string& record, std::string where)
    : example_(std::make_unique<wire::Example>()), where_(std::move(where)) {
  if (!example_->ParseFromString(record)) fail("is no tf.train.Example");
}

TfdsExample::~TfdsExample() = default;

void TfdsExample::fail(const std::string& what) const {
  cluster::throw_environment(where_ + ": " + what);
}

int TfdsExample::raw_label(const TaskInfo& task) const {
  const auto feature = [&](const std::string& key) -> const wire::Feature& {
    const auto found = features_of(*example_).find(key);
    if (found == features_of(*example_).end()) fail("has no feature '" + key + "'");
    return found->second;
  };
  switch (task.rule) {
    case LabelRule::plain:
    case LabelRule::floor_division: {
      const auto& list = feature(task.label_key).int64_list().value();
      if (list.size() != 1)
        fail("has " + std::to_string(list.size()) + " values of integer feature '" +
             task.label_key + "', expected 1");
      const double value = std::floor(static_cast<double>(list[0]) / task.divisor);
      return static_cast<int>(std::clamp(value, static_cast<double>(kNoLabel), 1e9));
    }
    case LabelRule::clevr_count:
      return feature("objects/size").int64_list().value_size() - 3;
    case LabelRule::clevr_distance: {
      const auto& coordinates = feature("objects/pixel_coords").float_list().value();
      if (coordinates.empty()) return kNoLabel;
      if (coordinates.size() % 3 != 0) fail("has objects/pixel_coords that are no triples");
      double depth = std::numeric_limits<double>::infinity();
      for (int i = 0; i < coordinates.size() / 3; ++i)
        depth = std::min(depth, nearest(coordinates, i));
      return bin_of(depth, {0, 8, 8.5, 9, 9.5, 10, 100});
    }
    case LabelRule::kitti_distance: {
      const auto& types = feature("objects/type").int64_list().value();
      const auto& locations = feature("objects/location").float_list().value();
      if (locations.size() != 3 * types.size())
        fail("has objects/location of another length than objects/type");
      double distance = 1000.0;  // stands for "no vehicle"
      for (int i = 0; i < types.size(); ++i) {
        if (types[i] < 3) distance = std::min(distance, nearest(locations, i));
      }
      return bin_of(distance, {-100, 8, 20, 999});
    }
  }
  return kNoLabel;
}

std::string TfdsExample::id() const {
  for (const char* key : {"filename", "file_name", "image/file_name", "name", "id"}) {
    const auto found = features_of(*example_).find(key);
    if (found != features_of(*example_).end() && found->second.bytes_list().value_size() == 1)
      return found->second.bytes_list().value(0);
  }
  return "";
}

const std::string& TfdsExample::image_bytes(const TaskInfo& task) const {
  const auto found = features_of(*example_).find(task.image_key);
  if (found == features_of(*example_).end()) fail("has no feature '" + task.image_key + "'");
  const auto& list = found->second.bytes_list().value();
  if (list.size() != 1)
    fail("has " + std::to_string(list.size()) + " values of bytes feature '" + task.image_key +
         "', expected 1");
  return list[0];
}

Image TfdsExample::image(const TaskInfo& task, const DecodeOptions& options) const {
  Image image;
  try {
    image = decode_image(std::as_bytes(std::span(image_bytes(task))), options);
  } catch (cluster::Error& error) {
    if (std::string_view(error.what()).find(where_) == std::string_view::npos)
      error.add_context(where_);
    throw;
  }
  if (task.pixel_scale != 1) {
    for (std::uint8_t& level : image.rgb)
      level = static_cast<std::uint8_t>(level * task.pixel_scale);
  }
  return image;
}

}  // namespace marquee::datasets
