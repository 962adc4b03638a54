// SPDX-License-Identifier: MIT
// Where classes of ops end: on either side of each border.
#include "vggplan/timing/shape_class.hpp"

#include <cmath>
#include <limits>

#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

constexpr auto kNchw = Layout::nchw;
constexpr auto kNhwc = Layout::nhwc;
constexpr std::int64_t kTwo31 = std::int64_t{1} << 31;

struct Case {
  OpKind kind{};
  MathMode math{};
  DType type{};
  Layout layout{};
  Extent extent{};
  Variant variant{};
  Filter filter{};
};

void check_variants(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(base::name_of_enum(c.kind), base::name_of_enum(c.math), base::name_of_enum(c.layout), c.extent.n,
            c.extent.c, c.extent.k, c.extent.h, c.extent.w);
    CHECK(classify(make_op(c.kind, c.math, c.type, c.layout, c.extent, c.filter)).variant == c.variant);
  }
}

/// A convolution whose class is told by its own numbers alone.
ShapeClass conv_class(const Extent& extent, const Filter& filter, MathMode math = MathMode::tf32,
                      DType type = DType::f32, Layout layout = Layout::nhwc) {
  return classify(make_op(OpKind::conv_forward, math, type, layout, extent, filter));
}

Filter filter_of_side(std::int64_t side, std::int64_t groups = 1, std::int64_t stride = 1) {
  return {side, side, stride, 1, groups, false, 8, 8};
}

}  // namespace

TEST_CASE("64 bits number the elements from 2^31 on, of what one call of pools, norms and convolutions works on") {
  using enum OpKind;
  const std::int64_t prime = kTwo31 - 1;
  for (const OpKind kind :
       {max_pool_forward, max_pool_backward, batch_norm_forward, batch_norm_inference, batch_norm_backward}) {
    check_variants({{kind, MathMode::fp32, DType::f32, kNhwc, {1, 1, 1, 1, prime}, Variant::usual},
                    {kind, MathMode::fp32, DType::f32, kNhwc, {2, 4, 4, 1 << 14, 1 << 14}, Variant::huge}});
  }
  for (const OpKind kind : {conv_forward, conv_input_grad, conv_weight_grad}) {
    // 32 channels of 8192 x 8192 pixels, on either side; the images come one after another.
    check_variants({{kind, MathMode::fp32, DType::f32, kNchw, {1, 2, 32, 1 << 13, 1 << 13}, Variant::huge},
                    {kind, MathMode::fp32, DType::f32, kNchw, {1, 32, 2, 1 << 13, 1 << 13}, Variant::huge},
                    {kind, MathMode::fp32, DType::f32, kNchw, {99, 31, 31, 1 << 13, 1 << 13}, Variant::usual}});
  }
  check_variants({{relu_forward, MathMode::fp32, DType::f32, kNchw, {2, 2, 2, 1 << 15, 1 << 15}, Variant::usual}});
}

TEST_CASE("what 64 bits number runs in no tiles") {
  const auto tiled = [](std::int64_t side) {
    return runs_in_tiles(classify(convolution(OpKind::conv_forward, {1, 64, 64, side, side})));
  };
  CHECK(tiled(5000));
  CHECK_FALSE(tiled(6000));
}

TEST_CASE("few images and one pixel have kernels of their own") {
  using enum OpKind;
  constexpr auto kBf16 = DType::bf16;
  check_variants({
      {bias_grad, MathMode::fp32, DType::f32, kNhwc, {9, 8, 8, 1, 1}, Variant::one_pixel},
      {bias_grad, MathMode::fp32, DType::f32, kNhwc, {9, 8, 8, 1, 2}, Variant::usual},
      {bias_add, MathMode::fp32, DType::f32, kNchw, {1, 8, 8, 1, 1}, Variant::one_image},
      {bias_add, MathMode::fp32, DType::f32, kNchw, {2, 8, 8, 1, 1}, Variant::usual},
      {bias_add, MathMode::fp32, DType::f32, kNhwc, {1, 8, 8, 1, 1}, Variant::usual},
      {bias_grad, MathMode::fp32, DType::f32, kNchw, {1, 8, 8, 9, 9}, Variant::one_image},
      // bfloat16 goes to PyTorch's own batch norm, which gives a channel to a block.
      {batch_norm_forward, MathMode::fp32, kBf16, kNchw, {1, 8, 8, 9, 9}, Variant::one_image},
      {batch_norm_forward, MathMode::fp32, kBf16, kNchw, {2, 8, 8, 9, 9}, Variant::few_images},
      {batch_norm_forward, MathMode::fp32, kBf16, kNchw, {3, 8, 8, 9, 9}, Variant::usual},
      {batch_norm_forward, MathMode::fp32, kBf16, kNhwc, {1, 8, 8, 9, 9}, Variant::usual},
      {batch_norm_forward, MathMode::fp32, DType::f16, kNchw, {1, 8, 8, 9, 9}, Variant::usual},
      {batch_norm_backward, MathMode::fp32, kBf16, kNchw, {1, 8, 8, 9, 9}, Variant::usual},
      // Input gradients of fewer than eight images in true fp32.
      {conv_input_grad, MathMode::fp32, DType::f32, kNchw, {7, 64, 64, 9, 9}, Variant::few_images},
      {conv_input_grad, MathMode::fp32, DType::f32, kNchw, {8, 64, 64, 9, 9}, Variant::usual},
      {conv_forward, MathMode::fp32, DType::f32, kNchw, {7, 64, 64, 9, 9}, Variant::usual},
      {conv_weight_grad, MathMode::fp32, DType::f32, kNchw, {1, 3, 64, 9, 9}, Variant::usual},
      {conv_input_grad, MathMode::tf32, DType::f32, kNchw, {7, 64, 64, 9, 9}, Variant::usual},
  });
}

TEST_CASE("up to 16 channels on either side cuDNN switches by images, by the map or by pixels in rows of 64") {
  using enum OpKind;
  constexpr auto kBf16 = DType::bf16;
  for (const auto& [in, out] : {std::pair{16, 64}, std::pair{64, 16}, std::pair{3, 3}}) {
    const auto of = [in = in, out = out](std::int64_t n, std::int64_t pixels) { return Extent{n, in, out, 1, pixels}; };
    check_variants({
        {conv_weight_grad, MathMode::tf32, DType::f32, kNchw, of(1, 99999), Variant::one_image},
        {conv_weight_grad, MathMode::tf32, DType::f32, kNhwc, of(2, 64), Variant::usual},
        {conv_weight_grad, MathMode::bf16, kBf16, kNchw, of(1, 12999), Variant::small_map},
        {conv_weight_grad, MathMode::bf16, kBf16, kNhwc, of(9, 13000), Variant::usual},
        {conv_forward, MathMode::bf16, kBf16, kNchw, of(3, 64), Variant::usual},
        {conv_forward, MathMode::bf16, kBf16, kNchw, of(64, 3), Variant::usual},
        {conv_forward, MathMode::bf16, kBf16, kNchw, of(3, 96), Variant::ragged},
        {conv_forward, MathMode::bf16, kBf16, kNhwc, of(3, 12999), Variant::small_map},
        {conv_forward, MathMode::bf16, kBf16, kNhwc, of(3, 13000), Variant::usual},
        {conv_forward, MathMode::tf32, DType::f32, kNhwc, of(3, 12999), Variant::small_map},
        {conv_forward, MathMode::tf32, DType::f32, kNchw, of(3, 96), Variant::usual},
        {conv_input_grad, MathMode::bf16, kBf16, kNchw, of(3, 96), Variant::usual},
        {conv_input_grad, MathMode::bf16, kBf16, kNhwc, of(3, 96), Variant::usual},
    });
  }
  check_variants({{conv_forward, MathMode::bf16, kBf16, kNchw, {3, 17, 17, 1, 96}, Variant::usual},
                  {conv_weight_grad, MathMode::bf16, kBf16, kNchw, {3, 17, 17, 1, 96}, Variant::usual}});
}

TEST_CASE("a 1x1 convolution of a contiguous map is a product as it lies where 16 bytes divide its pixels") {
  const auto with = [](Layout layout, std::int64_t width, const Filter& filter, DType type, Variant variant) {
    check_variants({{OpKind::conv_forward, MathMode::bf16, type, layout, {3, 64, 64, 1, width}, variant, filter}});
  };
  const Filter one = filter_of_side(1);
  with(kNchw, 8, one, DType::bf16, Variant::usual);
  with(kNchw, 4, one, DType::bf16, Variant::ragged);
  with(kNchw, 4, one, DType::f32, Variant::usual);
  with(kNchw, 17, one, DType::bf16, Variant::ragged);
  with(kNhwc, 4, one, DType::bf16, Variant::usual);
  with(kNchw, 4, filter_of_side(1, 1, 2), DType::bf16, Variant::usual);
  with(kNchw, 4, filter_of_side(5), DType::bf16, Variant::usual);
}

TEST_CASE("an optimizer's class is how it goes over its tensors and how many they are, whatever their size") {
  const auto of = [](base::OptimizerImpl impl, std::int64_t elements, std::int64_t reads, DType type = DType::f32) {
    return classify(make_optimizer(type, impl, elements, 3, {2, reads, 4}));
  };
  using enum base::OptimizerImpl;
  CHECK(of(foreach, 1000, 7).variant == Variant::usual);
  CHECK(of(fused, 1000, 7).variant == Variant::fused);
  CHECK(of(loop, 1000, 7).variant == Variant::single);
  Op other = relu(8);
  other.impl = fused;
  CHECK(classify(other).variant == Variant::usual);
  CHECK(of(foreach, 1000, 7).channels == 11);
  CHECK(of(foreach, 77, 7) == of(foreach, 1'000'000, 7));
  CHECK(of(foreach, 77, 7, DType::bf16).channels == 11);
  CHECK(of(foreach, 77, 7) != of(foreach, 77, 8));
  CHECK(of(foreach, 0, 7).channels == 0);  // all is frozen
}

TEST_CASE("convolutions of other filters are told apart by octaves of the narrower side, and groups not at all") {
  const Filter five = filter_of_side(5);
  const auto channels = [&](std::int64_t in, std::int64_t out, std::int64_t groups = 1) {
    return conv_class({1, in, out, 8, 8}, filter_of_side(5, groups)).channels;
  };
  CHECK(channels(64, 999) == 64);
  CHECK(channels(999, 65) == 128);
  CHECK(channels(256, 256) == 256);
  CHECK(channels(257, 2000) == 256);
  CHECK(channels(3, 64) == 4);
  CHECK(channels(64, 64, 2) == 0);
  CHECK(channels(64, 64, 64) == 0);
  CHECK(has_other_filter(conv_class({1, 64, 64, 8, 8}, five)));
  CHECK_FALSE(has_other_filter(conv_class({1, 64, 64, 8, 8}, {})));
  CHECK_FALSE(has_other_filter(classify(relu(8))));
  // A convolution of one channel is no depthwise one.
  CHECK_FALSE(has_other_filter(conv_class({1, 1, 64, 8, 8}, {})));
  CHECK(has_other_filter(conv_class({1, 64, 64, 8, 8}, {3, 3, 1, 1, 64, false, 8, 8})));
  CHECK(conv_class({1, 64, 64, 8, 8}, filter_of_side(5, 4)).filter.groups == 2);
  CHECK(conv_class({1, 2, 2, 8, 8}, filter_of_side(5, 2)).filter.groups == kAlone);
  // Depthwise ones are one class, of whatever side.
  CHECK(conv_class({1, 64, 64, 8, 8}, filter_of_side(5, 64)) == conv_class({9, 32, 32, 4, 4}, filter_of_side(3, 32)));
  SECTION("both types of 16 bits run the same kernels from 17 channels on") {
    const auto of = [&](DType type, std::int64_t width) {
      return conv_class({1, width, width, 8, 8}, five, type == DType::f16 ? MathMode::fp16 : MathMode::bf16, type);
    };
    CHECK(of(DType::f16, 17) == of(DType::bf16, 17));
    CHECK(of(DType::f16, 16) != of(DType::bf16, 16));
    CHECK(conv_class({1, 64, 64, 8, 8}, five).math == MathMode::tf32);
    CHECK(conv_class({1, 64, 64, 8, 8}, five, MathMode::fp32).math == MathMode::fp32);
  }
  SECTION("and by layout") {
    CHECK(conv_class({1, 64, 64, 8, 8}, five) !=
          conv_class({1, 64, 64, 8, 8}, five, MathMode::tf32, DType::f32, kNchw));
  }
}

TEST_CASE("what differs in a class where one thing of an op is changed") {
  using enum OpKind;
  const auto of = [](OpKind kind, DType type, Layout layout, std::int64_t channels, std::int64_t out = 9) {
    return classify(make_op(kind, MathMode::fp32, type, layout, {4, channels, out, 8, 8}, {}));
  };
  struct Matters {
    OpKind kind{};
    bool layout{};
    bool channels{};
    bool outputs{};
    bool type{};  // of 16 bits
  };
  for (const auto& [kind, layout, channels, outputs, type] :
       std::vector<Matters>{{relu_forward, false, false, false, false},
                            {relu_backward, false, false, false, false},
                            {bias_add, true, false, false, false},
                            {concatenate, true, false, false, false},
                            {bilinear_backward, true, false, false, false},
                            {bias_grad, true, true, false, false},
                            {max_pool_forward, true, true, false, false},
                            {layer_norm_forward, true, true, false, false},
                            {batch_norm_forward, true, true, false, true},
                            {batch_norm_backward, true, true, false, true},
                            {avg_pool_forward, true, false, true, false},
                            {avg_pool_backward, true, false, true, false},
                            {conv_forward, true, true, true, false},
                            {linear_forward, false, true, true, false}}) {
    CAPTURE(base::name_of_enum(kind));
    const ShapeClass usual = of(kind, DType::bf16, kNchw, 64);
    CHECK((of(kind, DType::bf16, kNhwc, 64) != usual) == layout);
    CHECK((of(kind, DType::bf16, kNchw, 32) != usual) == channels);
    CHECK((of(kind, DType::bf16, kNchw, 64, 7) != usual) == outputs);
    CHECK((of(kind, DType::f16, kNchw, 64) != usual) == type);
    CHECK(of(kind, DType::f32, kNchw, 64) != usual);
  }
  CHECK(of(batch_norm_forward, DType::f16, kNchw, 64).math == MathMode::fp16);
  CHECK(of(relu_forward, DType::f16, kNchw, 64).math == MathMode::fp32);
  CHECK(of(fused, DType::bf16, kNchw, 64) == of(relu_forward, DType::bf16, kNchw, 64));
  // Linear layers have the channels that they have, in whatever unit.
  const ShapeClass linear = classify(make_op(linear_forward, MathMode::bf16, DType::bf16, kNchw, {4, 70, 90, 1, 1}));
  CHECK(linear.channels == 70);
  CHECK(linear.outputs == 90);
}

TEST_CASE("curves are drawn over images, over pixels, or over what takes as long as so many bytes") {
  using enum OpKind;
  const auto size = [](OpKind kind, const Extent& extent, Layout layout = Layout::nhwc, const Filter& filter = {}) {
    return curve_size(make_op(kind, MathMode::bf16, DType::bf16, layout, extent, filter));
  };
  CHECK(size(linear_forward, {7, 64, 64, 1, 1}) == 7);
  CHECK(size(linear_weight_grad, {7, 64, 64, 1, 1}) == 7);
  CHECK(size(conv_forward, {3, 64, 64, 5, 7}) == 105);
  CHECK(size(max_pool_forward, {3, 64, 64, 5, 7}) == 105);
  CHECK(size(max_pool_forward, {3, 64, 64, 5, 7}, kNhwc, filter_of_side(3)) == 105);
  CHECK(size(avg_pool_forward, {3, 64, 7, 5, 9}) == 45);  // one image of channels_last
  CHECK(size(avg_pool_forward, {3, 64, 2, 5, 9}) == 45);
  CHECK(size(avg_pool_forward, {3, 64, 1, 5, 9}) == 135);
  CHECK(size(avg_pool_forward, {3, 64, 7, 5, 9}, kNchw) == Approx(3 * 64 * (49 + 0.02 * 45)));  // by its windows
  CHECK(size(avg_pool_backward, {3, 64, 7, 5, 9}) == 3 * 64 * (45 + 49));  // elements read and written
  // 1x1 from 256 to 256 channels, 1000 pixels: 131 MFLOP over 412 FLOPs a byte of half an element, or the tensors.
  CHECK(size(conv_forward, {1, 256, 256, 10, 100}, kNhwc, {1, 1, 1, 1, 1, false, 10, 100}) ==
        Approx(2.0 * (1000 * 256 * 2 + 256 * 256)));
  CHECK(size(conv_forward, {1, 2048, 2048, 10, 100}, kNhwc, {1, 1, 1, 1, 1, false, 10, 100}) ==
        Approx(2.0 * 1000 * 2048 * 2048 * 2 / 412.0));
  CHECK(footprint(relu(100)) == 400);  // in place
  CHECK(footprint(make_op(bias_add, MathMode::fp32, DType::f32, kNchw, {100, 1, 1, 1, 1})) == 400);
  CHECK(footprint(make_op(relu_backward, MathMode::fp32, DType::f32, kNchw, {100, 1, 1, 1, 1})) == 1200);
}

namespace {

/// All that may tell two classes of convolutions apart, what says most first.
enum class Part { math, element, variant, layout, half, channels };

/// The class of VGG's usual convolution with one part changed.
ShapeClass changed(Part part) {
  ShapeClass shape = conv_class({1, 64, 64, 8, 8}, {}, MathMode::bf16, DType::bf16);
  switch (part) {
    case Part::math: shape.math = MathMode::fp32, shape.element_bytes = 4; break;
    case Part::element: shape.element_bytes = 4; break;
    case Part::variant: shape.variant = Variant::huge; break;
    case Part::layout: shape.layout = Layout::nchw; break;
    case Part::half: shape.math = MathMode::fp16; break;
    case Part::channels: shape.channels = 512; break;
  }
  return shape;
}

}  // namespace

TEST_CASE("the distance of two classes keeps the order of what says most") {
  const ShapeClass usual = conv_class({1, 64, 64, 8, 8}, {}, MathMode::bf16, DType::bf16);
  double before = std::numeric_limits<double>::infinity();
  for (const Part part : {Part::math, Part::element, Part::variant, Part::layout, Part::half, Part::channels}) {
    const double d = distance(changed(part), usual);
    CAPTURE(static_cast<int>(part), d);
    CHECK(d > 0.0);
    CHECK(d < before);
    CHECK(d == distance(usual, changed(part)));
    before = d;
  }
  SECTION("classes that go to other kernels for their channels are further than those of other channels") {
    ShapeClass few = usual;
    few.channels = 16;
    ShapeClass narrow = usual;
    narrow.channels = 17;
    CHECK(distance(few, usual) > distance(narrow, usual) + 5.0);
    CHECK(distance(few, usual) < distance(changed(Part::half), usual));
  }
  SECTION("huge ones are nearer to each other than to usual ones, and in true fp32 units alike nearer than others") {
    ShapeClass narrow = changed(Part::variant);
    narrow.variant = Variant::huge_narrow;
    ShapeClass ragged = usual;
    ragged.variant = Variant::ragged;
    CHECK(distance(narrow, changed(Part::variant)) < distance(narrow, usual));
    CHECK(distance(narrow, changed(Part::variant)) > 0.0);
    CHECK(distance(narrow, changed(Part::variant)) < distance(changed(Part::layout), usual));
    CHECK(distance(ragged, changed(Part::variant)) > distance(narrow, changed(Part::variant)));
    ShapeClass wide = changed(Part::element);
    ShapeClass wide_fp32 = wide;
    wide_fp32.math = MathMode::fp32;
    CHECK(distance(wide, wide_fp32) > distance(wide, usual));
  }
  SECTION("octaves of channels add up, in and out, and nothing is infinitely far from none") {
    ShapeClass other = usual;
    other.channels = 128;
    other.outputs = 32;
    CHECK(distance(other, usual) == Approx(2.0));
    other.channels = 64 * 3;
    CHECK(distance(other, usual) == Approx(1.0 + std::log2(3.0)));
    ShapeClass none = usual;
    none.channels = 0;
    ShapeClass one = usual;
    one.channels = 1;
    CHECK(distance(none, usual) == distance(one, usual));
  }
  SECTION("kinds have nothing in common, nor VGG's filter with others") {
    ShapeClass other = usual;
    other.kind = OpKind::conv_input_grad;
    CHECK(std::isinf(distance(other, usual)));
    CHECK(std::isinf(distance(conv_class({1, 64, 64, 8, 8}, filter_of_side(5)), usual)));
  }
}

TEST_CASE("among other filters taps, strides and dilation count by octaves, groups and direction for more") {
  const auto far = [](const Filter& a, const Filter& b) {
    ShapeClass left = conv_class({1, 64, 64, 8, 8}, filter_of_side(5));
    ShapeClass right = left;
    left.filter = a;
    right.filter = b;
    CHECK(distance(left, right) == distance(right, left));
    return distance(left, right);
  };
  const Filter one{1, 1, 1, 1, 1};
  CHECK(far(one, {2, 2, 1, 1, 1}) == Approx(2.0));
  CHECK(far(one, {1, 1, 2, 1, 1}) == Approx(1.0));
  CHECK(far(one, {1, 1, 1, 4, 1}) == Approx(2.0));
  CHECK(far(one, {1, 1, 1, 1, 2}) > far(one, {9, 9, 4, 4, 1}));
  CHECK(far(one, {1, 1, 1, 1, 1, true}) > far(one, {9, 9, 4, 4, 1}));
  CHECK(far({1, 1, 1, 1, 2, true}, one) == Approx(far(one, {1, 1, 1, 1, 2}) + far(one, {1, 1, 1, 1, 1, true})));
  // Of pools, VGG's are a class apart.
  const auto pool = [](const Filter& filter) {
    return classify(make_op(OpKind::max_pool_forward, MathMode::fp32, DType::f32, kNchw, {1, 8, 8, 8, 8}, filter));
  };
  CHECK(distance(pool({}), pool({3, 3, 2, 1, 1, false, 4, 4})) >
        distance(pool({3, 3, 2, 1, 1, false, 4, 4}), pool({9, 9, 4, 2, 1, false, 2, 2})) + 3000.0);
}

TEST_CASE("pools of other windows than VGG's are classes of their own, and only pools are") {
  using enum OpKind;
  const Filter three{3, 3, 2, 1, 1, false, 4, 4};
  for (const OpKind kind : {max_pool_forward, max_pool_backward, average_pool_forward, average_pool_backward}) {
    const auto of = [kind](const Filter& filter) {
      return classify(make_op(kind, MathMode::fp32, DType::f32, kNchw, {1, 8, 8, 8, 8}, filter)).filter;
    };
    CHECK(of({}) == Filter{});
    CHECK(of({2, 2, 2, 1, 1, false, 4, 4}) == Filter{});
    CHECK(of(three) == Filter{3, 3, 2, 1, kAlone});
    CHECK_FALSE(has_other_filter(classify(make_op(kind, MathMode::fp32, DType::f32, kNchw, {1, 8, 8, 8, 8}, three))));
  }
  CHECK(classify(make_op(bilinear_forward, MathMode::fp32, DType::f32, kNchw, {1, 8, 8, 8, 8}, three)).filter ==
        Filter{});
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
