// SPDX-License-Identifier: MIT
#include "vggplan/timing/op.hpp"

#include "unit/timing/fixtures.hpp"
#include "vggplan/timing/shape_class.hpp"

namespace vggplan::timing {
namespace {

Op made(OpKind kind, const Extent& extent, DType type = DType::f32, Layout layout = Layout::nchw) {
  return make_op(kind, MathMode::tf32, type, layout, extent);
}

}  // namespace

TEST_CASE("every kind has a name that leads back to it") {
  for (int i = 0; i <= static_cast<int>(OpKind::checkpoint); ++i) {
    const auto kind = static_cast<OpKind>(i);
    REQUIRE_FALSE(base::name_of_enum(kind).empty());
    CHECK(base::parse_enum<OpKind>(base::name_of_enum(kind)) == kind);
  }
  CHECK_FALSE(base::parse_enum<OpKind>("convolution"));
}

TEST_CASE("ops fall into one class where the same kernels run, and differ in size alone") {
  const auto shape = [](OpKind kind, const Extent& extent, Layout layout = Layout::nchw) {
    return classify(made(kind, extent, DType::f32, layout));
  };
  CHECK(shape(OpKind::conv_forward, {1, 64, 64, 8, 8}) == shape(OpKind::conv_forward, {9, 64, 64, 99, 7}));
  CHECK(shape(OpKind::conv_forward, {1, 64, 64, 8, 8}) != shape(OpKind::conv_forward, {1, 64, 128, 8, 8}));
  CHECK(shape(OpKind::relu_forward, {1, 64, 64, 8, 8}) == shape(OpKind::relu_forward, {1, 3, 3, 8, 8}, Layout::nhwc));
  SECTION("beyond 2^31 elements a batch norm with parameters of 16 bits has a kernel of its own") {
    Op norm = made(OpKind::batch_norm_forward, {3, 64, 64, 4024, 3036}, DType::bf16, Layout::nhwc);
    CHECK(classify(norm).variant == Variant::huge);
    norm.narrow_parameters = true;
    CHECK(classify(norm).variant == Variant::huge_narrow);
    norm.extent.n = 2;
    CHECK(classify(norm).variant == Variant::usual);
  }
  SECTION("tensor cores take convolutions in channels_last whatever the layout, on whole vectors of 16 bytes") {
    const auto half = [](const Extent& extent, Layout layout) {
      return classify(make_op(OpKind::conv_forward, MathMode::bf16, DType::bf16, layout, extent));
    };
    CHECK(half({8, 64, 130, 56, 56}, Layout::nchw) == half({9, 64, 136, 7, 7}, Layout::nhwc));
    CHECK(runs_in_tiles(half({8, 17, 64, 56, 56}, Layout::nchw)));
    CHECK_FALSE(runs_in_tiles(half({8, 16, 64, 56, 56}, Layout::nchw)));
    CHECK_FALSE(runs_in_tiles(shape(OpKind::conv_forward, {1, 3, 64, 6000, 8000})));
    CHECK_FALSE(runs_in_tiles(
        classify(make_op(OpKind::conv_forward, MathMode::fp32, DType::f32, Layout::nhwc, {8, 64, 64, 56, 56}))));
  }
  SECTION("first layers change kernels with the size of a map, the pixels in all and the images") {
    // Measured (convolutions_2.jsonl): 12 channels forward in bfloat16 take 0.33 ns a pixel on 591 images of 32 x 32,
    // and 0.72 on 452 of 37 x 34.
    const auto half = [](OpKind kind, const Extent& extent) {
      return classify(make_op(kind, MathMode::bf16, DType::bf16, Layout::nchw, extent)).variant;
    };
    CHECK(half(OpKind::conv_forward, {591, 12, 64, 32, 32}) == Variant::usual);
    CHECK(half(OpKind::conv_forward, {452, 12, 64, 37, 34}) == Variant::ragged);
    CHECK(half(OpKind::conv_weight_grad, {8, 3, 64, 112, 112}) == Variant::small_map);
    CHECK(half(OpKind::conv_weight_grad, {8, 3, 64, 224, 224}) == Variant::usual);
  }
  SECTION("one pixel of channels_last runs the kernel of its layout") {
    CHECK(shape(OpKind::avg_pool_backward, {1, 512, 7, 1, 1}, Layout::nhwc).layout == Layout::nhwc);
  }
}

TEST_CASE("other filters have the work and the traffic of their own tensors, by hand") {
  // 7x7 of stride 2, padding 3: 2 images of 3 channels, 8x8, to 4 channels of 4x4.
  const Op first = make_op(OpKind::conv_forward, MathMode::tf32, DType::f32, Layout::nchw, {2, 3, 4, 8, 8},
                           {7, 7, 2, 1, 1, false, 4, 4});
  CHECK(first.flops.count() == 2 * 49 * 3 * 4 * 2 * 16);
  CHECK(first.bytes().count() == 4 * (2 * 3 * 64 + 2 * 4 * 16 + 49 * 3 * 4));
  // Depthwise 3x3: one channel a group.
  const Op depthwise = make_op(OpKind::conv_forward, MathMode::tf32, DType::f32, Layout::nchw, {1, 32, 32, 8, 8},
                               {3, 3, 1, 1, 32, false, 8, 8});
  CHECK(depthwise.flops.count() == 2 * 9 * 32 * 64);
  // Transposed 2x2 of stride 2: each pixel of the input goes through every tap.
  const Op up = make_op(OpKind::conv_forward, MathMode::tf32, DType::f32, Layout::nchw, {1, 8, 4, 5, 5},
                        {2, 2, 2, 1, 1, true, 10, 10});
  CHECK(up.flops.count() == 2 * 4 * 8 * 4 * 25);
  CHECK(up.bytes().count() == 4 * (8 * 25 + 4 * 100 + 4 * 8 * 4));
  // A maximum pool of 3x3, stride 2: an output and an index for each window.
  const Op pool = make_op(OpKind::max_pool_forward, MathMode::fp32, DType::f32, Layout::nchw, {1, 1, 1, 8, 8},
                          {3, 3, 2, 1, 1, false, 4, 4});
  CHECK(pool.written.count() == (4 + 8) * 16);
}

TEST_CASE("a filter that is stated as VGG's has the class that VGG's has") {
  const auto shape = [](const Filter& filter) {
    return classify(make_op(OpKind::conv_forward, MathMode::tf32, DType::f32, Layout::nchw, {2, 64, 64, 8, 8}, filter));
  };
  CHECK(shape({}) == shape({3, 3, 1, 1, 1, false, 8, 8}));
  CHECK(shape({}) != shape({3, 3, 1, 2, 1, false, 8, 8}));
  CHECK(distance(shape({}), shape({1, 1, 1, 1, 1, false, 8, 8})) > 1e300);
  const auto pool = [](const Filter& filter) {
    return classify(
        make_op(OpKind::max_pool_forward, MathMode::fp32, DType::f32, Layout::nchw, {2, 64, 64, 8, 8}, filter));
  };
  CHECK(pool({}) == pool({2, 2, 2, 1, 1, false, 4, 4}));
  CHECK(pool({}) != pool({3, 3, 1, 1, 1, false, 8, 8}));
}

}  // namespace vggplan::timing
