// SPDX-License-Identifier: MIT
// The files of configs/ themselves: complete, consistent, and as their schemas say.
#include <algorithm>
#include <set>

#include "support/catch.hpp"
#include "vggplan/base/dates.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/catalog/embedded.hpp"

namespace vggplan::catalog {
namespace {

const std::vector<std::string> kPromisedGpus{// docs/interface.md
                                             "a100-sxm4-40gb",
                                             "a100-sxm4-80gb",
                                             "a100-pcie-40gb",
                                             "a100-pcie-80gb",
                                             "h100-sxm5-80gb",
                                             "h100-pcie-80gb",
                                             "h100-nvl-94gb",
                                             "h200-sxm-141gb",
                                             "h200-nvl-141gb",
                                             "gh200-96gb",
                                             "b200-sxm-180gb",
                                             "v100-sxm2-16gb",
                                             "v100-sxm2-32gb",
                                             "v100-pcie-16gb",
                                             "v100-pcie-32gb",
                                             "p100-sxm2-16gb",
                                             "p100-pcie-16gb",
                                             "k80-12gb",
                                             "t4",
                                             "l4",
                                             "l40s",
                                             "a10",
                                             "a10g",
                                             "a30",
                                             "a40",
                                             "rtx-3090",
                                             "rtx-4090",
                                             "rtx-5090",
                                             "rtx-a6000",
                                             "rtx-6000-ada",
                                             "quadro-rtx-8000",
                                             "rtx-2080-ti",
                                             "gtx-1080-ti",
                                             "titan-v",
                                             "titan-x-pascal"};

TEST_CASE("the catalogue holds the GPUs that the interface promises") {
  const std::vector<std::string> names = Catalog::built_in().gpu_names();
  for (const std::string& promised : kPromisedGpus) {
    INFO(promised);
    CHECK(std::ranges::find(names, promised) != names.end());
  }
}

TEST_CASE("the catalogue holds the VGG family, other networks and the kinds of storage") {
  const Catalog catalog = Catalog::built_in();
  CHECK(catalog.model_names() == std::vector<std::string>{"csrnet", "densenet121", "fcn8s-vgg16", "mobilenet-v2",
                                                          "resnet101", "resnet18", "resnet34", "resnet50",
                                                          "ssd300-vgg16", "unet-vgg16", "vgg11", "vgg11_bn", "vgg13",
                                                          "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"});
  CHECK(catalog.storage_names() == std::vector<std::string>{"hdd", "nfs", "nvme", "object-store", "sata-ssd"});
}

TEST_CASE("embedded files are sorted by path and none is empty") {
  const auto files = embedded_files();
  CHECK(std::is_sorted(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; }));
  CHECK(std::none_of(files.begin(), files.end(), [](const auto& file) { return file.text.empty(); }));
}

template <class Load>
void check_each(const Catalog& catalog, std::string_view folder, Load load) {
  for (const std::string& name : catalog.names(folder)) {
    const auto record = load(name);
    INFO(name << ": " << (record ? "" : record.error().place + " " + record.error().rule));
    REQUIRE(record.has_value());
    CHECK(record->name == name);
  }
}

TEST_CASE("every embedded record loads under the name of its file") {
  const Catalog catalog = Catalog::built_in();
  check_each(catalog, "gpus", [&](const auto& name) { return catalog.gpu(name); });
  check_each(catalog, "machines", [&](const auto& name) { return catalog.machine(name); });
  check_each(catalog, "models", [&](const auto& name) { return catalog.model(name); });
  check_each(catalog, "storage", [&](const auto& name) { return catalog.storage(name); });
}

TEST_CASE("links that GPUs name exist, and link names are unique") {
  const Catalog catalog = Catalog::built_in();
  const auto links = catalog.links();
  REQUIRE(links.has_value());
  std::set<std::string> names;
  for (const hardware::Link& link : *links) {
    CHECK(names.insert(link.name).second);
  }
  for (const std::string& name : catalog.gpu_names()) {
    const auto gpu = catalog.gpu(name).value();
    INFO(name);
    CHECK(names.contains(gpu.pcie));
    CHECK((!gpu.nvlink || names.contains(*gpu.nvlink)));
    CHECK(gpu.nvlink.has_value() == (gpu.nvlink_topology != hardware::Topology::none));
  }
}

TEST_CASE("machines have GPUs of the catalogue, joined in a way that their form allows") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string& name : catalog.machine_names()) {
    INFO(name);
    const auto machine = catalog.machine(name).value();
    const auto gpu = catalog.gpu(machine.gpu);
    REQUIRE(gpu.has_value());
    CHECK(gpu->name == machine.gpu);
    const bool linked = machine.topology != hardware::Topology::none && machine.topology != hardware::Topology::pcie;
    CHECK((!linked || gpu->nvlink_topology == machine.topology));
  }
}

TEST_CASE("every GPU has an fp32 rate, and dense tensor rates in the order of their generations") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string& name : catalog.gpu_names()) {
    INFO(name);
    const auto gpu = catalog.gpu(name).value();
    REQUIRE(gpu.fp32.has_value());
    const double generation = std::stod(gpu.compute_capability);
    const bool small_turing = name.starts_with("gtx-16");  // TU116 and TU117 have no tensor cores
    CHECK(gpu.fp16_tensor.has_value() == (generation >= 7.0 && !small_turing));
    CHECK(gpu.tf32_tensor.has_value() == (generation >= 8.0));
    CHECK(gpu.bf16_tensor.has_value() == (generation >= 8.0));
    // A sparse figure would be twice the dense one: fp16 is about twice TF32 on every tensor core.
    if (gpu.tf32_tensor) {
      CHECK(gpu.fp16_tensor->count() / gpu.tf32_tensor->count() == Approx(2.0).epsilon(0.02));
      CHECK(gpu.bf16_tensor->count() == Approx(gpu.fp16_tensor->count()).epsilon(0.01));
    }
  }
}

TEST_CASE("the fp32 rate is two FLOPs a core and boost cycle") {
  // Cores per multiprocessor by compute capability: CUDA C++ Programming Guide, arithmetic instructions.
  const std::map<std::string, double> cores{{"3.7", 192},  {"5.2", 128},  {"6.0", 64},  {"6.1", 128}, {"7.0", 64},
                                            {"7.5", 64},   {"8.0", 64},   {"8.6", 128}, {"8.9", 128}, {"9.0", 128},
                                            {"10.0", 128}, {"10.3", 128}, {"12.0", 128}};
  const Catalog catalog = Catalog::built_in();
  for (const std::string& name : catalog.gpu_names()) {
    INFO(name);
    const auto gpu = catalog.gpu(name).value();
    const double peak =
        2 * cores.at(gpu.compute_capability) * static_cast<double>(gpu.sm_count) * gpu.boost_clock_mhz * 1e6;
    // Published rates are rounded, and some are stated at a clock a little under the maximum.
    CHECK(gpu.fp32->count() == Approx(peak).epsilon(0.08));
  }
}

TEST_CASE("a price tells its region, its source and as of when it is, and spot costs no more") {
  const Catalog catalog = Catalog::built_in();
  std::int64_t priced = 0;
  for (const std::string& name : catalog.machine_names()) {
    const auto machine = catalog.machine(name).value();
    INFO(name);
    if (!machine.price) {
      continue;
    }
    ++priced;
    CHECK_FALSE(machine.price->region.empty());
    CHECK(machine.price->reference.find("/blob/") != std::string::npos);  // a state of a list, not whatever it says now
    CHECK(base::days(machine.price->date));
    if (machine.spot_price) {
      CHECK(machine.spot_price->per_hour < machine.price->per_hour);
    }
  }
  CHECK(priced == 43);
}

TEST_CASE("prices are those that their lists have") {
  const Catalog catalog = Catalog::built_in();
  const auto price = [&](const char* name) { return catalog.machine(name).value().price->per_hour.count(); };
  CHECK(price("g4dn.xlarge") == 0.526);
  CHECK(price("p4d.24xlarge") == 21.957642);
  CHECK(price("p5.48xlarge") == 55.04);
  CHECK(price("gpu_8x_v100") == 6.32);
  // Google: host and GPUs. What it publishes of a2-highgpu-8g is $29.387
  // (https://cloud.google.com/compute/vm-instance-pricing).
  CHECK(price("a2-highgpu-8g") == Approx(5.91582 + 23.47126));
  CHECK(price("a2-highgpu-4g") == Approx(2.95791 + 23.47126 / 2));
  CHECK(price("a2-ultragpu-1g") == Approx(1.09962 + 4.4242));
  CHECK(price("a3-highgpu-8g") == Approx(9.46006 + 2 * 39.1862));
}

}  // namespace
}  // namespace vggplan::catalog
