// SPDX-License-Identifier: MIT
// Advice that is often given, held against the program.
#include <fmt/format.h>

#include "guide/figures/ask.hpp"
#include "guide/figures/guide.hpp"

namespace vggplan::guide {
namespace {

const std::string kDefaults = "estimate " + kSize + " --gpu h200-sxm-141gb --precision tf32 --layout nchw";
const std::string kLean = "estimate " + kSize + " --gpu h200-sxm-141gb --precision amp-bf16 --layout nhwc";

std::string thirty_six_megabytes() {
  const double image = 3.0 * 4024 * 3036;
  const double peak = number(ask(kDefaults).at("memory").at("allocated_peak_bytes"));
  const double lean = number(ask(kLean + " --checkpointing block").at("memory").at("allocated_peak_bytes"));
  require(!ask("plan " + kSize + " --gpus any --batch 32").contains("recommendation"), "no GPU holds 32 images");
  return fmt::format(
      "**\"An image takes 36 MB, so 32 of them take 1.2 GB.\"** {} are its pixels as bytes. A training step keeps what "
      "every layer\nyields until backward: {} for one image with PyTorch's defaults, {:.0f} times as much, and still "
      "{} "
      "({:.0f} times) with\nautocast, channels_last and checkpointing. The planner finds no GPU that holds 32 of them; "
      "32 "
      "micro-batches of one, accumulated,\ngive the same gradients.\n\n",
      gb(image), gib(peak), peak / image, gib(lean), lean / image);
}

std::string terabytes() {
  const auto all = [](const std::string& flags, const char* key) {
    const std::string job = kLean + " --batch 2 --images 4024 ";
    return ask(job + flags).at("storage").at(key).get<double>();
  };
  const double claim = 1.2e12;
  const double jpeg = all("--image-format jpeg", "dataset_bytes");
  const double decoded = all("--decoded-cache", "cache_bytes");
  return fmt::format(
      "**\"4024 images take 1.2 TB.\"** As JPEG they take {}, {:.0f} times less; decoded, one byte a sample, {}. Eight "
      "times that is\n{}: the figure counts bits. Even as float32 tensors, which nobody has to store, they take {}, "
      "half "
      "of it.\n\n",
      gb(jpeg), claim / jpeg, gb(decoded), gb(8 * decoded), gb(4 * decoded));
}

std::string forty_gigabytes() {
  const auto least = [](const std::string& flags) {
    const auto fits = [&](int gibibytes) {
      const json& answer = ask(fmt::format("{} --usable-memory {}GiB", flags, gibibytes));
      return answer.at("memory").at("verdict") == "fits";
    };
    int gibibytes = 1;
    while (!fits(gibibytes)) {
      ++gibibytes;
    }
    return gibibytes;
  };
  const json& small = ask("plan " + kSize + " --gpus t4").at("recommendation");
  return fmt::format(
      "**\"40 GB per GPU is the floor.\"** One image trains in {} GiB with the defaults, in {} GiB with autocast and "
      "channels_last,\nin {} GiB with checkpointing on top. A T4 of 16 GB does it, at {} images/s.\n\n",
      least(kDefaults), least(kLean), least(kLean + " --checkpointing block"), digits(rate(small), 3));
}

std::string four_gpus() {
  const json& one = plan_of("a100-sxm4-80gb", 1).at("recommendation");
  const json& four = plan_of("a100-sxm4-80gb", 4).at("recommendation");
  require(one.at("launch").at("batch") == four.at("launch").at("batch"), "one and four GPUs, the same batch");
  return fmt::format(
      "**\"It takes four GPUs.\"** It takes one. DistributedDataParallel holds the whole model and its own images on "
      "each "
      "GPU, so\nthat more GPUs do not lower what one needs: an A100 80 GB alone reserves {}, each of four {}. They "
      "shorten "
      "the run:\n{} images/s instead of {}, {:.2f} times as many.\n\n",
      reserved(one), reserved(four), digits(rate(four), 3), digits(rate(one), 3), rate(four) / rate(one));
}

std::string first_linear() {
  const json& flat = ask(kDefaults + " --head flatten");
  const json& pooled = ask(kDefaults);
  const double parameters = flat.at("model").at("parameters");
  require(flat.at("memory").at("verdict") == "does-not-fit", "the flattened model fits on no GPU");
  return fmt::format(
      "**\"The first Linear layer must match the feature map.\"** 512 x 125 x 94 features into 4096 would make {:.1f} "
      "billion\nparameters, and a step would need {}. torchvision's VGG pools to 7x7 first, whatever the image: it has "
      "{:.1f} million\nparameters at any size.\n\n",
      parameters / 1e9, gib(number(flat.at("memory").at("allocated_peak_bytes"))),
      pooled.at("model").at("parameters").get<double>() / 1e6);
}

std::string larger_batches() {
  constexpr int kSmall = 2;
  constexpr int kLarge = 12;
  const json& small = ask(fmt::format("{} --batch {}", kLean, kSmall));
  const json& large = ask(fmt::format("{} --batch {}", kLean, kLarge));
  require(rate(large) < 1.01 * rate(small), "the large batch is faster");
  return fmt::format(
      "**\"The largest batch that fits is the fastest.\"** On an H200, autocast and channels_last, batch {} reaches {} "
      "images/s in\n{}, batch {} {} images/s in {}: one image keeps the GPU busy already.\n\n",
      kSmall, digits(rate(small), 3), reserved(small), kLarge, digits(rate(large), 3), reserved(large));
}

}  // namespace

std::string advice_section() {
  return "## Common advice, and by how much it is off\n\n" + thirty_six_megabytes() + terabytes() + forty_gigabytes() +
         four_gpus() + first_linear() + larger_batches();
}

}  // namespace vggplan::guide
