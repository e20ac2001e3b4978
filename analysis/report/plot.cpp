#include "analysis/report/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <tuple>

#include <kainjow/mustache.hpp>

#include "experiments/run_config.h"

namespace marquee::analysis {
namespace {

constexpr double kWidth = 460, kHeight = 260;
constexpr double kLeft = 62, kRight = 14, kTop = 30, kBottom = 66;
// Told apart with colour blindness too (Okabe and Ito).
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73",
                                    "#cc79a7", "#e69f00", "#56b4e9"};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string coordinate(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

struct Axis {
  double low = 0, high = 1, from = 0, to = 1;
  bool log = false;
  double position(double value) const {
    const double share = log ? (std::log(value) - std::log(low)) / (std::log(high) - std::log(low))
                             : (value - low) / (high - low);
    return from + share * (to - from);
  }
};

// 1, 2 or 5 times a power of ten, about four to the axis.
std::vector<double> round_ticks(double low, double high) {
  const double rough = (high - low) / 4;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = power * 10;
  for (const double factor : {5.0, 2.0, 1.0})
    if (power * factor >= rough) step = power * factor;
  std::vector<double> ticks;
  for (double tick = std::ceil(low / step) * step; tick <= high + step * 1e-9; tick += step)
    ticks.push_back(std::abs(tick) < step * 1e-9 ? 0.0 : tick);
  return ticks;
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text,
                    const std::string& more = "") {
  return "<text x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\" text-anchor=\"" + anchor +
         "\"" + more + ">" + kainjow::mustache::html_escape(text) + "</text>";
}

std::string line_from(double x1, double y1, double x2, double y2, const std::string& style) {
  return "<line x1=\"" + coordinate(x1) + "\" y1=\"" + coordinate(y1) + "\" x2=\"" +
         coordinate(x2) + "\" y2=\"" + coordinate(y2) + "\" " + style + "/>";
}

// Where the entries of a legend stand when it breaks into lines.
struct Legend {
  template <typename Entries>  // with names
  Legend(const Entries& entries, double left, double right, double top) : bottom(top) {
    double x = left;
    for (const auto& entry : entries) {
      const double wide = kGap + kLetter * static_cast<double>(entry.name.size());
      if (x > left && x + wide > right) {
        x = left;
        bottom += kLine;
      }
      places.emplace_back(x, bottom);
      x += wide;
    }
  }

  // What of a name fits into a line of its own.
  static std::string shortened(const std::string& name, double width) {
    const auto most = static_cast<std::size_t>((width - kGap) / kLetter);
    return name.size() <= most ? name : name.substr(0, most) + "…";
  }

  static constexpr double kLine = 18, kLetter = 6.6, kGap = 32;
  std::vector<std::pair<double, double>> places;
  double bottom;
};

}  // namespace

std::size_t distinct_colours() {
  return std::size(kColours);
}

std::optional<std::size_t> colour_of_method(const std::string& method) {
  const auto& methods = experiments::method_names();
  const auto found = std::find(methods.begin(), methods.end(), method);
  if (found == methods.end()) return std::nullopt;
  return static_cast<std::size_t>(found - methods.begin());
}

std::string line_plot(const std::vector<PlotLine>& lines, const PlotOptions& options) {
  std::vector<double> xs, ys;
  for (const PlotLine& line : lines) {
    for (const auto& [x, y] : line.points) {
      xs.push_back(x);
      ys.push_back(y);
    }
    for (const auto& interval : line.intervals)
      if (interval) ys.insert(ys.end(), {interval->low, interval->high});
  }
  if (xs.empty()) return "";
  const auto range = [](const std::vector<double>& values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return std::make_pair(*low, *high);
  };
  Axis x{0, 1, kLeft, kWidth - kRight, options.log_x}, y{0, 1, kHeight - kBottom, kTop, false};
  std::tie(x.low, x.high) = range(xs);
  std::tie(y.low, y.high) = range(ys);
  if (x.high <= x.low) x.high = options.log_x ? x.low * 2 : x.low + 1;
  const double margin =
      y.high > y.low ? 0.05 * (y.high - y.low) : std::max(1e-6, std::abs(y.low) * 0.1);
  y.low -= margin;
  y.high += margin;

  const Legend legend(lines, kLeft, kWidth, kHeight - 12);
  std::string svg = "<svg viewBox=\"0 0 " + number(kWidth) + " " + number(legend.bottom + 12) +
                    "\" role=\"img\" aria-label=\"" +
                    kainjow::mustache::html_escape(options.title) + "\">";
  svg += text_at(kLeft, 16, "start", options.title, " class=\"title\"");
  for (const double tick : round_ticks(y.low, y.high)) {
    svg += line_from(kLeft, y.position(tick), kWidth - kRight, y.position(tick), "class=\"grid\"");
    svg += text_at(kLeft - 6, y.position(tick) + 4, "end", number(tick));
  }
  std::vector<double> x_ticks;
  if (options.log_x) {
    std::sort(xs.begin(), xs.end());
    xs.erase(std::unique(xs.begin(), xs.end()), xs.end());
    x_ticks = xs;
  } else {
    x_ticks = round_ticks(x.low, x.high);
  }
  const double floor = kHeight - kBottom;
  for (const double tick : x_ticks) {
    svg += line_from(x.position(tick), floor, x.position(tick), floor + 4, "class=\"axis\"");
    svg += text_at(x.position(tick), floor + 17, "middle", number(tick));
  }
  svg += line_from(kLeft, floor, kWidth - kRight, floor, "class=\"axis\"");
  svg += text_at((kLeft + kWidth - kRight) / 2, floor + 33, "middle", options.x_label);
  svg += text_at(14, (kTop + floor) / 2, "middle", options.y_label,
                 " transform=\"rotate(-90 14 " + coordinate((kTop + floor) / 2) + ")\"");

  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string colour = kColours[lines[i].colour.value_or(i) % std::size(kColours)];
    std::string points;
    for (std::size_t point = 0; point < lines[i].intervals.size(); ++point) {
      const auto& interval = lines[i].intervals[point];
      if (!interval) continue;
      const double at = x.position(lines[i].points[point].first);
      svg += line_from(at, y.position(interval->low), at, y.position(interval->high),
                       "stroke=\"" + colour + "\" stroke-opacity=\"0.6\"");
    }
    for (const auto& [px, py] : lines[i].points) {
      points += coordinate(x.position(px)) + "," + coordinate(y.position(py)) + " ";
      if (options.markers) {
        svg += "<circle cx=\"" + coordinate(x.position(px)) + "\" cy=\"" +
               coordinate(y.position(py)) + "\" r=\"3\" fill=\"" + colour + "\"/>";
      }
    }
    svg += "<polyline points=\"" + points + "\" fill=\"none\" stroke=\"" + colour +
           "\" stroke-width=\"1.6\"/>";
    const auto& [at_x, at_y] = legend.places[i];
    svg += line_from(at_x, at_y, at_x + 16, at_y, "stroke=\"" + colour + "\" stroke-width=\"3\"");
    svg += text_at(at_x + 20, at_y + 4, "start", Legend::shortened(lines[i].name, kWidth - kLeft));
  }
  return svg + "</svg>";
}

std::string dot_plot(const std::vector<std::string>& rows, const std::vector<DotSeries>& series,
                     const PlotOptions& options) {
  constexpr double kRow = 22, kLetter = 6.4, kWidthOfDots = 420;
  constexpr double kLegendLeft = 12, kLegendTop = 52;
  std::vector<double> all;
  for (const DotSeries& dots : series) {
    for (const auto& value : dots.values)
      if (value) all.push_back(*value);
  }
  if (all.empty()) return "";
  std::size_t longest = 0;
  for (const std::string& row : rows) longest = std::max(longest, row.size());
  const double left = 20 + kLetter * static_cast<double>(longest);
  const auto [low, high] = std::minmax_element(all.begin(), all.end());
  const double margin = *high > *low ? 0.04 * (*high - *low) : std::max(1e-6, std::abs(*low) * 0.1);
  const Axis x{*low - margin, *high + margin, left, left + kWidthOfDots, false};
  const double floor = kTop + kRow * static_cast<double>(rows.size());
  const double width = left + kWidthOfDots + kRight;
  const Legend legend(series, kLegendLeft, width, floor + kLegendTop);
  const double height = legend.bottom + Legend::kLine;

  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + coordinate(width) +
                    " " + coordinate(height) + "\" width=\"" + coordinate(width) +
                    "\" role=\"img\" aria-label=\"" +
                    kainjow::mustache::html_escape(options.title) + "\"";
  svg += options.in_page ? ">"
                         : " font-family=\"sans-serif\" font-size=\"11\">"
                           "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>";
  const std::string grid = options.in_page ? "class=\"grid\"" : "stroke=\"#ddd\"";
  svg += text_at(left, 16, "start", options.title, " font-weight=\"bold\"");
  for (const double tick : round_ticks(x.low, x.high)) {
    svg += line_from(x.position(tick), kTop, x.position(tick), floor, grid);
    svg += text_at(x.position(tick), floor + 15, "middle", number(tick));
  }
  svg += text_at(left + kWidthOfDots / 2, floor + 31, "middle", options.x_label);
  const auto middle = [&](std::size_t row) {
    return kTop + kRow * (static_cast<double>(row) + 0.5);
  };
  for (std::size_t row = 0; row < rows.size(); ++row) {
    svg += line_from(left, middle(row), left + kWidthOfDots, middle(row), grid);
    svg += text_at(left - 8, middle(row) + 4, "end", rows[row]);
  }
  for (std::size_t i = 0; i < series.size(); ++i) {
    const std::string fill = std::string("\" r=\"4\" fill=\"") + kColours[i % std::size(kColours)];
    for (std::size_t row = 0; row < std::min(rows.size(), series[i].values.size()); ++row) {
      const auto& value = series[i].values[row];
      if (!value) continue;
      svg += "<circle cx=\"" + coordinate(x.position(*value)) + "\" cy=\"" +
             coordinate(middle(row)) + fill + "\"/>";
    }
    const auto& [at_x, at_y] = legend.places[i];
    svg += "<circle cx=\"" + coordinate(at_x) + "\" cy=\"" + coordinate(at_y) + fill + "\"/>";
    svg += text_at(at_x + 8, at_y + 4, "start", series[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace marquee::analysis
