// SPDX-License-Identifier: MIT
// What ships is as its schema says, and what users bring is held to it: schema::check against a second validator, over
// records of which each part in turn is taken away or replaced.
#include <algorithm>
#include <array>
#include <map>

#include "support/catch.hpp"
#include "support/json_schema.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/catalog/embedded.hpp"
#include "vggplan/graph/architectures.hpp"
#include "vggplan/lowering/workspace_rule.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::catalog {
namespace {

using nlohmann::json;

std::string_view text_at(std::string_view path) {
  const auto files = embedded_files();
  const auto found = std::ranges::find(files, path, &base::EmbeddedFile::path);
  REQUIRE(found != files.end());
  return found->text;
}

test::SchemaValidator second_validator(const std::string& name) {
  return test::SchemaValidator(json::parse(text_at("schema/" + name + ".schema.json")));
}

/// The schema of a file that ships; empty for those that have none.
std::string schema_of(std::string_view path) {
  static const std::map<std::string_view, std::string> kFolders{
      {"gpus", "gpu"},        {"machines", "machine"},        {"models", "model"},
      {"storage", "storage"}, {"calibration", "calibration"}, {"frameworks", "framework"}};
  const auto folder = kFolders.find(path.substr(0, path.find('/')));
  return folder != kFolders.end()    ? folder->second
         : path == "links.json"      ? "links"
         : path == "other-gpus.json" ? "other-gpus"
                                     : "";
}

/// Lists of at most two entries, so that a record has hundreds of places and not thousands.
void shorten(json& value) {
  while (value.is_array() && value.size() > 2 && value.front().is_structured()) {
    value.erase(value.size() - 1);
  }
  for (json& part : value) {
    if (part.is_structured()) {
      shorten(part);
    }
  }
}

void add_places(const json& whole, const json::json_pointer& at, std::vector<json::json_pointer>& places) {
  const json& here = whole.at(at);
  for (const auto& [key, value] : here.items()) {
    const json::json_pointer inside = here.is_array() ? at / static_cast<std::size_t>(std::stoul(key)) : at / key;
    places.push_back(inside);
    if (value.is_structured()) {
      add_places(whole, inside, places);
    }
  }
}

/// `value` less each of its parts, with something else for it, and with more beside it.
std::vector<json> variants_of(const json& value) {
  static const std::array<json, 11> kOthers{nullptr, -1, 0, 1.5, 7, "x", "", "/", json::array(), json::object(), true};
  std::vector<json::json_pointer> places;
  add_places(value, json::json_pointer(), places);
  std::vector<json> variants{value};
  std::size_t turn = 0;
  for (const json::json_pointer& place : places) {
    json less = value;
    json& parent = less.at(place.parent_pointer());
    parent.is_array() ? parent.erase(std::stoul(place.back())) : static_cast<void>(parent.erase(place.back()));
    variants.push_back(std::move(less));
    for (int i = 0; i < 3; ++i) {
      variants.push_back(value);
      variants.back()[place] = kOthers.at(turn++ % kOthers.size());
    }
    if (value.at(place).is_object()) {
      variants.push_back(value);
      variants.back()[place]["colour"] = "green";
    }
  }
  return variants;
}

/// One record of each schema that is about files of users.
std::map<std::string, json> samples() {
  std::map<std::string, json> samples;
  for (const auto& [name, path] : {std::pair{"gpu", "gpus/a100-sxm4-80gb.json"},
                                   {"machine", "machines/p4d.24xlarge.json"},
                                   {"model", "models/vgg11.json"},
                                   {"storage", "storage/object-store.json"},
                                   {"links", "links.json"},
                                   {"other-gpus", "other-gpus.json"},
                                   {"calibration", "calibration/h200-sxm-141gb.json"},
                                   {"framework", "frameworks/pytorch-2.11.json"}}) {
    json sample = json::parse(text_at(path));
    shorten(sample);
    samples.emplace(name, std::move(sample));
  }
  json& rules = samples.at("framework").at("convolution_workspace");
  rules.push_back(json::parse(R"({"math": ["bf16"], "pass": "forward", "in_channels": [64], "kernel": [3],
    "fallbacks": [{"input": 1}], "kernels": [{"bytes": 5}, {"copies": true, "split": {"tile": [128, 64],
    "cluster": [8, 1], "slots": 120, "steps": 4}}], "tree": ["map", 100, ["nchw", 1, 0, 1], 1]})"));
  samples["prices"] = json::parse(R"({"date": "2026-11-29", "prices": [{"machine": "m", "gpu": "l4", "gpu_count": 2,
    "usd_per_hour": 1.5, "spot_usd_per_hour": 1, "region": "r"}]})");
  samples["network"] = json::parse(R"({"name": "mine", "loss": "mse", "outputs": ["e"], "source": "me", "nodes": [
    {"name": "a", "op": "conv2d", "out_channels": 4, "kernel_size": [3, 5], "padding": 1, "bias": false,
     "trained": false, "held_until": "c"}, {"name": "b", "op": "max_pool2d", "kernel_size": 2, "ceil_mode": true},
    {"name": "c", "op": "resize", "scale_factor": 2.5, "mode": "bilinear"}, {"name": "d", "op": "relu"},
    {"name": "e", "op": "add", "inputs": ["d", "c"]}, {"name": "f", "op": "dropout", "p": 0.25}]})");
  return samples;
}

TEST_CASE("every file that ships is as its schema says") {
  std::size_t held = 0;
  for (const base::EmbeddedFile& file : embedded_files()) {
    const std::string name = schema_of(file.path);
    if (name.empty()) {
      CHECK((file.path.starts_with("schema/") || file.path.starts_with("budgets/")));
      continue;
    }
    INFO(file.path);
    ++held;
    CHECK(second_validator(name).validate(json::parse(file.text)).empty());
    const base::Status error = check_by_schema(name, schema::Json::parse(file.text), file.path);
    INFO((error ? error->place + ": " + error->rule : ""));
    CHECK_FALSE(error.has_value());
  }
  CHECK(held > 150);
}

TEST_CASE("what one validator refuses the other refuses, and says where, what and how else") {
  for (const auto& [name, sample] : samples()) {
    const test::SchemaValidator second = second_validator(name);
    std::size_t refused = 0;
    const std::vector<json> variants = variants_of(sample);
    for (const json& variant : variants) {
      const base::Status error = check_by_schema(name, schema::Json::parse(variant.dump()), "mine.json");
      const std::vector<std::string> others = second.validate(variant);
      INFO(name << ": " << variant.dump().substr(0, 2000) << "\n"
                << (error ? error->place + ": " + error->rule : "") << "\n"
                << (others.empty() ? "" : others.front()));
      CHECK(error.has_value() == !others.empty());
      if (error) {
        ++refused;
        CHECK(error->place.starts_with("mine.json"));
        CHECK_FALSE(error->rule.empty());
        CHECK_FALSE(error->remedy.empty());
      }
    }
    INFO(name << ": " << variants.size() << ", refused " << refused);
    CHECK(refused > variants.size() / 3);
    CHECK(refused < variants.size());
  }
}

/// The words at a place of a schema, sorted.
std::vector<std::string> words_at(const std::string& name, const std::string& pointer) {
  const json schema = json::parse(text_at("schema/" + name + ".schema.json"));
  auto words = schema.at(json::json_pointer(pointer)).at("enum").get<std::vector<std::string>>();
  std::ranges::sort(words);
  return words;
}

template <class E>
std::vector<std::string> names_of() {
  std::vector<std::string> names = base::enum_names<E>();
  std::ranges::sort(names);
  return names;
}

TEST_CASE("words of the schemas are those that readers know") {
  CHECK(words_at("gpu", "/properties/nvlink_topology") == names_of<hardware::Topology>());
  CHECK(words_at("machine", "/properties/topology") == names_of<hardware::Topology>());
  std::vector<std::string> kinds = names_of<timing::OpKind>();
  // Have no rate of their own: timing/shape_class.cpp and timing/rates.cpp.
  std::erase_if(kinds, [](const std::string& kind) { return kind == "fused" || kind == "compiled_call"; });
  CHECK(words_at("calibration", "/$defs/op") == kinds);
  CHECK(words_at("calibration", "/$defs/math") == names_of<base::MathMode>());
  CHECK(words_at("calibration", "/$defs/layout") == names_of<base::Layout>());
  CHECK(words_at("calibration", "/$defs/variant") == names_of<timing::Variant>());
  CHECK(words_at("framework", "/$defs/lifetime") == names_of<lowering::Lifetime>());
  CHECK(words_at("framework", "/$defs/rule/properties/math/items") == names_of<base::MathMode>());
  CHECK(words_at("framework", "/$defs/rule/properties/layout") == names_of<base::Layout>());
  CHECK(words_at("framework", "/$defs/rule/properties/pass") == names_of<lowering::ConvPass>());
  const auto as_written = [](const auto& table) {
    std::vector<std::string> names;
    std::ranges::transform(table, std::back_inserter(names), [](const auto& row) { return std::string(row.name); });
    std::ranges::sort(names);
    return names;
  };
  CHECK(words_at("framework", "/$defs/tree/prefixItems/0") ==
        as_written(base::NamesAsWritten<lowering::SizeAxis>::table));
  CHECK(words_at("network", "/properties/loss") == as_written(base::NamesAsWritten<graph::Objective>::table));
}

TEST_CASE("models may be of each architecture that there is, and of no other") {
  std::vector<std::string> known{std::string(graph::kVgg)};
  for (const graph::Architecture& architecture : graph::architectures()) {
    known.emplace_back(architecture.name);
  }
  std::ranges::sort(known);
  CHECK(words_at("model", "/properties/architecture") == known);
}

}  // namespace
}  // namespace vggplan::catalog
