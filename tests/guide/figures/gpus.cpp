// SPDX-License-Identifier: MIT
// Which GPU, how many of them: plans for each.
#include <fmt/format.h>

#include "guide/figures/ask.hpp"
#include "guide/figures/guide.hpp"

namespace vggplan::guide {
namespace {

constexpr int kMostGpus = 8;
constexpr double kEpochs = 100;

double best_rate(const json& plan) { return rate(plan.at("recommendation")); }

std::string largest_batch(const json& plan, const std::string& precision, const std::string& layout,
                          const std::string& checkpointing) {
  for (const json& cell : plan.at("max_batch")) {
    if (cell.at("precision") == precision && cell.at("layout") == layout && cell.at("checkpointing") == checkpointing) {
      return std::to_string(cell.at("steady").get<int>());
    }
  }
  return "?";
}

/// The largest batch that the plan's settings hold is not faster than the recommended one.
void require_small_batches_suffice(const Card& card, const json& plan) {
  const json& launch = plan.at("recommendation").at("launch");
  const json& largest =
      ask(fmt::format("estimate {} --gpu {} --precision {} --layout {} --batch {}", kSize, card.name,
                      launch.at("precision").get<std::string>(), launch.at("layout").get<std::string>(),
                      plan.at("max_batch").at(0).at("steady").get<int>()));
  constexpr double kBand = 1.01;
  require(rate(largest) <= kBand * best_rate(plan), "a larger batch is not faster on " + card.name);
}

std::string one_gpu() {
  Table table({"One GPU", "Recommended", "Batch", "Reserved", "Images/s", "Largest batch: tf32 nchw", "amp-bf16 nhwc",
               "with checkpointing", "Largest image"});
  for (const Card& card : cards()) {
    const json& plan = plan_of(card.name, 1);
    const json& best = plan.at("recommendation");
    const json& image = plan.at("max_resolution");
    require_small_batches_suffice(card, plan);
    table.row({card.title, settings(best.at("launch")), std::to_string(best.at("launch").at("batch").get<int>()),
               reserved(best), digits(rate(best), 3), largest_batch(plan, "tf32", "nchw", "none"),
               largest_batch(plan, "amp-bf16", "nhwc", "none"), largest_batch(plan, "amp-bf16", "nhwc", "block"),
               fmt::format("{}x{}", image.at("height").get<int>(), image.at("width").get<int>())});
  }
  return table.text();
}

template <class Cell>
std::string by_count(const std::string& head, Cell cell) {
  std::vector<std::string> heads{head};
  for (int count = 1; count <= kMostGpus; ++count) {
    heads.push_back(std::to_string(count));
  }
  Table table(heads);
  for (const Card& card : cards()) {
    std::vector<std::string> row{card.title};
    for (int count = 1; count <= kMostGpus; ++count) {
      row.push_back(cell(card, plan_of(card.name, count)));
    }
    table.row(row);
  }
  return table.text();
}

/// Cards below 40 GB, with what they can do.
std::string smaller_cards() {
  Table table({"Card", "Memory", "Settings", "Batch", "Images/s"});
  for (const char* name :
       {"rtx-3070", "rtx-3080", "rtx-2080-ti", "t4", "v100-sxm2-16gb", "l4", "rtx-3090", "rtx-5090"}) {
    const json& plan = ask("plan " + kSize + " --gpus " + name);
    const double usable = plan.at("candidates").at(0).at("usable_bytes");
    if (!plan.contains("recommendation")) {
      table.row({name, gib(usable), "does not fit", "", ""});
      continue;
    }
    const json& best = plan.at("recommendation");
    const bool flushes = best.at("memory").at("verdict") != "fits";
    table.row({name, gib(usable), settings(best.at("launch")) + (flushes ? ", with cache flushes" : ""),
               std::to_string(best.at("launch").at("batch").get<int>()), digits(rate(best), 3)});
  }
  return table.text();
}

}  // namespace

std::string gpus_section() {
  const auto images_per_second = [](const Card&, const json& plan) { return digits(best_rate(plan), 3); };
  const auto scaling = [](const Card& card, const json& plan) {
    const double gpus = plan.at("recommendation").at("launch").at("gpu_count");
    return fmt::format("{:.0f} %", 100 * best_rate(plan) / best_rate(plan_of(card.name, 1)) / gpus);
  };
  const auto run = [](const Card&, const json& plan) { return duration(kEpochs * kImages / best_rate(plan)); };
  return "## Which GPU, and how many\n\n"
         "What the planner recommends when every setting is open, and the largest batches without cache flushes. A "
         "larger batch\nis not faster here: one image keeps the GPU busy.\n\n" +
         one_gpu() + "\nImages per second with one to eight GPUs of one machine (DistributedDataParallel):\n\n" +
         by_count("GPUs", images_per_second) +
         "\nOf as many times one GPU's rate (scaling efficiency; 528 MiB of gradients are averaged in each step):\n\n" +
         by_count("GPUs", scaling) + fmt::format("\nTime for {:.0f} epochs of {:.0f} images:\n\n", kEpochs, kImages) +
         by_count("GPUs", run) + "\nSmaller cards train it as well, some of them:\n\n" + smaller_cards() +
         "\nThe H200 was measured; times of the other cards are carried over from it, and their reports give "
         "ranges.\n\n"
         "    vggplan --size 4024x3036 --gpus a100-sxm4-80gbx8 --images 4024 --epochs 100\n\n";
}

}  // namespace vggplan::guide
