// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {
namespace {

std::string gpu_text(const std::string& name, int multiprocessors) {
  return R"({"name": ")" + name + R"(", "title": "T", "architecture": "A", "compute_capability": "8.0",
  "sm_count": )" +
         std::to_string(multiprocessors) +
         R"(, "boost_clock_mhz": 1000, "memory_total_bytes": 1000000, "context_memory_bytes": 10,
  "l2_cache_bytes": 1, "memory_bandwidth_bytes_per_second": 1, "host_link": "pcie4x16",
  "sources": [{"reference": "me"}]})";
}

base::Result<Catalog> with(const std::vector<ConfigFile>& files) { return Catalog::built_in().with_overrides(files); }

TEST_CASE("a file of a known name replaces the built-in one, a new name adds to them") {
  const auto catalog = with({{"gpus/t4.json", gpu_text("t4", 7)}, {"gpus/lab-card.json", gpu_text("lab-card", 8)}});
  REQUIRE(catalog.has_value());
  CHECK(catalog->gpu("t4")->sm_count == 7);
  CHECK(catalog->gpu("lab-card")->sm_count == 8);
  CHECK(catalog->gpu("Lab Card")->sm_count == 8);
  CHECK(catalog->gpu("l4")->sm_count == 58);
  CHECK(catalog->gpu_names().size() == Catalog::built_in().gpu_names().size() + 1);
  CHECK(Catalog::built_in().gpu("t4")->sm_count == 40);
}

TEST_CASE("the texts outlive the files they came from and the catalogue they were added to") {
  Catalog catalog = Catalog::built_in();
  {
    const std::vector<ConfigFile> files{{"gpus/t4.json", gpu_text("t4", 7)}};
    const auto made = catalog.with_overrides(files);
    REQUIRE(made.has_value());
    catalog = *made;
  }
  CHECK(catalog.gpu("t4")->sm_count == 7);
}

TEST_CASE("models, machines, storage and other folders can be overridden too") {
  std::string framework(Catalog::built_in().text("frameworks", "pytorch-2.11").value());
  framework.replace(framework.find("pytorch-2.11"), 12, "mine");
  const auto catalog = with({
      {"models/tiny.json", R"({"name": "tiny", "features": [8, "M"], "batch_norm": false})"},
      {"machines/box.json", R"({"name": "box", "provider": "us", "gpu": "t4", "gpu_count": 2, "topology": "pcie",
        "price": {"usd_per_hour": 0, "reference": "ours", "date": "2026"}, "sources": [{"reference": "us"}]})"},
      {"storage/tape.json", R"({"name": "tape", "title": "Tape", "sequential_read_bytes_per_second": 3e8,
        "latency_seconds": 60, "sources": [{"reference": "us"}]})"},
      {"frameworks/mine.json", framework},
  });
  REQUIRE(catalog.has_value());
  CHECK(catalog->model("tiny")->features.size() == 2);
  CHECK(catalog->machine("box")->price->per_hour == base::Usd(0));
  CHECK(catalog->storage("tape")->latency == base::Seconds(60));
  CHECK(*catalog->text("frameworks", "mine") == framework);
  CHECK(catalog->machines_with("t4")->size() == Catalog::built_in().machines_with("t4")->size() + 1);
}

TEST_CASE("links of a user's file replace those of the same name") {
  const auto catalog = with({{"links.json", R"({"links": [
    {"name": "pcie4x16", "title": "Slow riser", "bytes_per_second_per_direction": 8e9, "sources": [{"reference": "us"}]},
    {"name": "string", "title": "Two cans", "bytes_per_second_per_direction": 1,
     "sources": [{"reference": "us"}]}]})"}});
  REQUIRE(catalog.has_value());
  CHECK(catalog->link("pcie4x16")->per_direction == base::BytesPerSecond(8e9));
  CHECK(catalog->link("string")->per_direction == base::BytesPerSecond(1));
  CHECK(catalog->link("pcie5x16")->per_direction == base::BytesPerSecond(63e9));
  CHECK(catalog->links()->size() == Catalog::built_in().links()->size() + 1);
}

TEST_CASE("files are checked when they are added, used or not") {
  const auto broken = with({{"gpus/x.json", "{", "/cfg/gpus/x.json"}});
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error().place.starts_with("/cfg/gpus/x.json:1:"));
  const auto misnamed = with({{"gpus/x.json", gpu_text("y", 1)}});
  REQUIRE_FALSE(misnamed.has_value());
  CHECK(misnamed.error() == base::Diagnostic{base::Fault::question, "gpus/x.json:/name",
                                             "is 'y', but the file is called 'x'", "give both the same name"});
  CHECK_FALSE(with({{"calibration/x.json", "nonsense"}}).has_value());
  CHECK_FALSE(with({{"links.json", "{}"}}).has_value());
  // Profiles and calibrations as well, though few questions need them.
  const Catalog built_in = Catalog::built_in();
  for (const std::string folder : {"frameworks", "calibration"}) {
    const std::string name = built_in.names(folder).front();
    std::string text(built_in.text(folder, name).value());
    CHECK(with({{folder + "/" + name + ".json", text}}).has_value());
    CHECK(with({{folder + "/other.json", text}}).error().rule == "is '" + name + "', but the file is called 'other'");
    text.insert(text.find('{') + 1, "\"bogus\": 1,");
    CHECK(with({{folder + "/" + name + ".json", text}}).error().rule.find("bogus") != std::string::npos);
  }
  CHECK(with({{"machines/m.json", R"({"name": "m", "provider": "p", "gpu": "t4", "gpu_count": 1, "topology": "pcie",
    "sources": [{"reference": "us"}]})"}})
            .error()
            .rule == "must be 'none' for one GPU, and something else for several");
  CHECK(with({{"storage/s.json", R"({"name": "s", "title": "S", "sequential_read_bytes_per_second": 1,
    "latency_seconds": 0, "sources": []})"}})
            .error()
            .remedy.starts_with("write for example [{\"reference\":"));
}

TEST_CASE("the links that a user's GPU names must be known, from the user's file or the catalogue") {
  std::string text = gpu_text("lab", 3);
  const std::size_t at = text.find("pcie4x16");
  REQUIRE(at != std::string::npos);
  text.replace(at, 8, "pcie4x61");
  const auto lab = with({{"gpus/lab.json", text, "/cfg/gpus/lab.json"}});
  REQUIRE_FALSE(lab.has_value());
  CHECK(lab.error().place == "/cfg/gpus/lab.json:/host_link");
  CHECK(lab.error().rule == "unknown link 'pcie4x61'");
  CHECK(lab.error().remedy.find("'pcie4x16'") != std::string::npos);
  CHECK(Catalog::built_in().with_gpu_file({"lab.json", text}).error().rule == lab.error().rule);
  CHECK(with({{"gpus/lab.json", text}, {"links.json", R"({"links": [{"name": "pcie4x61", "title": "Odd",
    "bytes_per_second_per_direction": 1e9, "sources": [{"reference": "us"}]}]})"}})
            .has_value());
}

TEST_CASE("files of no known kind are refused") {
  for (const std::string path :
       {"x.json", "gpus/x.txt", "gpus/sub/x.json", "secrets/x.json", "", "schema/gpu.schema.json"}) {
    INFO(path);
    const auto catalog = with({{path, "{}"}});
    REQUIRE_FALSE(catalog.has_value());
    CHECK(catalog.error().rule == "is no file of a known kind");
    CHECK(catalog.error().remedy ==
          "put NAME.json in one of gpus, machines, models, storage, frameworks, calibration, or links beside them in "
          "links.json");
  }
}

TEST_CASE("a single GPU file is added under the name inside it") {
  const auto catalog = Catalog::built_in().with_gpu_file({"whatever.txt", gpu_text("lab-card", 3)});
  REQUIRE(catalog.has_value());
  CHECK(catalog->gpu("lab-card")->sm_count == 3);
  const auto broken = Catalog::built_in().with_gpu_file({"whatever.txt", "{}"});
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error().place == "whatever.txt:/name");
}

}  // namespace
}  // namespace vggplan::catalog
