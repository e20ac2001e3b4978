// The commands behind `marquee export`.
#pragma once

#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

int export_csv(const Arguments& arguments);
int export_tensorboard(const Arguments& arguments);
int export_datasette(const Arguments& arguments);
int export_cards(const Arguments& arguments);

}  // namespace marquee::orchestrator
