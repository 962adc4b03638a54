// SPDX-License-Identifier: MIT
// docs/interface.md names every command, flag, choice and key of JSON that there is.
#include <nlohmann/json.hpp>
#include <set>

#include "app/flags.hpp"
#include "cli/fake_world.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace vggplan {

namespace {

using nlohmann::json;

const std::string& document() {
  static const std::string kText = test::repository_file("docs/interface.md");
  return kText;
}

/// Whether `word` stands in the document by itself, and not as a part of another.
bool is_named(const std::string& word) {
  const auto joins = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; };
  const std::string& text = document();
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !joins(text[at - 1])) && (end == text.size() || !joins(text[end]))) {
      return true;
    }
  }
  return false;
}

void collect_keys(const json& schema, std::set<std::string>& keys) {
  if (schema.is_object() && schema.contains("properties")) {
    for (const auto& [key, about] : schema.at("properties").items()) {
      keys.insert(key);
    }
  }
  for (const json& part : schema) {
    if (part.is_structured()) {
      collect_keys(part, keys);
    }
  }
}

}  // namespace

TEST_CASE("the document names every command, flag and choice", "[docs]") {
  for (const auto& row : base::NameTable<app::Command>::table) {
    INFO(row.name);
    CHECK(is_named("`" + std::string(row.name) + "`"));
  }
  for (const app::Flag& flag : app::flags()) {
    INFO(flag.name);
    CHECK(is_named("--" + std::string(flag.name)));
    // Names of the catalogue are too many, and 'vggplan gpus' lists them.
    const std::vector<std::string> choices = flag.choices == nullptr ? std::vector<std::string>() : flag.choices();
    for (std::string choice : choices) {
      choice.erase(choice.find_last_not_of('=') + 1);
      INFO(choice);
      CHECK((choices.size() > 6 || choice.find(':') != std::string::npos || is_named("`" + choice + "`")));
    }
  }
}

TEST_CASE("the document names every key that the schema of reports has", "[docs]") {
  std::set<std::string> keys;
  collect_keys(json::parse(test::run("schema report").out), keys);
  CHECK(keys.size() > 200);
  for (const std::string& key : keys) {
    INFO(key);
    CHECK(is_named(key));
  }
  CHECK_FALSE(is_named("allocated_peak"));
}

}  // namespace vggplan
