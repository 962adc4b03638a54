// SPDX-License-Identifier: MIT
// Every sentence of a recommendation, read back: each number in it is one that the plan holds or the models give.
#include "planner/story.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>

#include "support/catch.hpp"
#include "support/every_candidate.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;
using support::label;
using support::MadeUpQuestion;

/// The parts of a sentence, counted from 1 as in its pattern.
struct Words {
  std::vector<std::optional<std::string>> parts{};
  [[nodiscard]] bool has(std::size_t i) const { return parts.at(i).has_value(); }
  [[nodiscard]] std::string operator[](std::size_t i) const { return parts.at(i).value_or(""); }
};

std::optional<Words> read(const std::string& sentence, const std::regex& pattern) {
  std::smatch found;
  if (!std::regex_match(sentence, found, pattern)) {
    return std::nullopt;
  }
  Words words;
  for (const auto& part : found) {
    words.parts.push_back(part.matched ? std::optional(part.str()) : std::nullopt);
  }
  return words;
}

std::int64_t whole(const std::string& text) { return std::stoll(text); }

/// A number is right to half of its last digit.
void is_number(const std::string& text, double value) {
  const std::size_t dot = text.find('.');
  const double unit = dot == std::string::npos ? 1 : std::pow(10.0, -static_cast<double>(text.size() - dot - 1));
  INFO("'" << text << "' for " << value);
  CHECK(std::abs(std::stod(text) - value) <= unit * 0.5001);
}

/// "+28 %", "-3.1 %", "less than 0.1 %": with a sign, and no digits that nobody needs.
void is_change(const std::string& text, double ratio) {
  const double percent = 100 * (ratio - 1);
  INFO("'" << text << "' for " << percent);
  if (text == "less than 0.1 %") {
    CHECK(std::abs(percent) < 0.0501);
    return;
  }
  REQUIRE(text.ends_with(" %"));
  const std::string number = text.substr(0, text.size() - 2);
  CHECK(number.front() == (percent > 0 ? '+' : '-'));
  CHECK((number.find('.') != std::string::npos) == (std::abs(percent) < 9.95));
  is_number(number, percent);
}

/// Three digits.
void is_rate(const std::string& text, double rate) {
  is_number(text, rate);
  const auto digits = std::ranges::count_if(text, [](char c) { return c != '.'; });
  CHECK((digits == 3 || (rate > 999 && digits > 3)));
}

void is_bytes(const std::string& text, base::Bytes bytes) { CHECK(text == base::format_bytes(bytes)); }

class Listener {
 public:
  Listener(const MadeUpQuestion& asked, const Plan& plan)
      : world_(asked.world),
        request_(asked.request),
        engine_(asked.engine),
        plan_(plan),
        best_(plan.recommendation->figures),
        job_(best_.job),
        candidate_(*std::ranges::find_if(request_.candidates,
                                         [&](const Candidate& c) { return c.target.gpu.name == best_.gpu; })) {}

  /// The kinds of sentences there are.
  std::set<std::string> listen() {
    std::set<std::string> heard;
    for (const std::string& sentence : plan_.recommendation->why) {
      INFO(sentence);
      const Kind* kind = nullptr;
      for (const Kind& other : kinds()) {
        if (const auto words = read(sentence, other.pattern)) {
          kind = &other;
          (this->*other.check)(*words);
        }
      }
      REQUIRE(kind != nullptr);
      CHECK(heard.insert(kind->name).second);
    }
    return heard;
  }

  /// Of the plan and the models alone.
  [[nodiscard]] std::set<std::string> expected() const {
    std::set<std::string> all{"objective", "bound"};
    const auto when = [&](bool holds, const std::string& kind) {
      if (holds) {
        all.insert(kind);
      }
    };
    const std::int64_t gpus = job_.parallel.gpus;
    const bool several = gpus > 1;
    when(request_.deadline.has_value(), "deadline");
    when(request_.max_cost.has_value(), "budget");
    when(world_.starves(job_) && job_.data.workers != 0, "workers");
    when(largest() && *largest() > job_.batch, "larger");
    when(next_batch().has_value(), "next");
    when(several && valid(on(1, job_.batch)), "scaling");
    when(several && trains() && !request_.global_batch && most() >= 2 && valid(on(1, 1)) &&
             efficiency(most()) - efficiency(1) >= 0.01,
         "batch and scaling");
    const job::Job more = on(gpus + 1, job_.batch);
    when(!request_.nodes && candidate_.gpus == gpus && gpus + 1 <= request_.max_gpus.value_or(99) && valid(more) &&
             (!request_.global_batch || job::global_batch(more) == *request_.global_batch) && fits(more),
         "one more");
    when(trains() && valid(other_checkpointing()), "checkpointing");
    when(several && job_.parallel.sharding != job::Sharding::ddp && !request_.sharding, "sharding");
    when(job::is_autocast(job_.precision) && !request_.precision, "precision");
    when(!request_.layout && valid(other_layout()), "layout");
    when(job_.model.batch_norm && trains(), "batch norm");
    when(trains() && !request_.global_batch && job::global_batch(job_) > 1, "global batch");
    return all;
  }

 private:
  struct Kind {
    std::string name{};
    std::regex pattern{};
    void (Listener::*check)(const Words&) const {};
  };

  [[nodiscard]] bool trains() const { return job_.mode == job::Mode::train; }
  static bool valid(const job::Job& job) { return !job::validate(job); }
  [[nodiscard]] std::optional<std::int64_t> largest() const {
    const bool open = !request_.batch && !request_.global_batch;
    return open ? std::optional(plan_.max_batch.front().steady) : std::nullopt;
  }
  [[nodiscard]] std::int64_t most() const { return largest().value_or(job_.batch); }
  [[nodiscard]] estimate::MemoryAnswer memory(const job::Job& job) const {
    return engine_.memory(job, candidate_.target).value();
  }
  [[nodiscard]] base::Bytes reserve() const {
    return base::Bytes(
        static_cast<std::int64_t>(candidate_.target.usable.as_double() * request_.reserve.percent / 100) +
        request_.reserve.bytes.count());
  }
  [[nodiscard]] bool keeps_reserve(const job::Job& job) const {
    return memory(job).reserved_peak <= candidate_.target.usable - reserve();
  }
  [[nodiscard]] bool fits(const job::Job& job) const {
    return memory(job).verdict == Verdict::fits && keeps_reserve(job);
  }
  [[nodiscard]] base::Bytes reserved(const job::Job& job) const {
    return base::Bytes(static_cast<std::int64_t>(world_.reserved(job)));
  }
  [[nodiscard]] base::Bytes peak(const job::Job& job) const {
    return base::Bytes(static_cast<std::int64_t>(world_.allocated(job)));
  }
  [[nodiscard]] double rate(const job::Job& job) const { return world_.images_per_second(job); }
  /// Every step computes a whole batch.
  [[nodiscard]] double useful_rate(const job::Job& job) const {
    if (!job.data.images) {
      return rate(job);
    }
    const auto images = static_cast<double>(*job.data.images);
    const auto batch = static_cast<double>(job::global_batch(job));
    return rate(job) * images / (std::ceil(images / batch) * batch);
  }
  /// The job on other GPUs. The global batch stays where it is fixed.
  [[nodiscard]] job::Job on(std::int64_t gpus, std::int64_t batch) const {
    job::Job job = job_;
    job.batch = batch;
    job.parallel.gpus = gpus;
    job.parallel.nodes = request_.nodes.value_or((gpus + candidate_.per_node - 1) / candidate_.per_node);
    if (request_.global_batch) {
      job.accumulation = std::max<std::int64_t>(1, *request_.global_batch / (batch * gpus));
    }
    return job;
  }
  [[nodiscard]] double efficiency(std::int64_t batch) const {
    const std::int64_t gpus = job_.parallel.gpus;
    return rate(on(gpus, batch)) / rate(on(1, batch)) / static_cast<double>(gpus);
  }
  [[nodiscard]] job::Job other_checkpointing() const {
    job::Job job = job_;
    const bool none = job.checkpointing.kind == job::Checkpointing::Kind::none;
    job.checkpointing.kind = none ? job::Checkpointing::Kind::block : job::Checkpointing::Kind::none;
    return job;
  }
  [[nodiscard]] job::Job other_layout() const {
    job::Job job = job_;
    job.layout = job.layout == base::Layout::nhwc ? base::Layout::nchw : base::Layout::nhwc;
    return job;
  }
  /// The next one that can be asked for, beyond those that fit where the batch is open.
  [[nodiscard]] std::optional<std::int64_t> next_batch() const {
    if (!request_.global_batch) {
      return std::max(most(), job_.batch) + 1;
    }
    for (std::int64_t batch = job_.batch + 1; batch <= *request_.global_batch; ++batch) {
      if (*request_.global_batch % (batch * job_.parallel.gpus) == 0) {
        return batch;
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] job::Job next() const { return on(job_.parallel.gpus, *next_batch()); }
  [[nodiscard]] double longer() const {
    const double other = world_.step_seconds(other_checkpointing()) / world_.step_seconds(job_);
    return 100 * (std::max(other, 1 / other) - 1);
  }

  void objective(const Words& w) const {
    CHECK(w[1] == label(job_, best_.gpu));
    is_rate(w[2], best_.images_per_second);
    const std::string rest = w[3];
    switch (request_.objective) {
      case Objective::fastest:
        CHECK(rest.starts_with(best_.total ? ", and no candidate ends sooner (" : ", the most of all candidates ("));
        break;
      case Objective::cheapest:
        CHECK(rest.starts_with(
            best_.usd_per_million_images
                ? fmt::format(" at {} per million images, the least ", base::format_usd(*best_.usd_per_million_images))
                : fmt::format(" at {:.1f} GPU-hours per million images, ", best_.gpu_hours_per_million_images)));
        CHECK(rest.ends_with("; no price is known") == !best_.usd_per_million_images);
        break;
      case Objective::fewest_gpus:
        CHECK(rest == fmt::format(" on {}, and nothing less does the job",
                                  job_.parallel.gpus == 1 ? "one GPU" : fmt::format("{} GPUs", job_.parallel.gpus)));
        break;
    }
  }
  void bound(const Words& w) const {
    const estimate::Time& time = plan_.recommendation->estimate.time;
    if (w.has(1)) {
      CHECK_FALSE(world_.starves(job_));
      CHECK(w[1] == base::format_seconds(time.iteration.value));
      is_number(w[2], 100 * time.model_flops_utilization);
    } else {
      CHECK(w[3] == base::format_seconds(time.iteration.value));
      CHECK(w[4] == (world_.starves(job_) ? "workers" : ""));
    }
    const double exposed = 100 * time.communication_exposed.value.count() / time.iteration.value.count();
    const bool exchanges = job_.parallel.gpus > 1 && trains();
    REQUIRE(w.has(5) == exchanges);
    if (!exchanges) {
      return;
    }
    const std::string what = w.has(6) ? w[6] : w[7];
    CHECK(what == (job_.parallel.sharding == job::Sharding::fsdp2 ? "gathering parameters and averaging gradients"
                                                                  : "averaging the gradients"));
    CHECK(w.has(6) == (exposed < 0.05));
    if (w.has(7)) {
      is_number(w[8], exposed);
    }
    is_number(w[9], 100 * time.parallel_overhead.value.count() / time.iteration.value.count());
  }
  void workers(const Words& w) const {
    CHECK(whole(w[1]) == plan_.recommendation->estimate.input.workers);
    CHECK(whole(w[2]) == plan_.recommendation->estimate.input.workers_needed);
    CHECK(whole(w[1]) < whole(w[2]));
  }
  void larger(const Words& w) const {
    const job::Job job = on(job_.parallel.gpus, *largest());
    const std::string before = base::format_bytes(best_.reserved_peak);
    const std::string after = base::format_bytes(reserved(job));
    const base::Bytes high = engine_.reserved_high(job, candidate_.target).value();
    CHECK(w.has(2) == (high > candidate_.target.usable - reserve()));
    if (w.has(2)) {
      CHECK(whole(w[1]) == *largest());
      CHECK(w[2] == after);
      is_bytes(w[3], high);
      return;
    }
    CHECK(whole(w[4]) == *largest());
    is_change(w[5], useful_rate(job) / useful_rate(job_));
    CHECK(w.has(6) == (before != after));
    CHECK((!w.has(6) || (w[7] == before && w[8] == after)));
  }
  void next(const Words& w) const {
    const job::Job job = next();
    const estimate::MemoryAnswer answer = memory(job);
    CHECK(whole(w[1]) == job.batch);
    if (w.has(2)) {
      CHECK(answer.verdict != Verdict::does_not_fit);
      CHECK_FALSE(keeps_reserve(job));
      is_bytes(w[2], answer.reserved_peak);
    } else if (w.has(3)) {
      CHECK(fits(job));
      is_bytes(w[3], reserved(job));
      is_bytes(w[4], best_.reserved_peak);
      is_change(w[5], rate(job) / rate(job_));
    } else if (w.has(6)) {
      CHECK(answer.verdict == Verdict::fits_with_cache_flushes);
      CHECK(w[6] == base::format_times(answer.cache_flushes_per_step));
    } else {
      CHECK(answer.verdict == Verdict::does_not_fit);
      is_bytes(w[7], reserved(job));
      is_bytes(w[8], answer.usable);
    }
  }
  void scaling(const Words& w) const {
    const auto gpus = static_cast<double>(job_.parallel.gpus);
    CHECK(whole(w[1]) == job_.parallel.gpus);
    is_number(w[2], efficiency(job_.batch) * gpus);
    is_number(w[3], 100 * efficiency(job_.batch));
  }
  void batch_and_scaling(const Words& w) const {
    is_number(w[1], 100 * efficiency(1));
    CHECK(whole(w[2]) == most());
    is_number(w[3], 100 * efficiency(most()));
  }
  void one_more(const Words& w) const {
    const job::Job job = on(job_.parallel.gpus + 1, job_.batch);
    is_rate(w[1], rate(job));
    is_change(w[2], rate(job) / rate(job_));
    CHECK(w.has(3) == (!request_.global_batch && trains()));
    CHECK((!w.has(3) || whole(w[3]) == job::global_batch(job)));
  }
  void checkpointing(const Words& w) const {
    const job::Job other = other_checkpointing();
    if (w.has(1)) {
      CHECK(job_.checkpointing.kind == job::Checkpointing::Kind::none);
      is_bytes(w[1], best_.run_peak);
      is_bytes(w[2], peak(other));
    } else {
      CHECK(job_.checkpointing.kind == job::Checkpointing::Kind::block);
      CHECK(w.has(3) == (memory(other).verdict == Verdict::does_not_fit));
      CHECK((!w.has(3) || w[3] == base::format_bytes(reserved(other))));
      CHECK((!w.has(4) || w[4] == base::format_bytes(peak(other) - best_.run_peak)));
    }
    CHECK((w[5] == "makes") == !w.has(1));
    is_number(w[6], longer());
    CHECK((w[7] == "the results stay the same") == !job_.model.batch_norm);
  }
  void sharding(const Words& w) const {
    job::Job ddp = job_;
    ddp.parallel.sharding = job::Sharding::ddp;
    const bool zero1 = job_.parallel.sharding == job::Sharding::zero1;
    CHECK(w[1] == base::name_of_enum(job_.parallel.sharding));
    CHECK(w[2] == (zero1 ? "the optimizer state" : "parameters, gradients and optimizer state"));
    CHECK(w.has(3) == (memory(ddp).verdict == Verdict::does_not_fit));
    if (w.has(3)) {
      is_bytes(w[3], reserved(ddp));
    } else {
      is_bytes(w[4], best_.reserved_peak);
      is_bytes(w[5], memory(ddp).reserved_peak);
    }
    is_change(w[6], best_.step.count() / engine_.time(ddp, candidate_.target)->step.count());
  }
  void precision(const Words& w) const {
    job::Job tf32 = job_;
    tf32.precision = job::Precision::tf32;
    CHECK(w[1] == base::name_of_enum(job_.precision));
    is_number(w[2], world_.step_seconds(tf32) / world_.step_seconds(job_));
    CHECK(w[3] == (candidate_.target.gpu.tf32_tensor ? "tf32" : "float32"));
    is_number(w[4], 100 * best_.run_peak.as_double() / peak(tf32).as_double());
    CHECK(w[5] == (trains() ? "weights, gradients and optimizer stay" : "weights stay"));
    CHECK(w.has(6) == (job_.precision == job::Precision::amp_fp16 && trains()));
  }
  void layout(const Words& w) const {
    const job::Job other = other_layout();
    CHECK(w[1] == (other.layout == base::Layout::nchw ? "The default layout (nchw)" : "channels_last (nhwc)"));
    is_change(w[2], world_.step_seconds(other) / world_.step_seconds(job_));
    is_bytes(w[3], reserved(other));
    is_bytes(w[4], best_.reserved_peak);
    CHECK(w.has(5) == !fits(other));
  }
  void batch_norm(const Words& w) const {
    CHECK(whole(w[1]) == job_.batch);
    CHECK((w[2] == "s") == (job_.batch > 1));
    const std::string rest = w[3];
    const bool few = job_.batch < 8;
    const bool open = !request_.batch && !request_.global_batch;
    CHECK(rest.starts_with(": fewer than 8 hurt training") == few);
    CHECK((rest == "; of equally fast batches the largest is taken") == (!few && open));
    CHECK(rest.ends_with(fmt::format("SyncBatchNorm would take them over {}", job_.batch * job_.parallel.gpus)) ==
          (few && job_.parallel.gpus > 1));
    CHECK(rest.ends_with("and accumulation does not help") == (few && job_.parallel.gpus == 1));
  }

  void deadline(const Words& w) const {
    CHECK(w[1] == base::format_seconds(*best_.total));
    CHECK(w[2] == base::format_seconds(*request_.deadline));
  }
  void budget(const Words& w) const {
    CHECK(w[1] == base::format_usd(*best_.cost));
    CHECK(w[2] == base::format_usd(*request_.max_cost));
  }
  void global_batch(const Words& w) const { CHECK(whole(w[1]) == job::global_batch(job_)); }

  static const std::vector<Kind>& kinds() {
    static const std::vector<Kind> kKinds{
        {"objective", std::regex("(.+) reaches ([0-9.]+) images/s(.*)\\."), &Listener::objective},
        {"deadline", std::regex("The run takes (.+) of the (.+) allowed\\."), &Listener::deadline},
        {"budget", std::regex("The run costs (.+) of the (.+) allowed\\."), &Listener::budget},
        {"bound",
         std::regex(
             "(?:The GPU bounds the step of (.+), at ([0-9]+) % of its peak arithmetic|The step of (.+) is bound "
             "by (\\w+))"
             "(; (?:computing hides ([^,]+), which|([^0-9]+) adds ([0-9.]+) % that computing does not hide, and)"
             " costs ([0-9.]+) % for copies, slowed kernels and waiting for the slowest GPU)?\\."),
         &Listener::bound},
        {"workers", std::regex("([0-9]+) workers decode the images; ([0-9]+) would keep the GPUs busy\\."),
         &Listener::workers},
        {"larger",
         std::regex("Up to batch (?:([0-9]+) may fit: it would reserve (.+), but the upper end of its range, (.+), is "
                    "too much|"
                    "([0-9]+) fits; it would change the rate by (.+?)( and raise the peak from (.+) to (.+))?)\\."),
         &Listener::larger},
        {"next",
         std::regex("Batch ([0-9]+) (?:would reserve (.+) and leave less free than --reserve asks for|"
                    "would reserve (.+) instead of (.+) and change the rate by (.+)|"
                    "would run only by flushing the allocator's cache (.+) a step|"
                    "does not fit: it would reserve (.+), and (.+) are usable)\\."),
         &Listener::next},
        {"scaling",
         std::regex("([0-9]+) GPUs do ([0-9.]+) times the work of one \\(([0-9]+) % scaling efficiency\\)\\."),
         &Listener::scaling},
        {"batch and scaling",
         std::regex("At batch 1 per GPU the efficiency would be ([0-9]+) %, at batch ([0-9]+) ([0-9]+) %: every step "
                    "exchanges the "
                    "same gradients, however many images it saw\\."),
         &Listener::batch_and_scaling},
        {"one more",
         std::regex("One more GPU would bring ([0-9.]+) images/s \\((.+)\\)(?:, at a global batch of ([0-9]+))?\\."),
         &Listener::one_more},
        {"checkpointing",
         std::regex(
             "Checkpointing (?:each block would lower the allocated peak from (.+) to (.+) and |"
             "makes room: without it this batch would reserve (.+)\\. It |lowers the allocated peak by (.+) and )"
             "(makes?) the step longer by ([0-9]+) %; (.+)\\."),
         &Listener::checkpointing},
        {"sharding",
         std::regex("(\\w+) spreads (.+) over the GPUs: (?:under ddp this batch would reserve (.+)|it reserves (.+) "
                    "instead of (.+) "
                    "under ddp); the step changes by (.+), the results do not\\."),
         &Listener::sharding},
        {"precision",
         std::regex(
             "(\\S+) is ([0-9.]+) times as fast as (\\w+) at the same batch, with ([0-9]+) % of its peak; (.+) in "
             "float32, "
             "products are rounded to 16 bits(, and the loss is scaled \\(this GPU has no bfloat16\\))?\\."),
         &Listener::precision},
        {"layout",
         std::regex(
             "(.+) instead would change the step by (.+) and reserve (.+) instead of (.+?)(, which does not fit)?; the "
             "results are the same\\."),
         &Listener::layout},
        {"batch norm",
         std::regex("Batch norm takes its statistics over the ([0-9]+) image(s?) of a GPU's micro-batch(.*)\\."),
         &Listener::batch_norm},
        {"global batch", std::regex("One optimizer step sees ([0-9]+) images; .*"), &Listener::global_batch}};
    return kKinds;
  }

  const support::World& world_;
  const PlanRequest& request_;
  const estimate::Engine& engine_;
  const Plan& plan_;
  const Evaluated& best_;
  const job::Job& job_;
  const Candidate& candidate_;
};

TEST_CASE("each number in a reason is the plan's or the models', and each reason is there where it applies") {
  std::map<std::string, int> heard;
  for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
    MadeUpQuestion asked(seed);
    asked.request.solve_resolution = false;
    asked.request.candidates.resize(1);
    asked.request.candidates[0].exactly = seed % 2 == 0;
    if (asked.request.global_batch && seed % 3 == 0) {
      asked.request.batch = 1;
    }
    if (seed % 13 == 0 && asked.request.batch) {
      asked.request.batch = 9;
    }
    if (seed % 11 == 0) {
      asked.request.nodes = 1;
    }
    if (asked.request.global_batch && seed % 5 == 0) {
      asked.request.batch.reset();
      asked.request.accumulation = 2;
    }
    asked.request.job.data.workers = seed % 7 == 0 ? std::optional(0) : std::nullopt;
    asked.world.image *= seed % 3 == 0 ? 1 : seed % 3 == 1 ? 0.3 : 0.05;
    asked.world.sharded = seed % 4 == 0 ? 0.7 : 1.2;
    asked.engine = support::engine_of(asked.world, asked.prices);
    const auto answer = plan(asked.request, asked.engine);
    if (!answer || !answer->recommendation) {
      continue;
    }
    INFO("seed " << seed);
    Listener listener(asked, *answer);
    const std::set<std::string> kinds = listener.listen();
    CHECK(kinds == listener.expected());
    for (const std::string& kind : kinds) {
      ++heard[kind];
    }
  }
  CHECK(heard.size() == 16);
  for (const auto& [kind, times] : heard) {
    INFO(kind);
    CHECK(times >= 5);
  }
}

TEST_CASE("a change is shown with its sign, to three digits, and too little to speak of as such") {
  CHECK(signed_percent(1) == "less than 0.1 %");
  CHECK(signed_percent(1.0004) == "less than 0.1 %");
  CHECK(signed_percent(0.9996) == "less than 0.1 %");
  CHECK(signed_percent(1.0006) == "+0.1 %");
  CHECK(signed_percent(0.9994) == "-0.1 %");
  CHECK(signed_percent(1.0994) == "+9.9 %");
  CHECK(signed_percent(1.0996) == "+10 %");
  CHECK(signed_percent(0.7) == "-30 %");
  CHECK(signed_percent(3) == "+200 %");
}

TEST_CASE("workers are told of where they bound the step and more would do") {
  struct Fed {
    std::string bound_by{};
    std::int64_t workers{};
    std::int64_t needed{};
    bool said{};
  };
  const auto request_of = [] {
    PlanRequest request;
    request.job = support::small_job();
    request.candidates = {support::made_up_gpu("a", 5000, 1)};
    request.batch = 1;
    request.solve_resolution = false;
    return request;
  };
  for (const Fed& fed : {Fed{"workers", 1, 2, true}, Fed{"workers", 2, 2, false}, Fed{"workers", 3, 2, false},
                         Fed{"workers", 0, 2, false}, Fed{"storage", 1, 2, true}, Fed{"gpu", 1, 2, false}}) {
    auto engine = support::engine_of(support::World{});
    engine.full = [&, ask = engine.full](const job::Job& job, const estimate::Target& target) {
      auto answer = ask(job, target);
      answer->time.bound_by = fed.bound_by;
      answer->time.model_flops_utilization = 0.57;
      answer->input.workers = fed.workers;
      answer->input.workers_needed = fed.needed;
      return answer;
    };
    const auto answer = plan(request_of(), engine);
    const std::vector<std::string>& why = answer->recommendation->why;
    const auto said = [&](const std::string& words) {
      return std::ranges::any_of(why, [&](const std::string& text) { return text.find(words) != std::string::npos; });
    };
    CHECK(said("1 workers decode the images; 2 would keep the GPUs busy.") == fed.said);
    CHECK(said("workers decode") == fed.said);
    CHECK(said("at 57 % of its peak arithmetic") == (fed.bound_by == "gpu"));
  }
}

}  // namespace
}  // namespace vggplan::planner
