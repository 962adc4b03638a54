// SPDX-License-Identifier: MIT
// What a report proposes, done: it holds what was said of it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "property/relations.hpp"
#include "support/catch.hpp"

namespace vggplan::metamorphic {
namespace {

const Json* warning(const Json& report, const std::string& code) {
  const Json& all = report.at("warnings");
  const auto found = std::find_if(all.begin(), all.end(), [&](const Json& each) { return each.at("code") == code; });
  return found == all.end() ? nullptr : &*found;
}

bool fits(const Json& report) { return report.at("memory").at("verdict") == "fits"; }

/// What makes a warning go away, where its hint says so: a flag, or none of it.
struct Hint {
  std::string_view code{};
  std::string_view says{};
  const char* flag{};
  std::optional<const char*> value{};
};
constexpr std::array kHints = std::to_array<Hint>({
    {"fp32-workspace", "use tf32", "precision", "tf32"},
    {"no-tf32", "amp-fp16", "precision", "amp-fp16"},
    {"pure-bf16", "", "precision", "amp-bf16"},
    {"pure-fp16", "", "precision", "amp-fp16"},
    {"small-batch-norm", "", "freeze-norm", "statistics"},
    {"gpu-decode", "", "pipeline", "tv-uint8"},
    {"input-bound", "hand over uint8", "pipeline", "tv-uint8"},
    {"unmeasured-version", "", "framework", "pytorch-2.11"},
    {"page-cache", "", "storage", std::nullopt},
    {"benchmark-workspace", "", "cudnn-benchmark", std::nullopt},
});

/// The flags as the hint of a warning has them; nothing where it only says what to look at.
std::optional<Flags> followed(const Flags& flags, const Json& job, const std::string& code, const std::string& hint) {
  for (const Hint& row : kHints) {
    if (row.code == code && hint.find(row.says) != std::string::npos) {
      const Flags others = without(flags, {row.flag});
      return row.value ? with(others, {{row.flag, *row.value}}) : others;
    }
  }
  const auto behind = [&](std::string_view words) { return hint.substr(words.size()); };
  if (code == "uneven-workers") {
    const int workers = job.at("gpu_count").get<int>() / job.at("nodes").get<int>() * 3;
    return with(flags, {{"workers", std::to_string(workers)}});
  }
  if (code == "input-bound" && hint.starts_with("use --workers ")) {
    return with(flags, {{"workers", behind("use --workers ")}});
  }
  if (code == "input-bound" && hint.starts_with("use --storage ")) {
    const std::string names = behind("use --storage ");
    return with(flags, {{"storage", names.substr(0, names.find(' '))}});
  }
  if (code == "no-price") {
    const std::string name = behind("give --price ");
    return with(flags, {{"price", name.substr(0, name.find('=')) + "=2.5"}});
  }
  return std::nullopt;
}

/// Bounds move on: where storage no longer bounds a step, workers may.
bool still_there(const Json& before, const Json& after, const std::string& code) {
  const Json& bound = after.at("time").at("bound_by");
  return warning(after, code) != nullptr && (code != "input-bound" || bound == before.at("time").at("bound_by"));
}

}  // namespace

void warnings(Case c) {
  for (const Json& each : c.report.at("warnings")) {
    const std::string code = each.at("code").get<std::string>();
    const std::string hint = each.at("hint").get<std::string>();
    const auto changed = followed(c.flags, c.report.at("job"), code, hint);
    if (!changed) {
      continue;
    }
    const auto after = asked("estimate", *changed, c.world);
    INFO(code << ": " << hint << '\n' << support::line_of("estimate", *changed));
    REQUIRE(after);
    CHECK_FALSE(still_there(c.report, *after, code));
    CHECK((code != "no-price" || after->at("run").contains("cost_usd")));
  }
}

namespace {

/// The question with these settings of a recommendation, alternative or remedy in place of its own.
Flags settled(const Flags& flags, const Json& settings) {
  const Flags others = without(flags_of(settings), {"workers", "command", "reserve-bytes"});
  const Flags closed = without(flags, {"gpus", "global-batch", "sharding", "accumulation"});
  return with(closed, settings.at("gpu_count") == 1 ? without(others, {"sharding"}) : others);
}

/// What `plan` and `fit` choose is open, and what they do not take is left out.
Flags open_question(Case& c) {
  for (const char* flag : {"precision", "layout", "checkpointing", "compile", "sharding", "nodes", "batch",
                           "accumulation", "cudnn-benchmark", "train", "forward-passes"}) {
    if (c.random() % 4 != 0) {
      c.flags.erase(flag);
    }
  }
  return c.flags;
}

}  // namespace

/// The batch runs, the next one that is not a flicker does not, and so with the upper end of ranges and the image.
void largest_that_fits(Case c) {
  const Flags flags = without(open_question(c), {"batch", "accumulation", "nodes"});
  const auto answer = asked("fit", flags, c.world);
  if (!answer) {
    return;
  }
  const Json& rows = answer->at("largest");
  const Json& row = rows.at(c.random() % rows.size());
  const auto with_row = [&](const Flags& others) {
    Flags settings;
    for (const char* name : {"precision", "layout", "checkpointing", "sharding"}) {
      if (row.contains(name)) {
        settings[name] = row.at(name).get<std::string>();
      }
    }
    const Flags all = with(with(flags, settings), others);
    INFO(support::line_of("estimate", all) << '\n' << row.dump());
    return asked("estimate", all, c.world).value();
  };
  const auto batch_of = [&](std::int64_t batch) { return with_row({{"batch", std::to_string(batch)}}); };
  const std::int64_t batch = row.at("batch").get<std::int64_t>();
  const std::int64_t runs = row.value("batch_with_cache_flushes", batch);
  const std::int64_t certain = row.at("batch_certain").get<std::int64_t>();
  INFO(row.dump());
  CHECK(certain <= batch);
  CHECK(batch <= runs);
  if (batch > 0) {
    CHECK(fits(batch_of(batch)));
  }
  if (runs > batch) {
    CHECK(batch_of(runs).at("memory").at("verdict") == "fits-with-cache-flushes");
  }
  if (certain > 0) {
    const Json report = batch_of(certain);
    CHECK(fits(report));
    CHECK(value(report.at("memory").at("reserved_peak_bytes").at("high")) <=
          value(report.at("memory").at("usable_bytes")));
  }
  if (!row.at("limited_by_search").get<bool>()) {
    CHECK(batch_of(runs + 1).at("memory").at("verdict") == "does-not-fit");
    CHECK_FALSE(fits(batch_of(batch + 1)));
  }
  const std::int64_t height = row.at("height").get<std::int64_t>();
  if (height > 0) {
    CHECK(fits(with_row({{"height", std::to_string(height)},
                         {"width", std::to_string(row.at("width").get<std::int64_t>())},
                         {"batch", std::to_string(answer->at("image_batch").get<std::int64_t>())}})));
  }
}

namespace {

/// Random limits, and the GPUs by number.
Flags plan_question(Case& c) {
  Flags flags = open_question(c);
  const std::string gpus = flags.contains("gpu-count") ? "x" + flags.at("gpu-count") : "";
  flags["gpus"] = flags.at("gpu") + gpus;
  flags = without(flags, {"gpu", "gpu-count"});
  if (c.random() % 4 == 0) {
    flags["reserve"] = "10%";
  }
  if (c.random() % 6 == 0) {
    flags["objective"] = "fewest-gpus";
  }
  return flags;
}

Flags estimated(const Flags& flags) { return without(flags, {"gpus", "reserve", "objective"}); }

}  // namespace

/// Everything that a plan says of its settings is what an estimate of them says.
void plans(Case c) {
  const Flags flags = plan_question(c);
  const auto plan = asked("plan", flags, c.world);
  if (!plan || !plan->contains("recommendation")) {
    return;
  }
  Json recommended = plan->at("recommendation");
  INFO(support::line_of("plan", flags) << '\n' << recommended.at("launch").dump());
  const Flags settings = settled(estimated(flags), recommended.at("launch"));
  INFO(support::line_of("estimate", settings));
  auto same = asked("estimate", settings, c.world).value();
  for (const char* part : {"job", "machine", "model", "memory", "time", "input", "storage", "run", "price"}) {
    INFO(part);
    REQUIRE(recommended.contains(part) == same.contains(part));
    CHECK((!same.contains(part) || Json::diff(recommended.at(part), same.at(part)).dump(1) == "[]"));
  }
  CHECK(fits(recommended));
  for (const Json& other : plan->at("alternatives")) {
    const Flags its = settled(estimated(flags), other.at("settings"));
    INFO(support::line_of("estimate", its));
    const Json answer = asked("estimate", its, c.world).value();
    for (const char* part : {"memory", "time", "run"}) {
      const Json figures = other.value(part, Json::object());
      for (const auto& [name, figure] : figures.items()) {
        INFO(name);
        CHECK((!answer.contains(part) || !answer.at(part).contains(name) || answer.at(part).at(name) == figure));
      }
    }
  }
  if (recommended.at("job").at("mode") == "infer") {  // a run trains
    CHECK_FALSE(recommended.at("launch").contains("command"));
    return;
  }
  c.world.files.erase("run/plan.json");
  const test::Ran launched = said("launch", with(flags, {{"output", "run"}}), c.world);
  CHECK(launched.code == app::kYes);
  const Json written = Json::parse(c.world.files.at("run/plan.json"));
  CHECK(Json::diff(recommended.at("launch"), written.at("recommendation").at("launch")).dump() == "[]");
}

/// Where nothing fits, each remedy that is followed does.
void remedies(Case c) {
  Flags flags = plan_question(c);
  flags["usable-memory"] = fmt::format("{:.0f}B", value(c.report.at("memory").at("run_peak_bytes")) * 0.6);
  flags.erase("used");
  for (const char* fixed : {"batch", "precision", "layout"}) {
    flags[fixed] = c.report.at("job").at(fixed).is_string() ? c.report.at("job").at(fixed).get<std::string>()
                                                            : c.report.at("job").at(fixed).dump();
  }
  const auto plan = asked("plan", flags, c.world);
  if (!plan || plan->contains("recommendation")) {
    return;
  }
  bool changed = false;
  double rate = 0;  // of what was asked
  double peak_of_asked = 0;
  for (const Json& remedy : plan->at("remedies")) {
    CHECK((!changed || remedy.at("changes_training") == true));  // the others come first
    changed = remedy.at("changes_training").get<bool>();
    Flags followed = settled(estimated(flags), remedy.at("settings"));
    if (remedy.at("code") == "more-memory") {
      followed.erase("usable-memory");
      if (remedy.at("change").get<std::string>().ends_with("none that is known has it")) {
        continue;
      }
    }
    INFO(remedy.at("change") << '\n' << support::line_of("estimate", followed));
    const auto after = asked("estimate", followed, c.world);
    REQUIRE(after);
    CHECK(fits(*after));
    for (const char* peak : {"allocated_peak_bytes", "run_peak_bytes", "reserved_peak_bytes"}) {
      CHECK(value(remedy.at("memory").at(peak)) == value(after->at("memory").at(peak)));
    }
    // All are told against the same job.
    const double saved = value(remedy.at("saved_bytes"));
    if (saved > 0) {
      const double peak = saved + value(remedy.at("memory").at("run_peak_bytes"));
      CHECK((peak_of_asked == 0 || peak == peak_of_asked));
      peak_of_asked = peak;
    }
    if (remedy.contains("slowdown")) {
      const double slowdown = value(remedy.at("slowdown"));
      const double asked_rate = slowdown * value(after->at("time").at("images_per_second"));
      const bool pieces = remedy.at("code") == "tiles";  // several stand for one image
      INFO(slowdown << " times, " << asked_rate << " of " << rate);
      CHECK((rate == 0 || (pieces ? asked_rate > rate * (1 - 1e-6) : asked_rate == Approx(rate).epsilon(1e-6))));
      rate = pieces ? rate : asked_rate;
      CHECK((slowdown > 0.95 || remedy.at("code") == "more-memory") ==
            (remedy.at("saves").get<std::string>().find("times as fast") == std::string::npos));
      CHECK((slowdown < 1.005) ==
            (remedy.at("costs").get<std::string>().find("times the time per image") == std::string::npos));
    }
  }
}

}  // namespace vggplan::metamorphic
