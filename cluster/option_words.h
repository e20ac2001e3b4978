// Values of options that are one of a few words: declared once, for the help, the completion of
// shells and the error that names the nearest one.
//
//   ("format", one_of({"table", "csv", "json"})->default_value("table"), "of the answer")
#pragma once

#include <string>
#include <vector>

#include <boost/program_options.hpp>

namespace marquee::cluster {

// What is known of an option's words besides its type; found by dynamic_cast from its semantic.
class OptionWords {
 public:
  OptionWords(std::vector<std::string> words, bool closed)
      : words_(std::move(words)), closed_(closed) {}
  virtual ~OptionWords() = default;

  const std::vector<std::string>& words() const { return words_; }
  // No other word is valid.
  bool closed() const { return closed_; }

 private:
  std::vector<std::string> words_;
  bool closed_;
};

template <class T>
class WordValue final : public boost::program_options::typed_value<T>, public OptionWords {
 public:
  WordValue(const std::vector<std::string>& words, bool closed)
      : boost::program_options::typed_value<T>(nullptr), OptionWords(words, closed) {}
};

// One of these words; parse() refuses others. The help shows them where they are short.
WordValue<std::string>* one_of(const std::vector<std::string>& words);

// Words that a shell offers, others may be right too: the command that reads them says so.
template <class T = std::string>
WordValue<T>* such_as(const std::vector<std::string>& words) {
  return new WordValue<T>(words, false);  // owned by the option, as all of po::value
}

}  // namespace marquee::cluster
