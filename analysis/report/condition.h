// What `--where` takes: a condition over the columns of the view `results`.
#pragma once

#include <string>

namespace marquee::analysis {

// Throws usage when `condition` could mean anything but one expression once it stands in
// parentheses: NUL bytes, comments, `;`, parameters, parentheses or quotes that do not close where
// they opened, nothing at all, or a statement (SELECT, WITH, VALUES) that is not in parentheses.
// Whether it parses and which columns there are, SQLite says.
void check_condition(const std::string& condition);

}  // namespace marquee::analysis
