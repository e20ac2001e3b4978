#include "cluster/command_facts.h"

#include <typeinfo>

#include <nlohmann/json.hpp>

#include "cluster/command_line.h"
#include "cluster/error.h"
#include "cluster/option_words.h"
#include "cluster/text.h"

namespace marquee::cluster {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

constexpr std::size_t kMostBytes = 1 << 20, kMostEntries = 1000, kLongestName = 100;
constexpr int kMostLevels = 4;

OptionFacts facts_of(const po::option_description& option) {
  OptionFacts facts;
  facts.name = option.long_name();
  const std::string shortest =
      option.canonical_display_name(po::command_line_style::allow_dash_for_short);
  if (shortest.size() == 2 && shortest[0] == '-') facts.short_name = shortest.substr(1);
  facts.text = option.description();
  const po::value_semantic& value = *option.semantic();
  facts.required = value.is_required();
  if (value.max_tokens() > 0) {
    // "DIR (=here)": the library tells name and default in one.
    facts.value = value.name();
    constexpr std::string_view kDefault = " (=";
    if (const auto place = facts.value.find(kDefault); place != std::string::npos) {
      facts.default_text = facts.value.substr(place + kDefault.size());
      facts.default_text.pop_back();
      facts.value.resize(place);
    }
    if (const auto* typed = dynamic_cast<const po::typed_value_base*>(&value)) {
      const std::type_info& type = typed->value_type();
      facts.repeated = type == typeid(std::vector<std::string>);
      if (facts.value == po::arg)
        facts.value = type == typeid(std::string) || facts.repeated ? "TEXT" : "NUMBER";
    }
    if (const auto* words = dynamic_cast<const OptionWords*>(&value)) facts.words = words->words();
  }
  return facts;
}

json json_of(const OptionFacts& option) {
  return {{"name", option.name},         {"short", option.short_name},
          {"value", option.value},       {"default", option.default_text},
          {"text", option.text},         {"required", option.required},
          {"repeated", option.repeated}, {"words", option.words}};
}

json json_of(const CommandFacts& facts) {
  json options = json::array(), operands = json::array(), parts = json::array();
  for (const OptionFacts& option : facts.options) options.push_back(json_of(option));
  for (const OptionFacts& operand : facts.operands) operands.push_back(json_of(operand));
  for (const CommandFacts& part : facts.parts) parts.push_back(json_of(part));
  return {{"name", facts.name}, {"summary", facts.summary}, {"usage", facts.usage},
          {"text", facts.text}, {"options", options},       {"operands", operands},
          {"parts", parts}};
}

// A name or word that stands in scripts of shells as it is.
std::string plain(const json& value) {
  const auto& word = value.get_ref<const std::string&>();
  const bool good = !word.empty() && word.size() <= kLongestName && word[0] != '-' &&
                    word.find_first_not_of(
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "_-./+=") == std::string::npos;
  if (!good) throw std::invalid_argument("'" + printable(word) + "' is no plain word");
  return word;
}

const json& list(const json& object, const char* key) {
  const json& entries = object.at(key);
  if (!entries.is_array() || entries.size() > kMostEntries)
    throw std::invalid_argument(std::string("'") + key + "' is no list of at most 1000");
  return entries;
}

OptionFacts option_from(const json& object) {
  OptionFacts option;
  option.name = plain(object.at("name"));
  if (!object.at("short").get_ref<const std::string&>().empty())
    option.short_name = plain(object.at("short"));
  option.value = object.at("value").get<std::string>();
  option.default_text = object.at("default").get<std::string>();
  option.text = object.at("text").get<std::string>();
  option.required = object.at("required").get<bool>();
  option.repeated = object.at("repeated").get<bool>();
  for (const json& word : list(object, "words")) option.words.push_back(plain(word));
  return option;
}

CommandFacts command_from(const json& object, int level) {
  if (level > kMostLevels) throw std::invalid_argument("parts of parts of parts");
  CommandFacts facts;
  facts.name = plain(object.at("name"));
  facts.summary = object.at("summary").get<std::string>();
  facts.usage = object.at("usage").get<std::string>();
  facts.text = object.at("text").get<std::string>();
  for (const json& option : list(object, "options")) facts.options.push_back(option_from(option));
  for (const json& operand : list(object, "operands"))
    facts.operands.push_back(option_from(operand));
  for (const json& part : list(object, "parts"))
    facts.parts.push_back(command_from(part, level + 1));
  return facts;
}

}  // namespace

bool is_file(const OptionFacts& option) {
  return option.value.starts_with("FILE");
}

bool is_folder(const OptionFacts& option) {
  return option.value.starts_with("DIR");
}

CommandFacts facts_of(const CommandLine& line) {
  CommandFacts facts;
  facts.usage = line.usage;
  facts.text = line.text;
  for (const auto& option : line.options.options()) facts.options.push_back(facts_of(*option));
  const auto named = line.positional.max_total_count();
  constexpr unsigned kUnlimited = static_cast<unsigned>(-1);
  for (unsigned i = 0; i < named; ++i) {
    const std::string& name = line.positional.name_for_position(i);
    if (!facts.operands.empty() && facts.operands.back().name == name) {
      facts.operands.back().repeated = true;
      if (named == kUnlimited) break;
      continue;
    }
    OptionFacts operand = facts_of(line.hidden.find(name, false));
    operand.repeated = false;
    facts.operands.push_back(operand);
  }
  for (const CommandPart& part : line.parts) {
    facts.parts.push_back(facts_of(part.run));
    facts.parts.back().name = part.name;
    facts.parts.back().summary = part.summary;
  }
  return facts;
}

std::string to_json(const CommandFacts& facts) {
  return json_of(facts).dump();
}

CommandFacts command_facts_from(std::string_view text, const std::string& source) {
  try {
    if (text.size() > kMostBytes) throw std::invalid_argument("more than 1 MiB");
    return command_from(json::parse(text), 0);
  } catch (const std::exception& error) {
    throw_environment(source + " does not describe its commands as this program expects: " +
                      printable(error.what()) + "; both should be of one build");
  }
}

}  // namespace marquee::cluster
