#include "tests/benchmarks/products.h"

#include "tests/benchmarks/interleaved.h"

namespace marquee::workers {

std::vector<ProductShape> forward_products(const TransformerConfig& config, std::int64_t batch,
                                           std::int64_t prompts, std::int64_t decoded) {
  const std::int64_t length = prompts > 0 ? prompts + config.tokens() : config.positions();
  const std::int64_t rows = batch * length, width = config.width, layers = config.layers,
                     head = width / config.heads, all_heads = batch * config.heads,
                     head_rows = batch * (decoded > 0 ? decoded : config.positions());
  return {{4 * layers, 1, rows, width, width},  // query, key, value, out
          {layers, all_heads, length, head, length}, {layers, all_heads, length, length, head},
          {layers, 1, rows, width, config.mlp},      {layers, 1, rows, config.mlp, width},
          {1, 1, head_rows, width, width},           {1, 1, head_rows, width, config.codebook}};
}

std::vector<ProductShape> input_training_products(const TransformerConfig& config,
                                                  std::int64_t batch, std::int64_t prompts,
                                                  std::int64_t decoded) {
  std::vector<ProductShape> shapes = forward_products(config, batch, prompts, decoded);
  for (ProductShape& shape : shapes) shape.count *= shape.batch > 1 ? 3 : 2;
  return shapes;
}

std::vector<ProductShape> scaled(std::vector<ProductShape> shapes, std::int64_t times) {
  for (ProductShape& shape : shapes) shape.count *= times;
  return shapes;
}

Products::Products(const std::vector<ProductShape>& shapes, torch::ScalarType type) {
  for (const ProductShape& shape : shapes) {
    const auto matrices = [&](std::int64_t rows, std::int64_t columns) {
      const Tensor values = torch::randn({shape.batch, rows, columns}).to(type);
      return shape.batch == 1 ? values[0] : values;
    };
    products_.push_back({shape.count, matrices(shape.rows, shape.inner),
                         matrices(shape.inner, shape.columns),
                         matrices(shape.rows, shape.columns)});
  }
}

double Products::seconds() {
  const torch::InferenceMode inference;
  return seconds_of([&] {
    for (Product& product : products_) {
      for (std::int64_t i = 0; i < product.count; ++i)
        at::matmul_out(product.out, product.left, product.right);
    }
  });
}

}  // namespace marquee::workers
