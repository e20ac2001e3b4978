// What a command says of itself, read off the declaration of its options: shells complete from it
// and man pages are written from it. Thread safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace marquee::cluster {

struct CommandLine;

// Of an option, or of an argument in its place.
struct OptionFacts {
  std::string name;            // long; "out" of --out
  std::string short_name{};    // "o" of -o, or ""
  std::string value{};         // what its value is called: "DIR"; "" where it takes none
  std::string default_text{};  // of the value; "" where there is none
  std::string text{};          // what it does
  bool required = false;
  bool repeated = false;             // may be given again and again
  std::vector<std::string> words{};  // that the value is one of

  bool operator==(const OptionFacts&) const = default;
};

// A value called FILE or DIR, or of such a beginning ("DIR[:SIZE]"), is a path.
bool is_file(const OptionFacts& option);
bool is_folder(const OptionFacts& option);

struct CommandFacts {
  std::string name{};
  std::string summary{};  // one line
  std::string usage{}, text{};
  std::vector<OptionFacts> options{};
  std::vector<OptionFacts> operands{};  // in their order; the last may be repeated
  std::vector<CommandFacts> parts{};    // `list` of `marquee data`

  bool operator==(const CommandFacts&) const = default;
};

// All but name and summary, which the caller of the command knows.
CommandFacts facts_of(const CommandLine& line);

// One line of JSON, and back. Names and words hold nothing that means something to a shell: reading
// refuses what does, and what is larger or deeper than a command can be, with an environment error
// that names `source`.
std::string to_json(const CommandFacts& facts);
CommandFacts command_facts_from(std::string_view json, const std::string& source);

}  // namespace marquee::cluster
