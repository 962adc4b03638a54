// SPDX-License-Identifier: MIT
// What one image needs, and what each setting does about it.
#include <fmt/format.h>

#include "guide/figures/ask.hpp"
#include "guide/figures/guide.hpp"

namespace vggplan::guide {
namespace {

const std::string kOnH200 = "estimate " + kSize + " --gpu h200-sxm-141gb ";

struct Setting {
  std::string name{};
  std::string flags{};
};

const std::vector<Setting>& ladder() {
  static const std::vector<Setting> kSettings{
      {"tf32, nchw: PyTorch's defaults", "--precision tf32 --layout nchw"},
      {"tf32, nhwc", "--precision tf32 --layout nhwc"},
      {"amp-bf16, nchw", "--precision amp-bf16 --layout nchw"},
      {"amp-bf16, nhwc", "--precision amp-bf16 --layout nhwc"},
      {"amp-bf16, nhwc, checkpointing block", "--precision amp-bf16 --layout nhwc --checkpointing block"},
      {"the same, expandable segments",
       "--precision amp-bf16 --layout nhwc --checkpointing block --expandable-segments"},
  };
  return kSettings;
}

/// Whole GiB that are enough to run at all, and to run without flushing the cache.
struct Least {
  int hard{};
  int steady{};
};

Least least_memory(const std::string& flags) {
  Least least;
  for (int capacity = 1; least.steady == 0; ++capacity) {
    const json& answer = ask(kOnH200 + flags + " --usable-memory " + std::to_string(capacity) + "GiB");
    const std::string verdict = answer.at("memory").at("verdict");
    least.hard = least.hard == 0 && verdict != "does-not-fit" ? capacity : least.hard;
    least.steady = verdict == "fits" ? capacity : 0;
  }
  return least;
}

std::string where_it_goes() {
  const json& memory = ask(kOnH200 + ladder().front().flags).at("memory");
  const json& parts = memory.at("breakdown_at_peak");
  Table table({"At the peak of a step", "GiB"});
  const auto part = [&](const std::string& name, std::initializer_list<const char*> keys) {
    double bytes = 0;
    for (const char* key : keys) {
      bytes += parts.value(key, 0.0);
    }
    table.row({name, fmt::format("{:.2f}", bytes / (1 << 30))});
  };
  part("activations that backward needs, and their gradients", {"activations", "activation_gradients"});
  part("indices of max pooling, 8 bytes each", {"pooling_indices"});
  part("parameters, gradients, momentum", {"parameters", "gradients", "optimizer_state"});
  part("workspaces of cuDNN and cuBLAS", {"convolution_workspace", "library_workspace"});
  part("the image itself", {"input"});
  part("other, rounding", {"other", "rounding", "weight_copies", "communication", "optimizer_temporaries"});
  table.row({"allocated", fmt::format("{:.2f}", number(memory.at("allocated_peak_bytes")) / (1 << 30))});
  table.row({"reserved from the GPU by the caching allocator",
             fmt::format("{:.2f}", number(memory.at("reserved_peak_bytes")) / (1 << 30))});
  return table.text();
}

std::string by_setting() {
  Table table({"Settings", "Allocated", "Reserved", "Least that runs", "Least without flushes", "Step on an H200"});
  for (const Setting& setting : ladder()) {
    const json& answer = ask(kOnH200 + setting.flags);
    const json& memory = answer.at("memory");
    const Least least = least_memory(setting.flags);
    table.row({setting.name, gib(number(memory.at("allocated_peak_bytes"))), reserved(answer),
               fmt::format("{} GiB", least.hard), fmt::format("{} GiB", least.steady),
               duration(number(answer.at("time").at("step_seconds")))});
  }
  return table.text();
}

}  // namespace

std::string memory_section() {
  return "## What one image needs\n\n"
         "One image of 4024x3036 in a training step, batch 1, momentum, PyTorch's defaults:\n\n" +
         where_it_goes() +
         "\nTwo settings change most: 16-bit arithmetic by autocast halves the activations, and channels_last lets "
         "cuDNN "
         "work\nwithout copies. Neither changes what is trained; weights stay in float32. Checkpointing costs time, "
         "not "
         "results.\n\n" +
         by_setting() +
         "\n*Least*: the fewest whole GiB that the allocator may reserve, on top of which the CUDA context takes 0.4 "
         "to "
         "0.8 GiB.\n"
         "Near the limit the allocator flushes its cache in every step, which was measured to slow steps up to 14 "
         "times.\n\n"
         "    vggplan estimate --size 4024x3036 --gpu h200 --precision amp-bf16 --layout nhwc --usable-memory "
         "23GiB\n\n";
}

}  // namespace vggplan::guide
