// The words behind `marquee query`: SQL, or the name of a stored question and short filters
// ("task=dtd", "shots<=5", "method=prompt,finetune"), which become SQL.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "analysis/report/query.h"

namespace marquee::analysis {

// One SELECT. Words: SQL alone; or a name (of a stored question, a view or a table; none: the view
// `results`) and any number of filters, all of which must hold. `columns`: names with commas
// between them; "": all. `order`: a column, with '-' in front the largest first; "": the stored
// question's own. Throws usage, naming the nearest valid word, for anything else.
std::string sql_of_words(const std::filesystem::path& database,
                         const std::vector<std::string>& words, const std::string& columns = "",
                         const std::string& order = "", const QueryLimits& limits = {});

// What must hold of a row of the view `results` for all of these filters; "1" for none. A sweep's
// runs are all that belong to it. Throws usage as sql_of_words.
std::string condition_of_filters(const std::filesystem::path& database,
                                 const std::vector<std::string>& filters,
                                 const QueryLimits& limits = {});

// For words that gave no rows: which of their values stand nowhere in the database, with the
// nearest ones that do, a line each; "" when all are known.
std::string unknown_values_text(const std::filesystem::path& database,
                                const std::vector<std::string>& words);

}  // namespace marquee::analysis
