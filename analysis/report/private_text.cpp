#include "analysis/report/private_text.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace marquee::analysis {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
}

// What ends a path within a sentence.
bool ends_path(char c) {
  return std::string_view(" \t\n\r\"'`,;:()[]{}<>|").find(c) != std::string_view::npos;
}

std::string without_paths(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const bool starts = i == 0 || ends_path(text[i - 1]) || text[i - 1] == '=';
    const bool home = text.compare(i, 2, "~/") == 0;
    // Not the second slash of "https://", nor a lone one.
    const bool root = text[i] == '/' && i + 1 < text.size() && text[i + 1] != '/' &&
                      !ends_path(text[i + 1]) && (i == 0 || text[i - 1] != '/');
    if (!starts || !(home || root)) {
      out += text[i++];
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && !ends_path(text[end])) ++end;
    std::string path = text.substr(i, end - i);
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    out += ".../" + path.substr(path.rfind('/') + 1);
    i = end;
  }
  return out;
}

}  // namespace

PrivateText::PrivateText(const std::set<std::string>& hosts, bool shown) : shown_(shown) {
  int number = 0;
  for (const std::string& host : hosts)
    if (!host.empty()) hosts_.emplace_back(host, "host-" + std::to_string(++number));
  std::stable_sort(hosts_.begin(), hosts_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

std::string PrivateText::operator()(const std::string& text) const {
  if (shown_) return text;
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const bool starts = i == 0 || !is_word(text[i - 1]);
    const auto host = std::find_if(hosts_.begin(), hosts_.end(), [&](const auto& known) {
      const std::size_t end = i + known.first.size();
      return starts && text.compare(i, known.first.size(), known.first) == 0 &&
             (end >= text.size() || !is_word(text[end]));
    });
    if (host == hosts_.end()) {
      out += text[i++];
      continue;
    }
    out += host->second;
    i += host->first.size();
  }
  return without_paths(out);
}

nlohmann::json PrivateText::within(const nlohmann::json& content) const {
  if (content.is_string()) return (*this)(content.get<std::string>());
  if (!content.is_structured()) return content;
  nlohmann::json out = content;
  for (auto& entry : out) entry = within(entry);
  return out;
}

}  // namespace marquee::analysis
