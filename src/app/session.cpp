// SPDX-License-Identifier: MIT
#include "app/session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/model_file.hpp"
#include "app/values.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/graph/architectures.hpp"

namespace vggplan::app {

namespace {

/// The GPU that `layers` times are of when none is named: the one that the time model was fitted on.
constexpr std::string_view kDefaultGpu = "h200-sxm-141gb";
/// No machine of the catalogue but one has more GPUs.
constexpr std::int64_t kGpusPerNode = 8;

/// Images per GPU and micro-batch, and micro-batches, from what is given of --batch, --accumulation and
/// --global-batch.
base::Status settle_batch(const Options& options, job::Job& job) {
  job.accumulation = options.accumulation.value_or(1);
  if (!options.global_batch) {
    job.batch = options.batch.value_or(1);
    return std::nullopt;
  }
  const std::int64_t global = *options.global_batch;
  const std::int64_t gpus = job.parallel.gpus;
  const std::int64_t known = options.batch ? *options.batch : job.accumulation;
  const std::optional<std::int64_t> divisor = base::checked_mul(known, gpus);
  if (!divisor || global % *divisor != 0) {
    return base::wrong("--global-batch",
                       fmt::format("{} images cannot be shared evenly by {} GPUs with {} {}", global, gpus, known,
                                   options.batch ? "images each" : "micro-batches each"),
                       "give a multiple");
  }
  job.batch = options.batch ? *options.batch : global / *divisor;
  job.accumulation = options.batch ? global / *divisor : job.accumulation;
  if (options.accumulation && job.accumulation != *options.accumulation) {
    return base::wrong("--global-batch",
                       fmt::format("{} is not {} x {} x {}, which --batch, --accumulation and the GPUs make", global,
                                   job.batch, *options.accumulation, gpus),
                       "leave one of them out");
  }
  return std::nullopt;
}

base::Status check_known(std::string_view flag, const std::string& name, const std::vector<std::string>& names,
                         const Options& options) {
  if (std::ranges::find(names, name) != names.end()) {
    return std::nullopt;
  }
  return base::wrong(options.place(flag), fmt::format("unknown {} {}", flag, base::quoted(name)),
                     base::suggestion(name, names));
}

estimate::Target make_target(const hardware::Gpu& gpu, const std::optional<hardware::Machine>& machine,
                             const Options& options) {
  const base::Bytes left = gpu.usable_memory() - options.used;
  return {gpu, machine, std::min(options.usable_memory.value_or(left), left), options.used};
}

/// Of a card that others fill there is nothing to plan with.
base::Status check_used(const hardware::Gpu& gpu, const Options& options) {
  if (options.used < gpu.usable_memory()) {
    return std::nullopt;
  }
  return base::wrong(options.place("used"),
                     fmt::format("leaves nothing of the {} of {} that a process may use",
                                 base::format_bytes(gpu.usable_memory()), gpu.name),
                     "give what the others hold: nvidia-smi shows it");
}

void warn_of(const catalog::GpuChoice& choice, const Options& options, std::vector<estimate::Warning>& warnings) {
  if (!choice.note.empty()) {
    warnings.push_back({"ambiguous-gpu", choice.note, "write the full name to choose another"});
  }
  if (const hardware::Gpu& gpu = choice.gpu; !gpu.like.empty()) {
    warnings.push_back(
        {"assumed-card",
         fmt::format("of the {} only the size is known: it is taken to be like {}, with {} of memory, {} of "
                     "them usable",
                     gpu.title, gpu.like, base::format_bytes(gpu.memory_total),
                     base::format_bytes(gpu.usable_memory())),
         "name the card: times and workspaces follow it"});
  }
  if (options.usable_memory && *options.usable_memory > choice.gpu.usable_memory()) {
    warnings.push_back({"usable-memory-above-card",
                        fmt::format("--usable-memory {} is more than {} can give, {}, which counts instead",
                                    base::format_bytes(*options.usable_memory), choice.gpu.name,
                                    base::format_bytes(choice.gpu.usable_memory())),
                        "leave it out to ask about the card as it is"});
  }
}

/// An ambiguous name means the variant that the machine has, if it has one of them.
base::Status take_variant_of_machine(catalog::GpuChoice& choice, const hardware::Machine& machine,
                                     const catalog::Catalog& catalog) {
  const auto& variants = choice.alternatives;
  if (std::ranges::find(variants, machine.gpu) == variants.end()) {
    return std::nullopt;
  }
  hardware::Gpu gpu = TRY(catalog.gpu(machine.gpu));
  choice = {std::move(gpu), "", {}};
  return std::nullopt;
}

/// --machine with the GPU that is asked for, or the GPU that it has.
base::Status match_machine(const hardware::Machine& machine, const hardware::Gpu& gpu) {
  if (machine.gpu == gpu.name) {
    return std::nullopt;
  }
  return base::wrong("--machine", fmt::format("{} has {}, not {}", machine.name, machine.gpu, gpu.name),
                     "leave --gpus out, or name another machine; see vggplan machines");
}

/// A machine has the GPUs that it has.
base::Status check_room(const std::optional<hardware::Machine>& machine, std::int64_t gpus, const Options& options) {
  if (!machine || !options.nodes || gpus <= *options.nodes * machine->gpu_count) {
    return std::nullopt;
  }
  return base::wrong("--gpus",
                     fmt::format("{} GPUs are more than the {} of {} {}", gpus, *options.nodes * machine->gpu_count,
                                 *options.nodes, machine->name),
                     fmt::format("ask for fewer, or for --nodes {}", base::ceil_div(gpus, machine->gpu_count)));
}

/// Every smaller number is a candidate too: of one GPU the largest number stands for all.
void add_candidate(planner::Candidate wanted, std::vector<planner::Candidate>& candidates) {
  const auto same = std::ranges::find_if(
      candidates, [&](const planner::Candidate& other) { return other.target.gpu.name == wanted.target.gpu.name; });
  if (same == candidates.end()) {
    candidates.push_back(std::move(wanted));
  } else {
    same->gpus = std::max(same->gpus, wanted.gpus);
  }
}

planner::Candidate candidate(const catalog::GpuRequest& wanted, const std::optional<hardware::Machine>& machine,
                             const Options& options) {
  planner::Candidate candidate;
  candidate.target = make_target(wanted.choice.gpu, machine, options);
  // A name without a number is one GPU, or as many as --max-gpus allows.
  const std::int64_t most = wanted.counted ? wanted.count : options.max_gpus.value_or(wanted.count);
  candidate.gpus = options.gpu_count.value_or(most);
  candidate.exactly = options.gpu_count.has_value();
  candidate.per_node = machine ? machine->gpu_count : kGpusPerNode;
  return candidate;
}

/// What a file of the user's decides: its widths, its head and its classes.
base::Status settle_own(const Options& options, job::Job& job) {
  std::int64_t classes = job.classes;
  const auto warnings = TRY(describe_own(job.model, job.image, classes));
  if (job.model.own && job.head != job::Job{}.head) {
    return base::wrong(options.place("head"), fmt::format("{} has a head of its own", job.model.name), "leave it out");
  }
  if (options.classes.value_or(classes) != classes) {
    return base::wrong(options.place("classes"), fmt::format("{} tells {} classes apart", job.model.name, classes),
                       "leave it out");
  }
  job.classes = classes;
  return std::nullopt;
}

void warn_of_own(job::Job job, std::vector<estimate::Warning>& warnings) {
  const auto told = describe_own(job.model, job.image, job.classes);
  for (const std::string& text : told ? *told : std::vector<std::string>()) {
    warnings.push_back({"model-file", text, ""});
  }
}

}  // namespace

base::Result<Session> Session::open(const Options& options, World& world) {
  catalog::Catalog catalog = TRY(load_catalog(options, world));
  return Session(std::move(catalog), world);
}

base::Result<Asked> Session::ask(const Options& options, Command command) {
  EstimateQuestion question = TRY(estimate(options, command));
  estimate::Knowledge known = TRY(knowledge(options, {question.target.gpu.name}));
  return Asked{std::move(question), std::move(known)};
}

base::Result<graph::ModelSpec> Session::model(const Options& options) {
  const std::string& name = options.model;
  const auto known = models_.find(name);
  if (known != models_.end()) {
    return known->second;
  }
  graph::ModelSpec spec;
  if (is_file_name(name)) {
    spec = TRY(read_model_file(name, options.place("model"), world_));
  } else {
    TRY(check_known("model", name, catalog_.model_names(), options));
    spec = TRY(catalog_.model(name));
  }
  models_.emplace(name, spec);
  return spec;
}

base::Result<job::Job> Session::job(const Options& options) {
  if (!options.height || !options.width) {
    return base::wrong(options.height ? "--width" : "--height",
                       "is required: the size of the images decides the memory",
                       "give --height and --width, or --size HxW");
  }
  graph::ModelSpec spec = TRY(model(options));
  TRY(check_known("framework", options.job.framework, catalog_.names("frameworks"), options));
  if (options.job.data.storage) {
    TRY(check_known("storage", *options.job.data.storage, catalog_.storage_names(), options));
  }
  job::Job job = options.job;
  job.classes = options.classes.value_or(graph::architecture_of(spec.architecture).classes);
  job.model = std::move(spec);
  job.image = {options.channels, *options.height, *options.width};
  if (!options.sizes.empty() && options.sizes.back() != std::pair(*options.height, *options.width)) {
    const auto& [height, width] = options.sizes.back();
    return base::wrong(options.place("sizes"),
                       fmt::format("goes up to {}x{}, and the images are said to be {}x{}", height, width,
                                   *options.height, *options.width),
                       "leave --height and --width out");
  }
  if (options.sizes.size() > 1) {
    for (const auto& [height, width] : options.sizes) {
      job.sizes.push_back({options.channels, height, width});
    }
  }
  TRY(settle_own(options, job));
  job.eval_batch = options.eval_batch.value_or(0);
  job.precision = options.precision.value_or(job.precision);
  job.layout = options.layout.value_or(job.layout);
  job.lbfgs = {options.history_size.value_or(job.lbfgs.history_size), options.max_iter.value_or(job.lbfgs.max_iter)};
  job.checkpointing = options.checkpointing.value_or(job.checkpointing);
  job.parallel.sharding = options.sharding.value_or(job.parallel.sharding);
  return job;
}

base::Result<std::optional<hardware::Machine>> Session::machine(const Options& options) const {
  if (!options.machine) {
    return std::optional<hardware::Machine>();
  }
  return std::optional(TRY(catalog_.machine(*options.machine, options.place("machine"))));
}

base::Result<std::vector<catalog::GpuRequest>> Session::requests(const Options& options,
                                                                 const std::optional<hardware::Machine>& machine,
                                                                 Command command) {
  std::string text = options.gpus.value_or("");
  if (text.empty() && machine) {
    text = fmt::format("{}:{}", machine->gpu, machine->gpu_count * options.nodes.value_or(1));
  }
  if (text.empty() && command == Command::layers) {
    text = kDefaultGpu;
  }
  if (text.empty()) {
    return base::wrong("--gpus", "is required: what the job runs on",
                       options.gpu_file
                           ? "--gpu-file adds a card to those that are known: name it, too, with --gpu NAME"
                           : "give, for example, --gpus a100x4; vggplan gpus lists the names");
  }
  // What a name means may depend on the machine.
  const std::string key = text + "|" + options.machine.value_or("");
  const auto known = requests_.find(key);
  if (known != requests_.end()) {
    return known->second;
  }
  std::vector<catalog::GpuRequest> parsed = TRY(catalog::parse_gpu_request(catalog_, text, options.place("gpus")));
  for (catalog::GpuRequest& request : parsed) {
    if (machine) {
      TRY(take_variant_of_machine(request.choice, *machine, catalog_));
      TRY(match_machine(*machine, request.choice.gpu));
    }
  }
  requests_.emplace(key, parsed);
  return parsed;
}

base::Result<Session::Parts> Session::parts(const Options& options, Command command) {
  // What is missing of the job is told ahead of what is missing of the machine.
  Parts parts;
  parts.job = TRY(job(options));
  parts.machine = TRY(machine(options));
  parts.requests = TRY(requests(options, parts.machine, command));
  return parts;
}

base::Result<EstimateQuestion> Session::estimate(const Options& options, Command command) {
  Parts known = TRY(parts(options, command));
  if (known.requests.size() != 1) {
    return base::wrong("--gpus", fmt::format("names {} alternatives, and one job runs on one", known.requests.size()),
                       "let plan choose: vggplan --gpus ...");
  }
  if (command == Command::layers && !known.job.sizes.empty()) {
    return base::wrong(options.place("sizes"), "gives several sizes, and layers shows those of one", "give one");
  }
  const catalog::GpuRequest& request = known.requests.front();
  if (options.gpu_count && request.count != 1 && *options.gpu_count != request.count && options.gpus) {
    return base::wrong("--gpu-count", fmt::format("{} contradicts --gpus {}", *options.gpu_count, *options.gpus),
                       "give the number once");
  }
  EstimateQuestion question{std::move(known.job), {}, {}};
  question.job.parallel.gpus = options.gpu_count.value_or(request.count);
  const std::int64_t per_node = known.machine ? known.machine->gpu_count : kGpusPerNode;
  question.job.parallel.nodes = options.nodes.value_or(base::ceil_div(question.job.parallel.gpus, per_node));
  TRY(check_used(request.choice.gpu, options));
  question.target = make_target(request.choice.gpu, known.machine, options);
  TRY(check_room(known.machine, question.job.parallel.gpus, options));
  if (!options.gpus && !options.machine) {
    question.warnings.push_back(
        {"assumed-gpu", fmt::format("no GPU is named: times are those of {}", kDefaultGpu), "name another with --gpu"});
  }
  warn_of(request.choice, options, question.warnings);
  warn_of_own(question.job, question.warnings);
  TRY(settle_batch(options, question.job));
  TRY(job::validate(question.job));
  return question;
}

/// Takes GPUs that `any` stands for, and that the framework no longer runs on, off the list. Whoever names one gets it.
base::Status Session::leave_out_unsupported(std::vector<catalog::GpuRequest>& requests, const Options& options,
                                            std::vector<estimate::Warning>& warnings) const {
  if (std::none_of(requests.begin(), requests.end(), [](const auto& request) { return request.choice.of_any; })) {
    return std::nullopt;
  }
  const lowering::Framework framework = TRY(catalog_.framework(options.job.framework));
  std::string names;
  std::erase_if(requests, [&](const catalog::GpuRequest& request) {
    const hardware::Gpu& gpu = request.choice.gpu;
    const bool unsupported = request.choice.of_any && !estimate::runs_on(framework, gpu);
    names += unsupported ? (names.empty() ? "" : ", ") + gpu.name : "";
    return unsupported;
  });
  if (!names.empty()) {
    warnings.push_back({"left-out",
                        fmt::format("any leaves out GPUs on which {} does not run: {}", framework.title, names),
                        "name one to plan with it, too"});
  }
  return std::nullopt;
}

base::Result<PlanQuestion> Session::plan(const Options& options) {
  Parts known = TRY(parts(options, Command::plan));
  PlanQuestion question;
  planner::PlanRequest& request = question.request;
  request = options;
  request.job = std::move(known.job);
  warn_of_own(request.job, question.warnings);
  TRY(leave_out_unsupported(known.requests, options, question.warnings));
  for (const catalog::GpuRequest& wanted : known.requests) {
    TRY(check_used(wanted.choice.gpu, options));
    planner::Candidate next = candidate(wanted, known.machine, options);
    TRY(check_room(known.machine, next.gpus, options));
    add_candidate(std::move(next), request.candidates);
    warn_of(wanted.choice, options, question.warnings);
  }
  for (const std::string& name : catalog_.card_names()) {
    hardware::Gpu gpu = TRY(catalog_.gpu(name));
    const base::Bytes usable = gpu.usable_memory();
    request.others.push_back({std::move(gpu), std::nullopt, usable});
  }
  return question;
}

base::Result<PlanQuestion> Session::fit(const Options& options) {
  PlanQuestion question = TRY(plan(options));
  planner::PlanRequest& request = question.request;
  if (request.candidates.size() != 1) {
    return base::wrong("--gpus", fmt::format("names {} kinds of GPUs, and fit looks at one", request.candidates.size()),
                       "let plan choose: vggplan --gpus ...");
  }
  request.candidates.front().exactly = true;
  request.sharding = options.sharding.value_or(job::Sharding::ddp);
  return question;
}

}  // namespace vggplan::app
