// The subcommands of marquee-trainer, one file each. Each gets the words after its name and returns
// the exit code; it reports errors by throwing cluster::Error.
#pragma once

#include "cluster/command_line.h"

namespace marquee::workers {

// Trains the networks of a base by a recipe.
int pretrain_command(const cluster::Arguments& arguments);
// Works on runs that an agent sends over a channel, until it closes.
int serve_command(const cluster::Arguments& arguments);
// One rank of a gang that only exchanges, for `marquee doctor --gpus`.
int check_gang_command(const cluster::Arguments& arguments);
// One run, here, without MPI.
int run_command(const cluster::Arguments& arguments);
// Times a few steps of a run, for `marquee plan`.
int probe_command(const cluster::Arguments& arguments);
// Tokens of a task's images, ahead of its runs.
int cache_command(const cluster::Arguments& arguments);
// Images of a finished run, or of a base.
int sample_command(const cluster::Arguments& arguments);
// A base from published checkpoints.
int import_command(const cluster::Arguments& arguments);
// A feature network, likewise: `marquee import features`.
int import_features_command(const cluster::Arguments& arguments);
// Metrics of two sets of images.
int evaluate_command(const cluster::Arguments& arguments);
int export_command(const cluster::Arguments& arguments);
// Facts of this program and what it is linked with.
int version_command(const cluster::Arguments& arguments);

}  // namespace marquee::workers
