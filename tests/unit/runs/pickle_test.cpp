// SPDX-License-Identifier: MIT
// Pickles: plain data is read as it was written, and nothing else is.
#include "runs/pickle.hpp"

#include <random>

#include "support/catch.hpp"
#include "support/pickle_writer.hpp"

namespace vggplan::runs {
namespace {

using Json = nlohmann::ordered_json;
using namespace std::string_literals;

Json as_json(const Pickle& pickle, const Pickle::Value& value, const std::vector<std::string>& keys) {
  switch (value.type) {
    case Pickle::Type::none:
    case Pickle::Type::mark: return nullptr;
    case Pickle::Type::boolean: return value.integer != 0;
    case Pickle::Type::integer: return value.integer;
    case Pickle::Type::real: return value.real;
    case Pickle::Type::text: return std::string(pickle.text(value));
    case Pickle::Type::list:
    case Pickle::Type::tuple: {
      Json list = Json::array();
      for (const Pickle::Value& item : pickle.items(value)) {
        list.push_back(as_json(pickle, item, keys));
      }
      return list;
    }
    case Pickle::Type::dict: {
      Json object = Json::object();
      for (const std::string& key : keys) {
        if (const auto member = pickle.member(value, key)) {
          object[key] = as_json(pickle, *member, keys);
        }
      }
      return object;
    }
  }
  return {};
}

std::string error_of(const std::string& bytes) {
  const auto read = Pickle::read(bytes, "s");
  return read ? "" : read.error().place + ": " + read.error().rule;
}

Json random_value(std::mt19937& random, int depth) {
  switch (std::uniform_int_distribution(depth > 0 ? 0 : 2, 7)(random)) {
    case 0: {
      Json list = Json::array();
      for (unsigned i = random() % 4; i > 0; --i) {
        list.push_back(random_value(random, depth - 1));
      }
      return list;
    }
    case 1: {
      Json object = Json::object();
      for (const char* key : {"a", "bc", "addr"}) {
        if (random() % 2 == 0) {
          object[key] = random_value(random, depth - 1);
        }
      }
      return object;
    }
    case 2: return nullptr;
    case 3: return random() % 2 == 0;
    case 4: return static_cast<std::int64_t>(random()) - INT32_MAX;
    case 5: return (static_cast<std::int64_t>(random()) << (random() % 32)) * (random() % 2 == 0 ? 1 : -1);
    case 6: return 0.5 * static_cast<double>(random());
    default: return std::string(random() % 300, 'x');
  }
}

TEST_CASE("plain data is read as it was written") {
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    const Json value = random_value(random, 4);
    const std::string bytes = support::PickleWriter::dumps(value);
    const auto pickle = Pickle::read(bytes, "s");
    REQUIRE(pickle.has_value());
    CHECK(as_json(*pickle, pickle->root(), {"a", "bc", "addr"}) == value);
  }
}

// python3 -c 'import pickle; print(pickle.dumps({"a": (1, -2, 1 << 40), "b": [None, True, 0.5]}, PROTOCOL))'
TEST_CASE("what CPython writes is read, in every protocol from 2 on") {
  const Json expected = {{"a", {1, -2, 1LL << 40}}, {"b", {nullptr, true, 0.5}}};
  const std::string two =
      "\x80\x02}q\x00(X\x01\x00\x00\x00"
      "aq\x01K\x01J\xfe\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01\x87q\x02"
      "X\x01\x00\x00\x00"
      "bq\x03]q\x04(N\x88G?\xe0\x00\x00\x00\x00\x00\x00"
      "eu."s;
  const std::string four =
      "\x80\x04\x95)\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01"
      "a\x94K\x01J\xfe\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00"
      "\x01\x87\x94\x8c\x01"
      "b\x94]\x94(N\x88G?\xe0\x00\x00\x00\x00\x00\x00"
      "eu."s;
  for (const std::string& bytes : {two, four}) {
    const auto pickle = Pickle::read(bytes, "s");
    REQUIRE(pickle.has_value());
    CHECK(as_json(*pickle, pickle->root(), {"a", "b"}) == expected);
  }
}

TEST_CASE("whatever would call something is refused by name") {
  // os.system("id"): protocols 2 and 4.
  CHECK(error_of("\x80\x02"
                 "cposix\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03."s) ==
        "s:byte 2: would have Python import or call something (GLOBAL): a snapshot is plain data");
  CHECK(error_of("\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."s)
            .find("(STACK_GLOBAL)") != std::string::npos);
  const std::vector<std::pair<char, std::string>> calls{
      {'c', "GLOBAL"},  {'\x93', "STACK_GLOBAL"}, {'R', "REDUCE"},       {'b', "BUILD"},         {'i', "INST"},
      {'o', "OBJ"},     {'\x81', "NEWOBJ"},       {'\x92', "NEWOBJ_EX"}, {'\x82', "EXT1"},       {'\x83', "EXT2"},
      {'\x84', "EXT4"}, {'P', "PERSID"},          {'Q', "BINPERSID"},    {'\x97', "NEXT_BUFFER"}};
  for (const auto& [code, name] : calls) {
    INFO(name);
    CHECK(error_of("\x80\x04N"s + code + ".").find("(" + name + ")") != std::string::npos);
  }
  CHECK(error_of("\x80\x04"
                 "B\x00\x00\x00\x00."s) == "s:byte 2: has the opcode 0x42, which plain data does not need");
}

TEST_CASE("what is cut short or damaged is refused, wherever it is cut") {
  const std::string whole = support::PickleWriter::dumps({{"a", {1, 2.5, "text", nullptr}}, {"b", 1LL << 40}});
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK_FALSE(Pickle::read(std::string_view(whole).substr(0, length), "s").has_value());
  }
  for (const std::string& damaged :
       {"\x80\x04."s,
        "\x80\x04"
        "e."s,
        "\x80\x04N(e."s, "\x80\x04]Ns."s, "\x80\x04}(Nu."s, "\x80\x04}((Nu."s, "\x80\x04h\x05."s,
        "\x80\x04Nr\xff\xff\xff\xff."s, "\x80\x04\x94."s, "\x80\x04t."s, "\x80\x04\x87."s,
        "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff."s, "\x80\x04\x8d\x10\x00\x00\x00\x00\x00\x00\x00x."s,
        "\x80\x04\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01."s}) {
    CHECK_FALSE(error_of(damaged).empty());
  }
}

TEST_CASE("small files do not become large, and what contains itself does no harm") {
  // Each list holds the one before twice: 2^1000 leaves in three kilobytes.
  std::string laughs = "\x80\x04]\x94"s;
  for (int i = 0; i < 250; ++i) {
    laughs += "](h"s + static_cast<char>(i) + "h" + static_cast<char>(i) + "e\x94";
  }
  CHECK(error_of(laughs + ".").empty());
  CHECK(error_of("\x80\x04]\x94h\x00"
                 "a."s)
            .empty());
  CHECK(error_of("\x80\x04" + std::string(2'000'000, '(')).find("open at once") != std::string::npos);
  std::string keys = "\x80\x04}(";
  for (int i = 0; i < 101; ++i) {
    keys += "NN";
  }
  CHECK(error_of(keys + "u.").find("more than 100 keys") != std::string::npos);
  std::string lists = "\x80\x04(";
  lists += std::string(900'000, ']') + "t.";
  CHECK(error_of(lists).empty());
}

}  // namespace
}  // namespace vggplan::runs
