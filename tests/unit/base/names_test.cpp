// SPDX-License-Identifier: MIT
#include "vggplan/base/names.hpp"

#include "support/catch.hpp"

namespace vggplan::base {

enum class Fruit { apple, pear };

namespace {

using Names = std::vector<std::string>;

const Names kGpus{"a100-sxm4-40gb", "a100-sxm4-80gb", "h100-pcie-80gb", "h100-sxm5-80gb", "t4", "l4", "l40s"};

TEST_CASE("an enum and its name lead to each other") {
  CHECK(name_of_enum(Fruit::pear) == "pear");
  CHECK(parse_enum<Fruit>("apple") == Fruit::apple);
  CHECK(parse_enum<Fruit>("Apple") == std::nullopt);
  CHECK(parse_enum<Fruit>("") == std::nullopt);
  CHECK(enum_names<Fruit>() == Names{"apple", "pear"});
}

TEST_CASE("a slip of one key finds the name") {
  CHECK(nearest("a100-sxm4-8ogb", kGpus, 1) == Names{"a100-sxm4-80gb"});   // substituted
  CHECK(nearest("a100-sxm4-800gb", kGpus, 1) == Names{"a100-sxm4-80gb"});  // inserted
  CHECK(nearest("a100-sx4-80gb", kGpus, 1) == Names{"a100-sxm4-80gb"});    // left out
  CHECK(nearest("a100-smx4-80gb", kGpus, 1) == Names{"a100-sxm4-80gb"});   // swapped: one slip, so nearer than 40gb
}

TEST_CASE("the nearest name comes first, ties keep the order given") {
  CHECK(nearest("a100-sxm4-60gb", kGpus) == Names{"a100-sxm4-40gb", "a100-sxm4-80gb"});
  CHECK(nearest("l5", kGpus) == Names{"l4"});
  CHECK(nearest("x4", kGpus) == Names{"t4", "l4"});
}

TEST_CASE("a name that was broken off is near") {
  CHECK(nearest("h100", kGpus) == Names{"h100-pcie-80gb", "h100-sxm5-80gb"});
  CHECK(nearest("h", kGpus).empty());
}

TEST_CASE("capital letters are no slip") { CHECK(nearest("A100-SXM4-40GB", kGpus, 1) == Names{"a100-sxm4-40gb"}); }

TEST_CASE("what is far from every name has no nearest") {
  CHECK(nearest("toaster", kGpus).empty());
  CHECK(nearest("", kGpus).empty());
  CHECK(nearest(std::string(1'000'000, 'a'), kGpus).empty());
  CHECK(nearest("a100", {}).empty());
}

TEST_CASE("words of other tools lead to what is meant, not to what is spelt alike") {
  const Names precisions{"fp32", "tf32", "amp-bf16", "amp-fp16", "bf16"};
  CHECK(nearest("fp16", precisions) == Names{"amp-fp16"});
  CHECK(nearest("FP16", precisions) == Names{"amp-fp16"});
  CHECK(nearest("bf16_mixed", precisions) == Names{"amp-bf16"});
  CHECK(nearest("autocast", precisions) == Names{"amp-bf16", "amp-fp16"});
  CHECK(nearest("autocast", precisions, 1) == Names{"amp-bf16"});
  CHECK(nearest("dp", Names{"ddp", "zero1", "fsdp2"}) == Names{"ddp"});
  CHECK(nearest("channels_last", Names{"nchw", "nhwc"}) == Names{"nhwc"});
  CHECK(suggestion("--batch-size", Names{"--batch", "--global-batch", "--bucket-mb"}) == "did you mean '--batch'?");
  // Where what it stands for cannot be chosen, spelling decides.
  CHECK(nearest("fp16", Names{"fp32", "tf32", "bf16"}) == Names{"fp32", "bf16"});
  CHECK(nearest("dp", Names{"zero1", "fsdp2"}).empty());
}

TEST_CASE("a suggestion names what is near, or else everything") {
  const Names colours{"red", "reed", "read", "blue"};
  CHECK(suggestion("blu", colours) == "did you mean 'blue'?");
  CHECK(suggestion("rde", colours) == "did you mean 'red'?");
  CHECK(suggestion("reeds", colours) == "did you mean 'reed', 'red' or 'read'?");
  CHECK(suggestion("x4", kGpus) == "did you mean 't4' or 'l4'?");
  CHECK(suggestion("purple", colours) == "choose from red, reed, read, blue");
  CHECK(suggestion("x", {}).empty());
}

}  // namespace
}  // namespace vggplan::base
