// Text of unknown origin: whether it is UTF-8, and how it is shown without letting it move the
// cursor, colour the terminal or start a line of its own in a log. Pure; thread safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace marquee::cluster {

// Place of the first byte that is no UTF-8 (overlong forms and surrogates are none).
std::optional<std::size_t> invalid_utf8(std::string_view text);

// "U+001B" of the first character that controls a terminal or the direction of text: C0 (line
// breaks and tabs too), DEL, C1, line and paragraph separators, marks and overrides of direction.
std::optional<std::string> control_character(std::string_view text);

// The text with those characters and bytes that are no UTF-8 written as \n, \t, \x1b or \u{202e};
// line breaks stay where `keep_lines`.
std::string printable(std::string_view text, bool keep_lines = false);

}  // namespace marquee::cluster
