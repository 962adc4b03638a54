// SPDX-License-Identifier: MIT
#include "vggplan/hardware/hardware.hpp"

#include "support/catch.hpp"

namespace vggplan::hardware {
namespace {

using base::FlopsPerSecond;
using base::MathMode;

Gpu ampere() {
  Gpu gpu;
  gpu.memory_total = base::Bytes(1000);
  gpu.context_memory = base::Bytes(30);
  gpu.fp32 = FlopsPerSecond(19.5e12);
  gpu.tf32_tensor = FlopsPerSecond(156e12);
  gpu.fp16_tensor = FlopsPerSecond(312e12);
  gpu.bf16_tensor = FlopsPerSecond(313e12);
  gpu.nvlink = "nvlink3";
  gpu.nvlink_topology = Topology::nvswitch;
  gpu.pcie = "pcie4x16";
  return gpu;
}

TEST_CASE("each way of multiplying has the rate of the unit that does it") {
  const Gpu gpu = ampere();
  CHECK(peak_rate(gpu, MathMode::fp32) == FlopsPerSecond(19.5e12));
  CHECK(peak_rate(gpu, MathMode::tf32) == FlopsPerSecond(156e12));
  CHECK(peak_rate(gpu, MathMode::fp16) == FlopsPerSecond(312e12));
  CHECK(peak_rate(gpu, MathMode::bf16) == FlopsPerSecond(313e12));
}

TEST_CASE("TF32 and fp16 run at the fp32 rate where there are no tensor cores for them, bf16 not at all") {
  Gpu pascal = ampere();
  pascal.tf32_tensor.reset();
  pascal.fp16_tensor.reset();
  pascal.bf16_tensor.reset();
  CHECK(peak_rate(pascal, MathMode::tf32) == FlopsPerSecond(19.5e12));
  CHECK(peak_rate(pascal, MathMode::fp16) == FlopsPerSecond(19.5e12));
  CHECK_FALSE(peak_rate(pascal, MathMode::bf16).has_value());
}

TEST_CASE("what the context takes is not usable") { CHECK(ampere().usable_memory() == base::Bytes(970)); }

TEST_CASE("GPUs on one board use their NVLink, cards with optional bridges are assumed to be on PCIe") {
  Gpu gpu = ampere();
  CHECK(default_topology(gpu, 1) == Topology::none);
  CHECK(default_topology(gpu, 2) == Topology::nvswitch);
  gpu.nvlink_topology = Topology::nvlink_mesh;
  CHECK(default_topology(gpu, 8) == Topology::nvlink_mesh);
  gpu.nvlink_topology = Topology::nvlink_bridge;
  CHECK(default_topology(gpu, 2) == Topology::pcie);
  gpu.nvlink.reset();
  gpu.nvlink_topology = Topology::none;
  CHECK(default_topology(gpu, 4) == Topology::pcie);
}

TEST_CASE("the link between GPUs follows from the topology, and is PCIe where there is no NVLink") {
  Gpu gpu = ampere();
  CHECK_FALSE(peer_link(gpu, Topology::none).has_value());
  CHECK(peer_link(gpu, Topology::pcie) == "pcie4x16");
  CHECK(peer_link(gpu, Topology::nvlink_bridge) == "nvlink3");
  CHECK(peer_link(gpu, Topology::nvlink_mesh) == "nvlink3");
  CHECK(peer_link(gpu, Topology::nvswitch) == "nvlink3");
  gpu.nvlink.reset();
  CHECK(peer_link(gpu, Topology::nvlink_bridge) == "pcie4x16");
}

TEST_CASE("a bridge carries the ring of a pair, PCIe that of more cards") {
  CHECK(ring_topology(Topology::nvlink_bridge, 2) == Topology::nvlink_bridge);
  CHECK(ring_topology(Topology::nvlink_bridge, 3) == Topology::pcie);
  CHECK(ring_topology(Topology::nvlink_bridge, 4) == Topology::pcie);
  CHECK(ring_topology(Topology::nvlink_mesh, 8) == Topology::nvlink_mesh);
  CHECK(ring_topology(Topology::nvswitch, 8) == Topology::nvswitch);
}

TEST_CASE("every topology has a name of its own") {
  CHECK(base::enum_names<Topology>() ==
        std::vector<std::string>{"none", "pcie", "nvlink-bridge", "nvlink-mesh", "nvswitch"});
}

}  // namespace
}  // namespace vggplan::hardware
