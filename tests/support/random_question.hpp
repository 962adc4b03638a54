// SPDX-License-Identifier: MIT
// Questions to the command line with everything at random: what a user may ask, sense or not.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "cli/fake_world.hpp"
#include "support/known.hpp"
#include "support/random_job.hpp"

namespace vggplan::support {

/// Flags without their dashes; a switch has no value.
using Flags = std::map<std::string, std::string>;

inline std::vector<std::string> words(const std::string& command, const Flags& flags) {
  std::vector<std::string> words{command};
  for (const auto& [name, value] : flags) {
    words.push_back("--" + name);
    if (!value.empty()) {
      words.push_back(value);
    }
  }
  return words;
}

inline std::string line_of(const std::string& command, const Flags& flags) {
  std::string line = "vggplan";
  for (const std::string& word : words(command, flags)) {
    line += " " + word;
  }
  return line;
}

class RandomQuestion {
 public:
  explicit RandomQuestion(std::mt19937& random) : random_(random) {
    network();
    training();
    hardware();
    data();
  }

  Flags flags{};
  test::FakeWorld world{};  ///< with the file of a network of other widths

 private:
  bool one_in(unsigned many) { return random_() % many == 0; }

  template <class T>
  const T& any(const std::vector<T>& choices) {
    return choices.at(random_() % choices.size());
  }
  void maybe(unsigned many, const std::string& flag, const std::vector<std::string>& choices) {
    if (one_in(many)) {
      flags[flag] = any(choices);
    }
  }
  void maybe(unsigned many, const std::string& flag, std::int64_t low, std::int64_t high) {
    if (one_in(many)) {
      flags[flag] = std::to_string(pick(random_, low, high));
    }
  }

  /// VGG's plan with widths of its own, aligned or not, wide or narrow.
  std::string other_widths() {
    std::string features;
    for (std::int64_t blocks = pick(random_, 1, 5); blocks > 0; --blocks) {
      for (std::int64_t convolutions = pick(random_, 1, 3); convolutions > 0; --convolutions) {
        features += std::to_string(one_in(2) ? 8 * pick(random_, 1, 80) : pick(random_, 1, 300)) + ", ";
      }
      features += "\"M\", ";
    }
    features.resize(features.size() - 2);
    return R"({"name": "own", "features": [)" + features + R"(], "batch_norm": )" + (one_in(2) ? "true" : "false") +
           R"(, "hidden": [)" + (one_in(2) ? std::to_string(pick(random_, 1, 5000)) : "") +
           R"(], "dropout": 0.5, "source": "a test"})";
  }

  void network() {
    flags["model"] = any(built_in_catalog().model_names());
    if (one_in(4)) {
      world.files["own.json"] = other_widths();
      flags["model"] = "own.json";
    }
    const std::int64_t longest = one_in(8) ? 2500 : 500;
    flags["height"] = std::to_string(pick(random_, 32, longest));
    flags["width"] = std::to_string(pick(random_, 32, longest));
    if (flags["model"] == "ssd300-vgg16") {
      flags["height"] = flags["width"] = "300";
    }
    maybe(8, "channels", 1, 6);
    maybe(4, "classes", 1, 3000);
    maybe(3, "head", {"flatten", "gap", "linear", "none"});
    maybe(6, "freeze", {"features", "all-but-last", "first:2", "first:4", "conv1_*"});
    maybe(10, "freeze-norm", {"statistics", "all"});
    if (flags["model"] != "ssd300-vgg16") {  // losses of pixels alone leave its heads' graphs behind
      maybe(20, "train", {"image"});
    }
    maybe(20, "until", {"relu3_1", "pool2"});
  }

  void training() {
    maybe(6, "mode", {"infer"});
    maybe(1, "batch", 1, one_in(4) ? 200 : 12);
    maybe(4, "accumulation", 2, 6);
    maybe(2, "precision", {"fp32", "tf32", "amp-bf16", "amp-fp16", "bf16", "fp16"});
    maybe(2, "layout", {"nchw", "nhwc"});
    maybe(2, "optimizer", {"momentum", "sgd", "adam", "adamw", "rmsprop"});
    maybe(2, "optimizer-impl", {"foreach", "fused", "loop"});
    maybe(3, "checkpointing", {"block", "seq:2", "seq:3", "seq:5"});
    maybe(6, "compile", {"default", "reduce-overhead"});
    maybe(12, "forward-passes", 2, 3);
    maybe(12, "eval-batch", 1, 64);
    maybe(8, "cudnn-benchmark", {""});
    maybe(4, "expandable-segments", {""});
    maybe(6, "framework", {"pytorch-2.6", "pytorch-2.11", "pytorch-2.14"});
  }

  void hardware() {
    flags["gpu"] = any(built_in_catalog().gpu_names());
    maybe(2, "gpu-count", 2, 9);
    const bool several = flags.contains("gpu-count");
    if (several && one_in(4)) {
      flags["gpu-count"] = std::to_string(8 * pick(random_, 2, 4));
      flags["nodes"] = std::to_string(std::stoi(flags["gpu-count"]) / 8);
    }
    if (several) {
      maybe(2, "sharding", {"ddp", "zero1", "fsdp2"});
      maybe(6, "bucket-mb", 1, 100);
      maybe(6, "bucket-view", {""});
    }
    maybe(10, "used", {"300MiB", "1GiB"});
    maybe(10, "usable-memory", {"3GiB", "7.5GiB", "20GiB"});
  }

  void data() {
    maybe(3, "images", 1, 100'000);
    maybe(6, "epochs", 1, 90);
    maybe(6, "image-format", {"jpeg", "png", "tiff", "raw"});
    maybe(10, "bytes-per-image", {"20kB", "3MB"});
    maybe(6, "pipeline", {"pil-float", "tv-uint8", "nvjpeg"});
    maybe(6, "workers", 0, 64);
    maybe(8, "cpus", 1, 128);
    maybe(8, "ram", {"16GiB", "512GiB"});
    maybe(4, "storage", {"nvme", "sata-ssd", "hdd", "nfs", "object-store"});
    maybe(12, "decoded-cache", {""});
    maybe(8, "checkpoint-every", 1, 10);
    maybe(8, "keep-checkpoints", 1, 5);
  }

  std::mt19937& random_;
};

}  // namespace vggplan::support
