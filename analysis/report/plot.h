// Plots as SVG, for pages.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/report/paired_statistics.h"

namespace marquee::analysis {

struct PlotLine {
  std::string name;
  std::vector<std::pair<double, double>> points;     // x, y; finite
  std::vector<std::optional<Interval>> intervals{};  // of y, as bars; none, or one for each point
  std::optional<std::size_t> colour{};               // which of the colours; its place if not said
};

struct PlotOptions {
  std::string title, x_label, y_label;
  bool log_x = false;  // x > 0
  bool markers = false;
  bool in_page = false;  // a dot plot that takes its colours and letters from the page around it
};

// Lines of one plot whose colours differ.
std::size_t distinct_colours();
// So that a method has one colour in all plots; nothing for one that is not known here.
std::optional<std::size_t> colour_of_method(const std::string& method);

// One <svg> element with axes, ticks at round numbers and a legend; "" when there is no point.
std::string line_plot(const std::vector<PlotLine>& lines, const PlotOptions& options);

// One colour of dots.
struct DotSeries {
  std::string name;
  std::vector<std::optional<double>> values;  // by row; finite
};

// A row for each name, its values along x: a picture of its own (with its styles), for a file,
// but for `in_page`. "" when there is no value.
std::string dot_plot(const std::vector<std::string>& rows, const std::vector<DotSeries>& series,
                     const PlotOptions& options);

}  // namespace marquee::analysis
