// The yardstick of the transformers' benchmarks: the matrix products of a pass alone, at the
// layers' own shapes and in their type, without biases, into tensors made beforehand.
#pragma once

#include <cstdint>
#include <vector>

#include "workers/models/transformer.h"

namespace marquee::workers {

// `count` products [batch, rows, inner] x [batch, inner, columns].
struct ProductShape {
  std::int64_t count = 1, batch = 1, rows = 0, inner = 0, columns = 0;
};

// Of one forward pass of the masked transformer over `batch` images with `prompts` prompts in place
// of the class slot (0: with the slot); the head, codes only, for `decoded` positions of each image
// (0: all and the slot).
std::vector<ProductShape> forward_products(const TransformerConfig& config, std::int64_t batch,
                                           std::int64_t prompts, std::int64_t decoded = 0);

// Of a forward and a backward pass that trains the input alone: a product with a weight has one
// gradient, a product of two activations (batch > 1) has two.
std::vector<ProductShape> input_training_products(const TransformerConfig& config,
                                                  std::int64_t batch, std::int64_t prompts,
                                                  std::int64_t decoded = 0);

// Each so many times.
std::vector<ProductShape> scaled(std::vector<ProductShape> shapes, std::int64_t times);

class Products {
 public:
  Products(const std::vector<ProductShape>& shapes, torch::ScalarType type);
  // Time of all of them once.
  double seconds();

 private:
  struct Product {
    std::int64_t count;
    Tensor left, right, out;
  };
  std::vector<Product> products_;
};

}  // namespace marquee::workers
