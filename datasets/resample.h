// The two passes that all resizing here is made of: along rows, then along columns, each output
// cell a weighted sum over neighbouring input cells, added up in their order from zero. Internal to
// resize.cpp and pillow_resize.cpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace marquee::datasets {

inline constexpr std::size_t kChannels = 3;

// Which input cells make up each output cell, and with what weights.
template <class Weight>
struct Taps {
  struct Cell {
    std::size_t first_input = 0;
    std::size_t first_weight = 0;
    std::size_t count = 0;
  };
  std::vector<Cell> cells;
  std::vector<Weight> weights;

  // Appends an output cell. Leading and trailing zeros are left out: no sum changes by them.
  void add(std::size_t first_input, const std::vector<Weight>& of_cell) {
    std::size_t begin = 0, end = of_cell.size();
    while (end > 1 && of_cell[end - 1] == 0) --end;
    while (begin + 1 < end && of_cell[begin] == 0) ++begin;
    cells.push_back({first_input + begin, weights.size(), end - begin});
    weights.insert(weights.end(), of_cell.begin() + static_cast<std::ptrdiff_t>(begin),
                   of_cell.begin() + static_cast<std::ptrdiff_t>(end));
  }
};

// [rows, width, 3] to [rows, cells, 3]; `finish` turns a sum into an output value.
template <class Out, class Weight, class In, class Finish>
std::vector<Out> resample_rows(const In* in, std::size_t rows, std::size_t width,
                               const Taps<Weight>& columns, Finish finish) {
  const std::size_t line = width * kChannels, line_out = columns.cells.size() * kChannels;
  std::vector<Out> out(rows * line_out);
  // Four rows at once, as their sums do not wait for one another, and a pixel's channels in one
  // vector; its last lane is the neighbour's and thrown away.
  constexpr std::size_t kRows = 4, kLanes = 4;
  using Lanes [[gnu::vector_size(kLanes * sizeof(Weight))]] = Weight;
  const std::size_t padded = line + kLanes - kChannels;
  std::vector<Weight> block(kRows * padded);
  for (std::size_t y = 0; y < rows; y += kRows) {
    const std::size_t here = std::min(kRows, rows - y);
    for (std::size_t r = 0; r < here; ++r)
      std::copy_n(in + (y + r) * line, line, block.data() + r * padded);
    Out* to = out.data() + y * line_out;
    for (const auto& cell : columns.cells) {
      const Weight* pixel = block.data() + cell.first_input * kChannels;
      const Weight* weight = columns.weights.data() + cell.first_weight;
      Lanes sum[kRows] = {};
      for (std::size_t tap = 0; tap < cell.count; ++tap, pixel += kChannels) {
        for (std::size_t r = 0; r < kRows; ++r) {
          Lanes lanes;
          std::memcpy(&lanes, pixel + r * padded, sizeof lanes);
          sum[r] += weight[tap] * lanes;
        }
      }
      for (std::size_t r = 0; r < here; ++r)
        for (std::size_t c = 0; c < kChannels; ++c) to[r * line_out + c] = finish(sum[r][c]);
      to += kChannels;
    }
  }
  return out;
}

// [height, width, 3] to [cells, width, 3].
template <class Out, class Weight, class In, class Finish>
std::vector<Out> resample_columns(const In* in, std::size_t width, const Taps<Weight>& rows,
                                  Finish finish) {
  const std::size_t line = width * kChannels;
  std::vector<Out> out(rows.cells.size() * line);
  std::vector<Weight> sum(line);
  Out* to = out.data();
  for (const auto& cell : rows.cells) {
    std::fill(sum.begin(), sum.end(), Weight{0});
    for (std::size_t tap = 0; tap < cell.count; ++tap) {
      const In* from = in + (cell.first_input + tap) * line;
      const Weight weight = rows.weights[cell.first_weight + tap];
      for (std::size_t i = 0; i < line; ++i) sum[i] += weight * static_cast<Weight>(from[i]);
    }
    for (const Weight value : sum) *to++ = finish(value);
  }
  return out;
}

}  // namespace marquee::datasets
