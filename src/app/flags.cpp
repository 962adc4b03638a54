// SPDX-License-Identifier: MIT
#include "app/flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <tuple>

#include "app/sweep.hpp"
#include "app/values.hpp"
#include "vggplan/base/ascii.hpp"
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
template <auto Member, auto Parse>
Status parsed(Options& options, Text value, Text place) {
  return put(field<Member>(options), Parse(value, place));
}
template <auto Member>
constexpr auto kSize = parsed<Member, base::parse_bytes>;
template <auto Member>
constexpr auto kToggle = parsed<Member, parse_switch>;
Status sharding(Options& options, Text value, Text place) {
  options.job.parallel.data_parallel = value == "dp";
  return value == "dp" ? put(options.sharding, base::Result<job::Sharding>(job::Sharding::ddp))
                       : choice<&Options::sharding, job::Sharding>(options, value, place);
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
Status bucket(Options& options, Text value, Text place) {
  const base::Result<double> megabytes = parse_amount(value, place);
  const double bytes = megabytes ? *megabytes * base::kMiB.as_double() : 0;
  if (bytes < 1 || *megabytes > 1'000'000) {
    return base::wrong(place, "takes MiB above 0 and up to 1,000,000, not " + base::quoted(value));
  }
  options.job.parallel.bucket = base::Bytes(static_cast<std::int64_t>(bytes));
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
  for (const Text region : base::split(value, ',')) {
    if (region.empty()) {
      return base::wrong(place, fmt::format("takes regions behind commas, not {}", base::quoted(value)),
                         "write, for example, us-east-1,eastus");
    }
    options.regions.emplace_back(region);
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
  options.exports.push_back(TRY(parse_export(value, place)));
  return std::nullopt;
}
Status sweep(Options& options, Text value, Text place) {
  options.sweep.push_back(TRY(parse_axis(value, place)));
  return std::nullopt;
}

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

// name, value, default, help, group, commands, store, choices, letter, configurable, repeatable
constexpr std::array kFlags = std::to_array<Flag>({
    {"model", "NAME|FILE", "vgg16",
     "vgg11, vgg13, vgg16, vgg19, each also with _bn; another that 'vggplan models' lists; or a file (.json, .onnx, "
     ".pt2)",
     Group::job, kJob, word<&O::model>, known_models},
    {"height", "PIXELS", "", "height of the images; required", Group::job, kJob, whole<&O::height, kPixels>},
    {"width", "PIXELS", "", "width of the images; required", Group::job, kJob, whole<&O::width, kPixels>},
    {"size", "HxW", "", "height and width in one; one number for a square; several as for --sizes", Group::job, kJob},
    {"sizes", "LIST", "", "sizes that the steps of one run draw at random: 224,320x480 or 224:512:32", Group::job,
     kJob & ~only(Command::layers), sizes},
    {"channels", "N", "3", "channels of the images", Group::job, kJob, whole<&O::channels, Range{1, 100'000}>},
    {"classes", "N", "1000", "classes told apart; 21 for pixels and boxes", Group::job, kJob,
     whole<&O::classes, Range{1, 100'000'000}>},
    {"head", "HEAD", "adaptive", "what follows the convolutions", Group::job, kJob, choice<&J::head, graph::Head>,
     base::enum_names<graph::Head>},
    {"until", "NODE", "", "the layer that the network ends with, for example relu3_3", Group::job, kJob,
     word<&S::until>},
    {"freeze", "WHICH", "none", "layers that are not trained: features, all-but-last, first:N, or a pattern of names",
     Group::job, kJob, word<&S::freeze>, freeze_names},
    {"freeze-norm", "WHAT", "none", "what of batch norm training leaves as it is", Group::job, kJob,
     choice<&S::norm, graph::FrozenNorm>, base::enum_names<graph::FrozenNorm>},
    {"train", "WHAT", "parameters", "what the optimizer changes", Group::job, kJob, choice<&S::trained, graph::Trained>,
     base::enum_names<graph::Trained>},
    {"loss", "LOSS", "", "what training lowers; chosen by the network", Group::job, kJob,
     choice<&S::objective, graph::Objective>, base::enum_names<graph::Objective>},
    {"eval-batch", "N", "", "images of an evaluation without gradients beside training", Group::job, kJob,
     whole<&O::eval_batch, kBatch>},
    {"forward-passes", "N", "1", "passes of the batch whose losses go back together: siamese or consistency training",
     Group::job, kJob, whole<&J::forward_passes, Range{1, job::kMostForwardPasses}>},
    {"mode", "MODE", "train", "training or inference", Group::job, kJob, choice<&J::mode, job::Mode>,
     base::enum_names<job::Mode>},
    {"batch", "N", "1; plan chooses", "images per GPU and micro-batch; fit looks for the largest", Group::job, kJob,
     whole<&O::batch, kBatch>, nullptr, 'b'},
    {"global-batch", "N", "", "images per optimizer step over all GPUs", Group::job, kJob & ~only(Command::fit),
     whole<&O::global_batch, kBatch>},
    {"accumulation", "N", "1", "micro-batches per optimizer step", Group::job, kJob,
     whole<&O::accumulation, kMicroBatches>},
    {"precision", "TYPE", "tf32; plan chooses", "arithmetic of the training", Group::job, kJob,
     choice<&O::precision, job::Precision>, base::enum_names<job::Precision>},
    {"layout", "LAYOUT", "nchw; plan chooses", "memory format of model and images", Group::job, kJob,
     choice<&O::layout, base::Layout>, base::enum_names<base::Layout>},
    {"optimizer", "NAME", "momentum", "the optimizer", Group::job, kJob, choice<&J::optimizer, job::Optimizer>,
     base::enum_names<job::Optimizer>},
    {"optimizer-impl", "NAME", "foreach", "how the optimizer walks the parameters", Group::job, kJob,
     choice<&J::optimizer_impl, job::OptimizerImpl>, base::enum_names<job::OptimizerImpl>},
    {"history-size", "N", "100", "of lbfgs: pairs of vectors over all parameters that it keeps", Group::job, kJob,
     whole<&O::history_size, Range{1, job::kMostHistory}>},
    {"max-iter", "N", "20", "of lbfgs: times that a step goes forward and back", Group::job, kJob,
     whole<&O::max_iter, Range{1, job::kMostIterations}>},
    {"checkpointing", "HOW", "none; plan chooses", "activations computed again: none, block or seq:N", Group::job, kJob,
     parsed<&O::checkpointing, job::parse_checkpointing>, checkpointing_names},
    {"compile", "MODE", "none", "mode of torch.compile", Group::job, kJob, choice<&J::compile, job::Compile>,
     base::enum_names<job::Compile>},
    {"sharding", "HOW", "ddp",
     "how several GPUs share the work; dp (DataParallel) is answered with ddp, and told beside it", Group::job, kJob,
     sharding, sharding_names},
    {"bucket-mb", "MIB", "25", "size of DDP's gradient buckets", Group::job, kJob, bucket},
    {"bucket-view", "", "", "gradient_as_bucket_view of DDP", Group::job, kJob, kToggle<&job::Parallel::bucket_view>},
    {"cudnn-benchmark", "", "", "torch.backends.cudnn.benchmark", Group::job, kJob, kToggle<&J::cudnn_benchmark>},
    {"expandable-segments", "", "", "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True", Group::job, kJob,
     kToggle<&J::expandable_segments>},
    {"framework", "NAME", "pytorch-2.11", "the framework's version", Group::job, kJob, word<&J::framework>,
     framework_names},

    {"gpus", "LIST", "", "GPUs and how many: a100x4, 8xh100, l4, 8GB; alternatives behind commas; any", Group::machine,
     kJob, word<&O::gpus>, known_gpus, 'g'},
    {"gpu", "NAME", "", "one kind of GPU", Group::machine, kJob | only(Command::calibrate), nullptr, known_gpus},
    {"gpu-count", "N", "1", "how many of it, over all nodes", Group::machine, kJob, whole<&O::gpu_count, kGpus>},
    {"nodes", "N", "1", "machines that the GPUs are spread over", Group::machine, kJob, whole<&O::nodes, kGpus>},
    {"machine", "NAME", "", "a machine or cloud instance: gives GPUs, CPUs, RAM and price", Group::machine, kJob,
     word<&O::machine>, known_machines},
    {"usable-memory", "SIZE", "", "bytes that the allocator may reserve on each GPU", Group::machine, kJob,
     usable_memory},
    {"memory", "SIZE", "", "a card of that size, as sold: 8GB; short for --gpus SIZE", Group::machine, kJob},
    {"used", "SIZE", "", "memory of each card that other processes hold", Group::machine, kJob, kSize<&O::used>},
    {"gpu-file", "FILE", "", "a GPU of your own (.json)", Group::machine, kJob | only(Command::gpus),
     word<&O::gpu_file>},
    {"calibration", "FILE", "", "how fast your GPU is: written by vggplan calibrate (.json)", Group::machine, kJob,
     word<&O::calibration>},
    {"config-dir", "DIR", "", "records of your own: DIR/gpus/NAME.json, machines, models, storage, ...", Group::machine,
     kCatalogue, word<&O::config_dir>},
    {"price", "NAME=USD", "", "price per hour of a GPU or of a machine", Group::machine, kJob, price, nullptr, 0, true,
     true},
    {"prices", "FILE", "", "prices of machines: a vms.csv of SkyPilot's catalogue, or JSON", Group::machine,
     kJob | only(Command::machines), word<&O::price_list>},
    {"prices-date", "DATE", "", "as of when the prices of a file are that does not tell: 2026-11-29", Group::machine,
     kJob | only(Command::machines), date<&O::prices_date>},
    {"spot", "", "", "rent spot machines, which may be taken back at any time", Group::machine,
     kJob | only(Command::machines), kToggle<&O::spot>},
    {"region", "LIST", "", "take prices of these regions alone: us-east-1,eastus", Group::machine,
     kJob | only(Command::machines), regions},
    {"today", "DATE", "", "the day that the age of prices is told by: no clock is asked", Group::machine,
     kJob | only(Command::machines), date<&O::today>},

    {"images", "N", "", "images in the data set: gives epochs, run time and cost", Group::data, kJob,
     whole<&D::images, kImages>},
    {"epochs", "N", "1", "passes over the data set", Group::data, kJob, whole<&D::epochs, Range{1, 100'000}>},
    {"image-format", "FORMAT", "jpeg", "how the images are stored", Group::data, kJob,
     choice<&D::format, job::ImageFormat>, base::enum_names<job::ImageFormat>},
    {"bytes-per-image", "SIZE", "", "size of an image's file", Group::data, kJob, kSize<&D::bytes_per_image>},
    {"pipeline", "NAME", "tv-uint8", "what decodes the images", Group::data, kJob, choice<&D::pipeline, job::Pipeline>,
     base::enum_names<job::Pipeline>},
    {"workers", "N", "", "data loader processes of one machine", Group::data, kJob,
     whole<&D::workers, Range{0, 1 << 16}>},
    {"cpus", "N", "", "CPU cores of one machine", Group::data, kJob, whole<&D::cpus, Range{1, 1 << 16}>},
    {"ram", "SIZE", "", "host memory of one machine", Group::data, kJob, kSize<&D::ram>},
    {"storage", "NAME", "", "where the data set lies", Group::data, kJob, storage, storage_names},
    {"decoded-cache", "", "", "keep decoded images on the storage and read these from the second epoch on", Group::data,
     kJob, kToggle<&D::decoded_cache>},
    {"checkpoint-every", "EPOCHS", "", "epochs between saved checkpoints", Group::data, kJob,
     whole<&D::checkpoint_every, kCount>},
    {"keep-checkpoints", "N", "1", "checkpoints that stay on the disk", Group::data, kJob,
     whole<&D::keep_checkpoints, kCount>},

    {"objective", "GOAL", "fastest", "what the plan is best at", Group::goal, kPlan,
     choice<&O::objective, planner::Objective>, base::enum_names<planner::Objective>},
    {"deadline", "TIME", "", "longest time of the whole run: 24h, 90min, 2d", Group::goal, kPlan,
     parsed<&O::deadline, base::parse_duration>},
    {"max-gpus", "N", "", "most GPUs to use; so many of each name without a number are looked at", Group::goal, kPlan,
     whole<&O::max_gpus, kGpus>},
    {"max-cost", "USD", "", "most that the whole run may cost", Group::goal, kPlan, parsed<&O::max_cost, parse_amount>},
    {"reserve", "SIZE", "0%", "usable memory to leave free: 10% or 4GiB", Group::goal, kChoosing,
     parsed<&O::reserve, parse_reserve>},
    {"top", "N", "5", "alternatives to show", Group::goal, kPlan, whole<&O::top, Range{0, 1000}>},

    {"sweep", "FLAG=VALUES", "", "values to go through: height=1024:4096:512 or batch=1,2,4", Group::sweep,
     only(Command::sweep), sweep, swept_names, 's', true, true},

    {"against", "FILE", "", "the report that is compared with", Group::gate, only(Command::check), word<&O::against>},
    {"budget", "FILE", "built in", "limits for figures of the report (.toml or .json)", Group::gate,
     only(Command::check), word<&O::budget>},

    {"engine", "NAME", "", "what starts the program; a file for each unless given", Group::run, only(Command::launch),
     choice<&O::engine, launch::Engine>, base::enum_names<launch::Engine>},
    {"force", "", "", "replace files that are there", Group::run, only(Command::launch), kToggle<&O::force>, nullptr, 0,
     false},
    {"calibrate", "FILE", "", "write a calibration there that is as fast as the run: for --calibration", Group::run,
     only(Command::verify), word<&O::calibrate>, nullptr, 0, false},

    {"format", "FORMAT", "text", "text, json, csv, markdown or html", Group::output, kReports,
     choice<&O::format, Format>, base::enum_names<Format>, 'f'},
    {"json", "", "", "short for --format json", Group::output, kReports},
    {"output", "FILE|FOLDER", "", "write the report there, of launch the run; - is standard output", Group::output,
     kAll, output, nullptr, 'o'},
    {"export", "FORMAT=FILE", "", "write it there, too, in that format", Group::output, kReports, export_to,
     export_names, 0, true, true},
    {"timeline", "", "", "with memory over the steps", Group::output,
     only(Command::plan) | only(Command::estimate) | only(Command::sweep), kToggle<&O::timeline>},
    {"verbose", "", "", "everything: all reasons, alternatives, assumptions, small parts", Group::output, kReports,
     kToggle<&O::verbose>, nullptr, 'v'},
    {"color", "WHEN", "auto", "auto, always or never", Group::output, kReports, choice<&O::color, Color>,
     base::enum_names<Color>},
    {"quiet", "", "", "no notes on standard error", Group::output, kAll, kToggle<&O::quiet>, nullptr, 'q'},

    {"config", "FILE", "vggplan.toml", "settings from a file", Group::program, kAll, nullptr, nullptr, 'c', false},
    {"print-config", "", "", "show every setting and where it comes from, and stop", Group::program, kAll, nullptr,
     nullptr, 0, false},
    {"help", "", "", "this help", Group::program, kAll, nullptr, nullptr, 'h', false},
    {"version", "", "", "the version", Group::program, kAll, nullptr, nullptr, 'V', false},
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
