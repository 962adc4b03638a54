// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/output.hpp"
#include "app/run.hpp"
#include "app/session.hpp"
#include "app/sweep.hpp"
#include "vggplan/base/parallel.hpp"
#include "vggplan/report/build.hpp"

namespace vggplan::app {

namespace {

using report::Document;

/// Points that are worked on together. Small enough to keep output flowing, large enough to keep threads busy.
constexpr std::int64_t kChunk = 64;

Document typed(const std::string& value) {
  const Document parsed = Document::parse(value, nullptr, false);
  return parsed.is_number() ? parsed : Document(value);
}

Document point_part(const Space& space, std::int64_t point) {
  const std::vector<std::string> values = space.values(point);
  Document part = Document::object();
  for (std::size_t i = 0; i < values.size(); ++i) {
    part[base::with_underscores(space.axes()[i].flag)] = typed(values[i]);
  }
  return part;
}

std::vector<render::PointColumn> columns(const Space& space) {
  std::vector<render::PointColumn> result;
  for (const Axis& axis : space.axes()) {
    std::size_t width = 0;
    for (const std::string& value : axis.values) {
      width = std::max(width, value.size() + value.size() / 3);  // thousands are set apart
    }
    const bool words = axis.values.front().find_first_of("0123456789") != 0;
    result.push_back({base::with_underscores(axis.flag), width, words});
  }
  return result;
}

/// Tells on a terminal's stderr how far a long sweep is.
class Progress {
 public:
  Progress(World& world, const Options& options, std::int64_t total)
      : world_(world), total_(total), wanted_(!options.quiet && world.err_is_terminal()), start_(world.seconds()) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  void show(std::int64_t done) {
    const double now = world_.seconds();
    if (!wanted_ || now - start_ < 1 || (drawn_ && now - last_ < 0.1)) {
      return;
    }
    last_ = now;
    constexpr std::int64_t kColumns = 40;
    const auto filled = static_cast<std::size_t>(kColumns * done / total_);
    world_.write_err(fmt::format("\r[{:<40}] {} of {}", std::string(filled, '#'), done, total_));
    drawn_ = true;
  }

  /// Ahead of what is written to the same terminal, and at the end.
  void clear() {
    if (drawn_) {
      world_.write_err("\r\x1b[K");
      drawn_ = false;
    }
  }

 private:
  World& world_;
  std::int64_t total_{};
  bool wanted_{};
  double start_{};
  double last_{};
  bool drawn_{false};
};

/// What is written point by point; formats that need all points at once keep them.
class Sink {
 public:
  Sink(const Space& space, const Options& options, World& world)
      : options_(options),
        world_(world),
        writer_(columns(space), text_options(options, world, options.output.has_value())),
        keep_(options.format == Format::markdown || options.format == Format::html || !options.exports.empty()) {}

  base::Status add(const Document& estimate) {
    std::string text;
    switch (options_.format) {
      case Format::json: text = render::json_line(estimate); break;
      case Format::csv:
        text = (first_ ? render::PointWriter::csv_header(estimate) : "") + render::PointWriter::csv_row(estimate);
        break;
      case Format::text: text = (first_ ? writer_.text_header() : "") + writer_.text_row(estimate); break;
      case Format::markdown:
      case Format::html: break;
    }
    first_ = false;
    any_fits_ = any_fits_ || estimate.at("memory").at("verdict") != "does-not-fit";
    if (keep_) {
      kept_.push_back(estimate);
    }
    if (options_.output) {
      collected_ += text;
      return std::nullopt;
    }
    return world_.write_out(text);
  }

  base::Status flush() { return options_.output ? std::nullopt : world_.flush_out(); }

  [[nodiscard]] bool any_fits() const { return any_fits_; }

  base::Status finish() {
    const Document report = keep_ ? report::build_sweep(std::move(kept_)) : Document();
    if (options_.format == Format::markdown || options_.format == Format::html) {
      collected_ = rendered(report, options_.format, options_, world_, options_.output.has_value());
    }
    return hand_out(collected_, report, options_, world_);
  }

 private:
  const Options& options_;
  World& world_;
  render::PointWriter writer_;
  bool keep_{};
  bool first_{true};
  bool any_fits_{false};
  std::string collected_{};
  std::vector<Document> kept_{};
};

struct Job {
  EstimateQuestion question{};
  Document point{};
};

base::Result<Document> solve(const Job& job, const estimate::Knowledge& knowledge, bool with_timeline) {
  estimate::Estimate estimate = TRY(estimate::estimate(job.question.job, job.question.target, knowledge,
                                                       {.timeline = with_timeline, .layers = false}));
  estimate.warnings.insert(estimate.warnings.begin(), job.question.warnings.begin(), job.question.warnings.end());
  Document report = report::build_estimate(estimate);
  report["point"] = job.point;
  return report;
}

/// All of a chunk on as many threads as there are; the order of the answers is that of the jobs.
std::vector<base::Result<Document>> solve_all(const std::vector<Job>& jobs, const estimate::Knowledge& knowledge,
                                              bool with_timeline) {
  std::vector<base::Result<Document>> answers(jobs.size(), base::Result<Document>(base::Diagnostic{}));
  base::parallel_for(jobs.size(), 0, [&](std::size_t i) { answers[i] = solve(jobs[i], knowledge, with_timeline); });
  return answers;
}

/// The jobs of a sweep by their number.
class Jobs {
 public:
  Jobs(const Space& space, const Settled& settled, Session& session)
      : space_(space), settled_(settled), session_(session) {
    // The axes are known by now; to read them again at every point would cost the square of their number.
    settled_.erase("sweep");
  }

  base::Result<Job> at(std::int64_t point) {
    const Options options = TRY(space_.options(settled_, point));
    EstimateQuestion question = TRY(session_.estimate(options, Command::sweep));
    return Job{std::move(question), point_part(space_, point)};
  }

  /// Looks at every point and yields the GPUs that they are about: a sweep that cannot end does not begin.
  base::Result<std::vector<std::string>> check() {
    std::set<std::string> gpus;
    for (std::int64_t point = 0; point < space_.size(); ++point) {
      const Job job = TRY(at(point));
      gpus.insert(job.question.target.gpu.name);
    }
    return std::vector<std::string>(gpus.begin(), gpus.end());
  }

  /// Of a chunk that was checked.
  std::vector<Job> chunk(std::int64_t first) {
    std::vector<Job> jobs;
    for (std::int64_t point = first; point < std::min(first + kChunk, space_.size()); ++point) {
      jobs.push_back(std::move(*at(point)));
    }
    return jobs;
  }

 private:
  const Space& space_;
  Settled settled_;
  Session& session_;
};

}  // namespace

base::Result<int> run_sweep(const Request& request, World& world) {
  const Space space = TRY(Space::make(request.options.sweep));
  Session session = TRY(Session::open(request.options, world));
  Progress progress(world, request.options, space.size());
  Jobs jobs(space, request.settled, session);
  const std::vector<std::string> gpus = TRY(jobs.check());
  const estimate::Knowledge knowledge = TRY(session.knowledge(request.options, gpus));
  for (const estimate::Warning& warning : unused_prices(request.options, gpus, knowledge)) {
    note(world, request.options, warning.message);
  }
  Sink sink(space, request.options, world);
  const bool same_terminal = world.out_is_terminal() && !request.options.output;
  for (std::int64_t first = 0; first < space.size(); first += kChunk) {
    const auto answers = solve_all(jobs.chunk(first), knowledge, request.options.timeline);
    if (same_terminal) {
      progress.clear();
    }
    for (const base::Result<Document>& answer : answers) {
      TRY(answer ? sink.add(*answer) : base::Status(answer.error()));
    }
    TRY(sink.flush());
    progress.show(first + static_cast<std::int64_t>(answers.size()));
  }
  progress.clear();
  TRY(sink.finish());
  return sink.any_fits() ? kYes : kNo;
}

}  // namespace vggplan::app
