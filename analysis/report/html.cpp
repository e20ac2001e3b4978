#include "analysis/report/html.h"

#include <cctype>
#include <cmath>
#include <cstdlib>

#include <kainjow/mustache.hpp>

#include "cluster/text.h"

namespace marquee::analysis {
namespace {

// What a numeric column is sorted by.
std::string sort_value(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || !std::isfinite(value)) return "";
  return text.substr(0, static_cast<std::size_t>(end - text.c_str()));
}

}  // namespace

std::string html_escaped(const std::string& text) {
  return kainjow::mustache::html_escape(cluster::printable(text, /*keep_lines=*/true));
}

std::string html_attribute(const std::string& name, const std::string& value) {
  return " " + name + "=\"" + html_escaped(value) + "\"";
}

std::string anchor_of(const std::string& text) {
  std::string anchor;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 && (c & 0x80) == 0;
    if (plain) {
      anchor += c;
    } else if (!anchor.empty() && anchor.back() != '-') {
      anchor += '-';
    }
  }
  return anchor;
}

std::string scrolling(const std::string& table, const std::string& label) {
  return "<div class=\"wide\" tabindex=\"0\" role=\"region\"" +
         html_attribute("aria-label", label) + ">" + table + "</div>\n";
}

std::string html_table(const Table& table, const HtmlTable& options) {
  std::string out = "<table class=\"sortable\">\n<thead><tr>";
  for (std::size_t i = 0; i < table.header.size(); ++i)
    out += std::string("<th scope=\"col\"") + (table.numeric[i] ? " class=\"n\"" : "") + ">" +
           html_escaped(table.header[i]) + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    out += "<tr" + (r < options.row_attributes.size() ? options.row_attributes[r] : "") + ">";
    for (std::size_t i = 0; i < table.rows[r].size(); ++i) {
      const std::string& text = table.rows[r][i];
      std::string kind = table.numeric[i] ? "n" : "";
      if (i < options.column_classes.size() && !options.column_classes[i].empty())
        kind += (kind.empty() ? "" : " ") + options.column_classes[i];
      out += "<td" + (kind.empty() ? "" : html_attribute("class", kind));
      if (table.numeric[i]) out += html_attribute("data-v", sort_value(text));
      const std::string own = options.cell ? options.cell(r, i) : "";
      out += ">" + (own.empty() ? html_escaped(text) : own) + "</td>";
    }
    out += "</tr>\n";
  }
  return scrolling(out + "</tbody></table>", options.label);
}

}  // namespace marquee::analysis
