// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "catalog/read_record.hpp"
#include "vggplan/catalog/calibration.hpp"

namespace vggplan::catalog {
namespace {

using timing::Calibration;
using timing::HostCosts;
using timing::HostSpeed;
using timing::ShapeClass;
using timing::Spread;

/// Keys and what they hold, read and written by one table each.
template <class Part, class Value = double>
struct Key {
  std::string_view key{};
  Value Part::*field{};
};
constexpr auto kHostKeys = std::to_array<Key<HostCosts>>({
    {"step_seconds", &HostCosts::step_seconds},
    {"forward_op_seconds", &HostCosts::forward_op_seconds},
    {"unrecorded_share", &HostCosts::unrecorded_share},
    {"cast_seconds", &HostCosts::cast_seconds},
    {"backward_seconds", &HostCosts::backward_seconds},
    {"backward_op_seconds", &HostCosts::backward_op_seconds},
    {"gradient_seconds", &HostCosts::gradient_seconds},
    {"kernel_seconds", &HostCosts::kernel_seconds},
    {"checkpoint_seconds", &HostCosts::checkpoint_seconds},
    {"recompute_seconds", &HostCosts::recompute_seconds},
    {"saved_tensor_seconds", &HostCosts::saved_tensor_seconds},
    {"optimizer_pass_seconds", &HostCosts::optimizer_pass_seconds},
    {"optimizer_tensor_seconds", &HostCosts::optimizer_tensor_seconds},
    {"optimizer_call_seconds", &HostCosts::optimizer_call_seconds},
    {"scaler_seconds", &HostCosts::scaler_seconds},
    {"busy_share", &HostCosts::busy_share},
    {"gap_seconds", &HostCosts::gap_seconds},
});

constexpr auto kLinkKeys = std::to_array<Key<timing::LinkRates>>({
    {"start_seconds", &timing::LinkRates::start_seconds},
    {"hop_seconds", &timing::LinkRates::hop_seconds},
    {"nvlink_share", &timing::LinkRates::nvlink_share},
    {"gather_share", &timing::LinkRates::gather_share},
    {"overlap_share", &timing::LinkRates::overlap_share},
    {"spread_share", &timing::LinkRates::spread_share},
});

constexpr auto kSpreadKeys = std::to_array<Key<Calibration, Spread>>({
    {"usual", &Calibration::spread},
    {"fp32", &Calibration::spread_fp32},
    {"host_bound", &Calibration::spread_host},
});

/// Whether `list` holds at least `fewest` whole numbers, none negative.
bool is_row(const nlohmann::json& list, std::size_t fewest) {
  return list.is_array() && list.size() >= fewest &&
         std::all_of(list.begin(), list.end(), [](const nlohmann::json& v) { return v.is_number_unsigned(); });
}

/// [height, width, stride, dilation, groups, transposed]; groups 0: of one channel each.
std::optional<timing::Filter> filter_of(const nlohmann::json& list) {
  constexpr std::size_t kLength = 6;
  constexpr std::uint64_t kMost = 1U << 20U;
  if (!is_row(list, kLength) || list.size() != kLength) {
    return std::nullopt;
  }
  std::array<std::int64_t, kLength> v{};
  for (std::size_t i = 0; i < kLength; ++i) {
    const auto value = list[i].get<std::uint64_t>();
    if (value > kMost || (value == 0 && i < 4)) {
      return std::nullopt;
    }
    v[i] = static_cast<std::int64_t>(value);
  }
  return timing::Filter{v[0], v[1], v[2], v[3], v[4], v[5] != 0, 0, 0};
}

ShapeClass read_shape(ObjectReader& reader) {
  ShapeClass shape;
  shape.kind = reader.enumeration<timing::OpKind>("op");
  shape.math = reader.optional_enumeration("math", shape.math);
  shape.element_bytes = reader.integer("element_bytes", 1, 8);
  shape.layout = reader.enumeration<base::Layout>("layout");
  shape.variant = reader.optional_enumeration("variant", shape.variant);
  if (const nlohmann::json* list = reader.array("filter", false); list != nullptr) {
    const auto filter = filter_of(*list);
    if (!filter) {
      reader.report("filter", "a filter is [height, width, stride, dilation, groups, transposed]",
                    "write it with vggplan calibrate");
    }
    shape.filter = filter.value_or(timing::Filter{});
  }
  return shape;
}

// Shares are stored as whole hundred-thousandths: whole numbers are read ten times faster than fractions, and the
// program reads some five thousand of them for every estimate.
constexpr double kShareUnit = 1e-5;
constexpr double kNanosecond = 1e-9;
constexpr double kMegabyte = 1e6;

constexpr double kLastOctave = 60.0;  // sizes are whole numbers of 64 bits

/// The streams of an optimizer and Linear layers of a whole feature map count here as well.
bool are_channels(const nlohmann::json& value) {
  return value.get<std::uint64_t>() <= std::uint64_t{base::kLargestExact};
}

/// [channels, outputs, first octave, share, share ...]: one curve of a family.
bool read_curve(const nlohmann::json& list, timing::ShareCurve& curve) {
  constexpr std::size_t kHead = 3;
  if (!is_row(list, kHead + 1)) {
    return false;
  }
  if (!are_channels(list[0]) || !are_channels(list[1])) {
    return false;
  }
  curve.shape.channels = list[0].get<std::int64_t>();
  curve.shape.outputs = list[1].get<std::int64_t>();
  curve.first_octave = list[2].get<double>();
  for (std::size_t i = kHead; i < list.size(); ++i) {
    curve.shares.push_back(kShareUnit * list[i].get<double>());
  }
  const double last_octave = curve.first_octave + curve.octaves_per_node * static_cast<double>(curve.shares.size() - 1);
  return last_octave <= kLastOctave && std::ranges::all_of(curve.shares, [](double share) { return share > 0.0; });
}

/// [channels, start in ns, MB/s in cache, MB/s beyond it].
bool read_stream(const nlohmann::json& list, timing::StreamRate& rate) {
  constexpr std::size_t kLength = 4;
  if (!is_row(list, kLength) || list.size() != kLength || !are_channels(list[0])) {
    return false;
  }
  rate.shape.channels = list[0].get<std::int64_t>();
  rate.start_seconds = kNanosecond * list[1].get<double>();
  rate.cached = base::BytesPerSecond(kMegabyte * list[2].get<double>());
  rate.uncached = base::BytesPerSecond(kMegabyte * list[3].get<double>());
  return rate.cached.count() > 0.0 && rate.uncached.count() > 0.0;
}

void read_streams(ObjectReader& reader, Calibration& calibration) {
  const ShapeClass family = read_shape(reader);
  const nlohmann::json* list = reader.array("by_channels", true);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    timing::StreamRate rate;
    rate.shape = family;
    if (!read_stream((*list)[i], rate)) {
      reader.report("by_channels", "a rate is [channels, start in ns, MB/s in cache, MB/s beyond], rates above 0",
                    "write it with vggplan calibrate");
      return;
    }
    calibration.streams.push_back(rate);
  }
}

void read_family(ObjectReader& reader, Calibration& calibration) {
  timing::ShareCurve family;
  family.shape = read_shape(reader);
  family.octaves_per_node = reader.number("octaves_per_node", {0, kLastOctave, true});
  const nlohmann::json* list = reader.array("by_channels", true);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    timing::ShareCurve curve = family;
    if (!read_curve((*list)[i], curve)) {
      reader.report("by_channels",
                    "a curve is [channels, outputs, log2 of the first size, share in 1/100000, ...], shares above 0",
                    "write it with vggplan calibrate");
      return;
    }
    calibration.curves.push_back(std::move(curve));
  }
}

template <class Keys, class Part>
void read_keys(ObjectReader& reader, const Keys& keys, Part& part) {
  for (const auto& key : keys) {
    part.*key.field = reader.number(key.key, {0, 10});
  }
}

void read_costs(ObjectReader& parent, Calibration& calibration) {
  parent.inside("host", [&](ObjectReader& reader) { read_keys(reader, kHostKeys, calibration.host); });
  const auto read_speed = [&](ObjectReader& reader) {
    HostSpeed& speed = calibration.host_speed;
    speed.operation = reader.number("operation_seconds", {0, 1, true});
    speed.low = reader.number("low", {0, speed.operation, true});
    speed.high = reader.number("high", {speed.operation, 1});
  };
  parent.inside("host_speed", read_speed, false);
  parent.inside("links", [&](ObjectReader& reader) { read_keys(reader, kLinkKeys, calibration.links); });
  parent.inside("spread", [&](ObjectReader& reader) {
    for (const auto& key : kSpreadKeys) {
      reader.inside(key.key, [&](ObjectReader& ends) {
        (calibration.*key.field).low = ends.number("low", {0, 1, true});
        (calibration.*key.field).high = ends.number("high", {1, 100});
      });
    }
  });
}

void read_input(ObjectReader& reader, timing::InputRates& rates) {
  rates.handover_seconds_per_byte = reader.number("handover_seconds_per_byte", {0, 1});
  rates.inline_seconds_per_byte = reader.number("inline_seconds_per_byte", {0, 1});
  rates.pinned_copy = base::BytesPerSecond(reader.number("pinned_copy_bytes_per_second", kRate));
  reader.each("stages", [&](ObjectReader& entry) {
    timing::StageCurve curve;
    curve.stage = entry.name("stage");
    const nlohmann::json* nodes = entry.array("pixels_and_seconds", true);
    for (std::size_t i = 0; nodes != nullptr && i < nodes->size(); ++i) {
      const nlohmann::json& node = (*nodes)[i];
      if (!node.is_array() || node.size() != 2 || !node[0].is_number() || !node[1].is_number() ||
          node[0].get<double>() <= 0.0 || node[1].get<double>() <= 0.0) {
        entry.report("pixels_and_seconds", "a node is [pixels, seconds], both above 0",
                     "[1048576, 0.0042] for instance");
        return;
      }
      curve.nodes.push_back({node[0].get<double>(), node[1].get<double>()});
    }
    std::sort(curve.nodes.begin(), curve.nodes.end(), [](const auto& a, const auto& b) { return a.pixels < b.pixels; });
    rates.stages.push_back(std::move(curve));
  });
}

std::string shape_text(const ShapeClass& shape) {
  std::string text = fmt::format(R"("op": "{}", "element_bytes": {}, "layout": "{}")", base::name_of_enum(shape.kind),
                                 shape.element_bytes, base::name_of_enum(shape.layout));
  if (shape.math != base::MathMode::fp32) {
    text += fmt::format(R"(, "math": "{}")", base::name_of_enum(shape.math));
  }
  if (shape.variant != timing::Variant::usual) {
    text += fmt::format(R"(, "variant": "{}")", base::name_of_enum(shape.variant));
  }
  if (const timing::Filter& f = shape.filter; f != timing::Filter{}) {
    text += fmt::format(R"(, "filter": [{}, {}, {}, {}, {}, {}])", f.height, f.width, f.stride, f.dilation, f.groups,
                        f.transposed ? 1 : 0);
  }
  return text;
}

std::string number(double value) { return fmt::format("{:.4g}", value); }

template <class Keys, class Part>
std::string keys_text(const Keys& keys, const Part& part) {
  std::string text;
  for (const auto& key : keys) {
    text += fmt::format("{}\n    \"{}\": {}", text.empty() ? "" : ",", key.key, number(part.*key.field));
  }
  return text;
}

std::string input_text(const timing::InputRates& rates) {
  std::string stages;
  for (const timing::StageCurve& curve : rates.stages) {
    std::string nodes;
    for (const auto& node : curve.nodes) {
      nodes += fmt::format("{}[{:.0f}, {:.4g}]", nodes.empty() ? "" : ", ", node.pixels, node.seconds);
    }
    stages += fmt::format("{}{{\"stage\": \"{}\", \"pixels_and_seconds\": [{}]}}",
                          stages.empty() ? "\n      " : ",\n      ", curve.stage, nodes);
  }
  return fmt::format(
      "\n    \"handover_seconds_per_byte\": {:.4g},\n    \"inline_seconds_per_byte\": {:.4g},\n"
      "    \"pinned_copy_bytes_per_second\": {:.4g},\n    \"stages\": [{}\n    ]",
      rates.handover_seconds_per_byte, rates.inline_seconds_per_byte, rates.pinned_copy.count(), stages);
}

long long whole(double value) { return std::llround(std::max(value, 0.0)); }

std::string row_text(const timing::StreamRate& rate) {
  return fmt::format("[{}, {}, {}, {}]", rate.shape.channels, whole(rate.start_seconds / kNanosecond),
                     whole(rate.cached.count() / kMegabyte), whole(rate.uncached.count() / kMegabyte));
}

std::string row_text(const timing::ShareCurve& curve) {
  std::string text = fmt::format("[{}, {}, {}", curve.shape.channels, curve.shape.outputs, whole(curve.first_octave));
  for (const double share : curve.shares) {
    text += fmt::format(", {}", std::max(whole(share / kShareUnit), 1LL));
  }
  return text + "]";
}

std::string head_text(const timing::StreamRate& rate) { return shape_text(rate.shape); }
std::string head_text(const timing::ShareCurve& curve) {
  return fmt::format(R"({}, "octaves_per_node": {})", shape_text(curve.shape), number(curve.octaves_per_node));
}

/// The class without channels: curves that share it stand together.
ShapeClass family_of(ShapeClass shape) {
  shape.channels = 0;
  shape.outputs = 0;
  return shape;
}

/// Entries of one family under one head, each a line.
template <class Entry>
std::string families_text(const std::vector<Entry>& entries) {
  std::map<ShapeClass, std::vector<const Entry*>> families;
  for (const Entry& entry : entries) {
    families[family_of(entry.shape)].push_back(&entry);
  }
  std::string text;
  for (const auto& [shape, members] : families) {
    std::string lines;
    for (const Entry* entry : members) {
      lines += (lines.empty() ? "\n      " : ",\n      ") + row_text(*entry);
    }
    text += fmt::format("{}{{{}, \"by_channels\": [{}]}}", text.empty() ? "\n    " : ",\n    ",
                        head_text(*members.front()), lines);
  }
  return text + "\n  ";
}

}  // namespace

base::Result<Calibration> read_calibration(std::string_view text, const std::string& shown) {
  return read_record<Calibration>(text, shown, "calibration", [](ObjectReader& reader) {
    Calibration calibration;
    calibration.gpu = reader.name("gpu");
    calibration.l2_cache = reader.bytes("l2_cache_bytes");
    read_costs(reader, calibration);
    reader.inside("input", [&](ObjectReader& input) { read_input(input, calibration.input); });
    reader.each("streams", [&](ObjectReader& entry) { read_streams(entry, calibration); });
    reader.each("curves", [&](ObjectReader& entry) { read_family(entry, calibration); });
    timing::sort_by_shape(calibration);
    return calibration;
  });
}

std::string write_calibration(const Calibration& calibration) {
  const HostSpeed& speed = calibration.host_speed;
  const std::string host_speed =
      speed.operation > 0.0
          ? fmt::format("  \"host_speed\": {{\"operation_seconds\": {}, \"low\": {}, \"high\": {}}},\n",
                        number(speed.operation), number(speed.low), number(speed.high))
          : "";
  std::string spread;
  for (const auto& key : kSpreadKeys) {
    const Spread& s = calibration.*key.field;
    spread += fmt::format("{}\n    \"{}\": {{\"low\": {}, \"high\": {}}}", spread.empty() ? "" : ",", key.key,
                          number(s.low), number(s.high));
  }
  return fmt::format(
      "{{\n  \"$schema\": \"../schema/calibration.schema.json\",\n  \"gpu\": \"{}\",\n  \"l2_cache_bytes\": {},\n"
      "  \"host\": {{{}\n  }},\n{}  \"links\": {{{}\n  }},\n  \"input\": {{{}\n  }},\n  \"spread\": {{{}\n  }},\n  "
      "\"streams\": [{}],\n  \"curves\": [{}]\n}}\n",
      calibration.gpu, calibration.l2_cache.count(), keys_text(kHostKeys, calibration.host), host_speed,
      keys_text(kLinkKeys, calibration.links), input_text(calibration.input), spread,
      families_text(calibration.streams), families_text(calibration.curves));
}

}  // namespace vggplan::catalog
