// SPDX-License-Identifier: MIT
// Each keyword: what it lets pass, and what it tells of what it does not. That no keyword is missed is tested with the
// schemas themselves: tests/unit/catalog/schemas_test.cpp.
#include "vggplan/schema/validate.hpp"

#include "support/catch.hpp"

namespace vggplan::schema {
namespace {

std::string error_of(const std::string& schema, const std::string& value,
                     UnknownKeys unknown_keys = UnknownKeys::refused) {
  const base::Status error = check(Json::parse(schema), Json::parse(value), {"a.json", "see there", unknown_keys});
  if (!error) {
    return "";
  }
  CHECK(error->fault == base::Fault::question);
  return error->place + ": " + error->rule + " | " + error->remedy;
}

TEST_CASE("a value of another type is told what it should be and what it is") {
  CHECK(error_of(R"({"type": "integer"})", "3").empty());
  CHECK(error_of(R"({"type": "integer"})", "3e2").empty());
  CHECK(error_of(R"({"type": "integer"})", "3.5") == "a.json: must be a whole number, not '3.5' | see there");
  CHECK(error_of(R"({"type": "number"})", R"("3")") == "a.json: must be a number, not a string | see there");
  CHECK(error_of(R"({"type": ["string", "boolean"]})", "null") ==
        "a.json: must be a string or true or false, not null | see there");
  CHECK(error_of(R"({"type": ["string", "null"]})", "null").empty());
  CHECK(error_of(R"({"type": "null"})", "3") == "a.json: must be null, not a number | see there");
  CHECK(error_of(R"({"type": "object"})", "[]") == "a.json: must be an object, not an array | see there");
}

TEST_CASE("ranges are told whole, with the ends that belong to them") {
  CHECK(error_of(R"({"type": "integer", "minimum": 1, "maximum": 9})", "0") ==
        "a.json: must be from 1 to 9, not 0 | see there");
  CHECK(error_of(R"({"type": "integer", "minimum": 1, "maximum": 9})", "9").empty());
  CHECK(error_of(R"({"minimum": 1, "exclusiveMaximum": 2})", "2") ==
        "a.json: must be at least 1 and below 2, not 2 | see there");
  CHECK(error_of(R"({"exclusiveMinimum": 0})", "0.0") == "a.json: must be above 0, not 0.0 | see there");
  CHECK(error_of(R"({"exclusiveMinimum": 0})", "1e-300").empty());
  CHECK(error_of(R"({"type": "number", "minimum": 1, "maximum": 2})", "3") ==
        "a.json: must be at least 1 and at most 2, not 3 | see there");
  CHECK(error_of(R"({"maximum": 1e18})", "2e18") == "a.json: must be at most 1e+18, not 2e+18 | see there");
}

TEST_CASE("whole numbers end at 2^53, and are compared as such") {
  CHECK(error_of(R"({"type": "integer"})", "9007199254740992").empty());
  CHECK(error_of(R"({"type": "integer"})", "9007199254740993") ==
        "a.json: must be at most 9007199254740992, not 9007199254740993 | see there");
  CHECK(error_of(R"({"type": "integer", "maximum": 9007199254740992})", "9007199254740993").find("must be at most") !=
        std::string::npos);
  CHECK(error_of(R"({"type": "integer", "maximum": 4611686018427387904})", "9007199254740993").empty());
  CHECK(error_of(R"({"type": "integer", "minimum": 1})", "18446744073709551615").find("must be at most") !=
        std::string::npos);
  CHECK(error_of(R"({"type": "integer", "exclusiveMaximum": 1e17})", "9007199254740993").empty());
  CHECK(error_of(R"({"type": "number"})", "9007199254740993").empty());
  CHECK(error_of(R"({"type": "integer"})", "1e300").find("must be a whole number") != std::string::npos);
}

TEST_CASE("texts") {
  CHECK(error_of(R"({"type": "string"})", R"("")").empty());
  CHECK(error_of(R"({"maxLength": 2})", R"("ab")").empty());
  CHECK(error_of(R"({"pattern": "^[0-9]+$"})", '"' + std::string(100, '1') + '"').empty());
  CHECK_FALSE(error_of(R"({"pattern": "^[0-9]+$"})", '"' + std::string(101, '1') + '"').empty());
  CHECK(error_of(R"({"minLength": 1})", R"("")") == "a.json: must not be empty | see there");
  CHECK(error_of(R"({"maxLength": 2})", R"("abc")") == "a.json: must have at most 2 characters, not 3 | see there");
  CHECK(error_of(R"({"pattern": "^[0-9]+$"})", R"("12")").empty());
  CHECK(error_of(R"({"pattern": "^[0-9]+$"})", R"("x")") == "a.json: must match \"^[0-9]+$\", not 'x' | see there");
  CHECK(error_of(R"({"pattern": "^[0-9]+$", "patternErrorMessage": "must be digits"})", R"("x")") ==
        "a.json: must be digits, not 'x' | see there");
  CHECK_FALSE(error_of(R"({"pattern": "^[0-9]+$"})", '"' + std::string(200'000, '1') + '"').empty());
}

TEST_CASE("words are suggested") {
  CHECK(error_of(R"({"enum": ["nchw", "nhwc"]})", R"("nhcw")") ==
        "a.json: unknown value 'nhcw' | did you mean 'nchw' or 'nhwc'?");
  CHECK(error_of(R"({"enum": ["a", "b"]})", "3") == "a.json: must be one of a, b, not 3 | see there");
  CHECK(error_of(R"({"enum": [1, 2]})", "3") == "a.json: must be one of 1, 2, not 3 | see there");
  CHECK(error_of(R"({"enum": [1, 2]})", "2").empty());
  CHECK(error_of(R"({"const": "M"})", R"("m")") == "a.json: must be \"M\", not 'm' | see there");
}

TEST_CASE("lists are told how long they should be, and which entry is wrong") {
  CHECK(error_of(R"({"minItems": 1})", "[]") == "a.json: must not be empty | see there");
  CHECK(error_of(R"({"minItems": 2})", "[1]") == "a.json: must hold at least 2 entries, not 1 | see there");
  CHECK(error_of(R"({"minItems": 1, "maxItems": 2})", "[1, 2, 3]") ==
        "a.json: must hold from 1 to 2 entries, not 3 | see there");
  CHECK(error_of(R"({"items": {"enum": ["ab", "cd"]}, "examples": [["ab"]]})", R"(["abb"])") ==
        "a.json:/0: unknown value 'abb' | did you mean 'ab'?");
  CHECK(error_of(R"({"maxItems": 1})", "[1, 2]") == "a.json: must hold at most 1 entries, not 2 | see there");
  CHECK(error_of(R"({"minItems": 2, "maxItems": 2})", "[1]") == "a.json: must hold 2 entries, not 1 | see there");
  CHECK(error_of(R"({"minItems": 1, "maxItems": 2, "examples": [[64], [64, 128]]})", "[]") ==
        "a.json: must not be empty | write for example [64] or [64,128]");
  CHECK(error_of(R"({"minItems": 2, "maxItems": 4})", "[]") ==
        "a.json: must hold from 2 to 4 entries, not 0 | see there");
  CHECK(error_of(R"({"items": {"type": "integer"}, "examples": [[1, 2]]})", R"([1, "x"])") ==
        "a.json:/1: must be a whole number, not a string | write for example [1,2]");
  CHECK(error_of(R"({"items": {"type": "integer"}})", R"([1, "x"])") ==
        "a.json:/1: must be a whole number, not a string | see there");
  const std::string row = R"({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}})";
  CHECK(error_of(row, R"(["a", 1, 2])").empty());
  CHECK(error_of(row, "[1]") == "a.json:/0: must be a string, not a number | see there");
  CHECK(error_of(row, R"(["a", "b"])") == "a.json:/1: must be a whole number, not a string | see there");
}

TEST_CASE("keys: an unknown one is told before the one that is missing, and both before values") {
  const std::string schema = R"({"type": "object", "additionalProperties": false, "required": ["name"],
    "properties": {"name": {"type": "string"}, "a/b~c": {"type": "integer"}}})";
  CHECK(error_of(schema, R"({"a/b~c": "x", "nane": "y"})") ==
        "a.json:/nane: unknown key 'nane' | did you mean 'name'?");
  CHECK(error_of(schema, R"({"a/b~c": "x"})") == "a.json:/name: is missing | see there");
  CHECK(error_of(schema, R"({"name": "y", "a/b~c": "x"})") ==
        "a.json:/a~1b~0c: must be a whole number, not a string | see there");
  CHECK(error_of(schema, R"({"name": "y", "new": 1})", UnknownKeys::passed).empty());
  const std::string map = R"({"additionalProperties": {"type": "integer"}, "propertyNames": {"pattern": "^[a-z]+$"}})";
  CHECK(error_of(map, R"({"a": 1})").empty());
  CHECK(error_of(map, R"({"a": "x"})") == "a.json:/a: must be a whole number, not a string | see there");
  CHECK(error_of(map, R"({"A": 1})") == "a.json:/A: must match \"^[a-z]+$\", not 'A' | see there");
  CHECK(error_of(R"({"dependentRequired": {"a": ["b"]}})", R"({"a": 1})") ==
        "a.json:/b: is missing | it goes with 'a': give both or neither");
  CHECK(error_of(R"({"dependentRequired": {"a": ["b"]}})", R"({"b": 1})").empty());
}

TEST_CASE("conditions and references") {
  const std::string schema = R"({"if": {"properties": {"kind": {"const": "x"}}}, "then": {"required": ["a"]},
    "else": {"properties": {"a": false}}})";
  CHECK(error_of(schema, R"({"kind": "x", "a": 1})").empty());
  CHECK(error_of(schema, R"({"kind": "x"})") == "a.json:/a: is missing | see there");
  CHECK(error_of(schema, R"({"kind": "y", "a": 1})") == "a.json:/a: does not go with what else is said | see there");
  CHECK(error_of(schema, R"({"kind": "y"})").empty());
  const std::string tree = R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "array",
    "items": {"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/tree"}]}}}})";
  CHECK(error_of(tree, "[1, [2, [3]]]").empty());
  CHECK(error_of(tree, R"([1, [2, ["x"]]])") ==
        "a.json:/1/1/0: must be a whole number or an array, not a string | see there");
  CHECK(error_of(R"({"allOf": [{"minimum": 1}, {"maximum": 2}]})", "3") ==
        "a.json: must be at most 2, not 3 | see there");
}

TEST_CASE("words that tell forms apart may be of several keys, beside others") {
  const std::string schema = R"({"oneOf": [{"properties": {"kind": {"const": "x"}, "op": {"enum": ["aa", "bb"]}}},
    {"properties": {"kind": {"const": "x"}, "op": {"const": "cc"}, "size": {"type": "integer"}}}]})";
  CHECK(error_of(schema, R"({"size": 1, "kind": "x", "op": "bb"})").empty());
  CHECK(error_of(schema, R"({"size": "s", "kind": "x", "op": "cc"})") ==
        "a.json:/size: must be a whole number, not a string | see there");
  CHECK(error_of(schema, R"({"size": 1, "kind": "x", "op": "dd"})") ==
        "a.json:/op: unknown value 'dd' | choose from aa, bb, cc");
  CHECK(error_of(schema, R"({"size": 1, "kind": "y", "op": "bb"})") ==
        "a.json:/kind: unknown value 'y' | did you mean 'x'?");
}

TEST_CASE("of several forms the one is told of that is meant") {
  const std::string width = R"({"oneOf": [{"type": "integer", "minimum": 1}, {"const": "M"}]})";
  CHECK(error_of(width, R"("M")").empty());
  CHECK(error_of(width, "0") == "a.json: must be at least 1, not 0 | see there");
  CHECK(error_of(width, "1.5") == "a.json: must be a whole number, not '1.5' | see there");
  CHECK(error_of(width, R"("m")") == "a.json: must be \"M\", not 'm' | see there");
  CHECK(error_of(width, "[]") == "a.json: must be a whole number or \"M\", not an array | see there");
  const std::string op = R"({"oneOf": [
    {"required": ["op"], "properties": {"op": {"enum": ["linear"]}, "size": {"type": "integer"}}},
    {"required": ["op"], "properties": {"op": {"enum": ["relu", "gelu"]}, "size": false}}]})";
  CHECK(error_of(op, R"({"op": "linear", "size": 3})").empty());
  CHECK(error_of(op, R"({"op": "linear", "size": "x"})") ==
        "a.json:/size: must be a whole number, not a string | see there");
  CHECK(error_of(op, R"({"op": "relu", "size": 3})") == "a.json:/size: does not go with what else is said | see there");
  CHECK(error_of(op, R"({"op": "rellu"})") == "a.json:/op: unknown value 'rellu' | did you mean 'relu' or 'gelu'?");
  CHECK(error_of(op, R"({"size": 3})") == "a.json:/op: is missing | see there");
  const std::string either = R"({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]})";
  CHECK(error_of(either, R"({"a": 1})").empty());
  CHECK(error_of(either, "{}") == "a.json:/a: is missing | give one of a, b");
  CHECK(error_of(either, R"({"a": 1, "b": 2})") == "a.json: may be read in two ways | see there");
  CHECK(error_of(R"({"oneOf": [{"required": ["a", "c"]}, {"required": ["b"]}]})", "{}") ==
        "a.json:/a: is missing | see there");
  CHECK(error_of(R"({"oneOf": [{"required": ["a"], "properties": {}}, {"required": ["b"]}]})", "{}") ==
        "a.json:/a: is missing | see there");
  CHECK(error_of(R"({"oneOf": [{"type": "string"}, {"type": "array"}]})", "3") ==
        "a.json: must be a string or an array, not a number | see there");
  const std::string some = R"({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]})";
  CHECK(error_of(some, R"({"a": 1, "b": 2})").empty());
  CHECK(error_of(R"({"anyOf": [{"type": "string"}, {"required": ["b"]}]})", "{}") ==
        "a.json: must be a string, not an object | see there");
  CHECK(error_of(some, "{}") == "a.json:/a: is missing | give one of a, b");
}

}  // namespace
}  // namespace vggplan::schema
