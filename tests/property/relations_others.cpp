// SPDX-License-Identifier: MIT
// Another question whose answer must differ in one direction, or not at all. What the peaks of memory do with the batch
// is not among it: cuDNN's workspaces and what the allocator caches go up and down. What is monotone is what each image
// brings by itself: work, saved activations, what is allocated after forward, bytes to read.

#include "property/relations.hpp"
#include "support/catch.hpp"

namespace vggplan::metamorphic {
namespace {

/// Inference saves nothing, and does not tell it.
double model(const Json& report, const char* figure) { return report.at("model").value(figure, 0.0); }
double memory(const Json& report, const char* figure) {
  const Json& all = report.at("memory");
  return all.contains(figure) ? value(all.at(figure)) : 0;
}
double part(const Json& report, const char* category) {
  return report.at("memory").at("breakdown_at_peak").value(category, 0.0);
}
bool trains(const Json& report) { return report.at("job").at("mode") == "train"; }
std::string bytes(double count) { return fmt::format("{:.0f}B", count); }

/// A block may be up to a MiB larger than its tensor, as it happens to be cut.
constexpr double kRounded = 0.99;

constexpr std::array kPeaks{"allocated_peak_bytes", "run_peak_bytes", "reserved_peak_bytes", "steady_peak_bytes",
                            "first_step_peak_bytes"};

void same_peaks(const Json& one, const Json& other) {
  for (const char* peak : kPeaks) {
    INFO(peak);
    CHECK(memory(one, peak) == memory(other, peak));
  }
}

}  // namespace

void larger_batches(Case c) {
  const double batch = value(c.report.at("job").at("batch"));
  const double more = batch + static_cast<double>(support::pick(c.random, 1, 9));
  const auto larger = asked("estimate", with(c.flags, {{"batch", fmt::format("{}", more)}}), c.world);
  REQUIRE(larger);
  for (const char* linear : {"macs_forward", "flops_forward"}) {
    CHECK(model(*larger, linear) * batch == model(c.report, linear) * more);
  }
  CHECK(model(*larger, "parameters") == model(c.report, "parameters"));
  CHECK(model(*larger, "flops_step") > model(c.report, "flops_step"));
  CHECK(model(*larger, "saved_activation_bytes") >= model(c.report, "saved_activation_bytes"));
  const auto after_forward = [](const Json& report) { return memory(report, "after_forward_bytes"); };
  CHECK((c.flags.contains("compile") || after_forward(*larger) >= after_forward(c.report) * kRounded));
  // fsdp2 gathers them in parts: what is there at the peak depends on where the peak is.
  const bool gathers = c.report.at("job").value("sharding", "") == "fsdp2";
  CHECK((gathers || part(*larger, "parameters") == part(c.report, "parameters")));
  CHECK(larger->at("storage").value("dataset_bytes", 0.0) == c.report.at("storage").value("dataset_bytes", 0.0));
}

/// A run takes what it reserves; with less the cache is emptied on the way, and blocks lie otherwise.
void less_memory(Case c) {
  if (c.report.at("memory").at("verdict") != "fits") {
    return;
  }
  c.flags.erase("used");
  const double reserved = memory(c.report, "reserved_peak_bytes");
  const auto under = [&](double usable) {
    const auto answer = asked("estimate", with(c.flags, {{"usable-memory", bytes(usable)}}), c.world);
    REQUIRE(answer);
    CHECK(memory(*answer, "usable_bytes") <= usable);
    return *answer;
  };
  const Json exact = under(reserved);
  CHECK(exact.at("memory").at("verdict") == "fits");
  same_peaks(exact, c.report);
  const Json less = under(reserved - 1);
  CHECK((less.at("memory").at("verdict") == "does-not-fit" || memory(less, "reserved_peak_bytes") < reserved));
}

/// What others hold is lost, byte by byte, and changes nothing of what a run takes.
void other_users(Case c) {
  c.flags = without(c.flags, {"used", "usable-memory"});
  const auto alone = asked("estimate", c.flags, c.world);
  const auto shared = asked("estimate", with(c.flags, {{"used", "1GiB"}}), c.world);
  if (!alone || !shared) {  // a card may be too small for that
    return;
  }
  CHECK(memory(*alone, "usable_bytes") - memory(*shared, "usable_bytes") == base::kGiB.as_double());
  if (memory(*alone, "reserved_peak_bytes") <= memory(*shared, "usable_bytes")) {
    same_peaks(*alone, *shared);
  }
  CHECK(alone->at("time") == shared->at("time"));
}

void accumulation(Case c) {
  if (!trains(c.report)) {
    return;
  }
  const auto with_steps = [&](const char* steps) {
    return asked("estimate", with(c.flags, {{"accumulation", steps}}), c.world).value();
  };
  const Json two = with_steps("2");
  const Json five = with_steps("5");
  CHECK(2 * model(five, "flops_step") == 5 * model(two, "flops_step"));
  CHECK(model(five, "saved_activation_bytes") == model(two, "saved_activation_bytes"));
  CHECK(value(five.at("time").at("step_seconds")) > value(two.at("time").at("step_seconds")));
  // The images of a step come in less time than five halves as many steps: one optimizer for all. (Within 2 %:
  // where the host decides, its start is hidden in both.)
  CHECK(2 * value(five.at("time").at("step_seconds")) <= 5 * value(two.at("time").at("step_seconds")) * 1.02);
  const double ratio = memory(five, "after_forward_bytes") / memory(two, "after_forward_bytes");
  CHECK((ratio >= kRounded && ratio <= 1 / kRounded));
  CHECK(value(five.at("job").at("global_batch")) * 2 == 5 * value(two.at("job").at("global_batch")));
}

/// Each GPU of DDP holds all, whatever their number.
void counts_of_gpus(Case c) {
  c.flags = without(c.flags, {"nodes", "gpu-count", "images", "train"});
  const auto on = [&](const char* gpus) { return asked("estimate", with(c.flags, {{"gpu-count", gpus}}), c.world); };
  const auto two = on("2");
  const auto eight = on("8");
  REQUIRE(two.has_value() == eight.has_value());
  if (!two) {  // two GPUs are asked where one was: checkpointing of these may be refused
    return;
  }
  for (const char* same : {"parameters", "macs_forward", "flops_forward", "flops_step", "saved_activation_bytes"}) {
    CHECK(model(*two, same) == model(*eight, same));
  }
  CHECK(4 * value(two->at("job").at("global_batch")) == value(eight->at("job").at("global_batch")));
  const std::string sharding = two->at("job").value("sharding", "ddp");
  const bool both_fit = two->at("memory").at("verdict") == "fits" && eight->at("memory").at("verdict") == "fits";
  if (both_fit && (sharding == "ddp" || !trains(*two))) {
    same_peaks(*two, *eight);
  }
  const auto checkpoint = [](const Json& report) { return report.at("storage").value("checkpoint_bytes", 0.0); };
  CHECK(checkpoint(*two) == checkpoint(*eight));
}

/// An evaluation beside training needs no less than the same images in inference, on however many GPUs. Inference
/// shards nothing.
void evaluation(Case c) {
  c.flags = without(c.flags, {"sharding", "eval-batch", "compile", "cudnn-benchmark", "freeze-norm", "train"});
  const Flags inference{{"mode", "infer"}, {"accumulation", "1"}, {"forward-passes", "1"}, {"batch", "40"}};
  const auto alone = asked("estimate", with(c.flags, inference), c.world);
  const auto beside = asked("estimate", with(c.flags, {{"mode", "train"}, {"eval-batch", "40"}}), c.world);
  if (alone && beside) {  // beside training, convolutions may have less workspace
    const double tensors = memory(*alone, "run_peak_bytes") - part(*alone, "convolution_workspace");
    CHECK(memory(*beside, "run_peak_bytes") >= 0.9 * tensors);
  }
}

/// What is not trained has no gradient, no state, and saves nothing for its weights.
void freezing(Case c) {
  c.flags = without(c.flags, {"freeze", "train", "until", "compile", "eval-batch"});
  c.flags["mode"] = "train";
  const auto whole = asked("estimate", c.flags, c.world);
  const auto frozen = asked("estimate", with(c.flags, {{"freeze", "first:2"}}), c.world);
  if (!whole || !frozen) {
    return;
  }
  CHECK(model(*frozen, "parameters") == model(*whole, "parameters"));
  CHECK(model(*frozen, "macs_forward") == model(*whole, "macs_forward"));
  CHECK(model(*frozen, "flops_step") < model(*whole, "flops_step"));
  CHECK(model(*frozen, "saved_activation_bytes") <= model(*whole, "saved_activation_bytes"));
  CHECK(memory(*frozen, "after_forward_bytes") * kRounded <= memory(*whole, "after_forward_bytes"));
  CHECK(value(frozen->at("storage").at("checkpoint_bytes")) <= value(whole->at("storage").at("checkpoint_bytes")));
}

/// Steps, bytes and hours, counted by hand.
void data(Case c) {
  const std::int64_t images = support::pick(c.random, 1, 1'000'000);
  const std::int64_t epochs =
      trains(c.report) ? support::pick(c.random, 1, 20) : 1;  // inference goes through them once
  const Flags told = with(c.flags, {{"images", std::to_string(images)}, {"epochs", std::to_string(epochs)}});
  const Json report = asked("estimate", told, c.world).value();
  const std::int64_t batch = report.at("job").at("global_batch").get<std::int64_t>();
  const Json& figures = report.at("run");
  const std::int64_t steps = (images + batch - 1) / batch;
  CHECK(figures.at("steps").get<std::int64_t>() == steps * epochs);
  const double total = value(figures.at("total_seconds"));
  CHECK(total >= static_cast<double>(steps * epochs) * value(report.at("time").at("step_seconds")) * (1 - 1e-8));
  CHECK(value(figures.at("gpu_hours")) == Approx(total * value(report.at("job").at("gpu_count")) / 3600));
  const Json& storage = report.at("storage");
  CHECK(value(storage.at("dataset_bytes")) ==
        Approx(static_cast<double>(images) * value(storage.at("bytes_per_image"))).epsilon(1e-6));
  double parts = 0;
  for (const char* name : {"dataset_bytes", "cache_bytes", "checkpoints_bytes", "logs_bytes"}) {
    parts += storage.value(name, 0.0);
  }
  CHECK(value(storage.at("total_bytes")) == parts);
}

/// Layer by layer the same network, job and memory as in one.
void layers(Case c) {
  const auto table = asked("layers", c.flags, c.world);
  REQUIRE(table);
  std::map<std::string, double> sums;
  for (const Json& layer : table->at("layers")) {
    sums["trained_parameters"] += layer.value("trained", true) ? layer.at("parameters").get<double>() : 0;
    for (const auto& [key, figure] : layer.items()) {
      const double number = figure.is_number() ? figure.get<double>() : 0;
      // One layer's workspace is given back before the next one's is taken.
      sums[key] = key == "workspace_bytes" ? std::max(sums[key], number) : sums[key] + number;
    }
  }
  for (const auto& [key, figure] : table->at("totals").items()) {
    INFO(key);
    CHECK(sums[key] == Approx(figure.get<double>()).epsilon(1e-7));
  }
  const double batch = value(c.report.at("job").at("batch"));
  CHECK(sums.at("parameters") == model(c.report, "parameters"));
  CHECK(sums.at("macs") * batch == model(c.report, "macs_forward"));
  CHECK(sums.at("flops_forward") * batch == model(c.report, "flops_forward"));
  CHECK(sums["saved_bytes"] == model(c.report, "saved_activation_bytes"));
}

}  // namespace vggplan::metamorphic
