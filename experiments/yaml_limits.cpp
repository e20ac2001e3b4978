#include "experiments/yaml_limits.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include <yaml-cpp/yaml.h>
// After yaml.h, on which it depends.
#include <yaml-cpp/eventhandler.h>

#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::experiments {
namespace {

// Counts what an expanded document would hold, as its events go by.
class Counter : public YAML::EventHandler {
 public:
  Counter(const YamlFailure& fail, const YamlLimits& limits) : fail_(fail), limits_(limits) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_key(mark, nullptr);
    remember(anchor, 1);
    take(mark, 1);
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    if (value.size() > limits_.scalar_bytes) {
      refuse(mark, "holds a value of " + std::to_string(value.size()) +
                       " bytes; expected at most " + std::to_string(limits_.scalar_bytes));
    }
    if (const auto control = cluster::control_character(value))
      refuse(mark, "holds the control character " + *control + " in a value; expected plain text");
    check_key(mark, &value);
    remember(anchor, 1);
    take(mark, 1);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_key(mark, nullptr);
    const auto known = sizes_.find(anchor);
    if (known == sizes_.end()) refuse(mark, "holds an alias inside what it stands for");
    take(mark, known->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_key(mark, nullptr);
    enter(mark, anchor, false);
  }
  void OnSequenceEnd() override { leave(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_key(mark, nullptr);
    enter(mark, anchor, true);
  }
  void OnMapEnd() override { leave(); }

 private:
  struct Level {
    bool is_map = false;
    bool key_is_next = true;  // of a mapping
    std::set<std::string> keys;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::size_t size = 1;
  };

  [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) const {
    fail_(line_of(mark), what);
    cluster::throw_defect("a refusal that goes on");
  }
  static std::size_t line_of(const YAML::Mark& mark) {
    return static_cast<std::size_t>(std::max(0, mark.line)) + 1;
  }

  // `key`: nothing for what is no word.
  void check_key(const YAML::Mark& mark, const std::string* key) {
    if (levels_.empty() || !levels_.back().is_map || !levels_.back().key_is_next) return;
    if (key == nullptr) refuse(mark, "has a key that is no word");
    if (!levels_.back().keys.insert(*key).second)
      refuse(mark, "key '" + *key + "' stands twice in its mapping");
  }

  void remember(YAML::anchor_t anchor, std::size_t size) {
    if (anchor != YAML::NullAnchor) sizes_[anchor] = size;
  }

  // A value of this size, expanded, is complete.
  void take(const YAML::Mark& mark, std::size_t size) {
    total_ += size;
    if (total_ > limits_.values) {
      refuse(mark, "the file holds more than " + std::to_string(limits_.values) +
                       " values (aliases count as what they stand for)");
    }
    if (levels_.empty()) return;
    levels_.back().size += size;
    if (levels_.back().is_map) levels_.back().key_is_next = !levels_.back().key_is_next;
  }

  void enter(const YAML::Mark& mark, YAML::anchor_t anchor, bool is_map) {
    if (levels_.size() == limits_.depth) {
      refuse(mark, "has lists and mappings more than " + std::to_string(limits_.depth) +
                       " deep in each other");
    }
    ++total_;
    Level level;
    level.is_map = is_map;
    level.anchor = anchor;
    levels_.push_back(std::move(level));
  }

  void leave() {
    const Level level = std::move(levels_.back());
    levels_.pop_back();
    remember(level.anchor, level.size);
    // Its parts are in the total already.
    if (levels_.empty()) return;
    levels_.back().size += level.size;
    if (levels_.back().is_map) levels_.back().key_is_next = !levels_.back().key_is_next;
  }

  const YamlFailure& fail_;
  const YamlLimits& limits_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, std::size_t> sizes_;  // of complete anchored values, expanded
  std::size_t total_ = 0;
};

}  // namespace

void check_yaml(const std::string& text, const YamlFailure& fail, const YamlLimits& limits) {
  if (const auto bad = cluster::invalid_utf8(text)) {
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n');
    fail(static_cast<std::size_t>(line) + 1, "holds bytes that are no UTF-8; expected YAML text");
  }
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Counter counter(fail, limits);
  if (!parser.HandleNextDocument(counter)) return;
  Counter second(fail, limits);
  if (parser.HandleNextDocument(second)) {
    const auto line = std::count(text.begin(), text.end(), '\n');
    fail(static_cast<std::size_t>(line) + 1, "holds a second document; expected one");
  }
}

}  // namespace marquee::experiments
