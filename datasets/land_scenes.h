// Land as satellites see it, drawn by code: fields, wild land, built land, waters. In tones from
// dark water and wood to bright soil, all through a little haze; nothing of a photograph is in
// them.
#pragma once

#include "cluster/philox.h"
#include "datasets/image.h"

namespace marquee::datasets {

Image fields(cluster::PhiloxStream& stream);      // parcels with rows, tracks between them
Image wild_land(cluster::PhiloxStream& stream);   // wood, scrub, bare slopes
Image built_land(cluster::PhiloxStream& stream);  // streets, long roofs, yards
Image waters(cluster::PhiloxStream& stream);      // open water, shores, rivers

}  // namespace marquee::datasets
