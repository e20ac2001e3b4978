#include "analysis/report/task_sections.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "analysis/report/html.h"
#include "analysis/report/loss_curve.h"
#include "analysis/report/main_table.h"
#include "analysis/report/picture_book.h"
#include "analysis/report/plot.h"
#include "analysis/report/run_facts.h"
#include "analysis/report/samples.h"
#include "analysis/report/section_tables.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/suggest.h"
#include "cluster/text.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;
namespace ms = kainjow::mustache;

// Grids of so many rows at most stand in the page, others are linked; fewest shots first.
constexpr std::size_t kMostGrids = 60;
// Of pictures in a page; they take a third more as text.
constexpr std::size_t kPictureBytes = std::size_t{9} << 20;

std::string described(const ComparisonRow& row) {
  return row_title(row) + ", seed " + std::to_string(row.finished.front().seed);
}

// The loss curve of an attempt; no points where nothing was trained or the file is damaged.
PlotLine loss_line(const fs::path& results, const ComparisonRow& row) {
  PlotLine line{row.name(), {}};
  LossCurve curve;
  try {
    curve = read_loss_curve(attempt_folder(results, row.finished.front()));
  } catch (const cluster::Error& error) {
    cluster::log_warning("report", error.what());
    return line;
  }
  // Means over up to 50 windows: single steps are noise.
  const std::size_t window = std::max<std::size_t>(1, curve.losses.size() / 50);
  for (std::size_t first = 0; first + window <= curve.losses.size(); first += window) {
    const auto from = curve.losses.begin() + static_cast<std::ptrdiff_t>(first);
    const double sum = std::accumulate(from, from + static_cast<std::ptrdiff_t>(window), 0.0);
    line.points.emplace_back(static_cast<double>(curve.steps[first + window - 1]),
                             sum / static_cast<double>(window));
  }
  return line;
}

struct RowPictures {
  std::optional<PictureFacts> facts;
  std::optional<Picture> made, real, nearest, film;
};

// Of the rows whose grids stand in the page. What matters most comes first, should they be too
// large together.
class Album {
 public:
  Album(const fs::path& results, const Comparison& comparison) {
    std::vector<const ComparisonRow*> order;
    for (const ComparisonRow& row : comparison.rows)
      if (!row.finished.empty()) order.push_back(&row);
    order = stacked(std::move(order));
    order.resize(std::min(order.size(), kMostGrids));
    PictureBook book(kPictureBytes);
    for (const ComparisonRow* row : order) {
      const fs::path folder = attempt_folder(results, row->finished.front());
      RowPictures& pictures = rows_[row];
      try {
        pictures.facts = read_picture_facts(folder);
      } catch (const cluster::Error& error) {
        cluster::log_warning("report", error.what());
      }
      // Runs of earlier versions have the whole grid alone.
      pictures.made = book.embed(folder / (pictures.facts ? "preview.png" : "samples.png"));
    }
    const auto add = [&](std::optional<Picture> RowPictures::*which, const char* name) {
      for (const ComparisonRow* row : order) {
        RowPictures& pictures = rows_[row];
        if (pictures.made && pictures.facts)
          pictures.*which = book.embed(attempt_folder(results, row->finished.front()) / name);
      }
    };
    add(&RowPictures::nearest, "neighbours.png");
    // One of a task: the same for all its runs with the same layout.
    std::set<std::string> tasks;
    for (const ComparisonRow* row : order) {
      RowPictures& pictures = rows_[row];
      if (!pictures.made || !pictures.facts || tasks.contains(row->task)) continue;
      pictures.real = book.embed(attempt_folder(results, row->finished.front()) / "real.png");
      if (pictures.real) tasks.insert(row->task);
    }
    add(&RowPictures::film, "film.png");
  }

  const RowPictures* of(const ComparisonRow& row) const {
    const auto found = rows_.find(&row);
    return found == rows_.end() || !found->second.made ? nullptr : &found->second;
  }

 private:
  std::map<const ComparisonRow*, RowPictures> rows_;
};

ms::data picture_data(const Picture& picture, const std::string& alt) {
  ms::data data;
  data.set("image", picture.uri);
  data.set("width", std::to_string(picture.width));
  data.set("height", std::to_string(picture.height));
  data.set("alt", alt);
  return data;
}

// "a, b, c", and that they begin again, where they do.
std::string class_words(const PictureFacts& facts) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < facts.labels.size(); ++i) {
    const std::string word = i < facts.classes.size() ? cluster::printable(facts.classes[i])
                                                      : "class " + std::to_string(facts.labels[i]);
    if (!words.empty() && word == words.front()) return cluster::join(words) + ", and again";
    words.push_back(word);
  }
  return cluster::join(words);
}

void set_strips(ms::data& section, const Album& album, const fs::path& results,
                const std::vector<const ComparisonRow*>& rows) {
  ms::data strips{ms::data::type::list}, reals{ms::data::type::list}, linked{ms::data::type::list};
  const PictureFacts* shown = nullptr;  // whose real images stand above
  std::vector<std::pair<std::string, std::string>> files;
  for (const ComparisonRow* row : rows) {
    const RowPictures* pictures = album.of(*row);
    if (pictures == nullptr || !pictures->real || shown != nullptr) continue;
    shown = &*pictures->facts;
    ms::data real = picture_data(*pictures->real, "real images of " + row->task);
    real.set("split", shown->real_split);
    reals << real;
  }
  for (const ComparisonRow* row : rows) {
    if (row->finished.empty()) continue;
    const std::string name =
        copy_samples(results, row->finished.front(), results / "report" / "images");
    const std::string file = name.empty() ? "" : "images/" + name;
    const RowPictures* pictures = album.of(*row);
    if (pictures == nullptr) {
      if (!file.empty()) files.emplace_back(file, described(*row));
      continue;
    }
    const std::string caption = described(*row);
    ms::data strip = picture_data(*pictures->made, "samples: " + caption);
    strip.set("caption", caption);
    strip.set("shots", row->oracle ? "" : row->shots);
    strip.set("method", row->method);
    strip.set("has_file", !file.empty());
    strip.set("file", file);
    std::string note;
    if (pictures->nearest) {
      strip.set("nearest", picture_data(*pictures->nearest, "nearest training images: " + caption));
      note = "second grid: the nearest training image of each";
      const std::vector<double>& distances = pictures->facts->distances;
      if (!distances.empty()) {
        const auto [low, high] = std::minmax_element(distances.begin(), distances.end());
        note += ", at distances from " + number_text("%.3g", *low) + " to " +
                number_text("%.3g", *high) + " in the metrics' features";
      }
    }
    if (!pictures->nearest && pictures->facts && !pictures->facts->distances.empty())
      note = "the nearest training images are left out: the page would grow too large";
    if (pictures->facts && shown != nullptr && pictures->facts->labels != shown->labels)
      note += std::string(note.empty() ? "" : "; ") + "of other classes than the real images above";
    strip.set("has_note", !note.empty());
    strip.set("note", note);
    if (pictures->film)
      strip.set("film", picture_data(*pictures->film, "steps of decoding: " + caption));
    strips << strip;
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    ms::data link;
    link.set("file", files[i].first);
    link.set("caption", files[i].second);
    link.set("last", i + 1 == files.size());
    linked << link;
  }
  const std::string classes = shown == nullptr ? "" : class_words(*shown);
  section.set("has_strips", !strips.list_value().empty());
  section.set("strips", strips);
  section.set("real", reals);
  section.set("has_classes", !classes.empty());
  section.set("classes", classes);
  section.set("has_linked", !files.empty());
  section.set("linked", linked);
}

std::string table_html(const Comparison& comparison, const Section& shown,
                       const std::vector<const ComparisonRow*>& rows) {
  const Table table = section_table(comparison, shown);
  HtmlTable options{shown.title + ": every metric"};
  for (const ComparisonRow* row : rows) {
    options.row_attributes.push_back(" data-row" +
                                     html_attribute("data-shots", row->oracle ? "" : row->shots) +
                                     html_attribute("data-method", row->method) +
                                     (row->oracle ? html_attribute("class", "oracle") : ""));
  }
  const auto place = std::find(table.header.begin(), table.header.end(), "seeds");
  const auto seeds = static_cast<std::size_t>(place - table.header.begin());
  options.cell = [&](std::size_t row, std::size_t column) -> std::string {
    if (column != seeds || rows[row]->finished.empty()) return "";
    return "<a href=\"#made\"" +
           html_attribute("data-find", "\"" + row_title(*rows[row]) + ", seed\"") +
           html_attribute("aria-label", table.rows[row][column] + ": how they were made") + ">" +
           html_escaped(table.rows[row][column]) + "</a>";
  };
  return html_table(table, options);
}

// Losses by shots, in plots of so many lines as have colours of their own.
ms::data training_plots(const fs::path& results, const std::vector<const ComparisonRow*>& rows) {
  std::vector<std::pair<std::string, std::vector<PlotLine>>> losses;
  for (const ComparisonRow* row : rows) {
    if (row->finished.empty()) continue;
    PlotLine curve = loss_line(results, *row);
    if (curve.points.empty()) continue;
    if (row->variant.empty()) curve.colour = colour_of_method(row->method);
    if (losses.empty() || losses.back().first != row->shots) losses.push_back({row->shots, {}});
    losses.back().second.push_back(std::move(curve));
  }
  ms::data plots{ms::data::type::list};
  const std::size_t most = distinct_colours();
  for (const auto& [shots, curves] : losses) {
    for (std::size_t first = 0; first < curves.size(); first += most) {
      const auto begin = curves.begin() + static_cast<std::ptrdiff_t>(first);
      const auto count = static_cast<std::ptrdiff_t>(std::min(most, curves.size() - first));
      const std::string svg =
          line_plot({begin, begin + count}, {"tuning loss, " + shots_text(shots), "step", "loss"});
      if (svg.empty()) continue;
      ms::data plot;
      plot.set("plot", svg);
      plots << plot;
    }
  }
  return plots;
}

}  // namespace

ms::data task_sections(const fs::path& results, const Comparison& comparison) {
  const Album album(results, comparison);
  ms::data sections{ms::data::type::list};
  for (const Section& shown : sections_of(comparison)) {
    const std::vector<const ComparisonRow*> rows = rows_of(comparison, shown);
    const std::string empty = empty_cells_text(comparison, shown);
    ms::data section;
    section.set("task", shown.task);
    section.set("title", shown.title);
    section.set("anchor", task_anchor(shown.task, shown.protocol, shown.network_hash));
    section.set("table", table_html(comparison, shown, rows));
    section.set("has_empty", !empty.empty());
    section.set("empty", empty);
    set_strips(section, album, results, rows);
    const ms::data plots = training_plots(results, rows);
    section.set("has_plots", !plots.list_value().empty());
    section.set("plots", plots);
    sections << section;
  }
  return sections;
}

}  // namespace marquee::analysis
