// SPDX-License-Identifier: MIT
// gpus, machines, models and schema: what is known.
#include <fmt/format.h>

#include <algorithm>

#include "app/model_file.hpp"
#include "app/output.hpp"
#include "app/run.hpp"
#include "app/session.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/graph/architectures.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/report/build.hpp"

namespace vggplan::app {

namespace {

using catalog::Catalog;
using report::Document;

/// The name asked for, or all of them.
base::Result<std::vector<std::string>> wanted(const Request& request, std::vector<std::string> known,
                                              std::string_view what) {
  if (request.positionals.empty()) {
    return known;
  }
  const std::string& name = request.positionals.front();
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    return base::wrong(what, fmt::format("{} is not known", base::quoted(name)), base::suggestion(name, known));
  }
  return std::vector{name};
}

base::Result<Document> gpus(const Request& request, const Catalog& catalog, World& world) {
  std::vector<std::string> names = catalog.gpu_names();
  if (!request.positionals.empty()) {
    const catalog::GpuChoice choice = TRY(catalog.find_gpu(request.positionals.front(), "gpus"));
    if (!choice.note.empty()) {
      note(world, request.options, choice.note);
    }
    names = {choice.gpu.name};
  }
  std::vector<report::GpuEntry> entries;
  for (const std::string& name : names) {
    hardware::Gpu gpu = TRY(catalog.gpu(name));
    report::GpuEntry entry{std::move(gpu), {}};
    for (const catalog::GpuAlias& alias : catalog::gpu_aliases()) {
      if (alias.name == name) {
        entry.aliases.emplace_back(alias.alias);
      }
    }
    entries.push_back(std::move(entry));
  }
  return report::build_gpus(entries);
}

base::Result<Document> machines(const Request& request, const Catalog& catalog) {
  // The catalogue forgives how a name is spelt; so it is asked, and not a list of names.
  const std::vector<std::string> names = request.positionals.empty() ? catalog.machine_names() : request.positionals;
  std::vector<hardware::Machine> entries;
  for (const std::string& name : names) {
    entries.push_back(TRY(catalog.machine(name, "machines")));
  }
  return report::build_machines(entries);
}

/// What was read of a file, for the image that published counts are for.
base::Result<Document> model_file(const std::string& path, World& world) {
  constexpr graph::Shape kImage{3, 224, 224};
  graph::ModelSpec spec = TRY(read_model_file(path, "models", world));
  std::int64_t classes = 1000;
  std::vector<std::string> warnings = TRY(describe_own(spec, kImage, classes));
  graph::Network network = TRY(graph::build_network(spec, kImage, classes, graph::Head::adaptive));
  return report::build_models({{std::move(spec), std::move(network), true, std::move(warnings)}});
}

base::Result<Document> models(const Request& request, const Catalog& catalog, World& world) {
  if (!request.positionals.empty() && is_file_name(request.positionals.front())) {
    return model_file(request.positionals.front(), world);
  }
  const auto names = TRY(wanted(request, catalog.model_names(), "models"));
  std::vector<report::ModelEntry> entries;
  for (const std::string& name : names) {
    graph::ModelSpec spec = TRY(catalog.model(name));
    const graph::Architecture usual = graph::architecture_of(spec.architecture);
    graph::Network network =
        TRY(graph::build_network(spec, {3, usual.side, usual.side}, usual.classes, graph::Head::adaptive));
    entries.push_back({std::move(spec), std::move(network), false, {}});
  }
  return report::build_models(entries);
}

}  // namespace

base::Result<int> run_catalogue(const Request& request, World& world) {
  const Catalog catalog = TRY(load_catalog(request.options, world));
  const Document report = TRY(request.command == Command::gpus       ? gpus(request, catalog, world)
                              : request.command == Command::machines ? machines(request, catalog)
                                                                     : models(request, catalog, world));
  return deliver(report, request.options, world);
}

base::Result<int> run_schema(const Request& request, World& world) {
  const Catalog catalog = Catalog::built_in();
  const std::vector<std::string> known = known_schemas();
  std::string text;
  if (request.positionals.empty()) {
    for (const std::string& name : known) {
      text += name + "\n";
    }
  } else {
    const auto name = TRY(wanted(request, known, "schema"));
    text = TRY(catalog.text("schema", name.front() + ".schema"));
  }
  TRY(emit(text, request.options, world));
  return kYes;
}

}  // namespace vggplan::app
