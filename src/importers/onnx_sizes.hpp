// SPDX-License-Identifier: MIT
// Sizes that a graph of ONNX reckons with instead of writing them: of which maps there are is known for the image.
#pragma once

#include <optional>

#include "importers/onnx_call.hpp"

namespace vggplan::importers::onnx {

void constant(Call& call);
/// Of a map; the batch, which is none of the file's, is no number.
void shape(Call& call);
/// Some of a list of sizes.
void gather(Call& call);
void slice(Call& call);
/// A sum or product of sizes; one number meets all of the other list. Nothing where an input is a map.
std::optional<Numbers> reckoned(const Call& call, bool sum);

}  // namespace vggplan::importers::onnx
