#include "analysis/report/event_file.h"

#include <ctime>
#include <sstream>

#include "analysis/report/loss_curve.h"
#include "analysis/report/samples.h"
#include "analysis/report/table.h"
#include "cluster/error.h"
#include "datasets/image_size.h"
#include "datasets/tfrecord.h"
#include "event.pb.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;

constexpr int kStringType = 7, kChannels = 3;

// Seconds since 1970 of "2026-01-31T12:00:00.123Z".
double seconds_of(const std::string& time) {
  std::tm parts{};
  const char* rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return 0;
  const double fraction = *rest == '.' ? std::strtod(rest, nullptr) : 0;
  return static_cast<double>(timegm(&parts)) + fraction;
}

class EventWriter {
 public:
  explicit EventWriter(double wall_time) : wall_time_(wall_time) {
    wire::Event version;
    version.set_file_version("brain.Event:2");
    write(version, 0);
  }
  void scalar(const std::string& tag, std::int64_t step, double value) {
    wire::Event event;
    wire::Summary::Value& entry = *event.mutable_summary()->add_value();
    entry.set_tag(tag);
    entry.set_simple_value(static_cast<float>(value));
    write(event, step);
  }
  void text(const std::string& tag, std::int64_t step, const std::string& markdown) {
    wire::Event event;
    wire::Summary::Value& entry = *event.mutable_summary()->add_value();
    entry.set_tag(tag);
    entry.mutable_metadata()->mutable_plugin_data()->set_plugin_name("text");
    entry.mutable_tensor()->set_dtype(kStringType);
    entry.mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(1);
    entry.mutable_tensor()->add_string_val(markdown);
    write(event, step);
  }
  void image(const std::string& tag, std::int64_t step, const std::string& png, int height,
             int width) {
    wire::Event event;
    wire::Summary::Value& entry = *event.mutable_summary()->add_value();
    entry.set_tag(tag);
    entry.mutable_image()->set_height(height);
    entry.mutable_image()->set_width(width);
    entry.mutable_image()->set_colorspace(kChannels);
    entry.mutable_image()->set_encoded_image_string(png);
    write(event, step);
  }
  std::string bytes() const { return out_.str(); }

 private:
  void write(wire::Event& event, std::int64_t step) {
    event.set_wall_time(wall_time_);
    event.set_step(step);
    datasets::write_record(out_, event.SerializeAsString());
  }

  double wall_time_;
  std::ostringstream out_;
};

std::string settings_text(const ExportedRun& run) {
  Table table{{"key", "value"}, {{"run_id", run.run_id}}, {false, false}};
  for (const nlohmann::json* part : {&run.settings, &run.provenance})
    for (auto& row : key_table(*part).rows) table.rows.push_back(std::move(row));
  return markdown_text(table);
}

void add_samples(const fs::path& folder, std::int64_t step, EventWriter& writer) {
  const auto png = read_samples(folder);
  if (!png) return;
  const auto size = datasets::declared_image_size(std::as_bytes(std::span(*png)));
  if (!size) cluster::throw_environment((folder / "samples.png").string() + ": is no PNG file");
  writer.image("samples", step, *png, size->first, size->second);
}

}  // namespace

fs::path event_file_place(const ExportedRun& run) {
  return fs::path(file_name_of(run.config.task)) / file_name_of(run.config.shots) /
         short_name(run) /
         ("events.out.tfevents." +
          std::to_string(static_cast<std::int64_t>(seconds_of(run.ended))) + "." +
          run.run_id.substr(0, 12));
}

std::string event_file(const ExportedRun& run, std::vector<std::string>& left_out) {
  EventWriter writer(seconds_of(run.ended));
  LossCurve curve;
  try {
    curve = read_loss_curve(run.folder);
  } catch (const cluster::Error& error) {
    left_out.emplace_back(error.what());
  }
  for (std::size_t i = 0; i < curve.steps.size(); ++i)
    writer.scalar("loss", curve.steps[i], curve.losses[i]);
  const std::int64_t last = curve.steps.empty() ? 0 : curve.steps.back();
  for (const experiments::MetricValue& metric : run.metrics)
    writer.scalar("metrics/" + metric.metric, last, metric.value);
  writer.text("configuration", last, settings_text(run));
  try {
    add_samples(run.folder, last, writer);
  } catch (const cluster::Error& error) {
    left_out.emplace_back(error.what());
  }
  return writer.bytes();
}

}  // namespace marquee::analysis
