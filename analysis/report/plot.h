// Line plots as inline SVG, for the report's pages.
#pragma once

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

// One <svg> element with axes, ticks at round numbers and a legend; "" when there is no point.
std::string line_plot(const std::vector<PlotLine>& lines, const PlotOptions& options);

}  // namespace marquee::analysis
