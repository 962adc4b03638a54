// SPDX-License-Identifier: MIT
#include "vggplan/catalog/gpu_request.hpp"

#include "support/catch.hpp"

namespace vggplan::catalog {
namespace {

/// "a100-sxm4-80gb:4 t4:1", or "error: rule".
std::string parsed(std::string_view text) {
  static const Catalog catalog = Catalog::built_in();
  const auto requests = parse_gpu_request(catalog, text, "--gpus");
  if (!requests) {
    return "error: " + requests.error().rule;
  }
  std::string out;
  for (const GpuRequest& request : *requests) {
    out += (out.empty() ? "" : " ") + request.choice.gpu.name + ":" + std::to_string(request.count);
  }
  return out;
}

TEST_CASE("a count is written before, after or behind a colon") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"a100x4", "a100-sxm4-80gb:4"},
      {"4xa100", "a100-sxm4-80gb:4"},
      {"a100:4", "a100-sxm4-80gb:4"},
      {"A100X4", "a100-sxm4-80gb:4"},
      {"a100*4", "a100-sxm4-80gb:4"},
      {"a100 x 4", "a100-sxm4-80gb:4"},
      {"4 x a100", "a100-sxm4-80gb:4"},
      {"a100 : 4", "a100-sxm4-80gb:4"},
      {" a100x4 ", "a100-sxm4-80gb:4"},
      {"4\xC3\x97"
       "a100",
       "a100-sxm4-80gb:4"},
      {"a100-40gb-pcie:8", "a100-pcie-40gb:8"},
      {"8xa100-40gb-pcie", "a100-pcie-40gb:8"},
      {"a100-40gb-pciex8", "a100-pcie-40gb:8"},
      {"h100", "h100-sxm5-80gb:1"},
      {"h100x1", "h100-sxm5-80gb:1"},
      {"h100:4096", "h100-sxm5-80gb:4096"},
      {"h100x08", "h100-sxm5-80gb:8"},
      {"NVIDIA A100 80GB PCIe x2", "a100-pcie-80gb:2"},
  };
  for (const auto& [text, expected] : table) {
    INFO(text);
    CHECK(parsed(text) == expected);
  }
}

TEST_CASE("a count stands before or behind every name, and a name alone is one GPU") {
  for (const std::string& name : Catalog::built_in().gpu_names()) {
    INFO(name);
    CHECK(parsed(name) == name + ":1");
    for (const std::string& text : {name + "x7", "7x" + name, name + ":7"}) {
      CHECK(parsed(text) == name + ":7");
    }
  }
}

TEST_CASE("digits and x inside names are not counts") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"rtx3090", "rtx-3090:1"},
      {"rtx3090x2", "rtx-3090:2"},
      {"2x3090", "rtx-3090:2"},
      {"3090x2", "rtx-3090:2"},
      {"3090:2", "rtx-3090:2"},
      {"4x4090", "rtx-4090:4"},
      {"4090x4", "rtx-4090:4"},
      {"4090", "rtx-4090:1"},
      {"titan-x", "titan-x-pascal:1"},
      {"titan-xx2", "titan-x-pascal:2"},
      {"2xtitan-x", "titan-x-pascal:2"},
      {"titanxp", "titan-xp:1"},
      {"titan-xpx4", "titan-xp:4"},
      {"k80x16", "k80-12gb:16"},
      {"v100-32gbx8", "v100-sxm2-32gb:8"},
      {"a100-80x8", "a100-sxm4-80gb:8"},
  };
  for (const auto& [text, expected] : table) {
    INFO(text);
    CHECK(parsed(text) == expected);
  }
}

TEST_CASE("alternatives keep their order, and one given twice counts once") {
  CHECK(parsed("a100x4,h100x2") == "a100-sxm4-80gb:4 h100-sxm5-80gb:2");
  CHECK(parsed("t4, l4 ,a10:2") == "t4:1 l4:1 a10:2");
  CHECK(parsed("a100x4,a100-80gbx4,a100x8") == "a100-sxm4-80gb:4 a100-sxm4-80gb:8");
}

TEST_CASE("any stands for every GPU") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string text : {"any", "ANY", "any:8", "8xany", "anyx8"}) {
    INFO(text);
    const auto requests = parse_gpu_request(catalog, text, "--gpus");
    REQUIRE(requests.has_value());
    CHECK(requests->size() == catalog.card_names().size());
    CHECK(std::ranges::none_of(*requests, [](const GpuRequest& request) {
      return request.choice.gpu.name.find("laptop") != std::string::npos;
    }));
    CHECK(requests->front().choice.gpu.name == "a10");
    CHECK(requests->front().choice.note.empty());
    CHECK(requests->back().count == (text.find('8') == std::string::npos ? 1 : 8));
  }
}

TEST_CASE("impossible requests say what is wrong with them") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"a100x0", "the number of GPUs must be from 1 to 4096, not '0'"},
      {"0xa100", "the number of GPUs must be from 1 to 4096, not '0'"},
      {"a100:0", "the number of GPUs must be from 1 to 4096, not '0'"},
      {"a100:-4", "the number of GPUs must be from 1 to 4096, not '-4'"},
      {"a100x-4", "the number of GPUs must be from 1 to 4096, not '-4'"},
      {"-4xa100", "the number of GPUs must be from 1 to 4096, not '-4'"},
      {"a100x4097", "the number of GPUs must be from 1 to 4096, not '4097'"},
      {"a100:99999999999999999999", "the number of GPUs must be from 1 to 4096, not '99999999999999999999'"},
      {"a100x1.5", "'1.5' in 'a100x1.5' is not a whole number of GPUs"},
      {"a100:four", "'four' in 'a100:four' is not a whole number of GPUs"},
      {"a100:4gpus", "'4gpus' in 'a100:4gpus' is not a whole number of GPUs"},
      {"a100:4:2", "'4:2' in 'a100:4:2' is not a whole number of GPUs"},
      {"a100:4x", "'4x' in 'a100:4x' is not a whole number of GPUs"},
      {"a100x", "'a100x' lacks the number of GPUs"},
      {"a100:", "'a100:' lacks the number of GPUs"},
      {"2xa100x4", "'2xa100x4' gives the number of GPUs twice"},
      {"a100x4x2", "'a100x4x2' gives the number of GPUs twice"},
      {"a100x4:2", "'a100x4:2' gives the number of GPUs twice"},
      {"4x", "'4x' names no GPU"},
      {":4", "':4' names no GPU"},
      {"", "names no GPU"},
      {"  ", "names no GPU"},
      {",", "',' has an empty entry"},
      {"a100,,h100", "'a100,,h100' has an empty entry"},
      {"a100,", "'a100,' has an empty entry"},
      {"x4", "unknown GPU 'x4'"},
      {"4", "unknown GPU '4'"},
      {"max", "unknown GPU 'max'"},
      {"gtx1081", "unknown GPU 'gtx1081'"},
      {"foox4", "unknown GPU 'foo'"},
      {"a100 4", "unknown GPU 'a100 4'"},
      {"a100x4 please", "unknown GPU 'a100x4 please'"},
      {"titanx4", "'titan' could be any of titan-rtx, titan-v, titan-x-pascal, titan-xp"},
      {"a100;h100", "unknown GPU 'a100;h100'"},
      {"a100\n", "unknown GPU 'a100\\x0a'"},
  };
  for (const auto& [text, rule] : table) {
    INFO(text);
    CHECK(parsed(text) == "error: " + rule);
  }
}

TEST_CASE("absurdly long requests end quickly") {
  CHECK(parsed(std::string(100'000, 'x')).starts_with("error: "));
  CHECK(parsed(std::string(100'000, ':')).starts_with("error: "));
  CHECK(parsed("a100x" + std::string(100'000, '9')).starts_with("error: the number of GPUs must be"));
  std::string many = "t4";
  for (int i = 0; i < 10'000; ++i) {
    many += ",t4";
  }
  CHECK(parsed(many) == "error: holds more than 100 alternatives");
}

}  // namespace
}  // namespace vggplan::catalog
