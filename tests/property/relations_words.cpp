// SPDX-License-Identifier: MIT
// The same question in other words, and its answer in other forms.
#include <cmath>

#include "property/relations.hpp"
#include "support/catch.hpp"
#include "support/formats.hpp"
#include "vggplan/base/csv.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::metamorphic {

test::Ran said(const std::string& command, const Flags& flags, test::FakeWorld& world) {
  return test::run(support::words(command, flags), world);
}

std::optional<Json> asked(const std::string& command, Flags flags, test::FakeWorld& world) {
  flags["json"] = "";
  const test::Ran ran = said(command, flags, world);
  INFO(support::line_of(command, flags) << '\n' << ran.err);
  REQUIRE((ran.code == app::kYes || ran.code == app::kNo || ran.code == app::kWrongQuestion));
  if (ran.code == app::kWrongQuestion) {
    CHECK(ran.out.empty());
    CHECK(ran.err.starts_with("vggplan: "));
    return std::nullopt;
  }
  return Json::parse(ran.out);
}

Flags with(Flags flags, const Flags& others) {
  for (const auto& [name, value] : others) {
    flags[name] = value;
  }
  return flags;
}

Flags without(Flags flags, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    flags.erase(name);
  }
  return flags;
}

double value(const Json& figure) { return (figure.is_object() ? figure.at("value") : figure).get<double>(); }

Flags flags_of(const Json& job) {
  Flags flags;
  const auto add = [&](const std::string& key, const Json& setting) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', '-');
    if (setting.is_boolean()) {
      if (setting.get<bool>()) {
        flags[name] = "";
      }
    } else if (key == "bucket_bytes") {
      flags["bucket-mb"] = fmt::format("{}", setting.get<double>() / base::kMiB.as_double());
    } else if (key == "ram_bytes" || key == "bytes_per_image") {
      flags[key == "ram_bytes" ? "ram" : name] = setting.dump() + "B";
    } else if (key != "global_batch") {
      flags[name] = setting.is_string() ? setting.get<std::string>() : setting.dump();
    }
  };
  for (const auto& [key, setting] : job.items()) {
    if (key != "data") {
      add(key, setting);
      continue;
    }
    for (const auto& [inner, item] : setting.items()) {
      add(inner, item);
    }
  }
  return flags;
}

namespace {

/// Every figure is inside its own range.
void ranges_hold(const Json& part, const std::string& path) {
  if (part.is_object() && part.contains("low")) {
    INFO(path << ' ' << part.dump());
    CHECK(value(part.at("low")) <= value(part));
    CHECK(value(part) <= value(part.at("high")));
    CHECK(value(part.at("low")) >= 0);
    CHECK(std::isfinite(value(part.at("high"))));
    return;
  }
  if (part.is_structured()) {
    for (const auto& [key, item] : part.items()) {
      ranges_hold(item, path + "/" + key);
    }
  }
}

double sum(const Json& table) {
  double sum = 0;
  for (const auto& [name, bytes] : table.items()) {
    sum += bytes.get<double>();
  }
  return sum;
}

void memory_adds_up(const Json& report) {
  const Json& memory = report.at("memory");
  const double run_peak = value(memory.at("run_peak_bytes"));
  const double reserved = value(memory.at("reserved_peak_bytes"));
  const double usable = value(memory.at("usable_bytes"));
  const std::string verdict = memory.at("verdict").get<std::string>();
  CHECK(sum(memory.at("breakdown_at_peak")) == run_peak);
  CHECK(sum(memory.at("breakdown_by_layer")) == run_peak);
  CHECK(value(memory.at("allocated_peak_bytes")) <= run_peak);
  CHECK(value(memory.at("first_step_peak_bytes")) <= value(memory.at("allocated_peak_bytes")));
  CHECK(value(memory.at("steady_peak_bytes")) <= run_peak);
  CHECK(run_peak <= reserved);
  CHECK(value(memory.at("device_used_bytes")) >= reserved);
  CHECK(value(memory.at("headroom_bytes")) == usable - reserved);
  CHECK((reserved <= usable) == (verdict != "does-not-fit"));
  CHECK(memory.contains("shortfall") == (verdict == "does-not-fit"));
  if (memory.contains("cache_flushes_per_step")) {
    CHECK((value(memory.at("cache_flushes_per_step")) == 0 || verdict == "fits-with-cache-flushes"));
  }
  double highest = 0;
  for (const auto& [phase, peak] : memory.at("phases").items()) {
    highest = std::max(highest, value(peak));
  }
  CHECK(highest == value(memory.at("steady_peak_bytes")));
}

void time_adds_up(const Json& report) {
  const Json& time = report.at("time");
  const double iteration = value(time.at("iteration_seconds"));
  const double images = value(report.at("job").at("global_batch"));
  CHECK(value(time.at("step_seconds")) > 0);
  CHECK(value(time.at("step_seconds")) <= iteration * (1 + 1e-8));
  CHECK(images / value(time.at("images_per_second")) == Approx(iteration));
  if (time.contains("communication_seconds")) {
    CHECK(value(time.at("communication_exposed_seconds")) <= value(time.at("communication_seconds")) * (1 + 1e-8));
  }
}

void work_adds_up(const Json& report) {
  const Json& model = report.at("model");
  const Json& job = report.at("job");
  const double forward = value(model.at("flops_forward"));
  const double passes = job.value("accumulation", 1.0) * job.value("forward_passes", 1.0);
  CHECK(forward >= 2 * value(model.at("macs_forward")));
  if (job.at("mode") == "infer") {
    CHECK(value(model.at("flops_step")) == forward);
  } else {
    CHECK(value(model.at("flops_step")) >= passes * forward);
    CHECK(value(model.at("flops_step")) <= passes * forward * 4);  // backward is twice forward, and one again
  }
}

}  // namespace

void consistent(const Json& report) {
  ranges_hold(report, "");
  memory_adds_up(report);
  time_adds_up(report);
  work_adds_up(report);
}

/// Twice, from a file of settings, from variables.
void same_bytes(Case c) {
  const Flags json{{"json", ""}};
  const std::string first = said("estimate", with(c.flags, json), c.world).out;
  CHECK(said("estimate", with(c.flags, json), c.world).out == first);
  std::string settings;
  for (const auto& [name, setting] : c.flags) {
    const bool whole = !setting.empty() && setting.find_first_not_of("0123456789") == std::string::npos;
    settings += name + " = " + (setting.empty() ? "true" : whole ? setting : '"' + setting + '"') + "\n";
    std::string variable = "VGGPLAN_" + name;
    std::transform(variable.begin(), variable.end(), variable.begin(),
                   [](unsigned char letter) { return letter == '-' ? '_' : static_cast<char>(std::toupper(letter)); });
    c.world.variables[variable] = setting.empty() ? "true" : setting;
  }
  CHECK(said("estimate", json, c.world).out == first);
  for (const auto& [name, setting] : std::map(c.world.variables)) {
    if (name.starts_with("VGGPLAN_")) {
      c.world.variables.erase(name);
    }
  }
  c.world.files["asked.toml"] = settings;
  CHECK(said("estimate", with(json, {{"config", "asked.toml"}}), c.world).out == first);
}

/// The settings that a report tells, asked for one by one, are the question.
void resolved_settings(Case c) {
  Flags all = flags_of(c.report.at("job"));
  all["model"] = c.flags.at("model");
  all["gpu"] = c.report.at("machine").at("gpu").get<std::string>();
  for (const char* kept : {"usable-memory", "used"}) {
    if (c.flags.contains(kept)) {
      all[kept] = c.flags.at(kept);
    }
  }
  INFO(support::line_of("estimate", all));
  auto again = asked("estimate", all, c.world);
  REQUIRE(again);
  for (Json* report : {&c.report, &*again}) {  // of a setting without effect it is not told what it was
    std::erase_if(report->at("warnings").get_ref<Json::array_t&>(),
                  [](const Json& warning) { return warning.at("code") == "no-effect"; });
  }
  CHECK(Json::diff(c.report, *again).dump(1) == "[]");
}

void saved_reports(Case c) {
  const std::string command = c.random() % 3 == 0 ? "layers" : "estimate";
  const std::string json = said(command, with(c.flags, {{"json", ""}}), c.world).out;
  c.world.files["saved.json"] = json;
  const auto shown = [&](const Flags& how) {
    std::vector<std::string> line = support::words("show", how);
    line.emplace_back("saved.json");
    return test::run(line, c.world).out;
  };
  CHECK(shown({{"json", ""}}) == json);
  for (const char* format : {"text", "markdown", "csv"}) {
    INFO(format);
    const Flags how{{"format", format}};
    CHECK(shown(how) == said(command, with(c.flags, how), c.world).out);
  }
}

namespace {

/// Cells of the only row of an estimate's CSV are the report's figures under the same names.
void same_in_csv(const std::string& csv, const Json& report) {
  std::string_view rest = csv;
  const auto head = base::csv_cells(base::next_line(rest).text, "head");
  const auto row = base::csv_cells(base::next_line(rest).text, "row");
  REQUIRE((head && row && head->size() == row->size() && rest.empty()));
  std::size_t compared = 0;
  for (std::size_t i = 0; i < head->size(); ++i) {
    const std::string& name = (*head)[i].text;
    for (const char* part : {"job", "machine", "memory", "time", "run"}) {
      if (report.contains(part) && report.at(part).contains(name) && !(*row)[i].text.empty()) {
        Json figure = report.at(part).at(name);
        figure = figure.is_object() ? Json(figure.at("value")) : figure;
        INFO(name);
        CHECK((*row)[i].text == (figure.is_string() ? figure.get<std::string>() : figure.dump()));
        ++compared;
        break;
      }
    }
  }
  CHECK(compared > 20);
}

}  // namespace

/// What text shows, all show; and text shows what JSON says.
void formats(Case c) {
  for (const char* format : {"csv", "markdown", "html"}) {
    c.flags["export"] = std::string(format) + "=as." + format;
    said("estimate", c.flags, c.world);
  }
  c.flags.erase("export");
  c.world.columns = 160;
  const std::string text = said("estimate", with(c.flags, {{"verbose", ""}}), c.world).out;
  INFO(text);
  CHECK(support::lacking(text, support::plain_markdown(c.world.files.at("as.markdown"))) == std::vector<std::string>());
  CHECK(support::lacking(text, support::plain_html(c.world.files.at("as.html"))) == std::vector<std::string>());
  const Json& memory = c.report.at("memory");
  for (const char* name : {"run_peak_bytes", "reserved_peak_bytes"}) {
    const base::Bytes bytes(memory.at(name).at("value").get<std::int64_t>());
    CHECK(text.find(base::format_bytes(bytes)) != std::string::npos);
  }
  CHECK(text.find(base::format_seconds(base::Seconds(value(c.report.at("time").at("step_seconds"))))) !=
        std::string::npos);
  same_in_csv(c.world.files.at("as.csv"), c.report);
}

void sweeps(Case c) {
  const std::int64_t batch = c.report.at("job").at("batch").get<std::int64_t>();
  Flags swept = c.flags;
  swept.erase("batch");
  swept.erase("precision");
  swept["json"] = "";
  swept["sweep"] = "batch=" + std::to_string(batch) + "," + std::to_string(batch + 3);
  std::vector<std::string> line = support::words("sweep", swept);
  line.insert(line.end(), {"--sweep", "precision=tf32,amp-fp16"});
  const test::Ran all = test::run(line, c.world);
  REQUIRE((all.code == app::kYes || all.code == app::kNo));
  std::string_view rest = all.out;
  int points = 0;
  while (!rest.empty()) {
    Json point = Json::parse(base::next_line(rest).text);
    Flags single = c.flags;
    for (const auto& [name, setting] : point.at("point").items()) {
      single[name] = setting.is_string() ? setting.get<std::string>() : setting.dump();
    }
    point.erase("point");
    CHECK(Json::diff(*asked("estimate", single, c.world), point).dump(1) == "[]");
    ++points;
  }
  CHECK(points == 4);
}

void timelines(Case c) {
  auto told = asked("estimate", with(c.flags, {{"timeline", ""}}), c.world);
  REQUIRE(told);
  const Json timeline = told->at("memory").at("timeline");
  told->at("memory").erase("timeline");
  CHECK(*told == c.report);
  std::map<std::string, double> peaks;
  double later = 0;
  double first = 0;
  for (const Json& point : timeline) {
    const double allocated = value(point.at("allocated_bytes"));
    CHECK(allocated <= value(point.at("reserved_bytes")));
    CHECK(value(point.at("reserved_bytes")) <= value(c.report.at("memory").at("reserved_peak_bytes")));
    if (point.at("step") == 1) {
      first = std::max(first, allocated);
      continue;
    }
    later = std::max(later, allocated);
    double& peak = peaks[point.at("phase").get<std::string>()];
    peak = std::max(peak, allocated);
    CHECK(sum(point.at("categories")) == allocated);
  }
  const Json& memory = c.report.at("memory");
  CHECK(first <= value(memory.at("first_step_peak_bytes")));
  CHECK(later == value(memory.at("steady_peak_bytes")));
  for (const auto& [phase, peak] : peaks) {
    INFO(phase);
    // A phase begins with what the one before left, which the first allocation may be less than.
    CHECK((!memory.at("phases").contains(phase) || peak <= value(memory.at("phases").at(phase))));
  }
}

/// Against itself nothing changed; against another, what changed is told as it is.
void comparisons(Case c) {
  c.world.files["a.json"] = c.report.dump();
  const auto other = asked("estimate", with(c.flags, {{"optimizer", "sgd"}}), c.world);
  c.world.files["b.json"] = other ? other->dump() : c.report.dump();
  const auto run = [&](const std::string& line) {
    const test::Ran answer = test::run(line, c.world);
    CHECK(answer.code == app::kYes);
    return Json::parse(answer.out);
  };
  const Json same = run("diff a.json a.json --json");
  CHECK((same.at("inputs").empty() && same.at("changes").empty()));
  const Json unchanged = run("check a.json --against a.json --json");
  const bool lacked_memory = c.report.at("memory").at("verdict") == "does-not-fit";
  for (const Json& check : unchanged.at("checks")) {
    CHECK(check.at("passed") == !(lacked_memory && check.at("rule") == "fits"));  // still no more than a warning
  }
  if (c.flags.at("model") == "own.json" && !c.world.files.contains("own.json")) {
    return;
  }
  const Json changed = run("diff a.json b.json --json");
  for (const Json& change : changed.at("changes")) {
    INFO(change.dump());
    if (change.contains("delta") && change.at("delta").is_number()) {
      CHECK(value(change.at("new")) - value(change.at("old")) == Approx(value(change.at("delta"))).margin(1e-9));
    }
  }
}

}  // namespace vggplan::metamorphic
