// SPDX-License-Identifier: MIT
#include "app/flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <tuple>

#include "app/sweep.hpp"
#include "app/values.hpp"
#include "vggplan/base/dates.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::app {

namespace {

using Text = std::string_view;
using base::Status;

constexpr CommandSet kPlan = only(Command::plan) | only(Command::launch);
/// Which choose what is left open.
constexpr CommandSet kChoosing = kPlan | only(Command::fit);
constexpr CommandSet kJob = kChoosing | only(Command::estimate) | only(Command::layers) | only(Command::sweep);
constexpr CommandSet kCatalogue =
    kJob | only(Command::gpus) | only(Command::machines) | only(Command::models) | only(Command::calibrate);
constexpr CommandSet kAll = ~0U;
constexpr CommandSet kReports = kAll & ~(only(Command::launch) | only(Command::calibrate) | only(Command::schema) |
                                         only(Command::completion) | only(Command::man));

// Limits of the edge: far beyond any use, small enough that products of two stay within 64 bits, and none above the
// one that job::validate names.
constexpr Range kPixels{1, 1 << 20};
constexpr Range kCount{1, 1'000'000};
constexpr Range kMicroBatches{1, 1 << 16};
constexpr Range kBatch{1, 100'000'000};
constexpr Range kImages{1, 10'000'000'000};

/// The member, of the first that has it.
template <auto Member, class First, class... Others>
auto& field_of(First& first, Others&... others) {
  if constexpr (requires { first.*Member; }) {
    return first.*Member;
  } else {
    return field_of<Member>(others...);
  }
}
template <auto Member>
auto& field(Options& options) {
  job::Job& job = options.job;
  return field_of<Member>(options, job, job.scope, job.parallel, job.data);
}
template <auto Member, Range range>
Status whole(Options& options, Text value, Text place) {
  return put(field<Member>(options), parse_whole(value, place, range));
}
template <auto Member, class E>
Status choice(Options& options, Text value, Text place) {
  return put(field<Member>(options), parse_choice<E>(value, place));
}
/// The allocator takes segments of 2 MiB and more: a smaller limit is a unit forgotten.
Status usable_memory(Options& options, Text value, Text place) {
  const base::Result<base::Bytes> parsed = base::parse_bytes(value, place);
  if (parsed && *parsed < 2 * base::kMiB) {
    return base::wrong(place, "takes at least 2MiB, the allocator's smallest segment, not " + base::quoted(value),
                       "write a number and a unit, such as 40GiB");
  }
  return put(options.usable_memory, parsed);
}
/// In the order of their pixels.
Status sizes(Options& options, Text value, Text place) {
  const auto parts = TRY(split_sizes(value, place));
  for (const std::string& part : parts) {
    const auto sides = TRY(split_size(part, place));
    const std::int64_t height = TRY(parse_whole(sides.first, place, kPixels));
    const std::int64_t width = TRY(parse_whole(sides.second, place, kPixels));
    options.sizes.emplace_back(height, width);
  }
  std::ranges::sort(options.sizes, {},
                    [](const auto& size) { return std::tuple(size.first * size.second, size.first); });
  options.sizes.erase(std::unique(options.sizes.begin(), options.sizes.end()), options.sizes.end());
  options.height = options.height.value_or(options.sizes.back().first);
  options.width = options.width.value_or(options.sizes.back().second);
  return std::nullopt;
}
template <auto Member>
Status size(Options& options, Text value, Text place) {
  return put(field<Member>(options), base::parse_bytes(value, place));
}
Status sharding(Options& options, Text value, Text place) {
  options.job.parallel.data_parallel = value == "dp";
  return value == "dp" ? put(options.sharding, base::Result<job::Sharding>(job::Sharding::ddp))
                       : choice<&Options::sharding, job::Sharding>(options, value, place);
}
template <auto Member>
Status toggle(Options& options, Text value, Text place) {
  return put(field<Member>(options), parse_switch(value, place));
}
template <auto Member>
Status word(Options& options, Text value, Text place) {
  if (value.empty()) {
    return base::wrong(place, "takes a value that is not empty");
  }
  field<Member>(options) = std::string(value);
  return std::nullopt;
}
Status storage(Options& options, Text value, Text) {
  options.job.data.storage = std::string(value);
  return std::nullopt;
}
Status checkpointing(Options& options, Text value, Text place) {
  base::Result<job::Checkpointing> parsed = job::parse_checkpointing(value);
  if (!parsed) {
    base::Diagnostic error = parsed.error();
    error.place = std::string(place);
    return error;
  }
  options.checkpointing = *parsed;
  return std::nullopt;
}
Status bucket(Options& options, Text value, Text place) {
  const base::Result<double> megabytes = parse_amount(value, place);
  const double bytes = megabytes ? *megabytes * base::kMiB.as_double() : 0;
  if (bytes < 1 || *megabytes > 1'000'000) {
    return base::wrong(place, "takes MiB above 0 and up to 1,000,000, not " + base::quoted(value));
  }
  options.job.parallel.bucket = base::Bytes(static_cast<std::int64_t>(bytes));
  return std::nullopt;
}
Status max_cost(Options& options, Text value, Text place) {
  double dollars = TRY(parse_amount(value, place));
  options.max_cost = base::Usd(dollars);
  return std::nullopt;
}
Status price(Options& options, Text value, Text place) {
  auto parsed = TRY(parse_price(value, place));
  if (!options.prices.emplace(parsed.first, parsed.second).second) {
    return base::wrong(place, fmt::format("gives {} a second price", base::quoted(parsed.first)),
                       "give one of the two");
  }
  return std::nullopt;
}
template <auto Member>
Status date(Options& options, Text value, Text place) {
  if (!base::day_number(value)) {
    return base::wrong(place, fmt::format("takes a day as YYYY-MM-DD, not {}", base::quoted(value)));
  }
  options.*Member = std::string(value);
  return std::nullopt;
}
Status regions(Options& options, Text value, Text place) {
  options.regions.clear();
  for (std::size_t begin = 0; begin <= value.size();) {
    const std::size_t end = std::min(value.find(',', begin), value.size());
    if (end == begin) {
      return base::wrong(place, fmt::format("takes regions behind commas, not {}", base::quoted(value)),
                         "write, for example, us-east-1,eastus");
    }
    options.regions.emplace_back(value.substr(begin, end - begin));
    begin = end + 1;
  }
  return std::nullopt;
}
Status output(Options& options, Text value, Text place) {
  if (value == "-") {
    options.output.reset();
    return std::nullopt;
  }
  return word<&Options::output>(options, value, place);
}
Status export_to(Options& options, Text value, Text place) {
  Export parsed = TRY(parse_export(value, place));
  options.exports.push_back(parsed);
  return std::nullopt;
}
Status sweep(Options& options, Text value, Text place) {
  Axis parsed = TRY(parse_axis(value, place));
  options.sweep.push_back(parsed);
  return std::nullopt;
}
Status deadline(Options& options, Text value, Text place) {
  return put(options.deadline, base::parse_duration(value, place));
}
Status reserve(Options& options, Text value, Text place) { return put(options.reserve, parse_reserve(value, place)); }

using Names = std::vector<std::string>;
Names storage_names() { return catalog::Catalog::built_in().storage_names(); }
Names framework_names() { return catalog::Catalog::built_in().names("frameworks"); }
Names with_equals(Names names) {
  for (std::string& name : names) {
    name += '=';
  }
  return names;
}
Names swept_names() { return with_equals(sweepable_flags()); }
Names export_names() { return with_equals(base::enum_names<Format>()); }
Names freeze_names() { return {"none", "features", "all-but-last", "first:4", "first:7"}; }
Names sharding_names() {
  Names names = base::enum_names<job::Sharding>();
  names.emplace_back("dp");
  return names;
}
Names checkpointing_names() { return {"none", "block", "seq:2", "seq:4"}; }

using O = Options;
using J = job::Job;
using S = graph::Scope;
using D = job::DataSet;
constexpr Range kGpus{1, hardware::kMostGpus};

// name, letter, value, default, help, group, commands, repeatable, configurable, choices, store
constexpr std::array kFlags = std::to_array<Flag>({
    {"model", 0, "NAME|FILE", "vgg16",
     "vgg11, vgg13, vgg16, vgg19, each also with _bn; another that 'vggplan models' lists; or a file (.json, .onnx, "
     ".pt2)",
     Group::job, kJob, false, true, known_models, word<&O::model>},
    {"height", 0, "PIXELS", "", "height of the images; required", Group::job, kJob, false, true, nullptr,
     whole<&O::height, kPixels>},
    {"width", 0, "PIXELS", "", "width of the images; required", Group::job, kJob, false, true, nullptr,
     whole<&O::width, kPixels>},
    {"size", 0, "HxW", "", "height and width in one; one number for a square; several as for --sizes", Group::job,
     kJob},
    {"sizes", 0, "LIST", "", "sizes that the steps of one run draw at random: 224,320x480 or 224:512:32", Group::job,
     kJob & ~only(Command::layers), false, true, nullptr, sizes},
    {"channels", 0, "N", "3", "channels of the images", Group::job, kJob, false, true, nullptr,
     whole<&O::channels, Range{1, 100'000}>},
    {"classes", 0, "N", "1000", "classes told apart; 21 for pixels and boxes", Group::job, kJob, false, true, nullptr,
     whole<&O::classes, Range{1, 100'000'000}>},
    {"head", 0, "HEAD", "adaptive", "what follows the convolutions", Group::job, kJob, false, true,
     base::enum_names<graph::Head>, choice<&J::head, graph::Head>},
    {"until", 0, "NODE", "", "the layer that the network ends with, for example relu3_3", Group::job, kJob, false, true,
     nullptr, word<&S::until>},
    {"freeze", 0, "WHICH", "none",
     "layers that are not trained: features, all-but-last, first:N, or a pattern of names", Group::job, kJob, false,
     true, freeze_names, word<&S::freeze>},
    {"freeze-norm", 0, "WHAT", "none", "what of batch norm training leaves as it is", Group::job, kJob, false, true,
     base::enum_names<graph::FrozenNorm>, choice<&S::norm, graph::FrozenNorm>},
    {"train", 0, "WHAT", "parameters", "what the optimizer changes", Group::job, kJob, false, true,
     base::enum_names<graph::Trained>, choice<&S::trained, graph::Trained>},
    {"loss", 0, "LOSS", "", "what training lowers; chosen by the network", Group::job, kJob, false, true,
     base::enum_names<graph::Objective>, choice<&S::objective, graph::Objective>},
    {"eval-batch", 0, "N", "", "images of an evaluation without gradients beside training", Group::job, kJob, false,
     true, nullptr, whole<&O::eval_batch, kBatch>},
    {"forward-passes", 0, "N", "1",
     "passes of the batch whose losses go back together: siamese or consistency training", Group::job, kJob, false,
     true, nullptr, whole<&J::forward_passes, Range{1, job::kMostForwardPasses}>},
    {"mode", 0, "MODE", "train", "training or inference", Group::job, kJob, false, true, base::enum_names<job::Mode>,
     choice<&J::mode, job::Mode>},
    {"batch", 'b', "N", "1; plan chooses", "images per GPU and micro-batch; fit looks for the largest", Group::job,
     kJob, false, true, nullptr, whole<&O::batch, kBatch>},
    {"global-batch", 0, "N", "", "images per optimizer step over all GPUs", Group::job, kJob & ~only(Command::fit),
     false, true, nullptr, whole<&O::global_batch, kBatch>},
    {"accumulation", 0, "N", "1", "micro-batches per optimizer step", Group::job, kJob, false, true, nullptr,
     whole<&O::accumulation, kMicroBatches>},
    {"precision", 0, "TYPE", "tf32; plan chooses", "arithmetic of the training", Group::job, kJob, false, true,
     base::enum_names<job::Precision>, choice<&O::precision, job::Precision>},
    {"layout", 0, "LAYOUT", "nchw; plan chooses", "memory format of model and images", Group::job, kJob, false, true,
     base::enum_names<base::Layout>, choice<&O::layout, base::Layout>},
    {"optimizer", 0, "NAME", "momentum", "the optimizer", Group::job, kJob, false, true,
     base::enum_names<job::Optimizer>, choice<&J::optimizer, job::Optimizer>},
    {"optimizer-impl", 0, "NAME", "foreach", "how the optimizer walks the parameters", Group::job, kJob, false, true,
     base::enum_names<job::OptimizerImpl>, choice<&J::optimizer_impl, job::OptimizerImpl>},
    {"history-size", 0, "N", "100", "of lbfgs: pairs of vectors over all parameters that it keeps", Group::job, kJob,
     false, true, nullptr, whole<&O::history_size, Range{1, job::kMostHistory}>},
    {"max-iter", 0, "N", "20", "of lbfgs: times that a step goes forward and back", Group::job, kJob, false, true,
     nullptr, whole<&O::max_iter, Range{1, job::kMostIterations}>},
    {"checkpointing", 0, "HOW", "none; plan chooses", "activations computed again: none, block or seq:N", Group::job,
     kJob, false, true, checkpointing_names, checkpointing},
    {"compile", 0, "MODE", "none", "mode of torch.compile", Group::job, kJob, false, true,
     base::enum_names<job::Compile>, choice<&J::compile, job::Compile>},
    {"sharding", 0, "HOW", "ddp",
     "how several GPUs share the work; dp (DataParallel) is answered with ddp, and told beside it", Group::job, kJob,
     false, true, sharding_names, sharding},
    {"bucket-mb", 0, "MIB", "25", "size of DDP's gradient buckets", Group::job, kJob, false, true, nullptr, bucket},
    {"bucket-view", 0, "", "", "gradient_as_bucket_view of DDP", Group::job, kJob, false, true, nullptr,
     toggle<&job::Parallel::bucket_view>},
    {"cudnn-benchmark", 0, "", "", "torch.backends.cudnn.benchmark", Group::job, kJob, false, true, nullptr,
     toggle<&J::cudnn_benchmark>},
    {"expandable-segments", 0, "", "", "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True", Group::job, kJob, false,
     true, nullptr, toggle<&J::expandable_segments>},
    {"framework", 0, "NAME", "pytorch-2.11", "the framework's version", Group::job, kJob, false, true, framework_names,
     word<&J::framework>},

    {"gpus", 'g', "LIST", "", "GPUs and how many: a100x4, 8xh100, l4, 8GB; alternatives behind commas; any",
     Group::machine, kJob, false, true, known_gpus, word<&O::gpus>},
    {"gpu", 0, "NAME", "", "one kind of GPU", Group::machine, kJob | only(Command::calibrate), false, true, known_gpus},
    {"gpu-count", 0, "N", "1", "how many of it, over all nodes", Group::machine, kJob, false, true, nullptr,
     whole<&O::gpu_count, kGpus>},
    {"nodes", 0, "N", "1", "machines that the GPUs are spread over", Group::machine, kJob, false, true, nullptr,
     whole<&O::nodes, kGpus>},
    {"machine", 0, "NAME", "", "a machine or cloud instance: gives GPUs, CPUs, RAM and price", Group::machine, kJob,
     false, true, known_machines, word<&O::machine>},
    {"usable-memory", 0, "SIZE", "", "bytes that the allocator may reserve on each GPU", Group::machine, kJob, false,
     true, nullptr, usable_memory},
    {"memory", 0, "SIZE", "", "a card of that size, as sold: 8GB; short for --gpus SIZE", Group::machine, kJob},
    {"used", 0, "SIZE", "", "memory of each card that other processes hold", Group::machine, kJob, false, true, nullptr,
     size<&O::used>},
    {"gpu-file", 0, "FILE", "", "a GPU of your own (.json)", Group::machine, kJob | only(Command::gpus), false, true,
     nullptr, word<&O::gpu_file>},
    {"calibration", 0, "FILE", "", "how fast your GPU is: written by vggplan calibrate (.json)", Group::machine, kJob,
     false, true, nullptr, word<&O::calibration>},
    {"config-dir", 0, "DIR", "", "records of your own: DIR/gpus/NAME.json, machines, models, storage, ...",
     Group::machine, kCatalogue, false, true, nullptr, word<&O::config_dir>},
    {"price", 0, "NAME=USD", "", "price per hour of a GPU or of a machine", Group::machine, kJob, true, true, nullptr,
     price},
    {"prices", 0, "FILE", "", "prices of machines: a vms.csv of SkyPilot's catalogue, or JSON", Group::machine,
     kJob | only(Command::machines), false, true, nullptr, word<&O::price_list>},
    {"prices-date", 0, "DATE", "", "as of when the prices of a file are that does not tell: 2026-11-29", Group::machine,
     kJob | only(Command::machines), false, true, nullptr, date<&O::prices_date>},
    {"spot", 0, "", "", "rent spot machines, which may be taken back at any time", Group::machine,
     kJob | only(Command::machines), false, true, nullptr, toggle<&O::spot>},
    {"region", 0, "LIST", "", "take prices of these regions alone: us-east-1,eastus", Group::machine,
     kJob | only(Command::machines), false, true, nullptr, regions},
    {"today", 0, "DATE", "", "the day that the age of prices is told by: no clock is asked", Group::machine,
     kJob | only(Command::machines), false, true, nullptr, date<&O::today>},

    {"images", 0, "N", "", "images in the data set: gives epochs, run time and cost", Group::data, kJob, false, true,
     nullptr, whole<&D::images, kImages>},
    {"epochs", 0, "N", "1", "passes over the data set", Group::data, kJob, false, true, nullptr,
     whole<&D::epochs, Range{1, 100'000}>},
    {"image-format", 0, "FORMAT", "jpeg", "how the images are stored", Group::data, kJob, false, true,
     base::enum_names<job::ImageFormat>, choice<&D::format, job::ImageFormat>},
    {"bytes-per-image", 0, "SIZE", "", "size of an image's file", Group::data, kJob, false, true, nullptr,
     size<&D::bytes_per_image>},
    {"pipeline", 0, "NAME", "tv-uint8", "what decodes the images", Group::data, kJob, false, true,
     base::enum_names<job::Pipeline>, choice<&D::pipeline, job::Pipeline>},
    {"workers", 0, "N", "", "data loader processes of one machine", Group::data, kJob, false, true, nullptr,
     whole<&D::workers, Range{0, 1 << 16}>},
    {"cpus", 0, "N", "", "CPU cores of one machine", Group::data, kJob, false, true, nullptr,
     whole<&D::cpus, Range{1, 1 << 16}>},
    {"ram", 0, "SIZE", "", "host memory of one machine", Group::data, kJob, false, true, nullptr, size<&D::ram>},
    {"storage", 0, "NAME", "", "where the data set lies", Group::data, kJob, false, true, storage_names, storage},
    {"decoded-cache", 0, "", "", "keep decoded images on the storage and read these from the second epoch on",
     Group::data, kJob, false, true, nullptr, toggle<&D::decoded_cache>},
    {"checkpoint-every", 0, "EPOCHS", "", "epochs between saved checkpoints", Group::data, kJob, false, true, nullptr,
     whole<&D::checkpoint_every, kCount>},
    {"keep-checkpoints", 0, "N", "1", "checkpoints that stay on the disk", Group::data, kJob, false, true, nullptr,
     whole<&D::keep_checkpoints, kCount>},

    {"objective", 0, "GOAL", "fastest", "what the plan is best at", Group::goal, kPlan, false, true,
     base::enum_names<planner::Objective>, choice<&O::objective, planner::Objective>},
    {"deadline", 0, "TIME", "", "longest time of the whole run: 24h, 90min, 2d", Group::goal, kPlan, false, true,
     nullptr, deadline},
    {"max-gpus", 0, "N", "", "most GPUs to use; so many of each name without a number are looked at", Group::goal,
     kPlan, false, true, nullptr, whole<&O::max_gpus, kGpus>},
    {"max-cost", 0, "USD", "", "most that the whole run may cost", Group::goal, kPlan, false, true, nullptr, max_cost},
    {"reserve", 0, "SIZE", "0%", "usable memory to leave free: 10% or 4GiB", Group::goal, kChoosing, false, true,
     nullptr, reserve},
    {"top", 0, "N", "5", "alternatives to show", Group::goal, kPlan, false, true, nullptr,
     whole<&O::top, Range{0, 1000}>},

    {"sweep", 's', "FLAG=VALUES", "", "values to go through: height=1024:4096:512 or batch=1,2,4", Group::sweep,
     only(Command::sweep), true, true, swept_names, sweep},

    {"against", 0, "FILE", "", "the report that is compared with", Group::gate, only(Command::check), false, true,
     nullptr, word<&O::against>},
    {"budget", 0, "FILE", "built in", "limits for figures of the report (.toml or .json)", Group::gate,
     only(Command::check), false, true, nullptr, word<&O::budget>},

    {"engine", 0, "NAME", "", "what starts the program; a file for each unless given", Group::run,
     only(Command::launch), false, true, base::enum_names<launch::Engine>, choice<&O::engine, launch::Engine>},
    {"force", 0, "", "", "replace files that are there", Group::run, only(Command::launch), false, false, nullptr,
     toggle<&O::force>},
    {"calibrate", 0, "FILE", "", "write a calibration there that is as fast as the run: for --calibration", Group::run,
     only(Command::verify), false, false, nullptr, word<&O::calibrate>},

    {"format", 'f', "FORMAT", "text", "text, json, csv, markdown or html", Group::output, kReports, false, true,
     base::enum_names<Format>, choice<&O::format, Format>},
    {"json", 0, "", "", "short for --format json", Group::output, kReports},
    {"output", 'o', "FILE|FOLDER", "", "write the report there, of launch the run; - is standard output", Group::output,
     kAll, false, true, nullptr, output},
    {"export", 0, "FORMAT=FILE", "", "write it there, too, in that format", Group::output, kReports, true, true,
     export_names, export_to},
    {"timeline", 0, "", "", "with memory over the steps", Group::output,
     only(Command::plan) | only(Command::estimate) | only(Command::sweep), false, true, nullptr, toggle<&O::timeline>},
    {"verbose", 'v', "", "", "everything: all reasons, alternatives, assumptions, small parts", Group::output, kReports,
     false, true, nullptr, toggle<&O::verbose>},
    {"color", 0, "WHEN", "auto", "auto, always or never", Group::output, kReports, false, true, base::enum_names<Color>,
     choice<&O::color, Color>},
    {"quiet", 'q', "", "", "no notes on standard error", Group::output, kAll, false, true, nullptr, toggle<&O::quiet>},

    {"config", 'c', "FILE", "vggplan.toml", "settings from a file", Group::program, kAll, false, false},
    {"print-config", 0, "", "", "show every setting and where it comes from, and stop", Group::program, kAll, false,
     false},
    {"help", 'h', "", "", "this help", Group::program, kAll, false, false},
    {"version", 'V', "", "", "the version", Group::program, kAll, false, false},
});

}  // namespace

std::span<const Flag> flags() { return kFlags; }

const Flag* find_flag(std::string_view name) {
  const auto found = std::ranges::find_if(kFlags, [&](const Flag& flag) { return flag.name == name; });
  return found == kFlags.end() ? nullptr : &*found;
}

std::string fallback_words(const Flag& flag, std::optional<Command> command) {
  constexpr std::string_view kPlanDiffers = "; plan chooses";
  const std::string_view fallback = flag.fallback;
  if (!command || !fallback.ends_with(kPlanDiffers)) {
    return std::string(fallback);
  }
  return std::string((kChoosing & only(*command)) != 0 ? kChosen
                                                       : fallback.substr(0, fallback.size() - kPlanDiffers.size()));
}

std::string command_list(const Flag& flag, std::string_view separator) {
  std::string list;
  for (const auto& row : base::NameTable<Command>::table) {
    if (flag.applies_to(row.value)) {
      list += (list.empty() ? "" : std::string(separator)) + std::string(row.name);
    }
  }
  return list;
}

std::string_view title(Group group) {
  // In the order of the enum.
  constexpr std::array<std::string_view, 9> kTitles{"The job",  "What it runs on", "The data set",
                                                    "The goal", "The sweep",       "The gate",
                                                    "The run",  "Output",          "The program"};
  return kTitles.at(static_cast<std::size_t>(group));
}

std::string environment_name(std::string_view flag) {
  std::string name = "VGGPLAN_";
  for (const char c : flag) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

}  // namespace vggplan::app
