// SPDX-License-Identifier: MIT
#include "app/model_file.hpp"
#include "app/reports.hpp"
#include "app/settings.hpp"

namespace vggplan::app {

using report::Document;

namespace {

std::string written(const Document& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void add_job(const Document& part, Values& values) {
  for (const auto& [key, value] : part.items()) {
    if (value.is_object()) {
      add_job(value, values);
    } else if (key == "bucket_bytes") {
      values["bucket-mb"] = Document(value.get<double>() / static_cast<double>(base::kMiB.count())).dump();
    } else if (key == "ram_bytes") {
      values["ram"] = written(value);
    } else if (key != "global_batch") {  // follows from the others
      values[base::with_dashes(key)] = written(value);
    }
  }
}

}  // namespace

Values flags_of(const Document& report) {
  Values values;
  add_job(report.at("job"), values);
  const Document& machine = report.at("machine");
  values["gpus"] = written(machine.at("gpu"));
  values["usable-memory"] = written(machine.at("usable_bytes"));
  if (machine.contains("name")) {
    values["machine"] = written(machine.at("name"));
  }
  return values;
}

base::Result<Asked> ask_again(const Values& values, World& world) {
  std::vector<Setting> settings;
  for (const auto& [name, value] : values) {
    const Flag* flag = find_flag(name);
    if (flag == nullptr) {
      return base::wrong(name, "is no flag of this version");
    }
    settings.push_back({flag, value, "--" + name, "report", Origin::flag});
  }
  const Settled settled = TRY(settle(settings, Command::estimate));
  const Options options = TRY(make_options(settled));
  // The report may be a stranger's: nothing is read for it that never ends.
  if (is_file_name(options.model) && !world.is_file(options.model)) {
    return base::Diagnostic{base::Fault::file, options.model, "is not a file here", "run where the network's file is"};
  }
  return Session(catalog::Catalog::built_in(), world).ask(options, Command::estimate);
}

}  // namespace vggplan::app
