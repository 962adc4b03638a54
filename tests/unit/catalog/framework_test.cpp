// SPDX-License-Identifier: MIT
// Framework profiles: the built-in one and its rules against measured convolutions; errors in a user's.
#include <algorithm>
#include <cmath>

#include "catalog/records.hpp"
#include "support/catch.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/lowering/workspace.hpp"

namespace vggplan::catalog {
namespace {

using base::Diagnostic;
using base::Layout;
using base::MathMode;
using lowering::Convolution;
using lowering::ConvPass;

lowering::Framework built_in(std::string_view name = "pytorch-2.11") {
  return Catalog::built_in().framework(name).value();
}

TEST_CASE("the built-in profile holds PyTorch's constants") {
  const lowering::Framework framework = built_in();
  CHECK(framework.name == "pytorch-2.11");
  CHECK(framework.allocator == memory::AllocatorRules{});  // c10/core/AllocatorConfig.h, once as code
  CHECK(framework.cublaslt_workspace == base::Bytes(1048576));
  CHECK(framework.first_bucket == base::Bytes(1048576));
  CHECK(framework.broadcast_chunk == base::Bytes(262144000));
  CHECK_FALSE(framework.workspace.empty());
  CHECK_FALSE(framework.benchmark.empty());
}

TEST_CASE("cuBLAS gets 2 x 4 MiB and 8 x 16 KiB, and 32 MiB on the architectures that each version names") {
  constexpr std::int64_t kUsual = 2 * 4096 * 1024 + 8 * 16 * 1024;
  constexpr std::int64_t kLarge = 32 * 1024 * 1024;
  struct Expected {
    std::string version{};
    std::vector<std::int64_t> large{};
  };
  for (const Expected& expected : {Expected{"pytorch-2.6", {9}},
                                   {"pytorch-2.11", {9}},
                                   {"pytorch-2.14", {9, 10, 11, 12}},
                                   {"pytorch-2.15", {9, 10, 11, 12}}}) {
    const lowering::Framework framework = built_in(expected.version);
    for (const std::int64_t major : {5, 6, 7, 8, 9, 10, 11, 12}) {
      const bool large = std::ranges::find(expected.large, major) != expected.large.end();
      INFO(expected.version << " on " << major);
      CHECK(lowering::cublas_workspace(framework, major) == base::Bytes(large ? kLarge : kUsual));
    }
  }
}

TEST_CASE("other versions take what they do not say from 2.11, and say that it was not measured with them") {
  const lowering::Framework measured = built_in();
  CHECK(measured.rules_of.empty());
  for (const std::string name : {"pytorch-2.6", "pytorch-2.14", "pytorch-2.15"}) {
    const lowering::Framework other = built_in(name);
    CHECK(other.name == name);
    CHECK(other.title != measured.title);
    CHECK(other.rules_of == measured.title);
    CHECK(other.workspace == measured.workspace);
    CHECK(other.benchmark == measured.benchmark);
    CHECK(other.allocator == measured.allocator);
    const bool frees = name == "pytorch-2.15";  // pytorch/pytorch#194311
    CHECK(other.cublas_lifetime == (frees ? lowering::Lifetime::call : lowering::Lifetime::process));
  }
  // pytorch/pytorch#156495 keeps cuBLASLt's from 2.9 on, #168175 lets it use that of cuBLAS.
  CHECK(built_in("pytorch-2.6").cublaslt_lifetime == lowering::Lifetime::call);
  CHECK(measured.cublaslt_lifetime == lowering::Lifetime::process);
  CHECK(built_in("pytorch-2.14").cublaslt_workspace == base::Bytes(0));
  CHECK(built_in("pytorch-2.15").cublaslt_workspace == base::Bytes(0));
  CHECK(built_in("pytorch-2.6").allocator_variable == "PYTORCH_CUDA_ALLOC_CONF");
  CHECK(built_in("pytorch-2.14").allocator_variable == "PYTORCH_ALLOC_CONF");
}

TEST_CASE("the profile has a rule for every pass, type and layout") {
  const lowering::Framework framework = built_in();
  for (const MathMode math : {MathMode::fp32, MathMode::tf32, MathMode::fp16, MathMode::bf16}) {
    for (const Layout layout : {Layout::nchw, Layout::nhwc}) {
      for (const ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient}) {
        const auto rule = std::ranges::find_if(framework.workspace, [&](const auto& candidate) {
          const bool typed = std::find(candidate.math.begin(), candidate.math.end(), math) != candidate.math.end();
          return typed && candidate.layout.value_or(layout) == layout && candidate.pass == pass &&
                 candidate.in_channels.holds(512) && candidate.out_channels.holds(512) &&
                 candidate.pixels.holds(50'000) && candidate.elements.holds(25'600'000);
        });
        INFO(static_cast<int>(math) << " " << static_cast<int>(layout) << " " << static_cast<int>(pass));
        CHECK(rule != framework.workspace.end());
      }
    }
  }
}

/// Requested by cuDNN 9.19 on an H200, by hand from the recorded convolutions.
struct Recorded {
  MathMode math{};
  Layout layout{};
  ConvPass pass{};
  std::int64_t images{};
  std::int64_t in{};
  std::int64_t out{};
  std::int64_t height{};
  std::int64_t width{};
  std::int64_t bytes{};
  double tolerance{};  ///< in bytes
};

TEST_CASE("rules give the workspaces that were recorded of some convolutions") {
  const Recorded recorded[] = {
      {MathMode::tf32, Layout::nchw, ConvPass::forward, 1, 64, 64, 4024, 3036, 6255181971, 0},
      {MathMode::tf32, Layout::nchw, ConvPass::weight_gradient, 1, 64, 64, 4024, 3036, 6257246887, 1024},
      {MathMode::tf32, Layout::nchw, ConvPass::forward, 1, 512, 512, 503, 379, 790286483, 0},
      {MathMode::tf32, Layout::nchw, ConvPass::forward, 32, 128, 128, 112, 112, 415826291, 256},
      {MathMode::bf16, Layout::nhwc, ConvPass::weight_gradient, 1, 3, 64, 4024, 3036, 197801616, 0.001 * 197801616},
      // What 16 bytes do not divide is copied with padding: both operands of 509 channels, and those of 63 in tf32.
      {MathMode::bf16, Layout::nhwc, ConvPass::forward, 32, 509, 509, 112, 112, 826802323, 256},
      {MathMode::bf16, Layout::nchw, ConvPass::input_gradient, 32, 509, 509, 28, 28, 56098832, 256},
      {MathMode::tf32, Layout::nhwc, ConvPass::forward, 32, 63, 63, 28, 28, 12992659, 256},
      {MathMode::bf16, Layout::nhwc, ConvPass::forward, 32, 124, 248, 112, 112, 103331987, 256},
      // Small maps in large batches: the weight gradient's partial sums depend on the number of images.
      {MathMode::bf16, Layout::nhwc, ConvPass::weight_gradient, 128, 512, 512, 14, 14, 7865055, 256},
      {MathMode::bf16, Layout::nhwc, ConvPass::weight_gradient, 64, 512, 512, 14, 14, 0, 1024},
  };
  for (const Recorded& row : recorded) {
    const std::int64_t element = row.math == MathMode::tf32 ? 4 : 2;
    const Convolution conv{row.images, row.in, row.out, row.height, row.width, element, row.math, row.layout};
    const std::int64_t bytes = lowering::workspace_plans(built_in(), row.pass, conv, lowering::Device{}).front();
    INFO(row.images << "x" << row.in << "->" << row.out << " " << row.height << "x" << row.width << ": " << bytes);
    CHECK(std::abs(static_cast<double>(bytes - row.bytes)) <= row.tolerance);
  }
}

const std::string kProfile = R"({
  "name": "mine",
  "allocator": {"rounding_bytes": 512, "small_limit_bytes": 1048576, "small_segment_bytes": 2097152,
    "large_segment_bytes": 20971520, "large_request_bytes": 10485760, "large_rounding_bytes": 2097152,
    "split_remainder_bytes": 1048576},
  "cublas_workspaces": [{"majors": [9], "bytes": 2}, {"bytes": 1}], "cublaslt_workspace_bytes": 3,
  "cublas_workspace_lifetime": "call", "allocator_variable": "MINE",
  "cublas_handle_driver_bytes": 7, "backward_thread_driver_bytes": 8, "scaler_pixels_with_batch_norm": 9,
  "nccl_bytes": 10, "outside": {"bare_bytes_per_sm": [1, 2], "loaded_bytes": [3, 4], "measured_more_bytes": 5}, "ddp_first_bucket_bytes": 4, "ddp_broadcast_chunk_bytes": 5, "convolution_split_elements": 6,
  "convolution_workspace": [
    {"math": ["tf32", "bf16"], "layout": "nchw", "pass": "forward", "in_channels": [3, 8], "out_channels": [64],
     "input": 1.5, "output": 2, "weight": 3, "bytes": 7, "align": 4,
     "split": {"tile": [128, 64], "cluster": [8, 1], "slots": 120, "steps": 4},
     "fallbacks": [{"input": 1}, {"bytes": 9}]},
    {"math": ["fp16"], "pass": "input-gradient", "copies": true},
    {"math": ["bf16"], "pass": "forward", "in_channels": [64], "fitted": {"shapes": 9}, "fallbacks": [{"input": 1}],
     "kernels": [{"bytes": 5}, {"copies": true, "winograd": true}],
     "tree": ["map", 100, ["nchw", 1, 0, 1], ["images", 8, 1, ["width", 3, 0, 1]]]}
  ],
  "benchmark_workspace": [{"math": ["fp32"], "layout": "nhwc", "pass": "weight-gradient", "output": 4}]
})";

TEST_CASE("a user's profile is read in full") {
  const auto framework = read_framework({kProfile, "mine.json"});
  REQUIRE(framework.has_value());
  CHECK(framework->name == "mine");
  CHECK(framework->split_elements == 6);
  CHECK(lowering::cublas_workspace(*framework, 9) == base::Bytes(2));
  CHECK(lowering::cublas_workspace(*framework, 8) == base::Bytes(1));
  CHECK(framework->cublas_lifetime == lowering::Lifetime::call);
  CHECK(framework->outside ==
        lowering::Outside{base::Bytes(1), base::Bytes(2), base::Bytes(3), base::Bytes(4), base::Bytes(5)});
  CHECK(framework->cublaslt_lifetime == lowering::Lifetime::process);
  CHECK(framework->allocator_variable == "MINE");
  CHECK(framework->cublas_handle_driver == base::Bytes(7));
  CHECK(framework->backward_thread_driver == base::Bytes(8));
  CHECK(framework->scaler_pixels_with_batch_norm == 9);
  REQUIRE(framework->workspace.size() == 3);
  const lowering::WorkspaceRule& rule = framework->workspace[0];
  CHECK(rule.math == std::vector<MathMode>{MathMode::tf32, MathMode::bf16});
  CHECK(rule.in_channels == lowering::Range{3, 9});  // both ends of [3, 8] belong
  CHECK(rule.out_channels == lowering::Range{64});
  REQUIRE(rule.kernels.size() == 1);
  CHECK(rule.kernels[0].size == lowering::WorkspaceSize{1.5, 2, 3, 7, 4});
  CHECK(rule.kernels[0].split == lowering::SplitTiles{{128, 64}, {8, 1}, 120, 4});
  CHECK(rule.fallbacks.size() == 2);
  CHECK(rule.layout == Layout::nchw);
  CHECK_FALSE(rule.kernels[0].copies);
  CHECK_FALSE(framework->workspace[1].layout.has_value());
  CHECK(framework->workspace[1].kernels[0].copies);
  // One entry of two kernels, and a tree of four choices, each behind those that lead to it.
  const lowering::WorkspaceRule& several = framework->workspace[2];
  CHECK(several.math == std::vector<MathMode>{MathMode::bf16});
  CHECK(several.in_channels == lowering::Range{64});
  CHECK(several.fallbacks.size() == 1);
  REQUIRE(several.kernels.size() == 2);
  CHECK(several.kernels[0].size.bytes == 5);
  CHECK(several.kernels[1].copies);
  CHECK(several.kernels[1].winograd);
  CHECK_FALSE(several.kernels[0].winograd);
  using lowering::SizeAxis;
  const std::vector<lowering::SizeChoice> tree{{SizeAxis::map, 100, 1, 2, false, false},
                                               {SizeAxis::nchw, 1, 0, 1, true, true},
                                               {SizeAxis::images, 8, 1, 3, true, false},
                                               {SizeAxis::width, 3, 0, 1, true, true}};
  CHECK(several.tree == tree);
  REQUIRE(framework->benchmark.size() == 1);
  CHECK(framework->benchmark[0].pass == ConvPass::weight_gradient);
}

Diagnostic error_of(const std::string& from, const std::string& to) {
  std::string text = kProfile;
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  const auto framework = read_framework({text.replace(at, from.size(), to), "mine.json"});
  REQUIRE_FALSE(framework.has_value());
  return framework.error();
}

TEST_CASE("every error in a profile names its place") {
  CHECK(error_of("\"name\"", "\"nam\"").place == "mine.json:/nam");
  CHECK(error_of("\"cublaslt_workspace_bytes\": 3,", "").place == "mine.json:/cublaslt_workspace_bytes");
  CHECK(error_of("\"majors\": [9]", "\"majors\": [\"9\"]").place == "mine.json:/cublas_workspaces/0/majors/0");
  CHECK(error_of("[1, 2]", "[2, 1]").place == "mine.json:/outside/bare_bytes_per_sm");
  CHECK(error_of("\"call\"", "\"calls\"").place == "mine.json:/cublas_workspace_lifetime");
  CHECK(error_of("\"rounding_bytes\": 512", "\"rounding_bytes\": \"512\"").place ==
        "mine.json:/allocator/rounding_bytes");
  CHECK(error_of("\"align\": 4", "\"align\": 0").place == "mine.json:/convolution_workspace/0/align");
  CHECK(error_of("\"input\": 1.5", "\"input\": -1").place == "mine.json:/convolution_workspace/0/input");
  CHECK(error_of("\"input\": 1.5", "\"inputs\": 1.5").place == "mine.json:/convolution_workspace/0/inputs");
  CHECK(error_of("[128, 64]", "[128, 0]").place == "mine.json:/convolution_workspace/0/split/tile/1");
  CHECK(error_of("[8, 1]", "[8]").place == "mine.json:/convolution_workspace/0/split/cluster");
  CHECK(error_of("{\"bytes\": 9}", "{\"byte\": 9}").place == "mine.json:/convolution_workspace/0/fallbacks/1/byte");
  CHECK(error_of("\"bytes\": 5", "\"byte\": 5").place == "mine.json:/convolution_workspace/2/kernels/0/byte");
  for (const auto& [from, to] : {std::pair{"\"nchw\", 1, 0, 1", "\"nchw\", 1, 0, 2"},
                                 {"\"nchw\", 1, 0, 1", "\"nchv\", 1, 0, 1"},
                                 {"[\"width\", 3, 0, 1]", "[\"width\", 3, 0]"},
                                 {"\"map\", 100", "100, \"map\""}}) {
    INFO(to);
    CHECK(error_of(from, to).place.starts_with("mine.json:/convolution_workspace/2/tree"));
  }
  CHECK(error_of(",\n     \"tree\": [\"map\", 100, [\"nchw\", 1, 0, 1], [\"images\", 8, 1, [\"width\", 3, 0, 1]]]", "")
            .place == "mine.json:/convolution_workspace/2/tree");
  CHECK(error_of("\"output\": 4", "\"output\": 4000").place == "mine.json:/benchmark_workspace/0/output");
}

TEST_CASE("a user's profile may say what differs from another, in whatever order the files come") {
  const ConfigFile whole{"frameworks/mine.json", kProfile, "mine.json"};
  const ConfigFile other{"frameworks/an-other.json", R"({"name": "an-other", "rules_of": "mine", "nccl_bytes": 11})",
                         "an-other.json"};
  const std::vector<ConfigFile> files{other, whole};
  const auto catalog = Catalog::built_in().with_overrides(files);
  REQUIRE(catalog);
  lowering::Framework expected = catalog->framework("mine").value();
  expected.name = expected.title = "an-other";
  expected.rules_of = "mine";
  expected.nccl = base::Bytes(11);
  CHECK(catalog->framework("an-other").value() == expected);
}

TEST_CASE("rules are taken from a profile that has them, not from one that takes them, too") {
  const auto error = [](const std::string& base) {
    const std::vector<ConfigFile> files{
        {"frameworks/mine.json", "{\"name\": \"mine\", \"rules_of\": \"" + base + "\"}", "mine.json"}};
    const auto catalog = Catalog::built_in().with_overrides(files);
    REQUIRE_FALSE(catalog);
    CHECK(catalog.error().place == "mine.json:/rules_of");
    return catalog.error();
  };
  CHECK(error("pytorch-2.6").rule.find("must say all itself") != std::string::npos);
  CHECK(error("mine").rule.find("must say all itself") != std::string::npos);
  CHECK(error("pytorch-2.10").remedy.find("pytorch-2.11") != std::string::npos);
}

TEST_CASE("wrong names and ranges are answered with what to write") {
  const Diagnostic math = error_of("\"tf32\", \"bf16\"", "\"tf23\"");
  CHECK(math.place == "mine.json:/convolution_workspace/0/math/0");
  CHECK(math.rule == "unknown value 'tf23'");
  CHECK(math.remedy.find("tf32") != std::string::npos);
  const Diagnostic pass = error_of("\"pass\": \"forward\"", "\"pass\": \"forwards\"");
  CHECK(pass.place == "mine.json:/convolution_workspace/0/pass");
  CHECK(pass.remedy.find("forward") != std::string::npos);
  for (const std::string wrong : {"[]", "[1, 2, 3]", "[1.5]", "[\"3\"]"}) {
    const Diagnostic range = error_of("[3, 8]", wrong);
    CHECK(range.place.starts_with("mine.json:/convolution_workspace/0/in_channels"));
    CHECK(range.remedy == "write for example [64] or [64,128]");
  }
}

}  // namespace
}  // namespace vggplan::catalog
