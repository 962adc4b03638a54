// SPDX-License-Identifier: MIT
#include "vggplan/estimate/run.hpp"

namespace vggplan::estimate {

// A window grows by (kernel - 1) x the shift of the layer's own input windows: 2 x shift for a 3x3
// convolution, 1 x shift for a 2x2 pool, which then doubles the shift.
ReceptiveField receptive_field(const graph::ModelSpec& model) {
  ReceptiveField field{1, 1};
  for (const std::int64_t width : model.features) {
    if (width == graph::kPool) {
      field.size += field.stride;
      field.stride *= 2;
    } else {
      field.size += 2 * field.stride;
    }
  }
  return field;
}

}  // namespace vggplan::estimate
