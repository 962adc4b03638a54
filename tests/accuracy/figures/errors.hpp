// SPDX-License-Identifier: MIT
// Measured figures beside predicted ones, and errors counted over them.
#pragma once

#include <string>
#include <vector>

#include "vggplan/base/estimated.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::accuracy {

template <class T>
struct Compared {
  T measured{};  ///< 0 where the row has none
  base::Estimated<T> predicted{};
  [[nodiscard]] double error() const { return predicted.value.as_double() / measured.as_double() - 1; }
  [[nodiscard]] bool inside() const { return predicted.low <= measured && measured <= predicted.high; }
};
using MemoryCompared = Compared<base::Bytes>;
using TimeCompared = Compared<base::Seconds>;

/// Relative errors; prints each when VGGPLAN_PRINT_ROWS is set.
class Errors {
 public:
  void add(const std::string& label, double predicted, double measured, bool inside = false);
  template <class T>
  void add(const std::string& label, const Compared<T>& row) {
    add(label, row.predicted.value.as_double(), row.measured.as_double(), row.inside());
  }

  [[nodiscard]] std::size_t count() const { return errors_.size(); }
  [[nodiscard]] std::size_t inside() const { return inside_; }  ///< of their ranges
  [[nodiscard]] double median() const;
  [[nodiscard]] double worst() const;
  [[nodiscard]] double bias() const;  ///< median with its sign
  [[nodiscard]] std::size_t within(double bound) const;
  /// Below the measurement by more than 0.01 %.
  [[nodiscard]] std::size_t under() const;

 private:
  std::vector<double> errors_{};
  std::size_t inside_{};
};

}  // namespace vggplan::accuracy
