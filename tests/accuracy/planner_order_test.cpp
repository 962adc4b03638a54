// SPDX-License-Identifier: MIT
// The planner ranks settings by the model's rate; here the order of measured rates is held against it.
#include <iostream>
#include <map>

#include "planner/judge.hpp"
#include "support/catch.hpp"
#include "support/known.hpp"
#include "support/measured.hpp"

namespace vggplan::planner {
namespace {

/// Measured settings, and what the planner would rank them by. Seconds per image.
struct Ranked {
  bool free_choice{};  ///< cuDNN chooses by trial, or without a rule that is known
  double least{};      ///< of the runs: small steps wait for the host, whose speed differs from process to process
  double most{};
  double modelled{};
};

/// What a plan leaves as it is: settings of different questions are never ranked against each other.
std::string question_of(const job::Job& job) {
  return job.model.name + " " + std::to_string(job.image.channels) + "x" + std::to_string(job.image.height) + "x" +
         std::to_string(job.image.width) + " " + std::to_string(job.classes) + " " +
         std::string(base::name_of_enum(job.head)) + " " + std::string(base::name_of_enum(job.mode)) + " " +
         std::string(base::name_of_enum(job.optimizer)) + " " + std::string(base::name_of_enum(job.optimizer_impl));
}

/// By question, then by settings.
using Questions = std::map<std::string, std::map<std::string, Ranked>>;

enum class Take { all, repeats };  ///< repeats: further runs of settings that are there already

void read(const std::string& file, const char* milliseconds, Take take, Questions& questions) {
  const estimate::Engine engine = estimate::make_engine(support::known());
  const estimate::Target target = support::target("h200-sxm-141gb");
  for (const support::Row& row : support::read_rows(file)) {
    if (!row.contains(milliseconds) || !row.contains("h")) {
      continue;  // out of memory, or a collective
    }
    const job::Job job = support::job_of(row);
    const auto figures = evaluate(job, target, {}, engine);
    REQUIRE(figures);
    const double measured = row.at(milliseconds).get<double>() / 1e3 / static_cast<double>(job::global_batch(job));
    const bool waits = engine.time(job, target)->bound_by == "host";
    const bool free_choice = job.cudnn_benchmark || job.precision == job::Precision::fp32 || waits;
    const Ranked once{free_choice, measured, measured, score({}, *figures).figure};
    auto& settings = questions[question_of(job)];
    if (take == Take::repeats && !settings.contains(support::label_of(row))) {
      continue;
    }
    Ranked& ranked = settings.emplace(support::label_of(row), once).first->second;
    ranked.least = std::min(ranked.least, measured);
    ranked.most = std::max(ranked.most, measured);
  }
}

struct Pairs {
  int compared{};
  int wrong{};
};

/// Every two settings of one question whose measured rates are more than 5 % apart in every run.
Pairs compare(const Questions& questions) {
  Pairs pairs;
  for (const auto& [question, settings] : questions) {
    for (const auto& [fast_label, fast] : settings) {
      for (const auto& [slow_label, slow] : settings) {
        if (slow.least <= 1.05 * fast.most || fast.free_choice || slow.free_choice) {
          continue;
        }
        ++pairs.compared;
        if (fast.modelled >= slow.modelled) {
          ++pairs.wrong;
          std::cout << "ranked the wrong way: " << fast_label << " (" << 1e3 * fast.most << " ms, modelled "
                    << 1e3 * fast.modelled << ") before " << slow_label << " (" << 1e3 * slow.least << " ms, modelled "
                    << 1e3 * slow.modelled << ")\n";
        }
      }
    }
  }
  return pairs;
}

// In true fp32 and with cudnn.benchmark cuDNN's choice is not known, where the GPU waits for the host its speed is not,
// and the report gives a range.
TEST_CASE("settings on one GPU are ranked as measured, wherever the measurements differ by more than 5 %") {
  Questions questions;
  for (const char* file : {"single_gpu.jsonl", "held_out_steps.jsonl", "further_steps.jsonl"}) {
    read(file, "ms_loop", Take::all, questions);
  }
  // Steps of 3 ms, in which the GPU waits for the host: of the same settings one run takes a quarter longer.
  read("host_bound_steps.jsonl", "ms_loop", Take::repeats, questions);
  const Pairs pairs = compare(questions);
  std::cout << "one GPU: " << pairs.compared << " pairs, " << pairs.wrong << " ranked the wrong way\n";
  CHECK(pairs.compared > 900);
  CHECK(pairs.wrong == 0);
}

TEST_CASE("settings on one and two GPUs are ranked as measured, wherever the measurements differ by more than 5 %") {
  Questions questions;
  read("two_gpus.jsonl", "ms", Take::all, questions);
  const Pairs pairs = compare(questions);
  std::cout << "two GPUs: " << pairs.compared << " pairs, " << pairs.wrong << " ranked the wrong way\n";
  CHECK(pairs.compared > 80);
  CHECK(pairs.wrong == 0);
}

}  // namespace
}  // namespace vggplan::planner
