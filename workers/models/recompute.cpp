#include "workers/models/recompute.h"

#include <memory>
#include <string>
#include <vector>

namespace marquee::workers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What the graph's node holds beside its inputs: x and the trained parameters, in this order.
struct Part {
  NetworkPart compute;
  ParameterMap frozen;
  std::vector<std::string> trained;
};

ParameterMap all_parameters(const Part& part, at::TensorList inputs) {
  ParameterMap parameters = part.frozen;
  for (std::size_t i = 0; i < part.trained.size(); ++i) parameters[part.trained[i]] = inputs[i + 1];
  return parameters;
}

class Recompute : public torch::autograd::Function<Recompute> {
 public:
  static Tensor forward(AutogradContext* context, const std::shared_ptr<Part>& part,
                        at::TensorList inputs) {
    context->save_for_backward(inputs.vec());
    context->saved_data["part"] = c10::IValue::make_capsule(c10::make_intrusive<Holder>(part));
    return part->compute(inputs[0], all_parameters(*part, inputs));
  }

  static variable_list backward(AutogradContext* context, const variable_list& above) {
    const auto holder = context->saved_data["part"].toCapsule();
    const Part& part = *static_cast<const Holder&>(*holder).part;
    variable_list inputs;
    for (const Tensor& saved : context->get_saved_variables()) {
      inputs.push_back(saved.detach());
      inputs.back().requires_grad_(saved.requires_grad());
    }
    const torch::AutoGradMode with_graph(true);
    const Tensor output = part.compute(inputs[0], all_parameters(part, inputs));
    variable_list wanted;
    for (const Tensor& input : inputs)
      if (input.requires_grad()) wanted.push_back(input);
    const variable_list found = torch::autograd::grad({output}, wanted, above,
                                                      /*retain_graph=*/false,
                                                      /*create_graph=*/false,
                                                      /*allow_unused=*/true);
    variable_list gradients{Tensor()};  // of the part, which is no tensor
    std::size_t next = 0;
    for (const Tensor& input : inputs)
      gradients.push_back(input.requires_grad() ? found[next++] : Tensor());
    return gradients;
  }

 private:
  struct Holder : torch::CustomClassHolder {
    explicit Holder(std::shared_ptr<Part> held) : part(std::move(held)) {}
    std::shared_ptr<Part> part;
  };
};

}  // namespace

Tensor recomputed(NetworkPart compute, const Tensor& x, const ParameterMap& parameters) {
  const auto part = std::make_shared<Part>();
  part->compute = std::move(compute);
  variable_list inputs{x};
  for (const auto& [name, tensor] : parameters) {
    if (tensor.requires_grad()) {
      part->trained.push_back(name);
      inputs.push_back(tensor);
    } else {
      part->frozen[name] = tensor;
    }
  }
  return Recompute::apply(part, at::TensorList(inputs));
}

}  // namespace marquee::workers
