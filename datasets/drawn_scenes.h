// Scenes drawn by code to pretrain a base on, beside photographs: patchworks, clouds of colour,
// stripes, strokes, figures on black and on colour, signs, and land as satellites see it. No task
// is made of them, and no shape of a drawn task is in them: no disc, ellipse, square, triangle,
// heart or digit.
#pragma once

#include <cstdint>

#include "datasets/image.h"

namespace marquee::datasets {

inline constexpr int kSceneSize = 96;  // pixels a side
inline constexpr int kSceneKinds = 12;
inline constexpr int kScenesVersion = 2;  // raised when a drawing changes

int scene_kind(std::uint64_t number);  // from 0 to below kSceneKinds

// Every scene is a pure function of its number.
Image drawn_scene(std::uint64_t number);

}  // namespace marquee::datasets
