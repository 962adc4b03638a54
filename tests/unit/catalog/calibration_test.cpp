// SPDX-License-Identifier: MIT
#include "vggplan/catalog/calibration.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "support/catch.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/catalog/measurements.hpp"

namespace {

using namespace vggplan;

std::string stored() {
  const auto text = catalog::Catalog::built_in().text("calibration", "h200-sxm-141gb");
  REQUIRE(text);
  return std::string(*text);
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

std::string error_of(const std::string& text) {
  const auto result = catalog::read_calibration({text, "my.json"});
  REQUIRE_FALSE(result);
  return result.error().place + ": " + result.error().rule;
}

base::Result<catalog::Measurements> rows(const std::string& text) {
  return catalog::read_measurements(text, "rows.jsonl");
}

}  // namespace

TEST_CASE("a calibration is written as it was read, byte for byte") {
  const auto calibration = catalog::read_calibration({stored(), "stored"});
  REQUIRE(calibration);
  CHECK(catalog::write_calibration(*calibration) == stored());
  CHECK(calibration->gpu == "h200-sxm-141gb");
  CHECK(calibration->basis == base::Basis::calibrated);
}

TEST_CASE("an error in a calibration names the file, the place and the rule") {
  CHECK(error_of(replaced(stored(), "\"op\": \"bias_add\"", "\"op\": \"bias_ad\"")).find("my.json:/streams/0/op") == 0);
  CHECK(error_of(replaced(stored(), "\"gap_seconds\"", "\"gap_second\"")).find("my.json:/host") == 0);
  CHECK(error_of(replaced(stored(), "\"layout\": \"nchw\"", "\"layout\": \"nhcw\"")).find("nhcw") != std::string::npos);
  CHECK(error_of(replaced(stored(), "[1, 64,", "[-1, 64,")).find("by_channels") != std::string::npos);
  CHECK(error_of(replaced(stored(), "[1, 64,", "[1.5, 64,")).find("by_channels") != std::string::npos);
  CHECK(error_of("{").find("my.json") == 0);
  SECTION("every part that the schema asks for is asked for here") {
    auto json = nlohmann::json::parse(stored());
    for (const std::string key : {"host", "links", "input", "spread", "streams", "curves"}) {
      auto less = json;
      less.erase(key);
      CHECK(error_of(less.dump()) == "my.json:/" + key + ": is missing");
    }
    json["spread"].erase("fp32");
    CHECK(error_of(json.dump()) == "my.json:/spread/fp32: is missing");
  }
  SECTION("sizes and channels stay within what is counted") {
    auto json = nlohmann::json::parse(stored());
    const auto with_curve = [&](const nlohmann::json& curve) {
      json["curves"][0]["by_channels"] = {curve};
      return error_of(json.dump());
    };
    CHECK(with_curve({64, 64, 61, 50000}).find("/by_channels") != std::string::npos);
    CHECK(with_curve({64, 64, 59, 50000, 50000, 50000}).find("/by_channels") != std::string::npos);
    CHECK(with_curve({18446744073709551615U, 64, 10, 50000}).find("/by_channels") != std::string::npos);
  }
}

TEST_CASE("rows of measurements become ops, steps, collectives and stages") {
  const auto read =
      rows(R"({"op":"conv_forward","precision":"tf32","layout":"nhwc","n":2,"c":64,"k":128,"h":9,"w":8,"us":12.5}
{"op":"optimizer","precision":"bf16","impl":"fused","parameters":1000,"tensors":4,"passes":1,"reads":4,"writes":3,"us":2}

{"arch":"vgg13","h":64,"w":96,"batch":3,"precision":"amp-bf16","layout":"nchw","optimizer":"adamw-fused","checkpoint":"seq4","ms_loop":5,"ms_fwd":1,"ms_bwd":2,"ms_opt":3}
{"arch":"vgg13","h":64,"w":96,"batch":3,"precision":"tf32","layout":"nchw","optimizer":"sgd","oom":"no"}
{"kind":"allreduce","world":2,"bytes":1024,"ms":0.5}
{"kind":"decode-pil","h":10,"w":20,"format":"JPEG","quality":90,"ms":3}
{"kind":"checkpoint","what":"weights","bytes":5}
)");
  REQUIRE(read);
  REQUIRE(read->ops.size() == 2);
  CHECK(read->ops[0].op.math == base::MathMode::tf32);
  CHECK(read->ops[0].op.extent == timing::Extent{2, 64, 128, 9, 8});
  CHECK(read->ops[0].seconds.count() == Catch::Detail::Approx(12.5e-6));
  CHECK(read->ops[1].op.impl == base::OptimizerImpl::fused);
  CHECK(read->ops[1].op.bytes().count() == 7 * 2 * 1000);
  REQUIRE(read->steps.size() == 1);
  CHECK(read->steps[0].optimizer == "adamw");
  CHECK(read->steps[0].optimizer_impl == "fused");
  CHECK(read->steps[0].checkpointing == "seq:4");
  CHECK(read->steps[0].place == "rows.jsonl:4");
  CHECK(read->collectives.size() == 1);
  REQUIRE(read->stages.size() == 1);
  CHECK(read->stages[0].stage == "decode-pil-jpeg");
  CHECK(read->stages[0].pixels == 200.0);
}

TEST_CASE("a row of the host has its phases in microseconds, and says how fast it was") {
  const auto read = rows(
      R"({"arch":"vgg11","h":32,"w":32,"batch":2,"precision":"tf32","layout":"nchw","optimizer":"sgd","host_fwd_us":1000,"host_bwd_us":2000,"host_opt_us":300,"ms_loop":3.5,"host_add_us":8}
{"arch":"vgg11","h":32,"w":32,"batch":2,"precision":"tf32","layout":"nchw","optimizer":"sgd","ms_fwd":1,"ms_bwd":2,"ms_opt":0.3,"ms_loop":3.5})");
  REQUIRE(read);
  REQUIRE(read->steps.size() == 2);
  CHECK(read->steps[0].on_host);
  CHECK(read->steps[0].host_operation.count() == Catch::Detail::Approx(8e-6));
  CHECK(read->steps[0].backward.count() == Catch::Detail::Approx(2e-3));
  CHECK(read->steps[0].step.count() == Catch::Detail::Approx(3.5e-3));
  CHECK_FALSE(read->steps[1].on_host);
  CHECK(read->steps[1].host_operation.count() == 0.0);
}

TEST_CASE("a row of another network says what is frozen, where it ends and what is trained") {
  const auto read = rows(
      R"({"arch":"unet-vgg16","h":32,"w":32,"batch":2,"precision":"tf32","layout":"nchw","optimizer":"sgd","ms_fwd":1,"ms_bwd":2,"ms_opt":0.3,"ms_loop":3.5}
{"arch":"vgg16","h":32,"w":32,"batch":2,"precision":"tf32","layout":"nchw","optimizer":"adam","frozen":"first:7","until":"relu3_3","train":"image","ms_fwd":1,"ms_bwd":2,"ms_opt":0.3,"ms_loop":3.5})");
  REQUIRE(read);
  REQUIRE(read->steps.size() == 2);
  CHECK(read->steps[0].classes == 21);
  CHECK(read->steps[0].frozen == "none");
  CHECK(read->steps[1].classes == 1000);
  CHECK(read->steps[1].frozen == "first:7");
  CHECK(read->steps[1].until == "relu3_3");
  CHECK(read->steps[1].trained == "image");
}

TEST_CASE("the speed of the host may be unknown, but not a range that leaves it out") {
  auto json = nlohmann::json::parse(stored());
  json.erase("host_speed");
  const auto unknown = catalog::read_calibration({json.dump(), "my.json"});
  REQUIRE(unknown);
  CHECK(unknown->host_speed == timing::HostSpeed{});
  CHECK(catalog::write_calibration(*unknown).find("host_speed") == std::string::npos);
  json["host_speed"] = {{"operation_seconds", 8e-6}, {"low", 9e-6}, {"high", 1e-5}};
  CHECK(error_of(json.dump()).find("my.json:/host_speed/low") == 0);
}

TEST_CASE("a row that cannot be read is named by its line") {
  const auto rule = [](const std::string& line) {
    const auto result = rows("\n" + line);
    REQUIRE_FALSE(result);
    CHECK(result.error().place.starts_with("rows.jsonl:2"));
    return result.error().rule;
  };
  CHECK(rule("[]").find("one JSON object") != std::string::npos);
  CHECK(rule("{").starts_with("is not JSON: "));
  CHECK(rule(R"({"op":"conv","precision":"tf32","us":1})").find("unknown word 'conv' in 'op'") != std::string::npos);
  CHECK(rule(R"({"op":"fill","precision":"int8","us":1})").find("unknown word 'int8' in 'precision'") == 0);
  CHECK(rule(R"({"op":"fill","precision":"fp32","layout":"nwhc","n":1,"c":1,"k":1,"h":1,"w":1,"us":1})") ==
        "unknown word 'nwhc' in 'layout'; did you mean 'nhwc' or 'nchw'?");
  CHECK(
      rule(
          R"({"op":"optimizer","precision":"fp32","impl":"fast","parameters":9,"tensors":1,"passes":1,"reads":1,"writes":1,"us":1})")
          .find("unknown word 'fast' in 'impl'") == 0);
  CHECK(rule(R"({"kind":"e2e","pipeline":"dali","h":9,"w":9,"jpeg_bytes":9,"workers":1,"images_per_s":1})") ==
        "'pipeline' is tv-uint8 or pil-float, not 'dali'");
  CHECK(rule(R"({"kind":"decode-pil","h":1073741824,"w":9,"format":"JPEG","ms":3})") ==
        "'h' must be 1 to 1048576, but is 1073741824");
  CHECK(
      rule(
          R"({"kind":"train","h":64,"w":64,"batch":3,"precision":"tf32","layout":"nchw","optimizer":"sgd","how":"ddp","world":2,"ms":1,"kw":{"bucket_cap_mb":9223372036854775807}})")
          .find("'bucket_cap_mb' must be 1 to 1048576") == 0);
  CHECK(rule(R"({"op":"fill","precision":"fp32","layout":"nchw","n":1,"c":1,"k":1,"h":1,"us":1})").find("'w'") !=
        std::string::npos);
  // Sizes are multiplied; what would wrap is refused.
  CHECK(
      rule(
          R"({"op":"fill","precision":"fp32","layout":"nchw","n":1099511627776,"c":1099511627776,"k":1,"h":1,"w":1,"us":1})")
          .find("2^53") != std::string::npos);
  CHECK(rule(R"({"op":"fill","precision":"fp32","layout":"nchw","n":0,"c":1,"k":1,"h":1,"w":1,"us":1})")
            .find("positive") != std::string::npos);
}
