// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "graph/networks/networks.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/graph/architectures.hpp"

namespace vggplan::graph {
namespace {

using Append = std::vector<NodeId> (*)(Builder& builder, std::int64_t classes);

struct Entry {
  Architecture architecture{};
  Append append{};
};

constexpr std::array<Entry, 10> kEntries{{
    {{"unet-vgg16", 21, Objective::pixel_cross_entropy, 224, 16}, append_unet},
    {{"fcn8s-vgg16", 21, Objective::pixel_cross_entropy, 224, 32}, append_fcn8s},
    {{"csrnet", 1, Objective::mse}, [](Builder& b, std::int64_t) { return append_csrnet(b); }},
    {{"ssd300-vgg16", 21, Objective::ssd, 300}, append_ssd300},
    {{.name = "resnet18", .classes = 1000, .batch_norm = true},
     [](Builder& b, std::int64_t classes) {
       return append_resnet(b, classes, {2, 2, 2, 2}, false);
     }},
    {{.name = "resnet34", .classes = 1000, .batch_norm = true},
     [](Builder& b, std::int64_t classes) {
       return append_resnet(b, classes, {3, 4, 6, 3}, false);
     }},
    {{.name = "resnet50", .classes = 1000, .batch_norm = true},
     [](Builder& b, std::int64_t classes) {
       return append_resnet(b, classes, {3, 4, 6, 3}, true);
     }},
    {{.name = "resnet101", .classes = 1000, .batch_norm = true},
     [](Builder& b, std::int64_t classes) {
       return append_resnet(b, classes, {3, 4, 23, 3}, true);
     }},
    {{.name = "mobilenet-v2", .classes = 1000, .batch_norm = true}, append_mobilenet_v2},
    {{.name = "densenet121", .classes = 1000, .batch_norm = true}, append_densenet121},
}};

const Entry* entry_of(std::string_view name) {
  const auto* found = std::ranges::find(kEntries, name, [](const Entry& entry) { return entry.architecture.name; });
  return found == kEntries.end() ? nullptr : found;
}

base::Status check_multiple(const Architecture& architecture, const Shape& image) {
  const std::int64_t multiple = architecture.multiple;
  const bool tall = image.height % multiple != 0;
  const std::int64_t side = tall ? image.height : image.width;
  if (side % multiple == 0) {
    return std::nullopt;
  }
  return base::wrong(tall ? "--height" : "--width",
                     fmt::format("must be a multiple of {} for {}, which joins maps of several scales, but is {}",
                                 multiple, architecture.name, side),
                     fmt::format("give {}", base::round_up(side, multiple)));
}

}  // namespace

std::vector<Architecture> architectures() {
  std::vector<Architecture> all;
  for (const Entry& entry : kEntries) {
    all.push_back(entry.architecture);
  }
  return all;
}

Architecture architecture_of(std::string_view name) {
  const Entry* entry = entry_of(name);
  return entry == nullptr ? Architecture{kVgg, 1000} : entry->architecture;
}

base::Result<Network> build_architecture(const ModelSpec& spec, Shape image, std::int64_t classes, Head head) {
  const Entry* entry = entry_of(spec.architecture);
  const std::string place = fmt::format("model {}", spec.name);
  if (entry == nullptr) {
    std::vector<std::string_view> names{kVgg};
    std::ranges::transform(kEntries, std::back_inserter(names), [](const Entry& e) { return e.architecture.name; });
    return base::wrong(place, fmt::format("there is no architecture {}", spec.architecture),
                       fmt::format("give one of {}", fmt::join(names, ", ")));
  }
  if (head != Head::adaptive) {
    return base::wrong("--head", fmt::format("{} has a head of its own", spec.name), "leave --head out");
  }
  TRY(check_sizes(image, classes, 1, ""));
  TRY(check_multiple(entry->architecture, image));
  const bool classless = entry->architecture.objective == Objective::mse;
  if (classless && classes != 1) {
    return base::wrong("--classes", fmt::format("{} predicts one density, not {} classes", spec.name, classes),
                       "leave --classes out");
  }
  Builder builder(spec.name, image, classes);
  std::vector<NodeId> outputs = entry->append(builder, classes);
  return std::move(builder).finish(entry->architecture.objective, std::move(outputs));
}

Convolution convolution(const Builder& builder, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                        std::int64_t padding) {
  Convolution conv{builder.shape().channels, out, {kernel, kernel}, {stride, stride}, {padding, padding}};
  conv.bias = false;
  return conv;
}

void append_conv_norm(Builder& builder, std::string conv, std::string norm, const Convolution& kind) {
  builder.append(std::move(conv), kind);
  builder.append(std::move(norm), BatchNorm{kind.out_channels});
}

}  // namespace vggplan::graph
