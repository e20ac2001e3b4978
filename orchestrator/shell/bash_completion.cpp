// The script for bash. Names and words are plain, so that nothing in it needs quotes of its own;
// texts do not occur in it.
#include "cluster/suggest.h"
#include "orchestrator/shell/shell_completion.h"

namespace marquee::orchestrator {
namespace {

using cluster::CommandFacts;
using cluster::OptionFacts;

// What completes a value: "file", "folder", "text", or "words a b c".
std::string kind_of(const OptionFacts& option) {
  if (!option.words.empty()) return "words " + cluster::join(option.words, " ");
  return is_file(option) ? "file" : is_folder(option) ? "folder" : "text";
}

std::string command_case(const CommandFacts& command, const std::string& path) {
  std::vector<std::string> parts, options;
  for (const CommandFacts& part : command.parts) parts.push_back(part.name);
  for (const OptionFacts& option : command.options) options.push_back("--" + option.name);
  std::string text = "    '" + path + "')\n      parts='" + cluster::join(parts, " ") +
                     "'\n      options='" + cluster::join(options, " ") + "'\n      operands=(";
  for (const OptionFacts& operand : command.operands) text += "'" + kind_of(operand) + "' ";
  if (!command.operands.empty()) text.pop_back();
  text += ")\n";
  if (!command.operands.empty() && command.operands.back().repeated) text += "      repeated=yes\n";
  text += "      ;;\n";
  for (const CommandFacts& part : command.parts) text += command_case(part, path + " " + part.name);
  return text;
}

std::string value_cases(const CommandFacts& command, const std::string& path) {
  std::string text;
  for (const OptionFacts& option : command.options) {
    if (option.value.empty()) continue;
    text += "    '" + path + " --" + option.name + "'";
    if (!option.short_name.empty()) text += " | '" + path + " -" + option.short_name + "'";
    text += ") value='" + kind_of(option) + "' ;;\n";
  }
  for (const CommandFacts& part : command.parts) text += value_cases(part, path + " " + part.name);
  return text;
}

constexpr const char* kHead =
    R"(# Completion of marquee in bash, written by `marquee completion bash`.

# Of the command $1: its parts, options and what its arguments are.
_marquee_command() {
  parts='' options='' operands=() repeated=''
  case $1 in
)";

constexpr const char* kMiddle = R"(  esac
}

# What follows option $2 of the command $1; nothing where it takes no value.
_marquee_value() {
  value=''
  case "$1 $2" in
)";

constexpr const char* kTail = R"(  esac
}

# Those of the words $1 that begin with $2, each behind $3.
_marquee_among() {
  local IFS=' ' word
  for word in $1; do
    [[ $word != "$2"* ]] || COMPREPLY+=("$3$word")
  done
}

_marquee_kind() {
  case $1 in
    words\ *) _marquee_among "${1#words }" "$2" "$3" ;;
    file) compopt -o default ;;
    folder) compopt -o dirnames ;;
  esac
}

_marquee() {
  local path=marquee parts options operands repeated value='' word option=''
  local current=${COMP_WORDS[COMP_CWORD]}
  local -i i=1 count=0 closed=0
  COMPREPLY=()
  _marquee_command "$path"
  while ((i < COMP_CWORD)) && [[ -n $parts && " $parts " == *" ${COMP_WORDS[i]} "* ]]; do
    path+=" ${COMP_WORDS[i]}"
    i+=1
    _marquee_command "$path"
  done
  local -i first=i
  for (( ; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = && -n $value ]]; then
      continue  # bash takes --option=value apart
    elif [[ -n $value ]]; then
      value=''
    elif ((closed)); then
      count+=1
    elif [[ $word == -- ]]; then
      closed=1
    elif [[ $word == --*=* ]]; then
      :
    elif [[ $word == --* || $word == -? ]]; then
      _marquee_value "$path" "$word"
    elif [[ $word != -* ]]; then
      count+=1
    fi
  done
  if [[ -n $value ]]; then
    [[ $current != = ]] || current=''
    _marquee_kind "$value" "$current" ''
  elif [[ $current == --*=* ]] && ((!closed)); then
    option=${current%%=*}
    _marquee_value "$path" "$option"
    _marquee_kind "$value" "${current#*=}" "$option="
  elif [[ $current == -* ]] && ((!closed)); then
    _marquee_among "$options" "$current" ''
  else
    ((first != COMP_CWORD)) || _marquee_among "$parts" "$current" ''
    if ((count >= ${#operands[@]})) && [[ -n $repeated ]]; then
      count=$((${#operands[@]} - 1))
    fi
    ((count >= ${#operands[@]})) || _marquee_kind "${operands[count]}" "$current" ''
  fi
}

complete -F _marquee marquee
)";

}  // namespace

std::string bash_completion(const CommandFacts& commands) {
  return kHead + command_case(commands, commands.name) + kMiddle +
         value_cases(commands, commands.name) + kTail;
}

}  // namespace marquee::orchestrator
