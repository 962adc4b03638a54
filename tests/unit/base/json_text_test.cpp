// SPDX-License-Identifier: MIT
#include "vggplan/base/json_text.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "support/catch.hpp"

namespace vggplan::base {

namespace {

using Json = nlohmann::ordered_json;

std::string times(std::size_t count, const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i) {
    result += text;
  }
  return result;
}

Diagnostic refused(const std::string& text, std::size_t line = 1) {
  const auto parsed = parse_json<Json>(text, "f", line);
  REQUIRE_FALSE(parsed.has_value());
  return parsed.error();
}

bool accepted(const std::string& text) { return parse_json<Json>(text, "f").has_value(); }

}  // namespace

TEST_CASE("JSON nests as deep as our files do, and not deeper") {
  for (const auto& [open, shut] : {std::pair<std::string, std::string>{"[", "]"}, {R"({"a":)", "}"}}) {
    const auto nested = [&open = open, &shut = shut](std::size_t depth) {
      return times(depth, open) + "1" + times(depth, shut);
    };
    CHECK(accepted(nested(kDeepestNesting)));
    for (const std::size_t depth : {kDeepestNesting + 1, std::size_t{25'000}, std::size_t{60'000}}) {
      CHECK(refused(nested(depth)).rule == "nests deeper than 64 levels");
      CHECK(refused(times(depth, open)).rule == "nests deeper than 64 levels");
    }
  }
  // Brackets inside strings open nothing, whatever is escaped in them; lists side by side are not nested.
  CHECK(accepted("[\"" + times(100, "[{") + R"(\"[\\", 1])"));
  CHECK(accepted("[" + times(1000, "[1],") + "1]"));
}

TEST_CASE("what follows a NUL byte is not passed over") {
  const std::string nul(1, '\0');
  for (const std::string& text : {"{}" + nul + "{}", nul, "[\"" + nul + "\"]", "{}" + nul}) {
    CHECK(refused(text).rule == "holds a NUL byte: it is no text");
  }
  CHECK(refused("{\n  \"a\": 1}" + nul).place == "f:2:10");
}

TEST_CASE("a key that occurs twice in an object is refused, however it is written") {
  CHECK(refused(R"({"a": 1, "a": 2})").rule == "the key 'a' occurs twice");
  CHECK(refused(R"({"a": 1, "b": {"c": 1, "\u0063": 2}})").rule == "the key 'c' occurs twice");
  CHECK(accepted(R"([{"a": 1}, {"a": {"a": 1}}])"));
}

TEST_CASE("an object has no more keys than can be looked up in time") {
  const auto with_keys = [](std::size_t count) {
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
    }
    return text + "}";
  };
  CHECK(accepted(with_keys(100)));
  CHECK(refused(with_keys(10'001)).rule == "has more than 10,000 keys in one object");
}

TEST_CASE("messages of the parser are told without its numbers, at their place in the whole file") {
  CHECK(refused("{\"a\": 1,\n  2}").place == "f:2:3");
  CHECK(refused("[1, x]", 7).place == "f:7:5");
  CHECK(refused("[1e999]").rule == "is not JSON: number overflow parsing '1e999'");
  for (const std::string text : {"", "{", "[1e999]", "[1 2]", "\"\xff\"", "[nul]", R"(["\ud800"])", "{\"a\" 1}"}) {
    INFO(text);
    const Diagnostic error = refused(text);
    CHECK(error.rule.starts_with("is not JSON: "));
    CHECK(error.rule.find("json.exception") == std::string::npos);
    CHECK(error.rule.find("line 1") == std::string::npos);
  }
}

}  // namespace vggplan::base
