// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
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

/// [height, width, stride, dilation, groups, transposed]; groups 0: of one channel each. None: VGG's.
timing::Filter filter_of(const std::vector<std::int64_t>& v) {
  constexpr std::size_t kLength = 6;
  return v.size() == kLength ? timing::Filter{v[0], v[1], v[2], v[3], v[4], v[5] != 0, 0, 0} : timing::Filter{};
}

ShapeClass shape_of(const ObjectReader& reader) {
  ShapeClass shape;
  shape.kind = reader.enumeration<timing::OpKind>("op");
  shape.math = reader.enumeration("math", shape.math);
  shape.element_bytes = reader.integer("element_bytes");
  shape.layout = reader.enumeration<base::Layout>("layout");
  shape.variant = reader.enumeration("variant", shape.variant);
  shape.filter = filter_of(reader.integers("filter"));
  return shape;
}

// Shares are stored as whole hundred-thousandths: whole numbers are read ten times faster than fractions, and the
// program reads some five thousand of them for every estimate.
constexpr double kShareUnit = 1e-5;
constexpr double kNanosecond = 1e-9;
constexpr double kMegabyte = 1e6;

constexpr double kLastOctave = 60.0;  // sizes are whole numbers of 64 bits

/// [channels, start in ns, MB/s in cache, MB/s beyond it].
timing::StreamRate stream_of(const Json& row, const ShapeClass& family) {
  timing::StreamRate rate;
  rate.shape = family;
  rate.shape.channels = row[0].get<std::int64_t>();
  rate.start_seconds = kNanosecond * row[1].get<double>();
  rate.cached = base::BytesPerSecond(kMegabyte * row[2].get<double>());
  rate.uncached = base::BytesPerSecond(kMegabyte * row[3].get<double>());
  return rate;
}

void read_streams(const ObjectReader& reader, Calibration& calibration) {
  const ShapeClass family = shape_of(reader);
  for (const Json& row : reader.list("by_channels")) {
    calibration.streams.push_back(stream_of(row, family));
  }
}

/// [channels, outputs, first octave, share, share ...]: one curve of a family.
timing::ShareCurve curve_of(const Json& row, timing::ShareCurve curve) {
  constexpr std::size_t kHead = 3;
  curve.shape.channels = row[0].get<std::int64_t>();
  curve.shape.outputs = row[1].get<std::int64_t>();
  curve.first_octave = row[2].get<double>();
  for (std::size_t i = kHead; i < row.size(); ++i) {
    curve.shares.push_back(kShareUnit * row[i].get<double>());
  }
  return curve;
}

double last_octave(const timing::ShareCurve& curve) {
  return curve.first_octave + curve.octaves_per_node * static_cast<double>(curve.shares.size() - 1);
}

void read_family(const ObjectReader& reader, Calibration& calibration) {
  timing::ShareCurve family;
  family.shape = shape_of(reader);
  family.octaves_per_node = reader.number("octaves_per_node");
  for (const Json& row : reader.list("by_channels")) {
    calibration.curves.push_back(curve_of(row, family));
    if (last_octave(calibration.curves.back()) > kLastOctave) {
      reader.report("by_channels", fmt::format("a curve ends beyond 2^{}", kLastOctave),
                    "write it with vggplan calibrate");
    }
  }
}

template <class Keys, class Part>
void read_keys(const ObjectReader& reader, const Keys& keys, Part& part) {
  for (const auto& key : keys) {
    part.*key.field = reader.number(key.key);
  }
}

void read_host_speed(const ObjectReader& reader, HostSpeed& speed) {
  speed = {reader.number("operation_seconds"), reader.number("low"), reader.number("high")};
  if (speed.low > speed.operation || speed.high < speed.operation) {
    reader.report(speed.low > speed.operation ? "low" : "high", "must not leave out operation_seconds");
  }
}

void read_costs(const ObjectReader& parent, Calibration& calibration) {
  parent.inside("host", [&](const ObjectReader& reader) { read_keys(reader, kHostKeys, calibration.host); });
  parent.inside("host_speed", [&](const ObjectReader& reader) { read_host_speed(reader, calibration.host_speed); });
  parent.inside("links", [&](const ObjectReader& reader) { read_keys(reader, kLinkKeys, calibration.links); });
  parent.inside("spread", [&](const ObjectReader& reader) {
    for (const auto& key : kSpreadKeys) {
      reader.inside(key.key, [&](const ObjectReader& ends) {
        calibration.*key.field = {ends.number("low"), ends.number("high")};
      });
    }
  });
}

void read_input(const ObjectReader& reader, timing::InputRates& rates) {
  rates.handover_seconds_per_byte = reader.number("handover_seconds_per_byte");
  rates.inline_seconds_per_byte = reader.number("inline_seconds_per_byte");
  rates.pinned_copy = base::BytesPerSecond(reader.number("pinned_copy_bytes_per_second"));
  reader.each("stages", [&](const ObjectReader& entry) {
    timing::StageCurve curve;
    curve.stage = entry.text("stage");
    for (const Json& node : entry.list("pixels_and_seconds")) {
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

base::Result<Calibration> read_calibration(const RecordFile& file) {
  return read_record<Calibration>(file, "calibration", [](const ObjectReader& reader) {
    Calibration calibration;
    calibration.gpu = reader.text("gpu");
    calibration.l2_cache = reader.bytes("l2_cache_bytes");
    read_costs(reader, calibration);
    reader.inside("input", [&](const ObjectReader& input) { read_input(input, calibration.input); });
    reader.each("streams", [&](const ObjectReader& entry) { read_streams(entry, calibration); });
    reader.each("curves", [&](const ObjectReader& entry) { read_family(entry, calibration); });
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
