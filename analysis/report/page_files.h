// The files of page/, built into the program: the page as a mustache template, its style and its
// script. In the template {{{x}}} is HTML of our own; all else is escaped.
#pragma once

namespace marquee::analysis {

extern const char* const kPageTemplate;  // page/report.mustache
extern const char* const kPageStyle;     // page/report.css
extern const char* const kPageScript;    // page/report.js

}  // namespace marquee::analysis
