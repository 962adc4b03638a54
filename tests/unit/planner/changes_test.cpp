// SPDX-License-Identifier: MIT
#include "planner/changes.hpp"

#include <algorithm>
#include <map>
#include <regex>

#include "support/catch.hpp"
#include "support/made_up.hpp"
#include "support/random_job.hpp"

namespace vggplan::planner {
namespace {

using job::Precision;
using job::Sharding;

/// Whether both train the same weights from the same steps. Checkpointing updates running statistics twice, and is not
/// counted.
bool trains_alike(const job::Job& a, const job::Job& b) {
  const bool statistics = job::normalizes_by_batch(a) && a.batch != b.batch;
  return job::parameter_type(a.precision) == job::parameter_type(b.precision) && a.head == b.head &&
         a.optimizer == b.optimizer && a.lbfgs == b.lbfgs && !statistics &&
         (a.mode == job::Mode::infer || job::global_batch(a) == job::global_batch(b));
}

struct Card {
  bool bf16{};
  bool fp16{};
  std::int64_t most_gpus{};
  [[nodiscard]] hardware::Gpu gpu() const {
    hardware::Gpu gpu = support::made_up_gpu("a", 1000, 1, bf16).target.gpu;
    if (!fp16) {
      gpu.fp16_tensor.reset();
    }
    return gpu;
  }
};

/// The jobs that may be offered under each code, mildest first; those that are no jobs, or the same job, too.
std::map<std::string, std::vector<job::Job>> neighbours(const job::Job& job, const Card& card) {
  std::map<std::string, std::vector<job::Job>> all;
  const auto add = [&](const std::string& code, auto change) {
    all[code].push_back(job);
    change(all[code].back());
  };
  const bool wide = job.precision == Precision::fp32 || job.precision == Precision::tf32;
  const bool train = job.mode == job::Mode::train;
  const std::int64_t gpus = job.parallel.gpus;
  if (wide && (card.bf16 || card.fp16)) {
    add("precision", [&](job::Job& j) { j.precision = card.bf16 ? Precision::amp_bf16 : Precision::amp_fp16; });
  }
  if (card.bf16) {
    add("pure-bf16", [](job::Job& j) { j.precision = Precision::bf16; });
  }
  add("layout", [](job::Job& j) { j.layout = base::Layout::nhwc; });
  add("expandable-segments", [](job::Job& j) { j.expandable_segments = true; });
  for (std::int64_t batch = job.batch - 1; batch >= 1; --batch) {
    if (job.batch % batch == 0) {
      add("smaller-batch", [&](job::Job& j) {
        j.batch = batch;
        j.accumulation *= train ? job.batch / batch : 1;
      });
    }
  }
  if (job.head == graph::Head::flatten) {
    add("head", [](job::Job& j) { j.head = graph::Head::adaptive; });
    add("head", [](job::Job& j) { j.head = graph::Head::gap; });
  }
  if (!train) {
    return all;
  }
  add("checkpointing", [](job::Job& j) { j.checkpointing = {job::Checkpointing::Kind::block, 0}; });
  for (const std::int64_t n : {2, 3, 4}) {
    add("checkpointing", [&](job::Job& j) { j.checkpointing = {job::Checkpointing::Kind::sequential, n}; });
  }
  if (gpus > 1) {
    add("sharding", [](job::Job& j) { j.parallel.sharding = Sharding::zero1; });
    add("sharding", [](job::Job& j) { j.parallel.sharding = Sharding::fsdp2; });
    add("bucket-view", [](job::Job& j) { j.parallel.bucket_view = true; });
  }
  for (const std::int64_t n : {2, 4, 8}) {
    if (gpus == 1 && n <= card.most_gpus) {
      add("sharding", [&](job::Job& j) {
        j.parallel.gpus = n;
        j.parallel.sharding = Sharding::fsdp2;
        // As many images a step as before where that is possible, in the largest micro-batches that divide.
        for (std::int64_t batch = j.batch; batch >= 1 && job.batch * job.accumulation % n == 0; --batch) {
          if (job.batch % batch == 0 && n % (job.batch / batch) == 0) {
            j.batch = batch;  // the least that is divided by a part of n
          }
        }
        if (job.batch * job.accumulation % n == 0) {
          j.accumulation = job.batch * job.accumulation / (j.batch * n);
        }
      });
    }
  }
  add("optimizer-impl", [](job::Job& j) { j.optimizer_impl = job::OptimizerImpl::fused; });
  for (const std::int64_t pairs : {10, 3}) {
    if (job.optimizer == job::Optimizer::lbfgs && pairs < job.lbfgs.history_size) {
      add("history-size", [&](job::Job& j) { j.lbfgs.history_size = pairs; });
    }
  }
  if (job.optimizer == job::Optimizer::adam || job.optimizer == job::Optimizer::adamw) {
    add("optimizer", [](job::Job& j) { j.optimizer = job::Optimizer::momentum; });
  }
  add("optimizer", [](job::Job& j) { j.optimizer = job::Optimizer::sgd; });
  return all;
}

/// Each number in what is said stands in the changed job.
void check_words(const job::Job& before, const Remedy& remedy) {
  const job::Job& after = remedy.job;
  static const std::regex kNumber(".* [0-9]+ .*");
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> patterns{
      {"micro-batches of ([0-9]+), ([0-9]+) accumulated for one optimizer step", {after.batch, after.accumulation}},
      {"batches of ([0-9]+)", {after.batch}},
      {"checkpoint_sequential with ([0-9]+) segments", {after.checkpointing.segments}},
      {"spread .* over ([0-9]+) GPUs \\(fsdp2\\)", {after.parallel.gpus}},
      {"keep ([0-9]+) pairs of vectors \\(--history-size ([0-9]+)\\)",
       {after.lbfgs.history_size, after.lbfgs.history_size}},
      {"changes training: ([0-9]+) pairs instead of ([0-9]+)", {after.lbfgs.history_size, before.lbfgs.history_size}},
      {"([0-9]+) GPUs.*", {after.parallel.gpus}},
      {".*changes training: a global batch of ([0-9]+)", {job::global_batch(after)}}};
  for (const std::string& text : {remedy.change, remedy.costs}) {
    bool understood = !std::regex_match(text, kNumber);
    for (const auto& [pattern, numbers] : understood ? decltype(patterns){} : patterns) {
      std::smatch found;
      if (std::regex_match(text, found, std::regex(pattern))) {
        understood = true;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
          CHECK(std::stoll(found[i + 1]) == numbers[i]);
        }
      }
    }
    INFO(text);
    const bool of_format = text.find("8 bits") != std::string::npos || text.find("16 bits") != std::string::npos;
    CHECK((understood || of_format));
  }
}

job::Job random_job_of(std::mt19937& random) {
  job::Job job = support::random_job(random);
  job.batch = support::pick(random, 1, 24);
  job.optimizer = static_cast<job::Optimizer>(random() % 6);
  job.lbfgs.history_size = support::pick(random, 1, 14);
  if (random() % 4 == 0) {  // even in what is accumulated alone
    job.model.batch_norm = true;
    job.batch = 1 + 2 * support::pick(random, 0, 4);
    job.accumulation = 8;
  }
  job.parallel.nodes = 1;
  job.parallel.gpus = random() % 2 == 0 ? 1 : support::pick(random, 2, 8);
  return job;
}

TEST_CASE("changes are all neighbours of a job that are jobs, mildest first, and say what they do to training") {
  std::mt19937 random(1);
  int compared = 0;
  while (compared < 500) {
    const job::Job job = random_job_of(random);
    const Card card{random() % 2 == 0, random() % 3 != 0, support::pick(random, 1, 12)};
    if (job::validate(job)) {
      continue;
    }
    ++compared;
    INFO(support::description(job) << " on up to " << card.most_gpus);
    auto expected = neighbours(job, card);
    std::map<std::string, std::vector<job::Job>> found;
    for (const Change& change : possible_changes(job, card.gpu(), card.most_gpus)) {
      INFO(change.remedy.change << ": " << support::description(change.remedy.job));
      found[change.remedy.code].push_back(change.remedy.job);
      job::Job edited = job;
      change.edit(edited);
      CHECK(edited == change.remedy.job);
      CHECK(change.remedy.changes_training == !trains_alike(job, edited));
      CHECK(change.remedy.more_hardware == (edited.parallel.gpus > job.parallel.gpus));
      CHECK(change.remedy.costs.empty() <= trains_alike(job, edited));  // what changes training says so
      check_words(job, change.remedy);
      const bool rounds = change.remedy.code == "precision";
      CHECK((!rounds || change.remedy.costs.starts_with("products are rounded to 16 bits")));
    }
    for (auto& [code, jobs] : expected) {
      std::erase_if(jobs, [&](const job::Job& other) { return other == job || job::validate(other); });
    }
    std::erase_if(expected, [](const auto& entry) { return entry.second.empty(); });
    CHECK(found == expected);
  }
}

}  // namespace
}  // namespace vggplan::planner
