// SPDX-License-Identifier: MIT
// The data set, checkpoints, and what feeds the GPUs.
#include <fmt/format.h>

#include "guide/figures/ask.hpp"
#include "guide/figures/guide.hpp"

namespace vggplan::guide {
namespace {

const std::string kJob = "estimate " + kSize + " --gpus h200-sxm-141gb --precision amp-bf16 --layout nhwc --batch 2 ";
const std::string kData = kJob + "--images 4024 ";

std::string formats() {
  Table table({"4024 images as", "One image", "All"});
  const auto row = [&](const std::string& name, const std::string& flags, const char* key) {
    const json& storage = ask(kData + flags).at("storage");
    const double all = storage.at(key);
    table.row({name, gb(all / kImages), gb(all)});
  };
  row("JPEG, quality 90", "--image-format jpeg", "dataset_bytes");
  row("PNG", "--image-format png", "dataset_bytes");
  row("TIFF without compression", "--image-format tiff", "dataset_bytes");
  row("decoded, one byte a sample", "--decoded-cache", "cache_bytes");
  const double decoded = ask(kData + "--decoded-cache").at("storage").at("cache_bytes");
  table.row({"float32 tensors, four bytes a sample", gb(4 * decoded / kImages), gb(4 * decoded)});
  return table.text();
}

std::string checkpoints() {
  Table table({"Checkpoint", "Bytes"});
  const json& momentum = ask(kData + "--optimizer momentum").at("storage");
  const json& adamw = ask(kData + "--optimizer adamw").at("storage");
  const auto bytes = [](const json& value) { return fmt::format("{}", value.get<std::int64_t>()); };
  table.row({"weights", bytes(momentum.at("weights_bytes"))});
  table.row({"with momentum", bytes(momentum.at("checkpoint_bytes"))});
  table.row({"with AdamW's state", bytes(adamw.at("checkpoint_bytes"))});
  return table.text();
}

std::string feeding() {
  Table table({"H200s", "Images/s", "Workers", "Reading", "Storage that is too slow"});
  for (const int gpus : {1, 2, 4, 8}) {
    const json& answer = ask(fmt::format("{}--gpu-count {}", kJob, gpus));
    std::string slow;
    for (const json& profile : answer.at("storage").at("profiles")) {
      if (!profile.at("sufficient").get<bool>()) {
        slow += (slow.empty() ? "" : ", ") + profile.at("name").get<std::string>();
      }
    }
    table.row({std::to_string(gpus), digits(rate(answer), 3),
               std::to_string(answer.at("input").at("workers_needed").get<int>()),
               gb(answer.at("storage").at("read_bytes_per_second")) + "/s", slow.empty() ? "none" : slow});
  }
  return table.text();
}

}  // namespace

std::string data_section() {
  return "## Data set, checkpoints, input\n\n" + formats() + "\n" + checkpoints() +
         "\nWhat keeps the GPUs busy, with torchvision's decoder in the workers and normalisation on the GPU:\n\n" +
         feeding() + "\n    vggplan estimate --size 4024x3036 --gpus h200x8 --images 4024 --image-format png\n\n";
}

}  // namespace vggplan::guide
