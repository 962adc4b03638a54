// SPDX-License-Identifier: MIT
// Figures against published ones, copied by hand from data sheets, whitepapers and logs.
#include <array>

#include "support/catch.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/graph/architectures.hpp"

namespace vggplan::catalog {
namespace {

constexpr double kMib = 1024.0 * 1024.0;

struct Published {
  const char* name;
  int multiprocessors;
  double bandwidth_gb_s;
  double fp32_tflops;
  double tf32_tflops;  ///< 0: none
  double fp16_tflops;
  double nvidia_smi_mib;  ///< what nvidia-smi shows, before or after driver 510 as found
};

constexpr std::array<Published, 22> kPublished{{
    {"k80-12gb", 13, 240.6, 4.11, 0, 0, 11441},
    {"p100-pcie-16gb", 56, 732.2, 9.53, 0, 0, 16280},
    {"gtx-1080-ti", 28, 484, 11.3, 0, 0, 11178},
    {"v100-sxm2-16gb", 80, 900, 15.7, 0, 125, 16160},
    {"v100-sxm2-32gb", 80, 900, 15.7, 0, 125, 32510},
    {"t4", 40, 320, 8.1, 0, 65, 15109},
    {"rtx-2080-ti", 68, 616, 13.4, 0, 53.8, 11019},
    {"quadro-rtx-8000", 72, 672, 16.3, 0, 130.5, 48601},
    {"a10", 72, 600, 31.2, 62.5, 125, 23028},
    {"a40", 84, 696, 37.4, 74.8, 149.7, 45634},
    {"a100-sxm4-40gb", 108, 1555, 19.5, 156, 312, 40536},
    {"a100-pcie-80gb", 108, 1935, 19.5, 156, 312, 81251},
    {"a100-sxm4-80gb", 108, 2039, 19.5, 156, 312, 81251},
    {"rtx-3090", 82, 936, 35.6, 35.6, 71, 24268},
    {"rtx-a6000", 84, 768, 38.7, 77.4, 154.8, 48685},
    {"rtx-4090", 128, 1008, 82.6, 82.6, 165.2, 24564},
    {"l4", 58, 300, 30.3, 60, 121, 23034},
    {"l40s", 142, 864, 91.6, 183, 362, 46068},
    {"h100-sxm5-80gb", 132, 3350, 67, 494.5, 989, 81559},
    {"h100-nvl-94gb", 132, 3940, 60, 417.5, 835.5, 95830},
    {"b200-sxm-180gb", 148, 8000, 80, 1125, 2250, 183359},
    {"rtx-5090", 170, 1792, 104.8, 104.8, 209.5, 32607},
}};

double teraflops(const std::optional<base::FlopsPerSecond>& rate) { return rate ? rate->count() / 1e12 : 0; }

TEST_CASE("rates are the published ones") {
  const Catalog catalog = Catalog::built_in();
  for (const Published& row : kPublished) {
    INFO(row.name);
    const auto gpu = catalog.gpu(row.name).value();
    CHECK(gpu.sm_count == row.multiprocessors);
    CHECK(gpu.memory_bandwidth.count() / 1e9 == Approx(row.bandwidth_gb_s));
    CHECK(teraflops(gpu.fp32) == Approx(row.fp32_tflops));
    CHECK(teraflops(gpu.tf32_tensor) == Approx(row.tf32_tflops));
    CHECK(teraflops(gpu.fp16_tensor) == Approx(row.fp16_tflops));
  }
}

TEST_CASE("the memory is what CUDA offers: a little less than nvidia-smi shows, never more") {
  const Catalog catalog = Catalog::built_in();
  for (const Published& row : kPublished) {
    INFO(row.name);
    const double mib = catalog.gpu(row.name)->memory_total.as_double() / kMib;
    CHECK(mib <= row.nvidia_smi_mib);
    CHECK(mib >= 0.975 * row.nvidia_smi_mib);
  }
}

/// Bus and data rate of each pin from product pages; cores are those of the chip's name.
struct Sheet {
  const char* name;
  int cores;
  double boost_mhz;
  int bus_bits;
  double gbit_per_pin;
  int gigabytes;
};

constexpr auto kSheets = std::to_array<Sheet>({
    {"m40-24gb", 3072, 1112, 384, 6.0, 24},
    {"p4", 2560, 1114, 256, 6.0, 8},
    {"p40", 3840, 1531, 384, 7.2, 24},
    {"gtx-1060-6gb", 1280, 1708, 192, 8, 6},
    {"gtx-1070", 1920, 1683, 256, 8, 8},
    {"gtx-1070-ti", 2432, 1683, 256, 8, 8},
    {"gtx-1080", 2560, 1733, 256, 10, 8},
    {"gtx-1650", 896, 1665, 128, 8, 4},
    {"gtx-1660", 1408, 1785, 192, 8, 6},
    {"gtx-1660-super", 1408, 1785, 192, 14, 6},
    {"gtx-1660-ti", 1536, 1770, 192, 12, 6},
    {"rtx-2060", 1920, 1680, 192, 14, 6},
    {"rtx-2060-super", 2176, 1650, 256, 14, 8},
    {"rtx-2070", 2304, 1620, 256, 14, 8},
    {"rtx-2070-super", 2560, 1770, 256, 14, 8},
    {"rtx-2080", 2944, 1710, 256, 14, 8},
    {"rtx-2080-super", 3072, 1815, 256, 15.5, 8},
    {"rtx-3050", 2560, 1777, 128, 14, 8},
    {"rtx-3060", 3584, 1777, 192, 15, 12},
    {"rtx-3060-ti", 4864, 1665, 256, 14, 8},
    {"rtx-3070-ti", 6144, 1770, 256, 19, 8},
    {"rtx-3080-ti", 10240, 1665, 384, 19, 12},
    {"rtx-3090-ti", 10752, 1860, 384, 21, 24},
    {"rtx-3060-laptop", 3840, 1425, 192, 14, 6},
    {"rtx-3070-laptop", 5120, 1560, 256, 14, 8},
    {"rtx-3080-laptop-16gb", 6144, 1545, 256, 14, 16},
    {"a2", 1280, 1770, 128, 12.5, 16},
    {"a16", 1280, 1755, 128, 12.5, 16},
    {"rtx-a2000-6gb", 3328, 1200, 192, 12, 6},
    {"rtx-a2000-12gb", 3328, 1200, 192, 12, 12},
    {"rtx-a4000", 6144, 1560, 256, 14, 16},
    {"rtx-a4500", 7168, 1650, 320, 16, 20},
    {"rtx-a5000", 8192, 1695, 384, 16, 24},
    {"rtx-4060", 3072, 2460, 128, 17, 8},
    {"rtx-4060-ti-16gb", 4352, 2535, 128, 18, 16},
    {"rtx-4070", 5888, 2475, 192, 21, 12},
    {"rtx-4070-super", 7168, 2475, 192, 21, 12},
    {"rtx-4070-ti", 7680, 2610, 192, 21, 12},
    {"rtx-4070-ti-super", 8448, 2610, 256, 21, 16},
    {"rtx-4080", 9728, 2505, 256, 22.4, 16},
    {"rtx-4080-super", 10240, 2550, 256, 23, 16},
    {"rtx-4090-laptop", 9728, 1695, 256, 18, 16},
    {"rtx-4000-ada", 6144, 2175, 160, 18, 20},
    {"rtx-5000-ada", 12800, 2550, 256, 18, 32},
    {"l40", 18176, 2490, 384, 18, 48},
    {"rtx-5060-ti-16gb", 4608, 2572, 128, 28, 16},
    {"rtx-5070", 6144, 2512, 192, 28, 12},
    {"rtx-5070-ti", 8960, 2452, 256, 28, 16},
    {"rtx-5080", 10752, 2617, 256, 30, 16},
    {"rtx-5090-laptop", 10496, 1515, 256, 28, 24},
    {"gh200-144gb", 16896, 1980, 6144, 6.38, 144},
    {"b300-sxm-288gb", 18944, 2032, 8192, 7.81, 288},
});

TEST_CASE("bandwidth is bus width times rate, and fp32 cores times two times clock") {
  const Catalog catalog = Catalog::built_in();
  for (const Sheet& sheet : kSheets) {
    INFO(sheet.name);
    const auto gpu = catalog.gpu(sheet.name).value();
    CHECK(gpu.memory_bandwidth.count() == Approx(sheet.bus_bits / 8.0 * sheet.gbit_per_pin * 1e9).epsilon(0.01));
    CHECK(gpu.fp32->count() == Approx(sheet.cores * 2 * sheet.boost_mhz * 1e6).epsilon(0.01));
    CHECK(hardware::gigabytes_as_sold(gpu) == sheet.gigabytes);
  }
}

TEST_CASE("tensor rates of the cards are those that their data sheets state, dense") {
  const Catalog catalog = Catalog::built_in();
  const auto fp16 = [&](const char* name) { return teraflops(catalog.gpu(name)->fp16_tensor); };
  // Whitepapers of Turing (fp32 accumulate, reference card), Ampere and Ada; data sheets, those with sparsity halved.
  CHECK(fp16("rtx-2080") == Approx(40.3).epsilon(0.01));
  CHECK(fp16("rtx-3070-ti") == Approx(43.5).epsilon(0.01));
  CHECK(fp16("rtx-4080") == Approx(97.5).epsilon(0.01));
  CHECK(fp16("rtx-5080") == Approx(112.6).epsilon(0.01));
  CHECK(fp16("a2") == Approx(18).epsilon(0.01));
  CHECK(fp16("l40") == Approx(181.05).epsilon(0.01));
  CHECK(fp16("rtx-a5000") == Approx(222.2 / 2).epsilon(0.01));
  CHECK(fp16("rtx-5000-ada") == Approx(1044.4 / 4).epsilon(0.01));
}

TEST_CASE("the size as sold is the one in the name, where the name has one") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string& name : catalog.gpu_names()) {
    const std::size_t dash = name.rfind('-');
    if (name.ends_with("gb")) {
      INFO(name);
      CHECK(hardware::gigabytes_as_sold(catalog.gpu(name).value()) == std::stoll(name.substr(dash + 1)));
    }
  }
  CHECK(hardware::gigabytes_as_sold(catalog.gpu("t4").value()) == 16);
  CHECK(hardware::gigabytes_as_sold(catalog.gpu("rtx-2080-ti").value()) == 11);
  CHECK(hardware::gigabytes_as_sold(catalog.gpu("a40").value()) == 48);
}

TEST_CASE("what the driver keeps back is between a fortieth and a tenth of the memory as sold") {
  // 24 GB cards keep a third of a GiB, those with ECC up to 7 %: no figure of a card may be the one on the box.
  const Catalog catalog = Catalog::built_in();
  for (const std::string& name : catalog.gpu_names()) {
    INFO(name);
    const auto gpu = catalog.gpu(name).value();
    const double share =
        gpu.memory_total.as_double() / (static_cast<double>(hardware::gigabytes_as_sold(gpu)) * kMib * 1024);
    CHECK(share < 0.996);
    CHECK(share > 0.90);
  }
}

TEST_CASE("memory that was read in bytes is kept to the byte") {
  const Catalog catalog = Catalog::built_in();
  CHECK(catalog.gpu("h200-sxm-141gb")->memory_total == base::Bytes(150'109'880'320));  // measured, torch 2.11
  CHECK(catalog.gpu("h200-sxm-141gb")->context_memory == base::Bytes(804'061'184));    // measured after training
  CHECK(catalog.gpu("a100-sxm4-40gb")->memory_total == base::Bytes(42'405'855'232));   // deviceQuery
  CHECK(catalog.gpu("rtx-6000-ada")->memory_total == base::Bytes(50'865'307'648));     // device properties
}

TEST_CASE("no context is larger than the measured one, but for GPUs with more multiprocessors") {
  const Catalog catalog = Catalog::built_in();
  const auto h200 = catalog.gpu("h200-sxm-141gb").value();
  for (const std::string& name : catalog.gpu_names()) {
    const auto gpu = catalog.gpu(name).value();
    INFO(name);
    CHECK(gpu.context_memory >= 371 * base::kMiB);
    CHECK((gpu.context_memory <= h200.context_memory + 2 * base::kMiB || gpu.sm_count > h200.sm_count));
    CHECK((name == h200.name || std::count(gpu.unverified.begin(), gpu.unverified.end(), "context_memory_bytes") == 1));
  }
}

TEST_CASE("links have their published rates") {
  const Catalog catalog = Catalog::built_in();
  const std::vector<std::pair<std::string, double>> rates{
      {"pcie3x16", 15.75}, {"pcie4x16", 31}, {"pcie5x16", 63},          {"nvlink1", 80},   {"nvlink2", 150},
      {"nvlink3", 300},    {"nvlink4", 450}, {"nvlink5", 900},          {"pcie4x8", 15.5}, {"pcie5x8", 31.5},
      {"ib-hdr", 25},      {"ib-ndr", 50},   {"aws-efa-v2-p5-p5e", 400}};
  for (const auto& [name, gigabytes] : rates) {
    INFO(name);
    CHECK(catalog.link(name)->per_direction.count() == Approx(gigabytes * 1e9));
  }
}

TEST_CASE("GPUs have the links of their form") {
  const Catalog catalog = Catalog::built_in();
  const auto nvlink = [&](const char* name) { return catalog.gpu(name)->nvlink.value_or(""); };
  CHECK(nvlink("a100-sxm4-80gb") == "nvlink3");
  CHECK(nvlink("v100-sxm2-16gb") == "nvlink2");
  CHECK(nvlink("v100-pcie-16gb").empty());
  CHECK(nvlink("h100-sxm5-80gb") == "nvlink4");
  CHECK(nvlink("b200-sxm-180gb") == "nvlink5");
  CHECK(nvlink("rtx-4090").empty());
  CHECK(catalog.gpu("t4")->pcie == "pcie3x16");
  CHECK(catalog.gpu("a100-pcie-80gb")->pcie == "pcie4x16");
  CHECK(catalog.gpu("h100-sxm5-80gb")->pcie == "pcie5x16");
  CHECK(catalog.gpu("a100-pcie-80gb")->nvlink_topology == hardware::Topology::nvlink_bridge);
  CHECK(catalog.gpu("a100-sxm4-80gb")->nvlink_topology == hardware::Topology::nvswitch);
}

TEST_CASE("machines are as their providers describe them") {
  const Catalog catalog = Catalog::built_in();
  const auto p4d = catalog.machine("p4d.24xlarge").value();
  CHECK(p4d.provider == "AWS");
  CHECK(p4d.gpu == "a100-sxm4-40gb");
  CHECK(p4d.gpu_count == 8);
  CHECK(p4d.topology == hardware::Topology::nvswitch);
  CHECK(p4d.vcpus == 96);
  CHECK(p4d.ram == 1152 * base::kGiB);
  CHECK(p4d.local_storage == base::Bytes(8'000'000'000'000));
  CHECK(p4d.network == base::BytesPerSecond(50e9));
  const auto azure = catalog.machine("standard_nd40rs_V2").value();
  CHECK(azure.name == "ND40rs_v2");
  CHECK(azure.gpu == "v100-sxm2-32gb");
  CHECK(azure.topology == hardware::Topology::nvlink_mesh);
  const auto one = catalog.machine("p5.4xlarge").value();
  CHECK(one.gpu_count == 1);
  CHECK(one.topology == hardware::Topology::none);
}

TEST_CASE("machines are found by their GPU") {
  const auto machines = Catalog::built_in().machines_with("h200-sxm-141gb");
  REQUIRE(machines.has_value());
  std::vector<std::string> names;
  for (const auto& machine : *machines) {
    names.push_back(machine.name);
  }
  CHECK(names == std::vector<std::string>{"Standard_ND96isr_H200_v5", "p5e.48xlarge", "p5en.48xlarge"});
  CHECK(Catalog::built_in().machines_with("rtx-3090")->empty());
}

TEST_CASE("models are the columns A, B, D and E of the VGG paper") {
  const Catalog catalog = Catalog::built_in();
  const std::vector<std::pair<std::string, std::size_t>> convolutions{
      {"vgg11", 8}, {"vgg13", 10}, {"vgg16", 13}, {"vgg19", 16}};
  for (const auto& [name, count] : convolutions) {
    INFO(name);
    const auto model = catalog.model(name).value();
    const auto pools = static_cast<std::size_t>(std::count(model.features.begin(), model.features.end(), graph::kPool));
    CHECK(pools == 5);
    CHECK(model.features.size() - pools == count);
    CHECK(model.hidden == std::vector<std::int64_t>{4096, 4096});
    CHECK_FALSE(model.batch_norm);
    auto normalised = catalog.model(name + "_bn").value();
    CHECK(normalised.batch_norm);
    CHECK(normalised.features == model.features);
  }
  for (const graph::Architecture& architecture : graph::architectures()) {
    const auto model = catalog.model(architecture.name).value();
    CHECK(model.architecture == architecture.name);
    CHECK(!model.source.empty());
  }
  using graph::kPool;
  CHECK(catalog.model("vgg16")->features == std::vector<std::int64_t>{64, 64, kPool, 128, 128, kPool, 256, 256, 256,
                                                                      kPool, 512, 512, 512, kPool, 512, 512, 512,
                                                                      kPool});
}

}  // namespace
}  // namespace vggplan::catalog
