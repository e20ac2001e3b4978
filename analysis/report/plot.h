// Plots as SVG, for pages.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace marquee::analysis {

struct PlotLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x, y; finite
};

struct PlotOptions {
  std::string title, x_label, y_label;
  bool log_x = false;  // x > 0
  bool markers = false;
};

// Lines of one plot whose colours differ.
std::size_t distinct_colours();

// One <svg> element with axes, ticks at round numbers and a legend; "" when there is no point.
std::string line_plot(const std::vector<PlotLine>& lines, const PlotOptions& options);

// One colour of dots.
struct DotSeries {
  std::string name;
  std::vector<std::optional<double>> values;  // by row; finite
};

// A row for each name, its values along x: a picture of its own (with its styles), for a file. ""
// when there is no value.
std::string dot_plot(const std::vector<std::string>& rows, const std::vector<DotSeries>& series,
                     const PlotOptions& options);

}  // namespace marquee::analysis
