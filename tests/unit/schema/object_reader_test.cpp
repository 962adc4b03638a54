// SPDX-License-Identifier: MIT
#include "vggplan/schema/object_reader.hpp"

#include "support/catch.hpp"
#include "vggplan/base/dtype.hpp"

namespace vggplan::schema {
namespace {

class Sample {
 public:
  explicit Sample(const std::string& text) : value_(Json::parse(text)) {}
  ObjectReader reader() { return {value_, "/at", context_}; }
  ObjectReader::Context& context() { return context_; }

 private:
  Json value_;
  ObjectReader::Context context_{"a.json", {}};
};

TEST_CASE("values are read as they are") {
  Sample sample(R"({"text": "t", "yes": true, "count": 3, "big": 2e3, "share": 0.5, "math": "bf16",
    "texts": ["a", "b"], "counts": [1, 2.0]})");
  const ObjectReader reader = sample.reader();
  CHECK(reader.text("text") == "t");
  CHECK(reader.boolean("yes"));
  CHECK(reader.integer("count") == 3);
  CHECK(reader.bytes("big") == base::Bytes(2000));
  CHECK(reader.optional_bytes("big") == base::Bytes(2000));
  CHECK(reader.number("share") == 0.5);
  CHECK(reader.number("count") == 3.0);
  CHECK(reader.optional_quantity<base::Seconds>("share") == base::Seconds(0.5));
  CHECK(reader.enumeration<base::MathMode>("math") == base::MathMode::bf16);
  CHECK(reader.texts("texts") == std::vector<std::string>{"a", "b"});
  CHECK(reader.integers("counts") == std::vector<std::int64_t>{1, 2});
  CHECK(reader.integers("texts") == std::vector<std::int64_t>{0, 0});
  CHECK(reader.list("counts").size() == 2);
  CHECK(reader.has("count"));
  CHECK(*reader.find("count") == 3);
}

TEST_CASE("what is absent, or of another type, is what the reader says it is otherwise") {
  for (const std::string text :
       {"{}", "[]", "3", R"({"text": 1, "yes": "x", "count": 1.5, "share": "x", "math": "none", "list": {"x": 1}})"}) {
    INFO(text);
    Sample sample(text);
    const ObjectReader reader = sample.reader();
    CHECK(reader.text("text", "other") == "other");
    CHECK(reader.text("text").empty());
    CHECK(reader.boolean("yes", true));
    CHECK_FALSE(reader.boolean("yes"));
    CHECK(reader.integer("count", 7) == 7);
    CHECK(reader.number("share", 0.25) == 0.25);
    CHECK_FALSE(reader.optional_text("text"));
    CHECK_FALSE(reader.optional_bytes("count"));
    CHECK_FALSE(reader.optional_quantity<base::Seconds>("share"));
    CHECK(reader.enumeration("math", base::MathMode::fp16) == base::MathMode::fp16);
    CHECK(reader.list("list").empty());
    CHECK(reader.texts("list").empty());
    CHECK(reader.integers("list").empty());
    CHECK_FALSE(reader.has("none"));
    CHECK(reader.find("none") == nullptr);
    reader.inside("none", [](const ObjectReader&) { FAIL("there is none"); });
    reader.each("none", [](const ObjectReader&) { FAIL("there is none"); });
  }
}

TEST_CASE("readers inside know where they are, and the first error stays") {
  Sample sample(R"({"a/b~c": {"x": 1}, "list": [{"x": 2}, {"x": 3}]})");
  const ObjectReader reader = sample.reader();
  std::vector<std::string> places{reader.place()};
  reader.inside("a/b~c", [&](const ObjectReader& inner) {
    CHECK(inner.integer("x") == 1);
    places.push_back(inner.place());
  });
  CHECK(places == std::vector<std::string>{"a.json:/at", "a.json:/at/a~1b~0c"});
  std::vector<std::int64_t> seen;
  reader.each("list", [&](const ObjectReader& item) {
    seen.push_back(item.integer("x"));
    item.report("x", "is wrong", "mend it");
  });
  CHECK(seen == std::vector<std::int64_t>{2, 3});
  CHECK(sample.context().error ==
        base::Diagnostic{base::Fault::question, "a.json:/at/list/0/x", "is wrong", "mend it"});
}

TEST_CASE("whole numbers are those of 64 bits, however they are written") {
  CHECK(whole(Json::parse("-3")) == -3);
  CHECK(whole(Json::parse("1e9")) == 1'000'000'000);
  CHECK(whole(Json::parse("-9007199254740992.0")) == -9'007'199'254'740'992);
  CHECK_FALSE(whole(Json::parse("1.5")));
  CHECK_FALSE(whole(Json::parse("9007199254740994.0")));
  CHECK_FALSE(whole(Json::parse("1e300")));
  CHECK_FALSE(whole(Json::parse("\"3\"")));
  CHECK(whole(Json::parse("9223372036854775807")) == 9'223'372'036'854'775'807);
  CHECK(whole(Json::parse("18446744073709551615")) == 9'223'372'036'854'775'807);  // no larger one is needed
}

}  // namespace
}  // namespace vggplan::schema
