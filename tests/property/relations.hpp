// SPDX-License-Identifier: MIT
// How answers to related questions hang together.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "support/random_question.hpp"

namespace vggplan::metamorphic {

using Json = nlohmann::ordered_json;
using support::Flags;

/// A question that has an answer.
struct Case {
  Flags flags{};
  test::FakeWorld& world;
  Json report{};  ///< `estimate`
  std::mt19937& random;
};
using Relation = void (*)(Case);

/// What the program writes; one that it refuses with exit code 2 writes nothing but one message.
test::Ran said(const std::string& command, const Flags& flags, test::FakeWorld& world);
std::optional<Json> asked(const std::string& command, Flags flags, test::FakeWorld& world);
/// The flags with others in their place.
Flags with(Flags flags, const Flags& others);
Flags without(Flags flags, std::initializer_list<const char*> names);
/// A job's settings, as a report tells them, as flags.
Flags flags_of(const Json& job);
double value(const Json& figure);

// One report by itself.
void consistent(const Json& report);
// The same question, asked in other words, and its answer in other forms.
void same_bytes(Case);
void resolved_settings(Case);
void saved_reports(Case);
void formats(Case);
void sweeps(Case);
void timelines(Case);
void comparisons(Case);
// Another question.
void larger_batches(Case);
void less_memory(Case);
void other_users(Case);
void accumulation(Case);
void counts_of_gpus(Case);
void evaluation(Case);
void freezing(Case);
void data(Case);
void layers(Case);
// What is proposed, done.
void warnings(Case);
void largest_that_fits(Case);
void plans(Case);
void remedies(Case);

}  // namespace vggplan::metamorphic
