// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/timing/carry_over.hpp"

namespace vggplan {

// By hand, bytes of bandwidth per 1000 FLOPs of 16-bit tensor arithmetic: H100 SXM5 3.4, H200 SXM 4.9.
TEST_CASE("a GPU is carried over from the measured one whose bandwidth for its arithmetic is nearest") {
  const catalog::Catalog catalog = catalog::Catalog::built_in();
  const std::vector<hardware::Gpu> measured{catalog.gpu("h100-sxm5-80gb").value(),
                                            catalog.gpu("h200-sxm-141gb").value()};
  const auto from = [&](const std::string& gpu) {
    return measured[timing::most_alike(measured, catalog.gpu(gpu).value())].name;
  };
  CHECK(from("h100-pcie-80gb") == "h100-sxm5-80gb");  // 2.0 TB/s, 756 TFLOP/s: 2.6
  CHECK(from("b200-sxm-180gb") == "h100-sxm5-80gb");  // 8.0 TB/s, 2250 TFLOP/s: 3.6
  CHECK(from("a100-sxm4-80gb") == "h200-sxm-141gb");  // 2.0 TB/s, 312 TFLOP/s: 6.5
  CHECK(from("v100-sxm2-16gb") == "h200-sxm-141gb");  // 0.9 TB/s, 125 TFLOP/s: 7.2
  CHECK(from("p100-sxm2-16gb") == "h200-sxm-141gb");  // no tensor cores: 0.73 TB/s, 10.6 TFLOP/s: 69
  CHECK(from("h200-sxm-141gb") == "h200-sxm-141gb");
  CHECK(from("h100-sxm5-80gb") == "h100-sxm5-80gb");
}

}  // namespace vggplan
