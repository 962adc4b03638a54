// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <utility>

#include "vggplan/base/checked.hpp"
#include "vggplan/base/csv.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/json_text.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/catalog/measurements.hpp"
#include "vggplan/graph/architectures.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/schema/validate.hpp"

namespace vggplan::catalog {
namespace {

using json = schema::Json;

base::Diagnostic wrong_row(const std::string& place, std::string rule) {
  return base::wrong(place, std::move(rule), "write the line as scripts/measure.py does, or leave it out");
}

/// Values of one line; remembers the first key that is missing or of another type.
class Row {
 public:
  explicit Row(const json& value) : value_(value) {}

  std::int64_t integer(const char* key, std::optional<std::int64_t> otherwise = std::nullopt) {
    return get<std::int64_t>(key, otherwise, [](const json& v) { return v.is_number_integer(); });
  }
  double number(const char* key) {
    return get<double>(key, std::nullopt, [](const json& v) { return v.is_number(); });
  }
  std::string text(const char* key, std::optional<std::string> otherwise = std::nullopt) {
    return get<std::string>(key, std::move(otherwise), [](const json& v) { return v.is_string(); });
  }
  bool boolean(const char* key) {
    return get<bool>(key, false, [](const json& v) { return v.is_boolean(); });
  }
  /// Of an image in pixels.
  std::int64_t side(const char* key) { return between(key, 1, std::int64_t{1} << 20); }
  std::int64_t between(const char* key, std::int64_t least, std::int64_t most,
                       std::optional<std::int64_t> otherwise = std::nullopt) {
    const std::int64_t value = integer(key, otherwise);
    if (value < least || value > most) {
      note(fmt::format("'{}' must be {} to {}, but is {}", key, least, most, value));
      return least;
    }
    return value;
  }
  template <class E>
  E word(const char* key) {
    const std::string found = text(key);
    const auto value = base::parse_enum<E>(found);
    if (!value) {
      note(fmt::format("unknown word {} in '{}'; {}", base::quoted(found), key,
                       base::suggestion(found, base::enum_names<E>())));
    }
    return value.value_or(E{});
  }
  /// Whether the word is the second of the two that it may be.
  bool second(const char* key, std::string_view one, std::string_view other) {
    const std::string found = text(key);
    if (found != one && found != other) {
      note(fmt::format("'{}' is {} or {}, not {}", key, one, other, base::quoted(found)));
    }
    return found == other;
  }
  /// The first trouble is told.
  void note(std::string trouble) {
    if (trouble_.empty()) {
      trouble_ = std::move(trouble);
    }
  }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  template <class T, class Check>
  T get(const char* key, std::optional<T> otherwise, Check check) {
    const auto found = value_.find(key);
    if (found == value_.end() && otherwise) {
      return *otherwise;
    }
    if (found == value_.end() || !check(*found)) {
      note(std::string("'") + key + "' is missing or of the wrong type");
      return T{};
    }
    return found->template get<T>();
  }

  const json& value_;
  std::string trouble_{};
};

/// What a tensor of an operation in this arithmetic holds.
base::DType type_of(base::MathMode math) {
  switch (math) {
    case base::MathMode::fp32:
    case base::MathMode::tf32: return base::DType::f32;
    case base::MathMode::fp16: return base::DType::f16;
    case base::MathMode::bf16: return base::DType::bf16;
  }
  return base::DType::f32;
}

/// make_op() multiplies sizes without looking; what passes here cannot wrap.
bool is_countable(const timing::Extent& e) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  for (const std::int64_t size : {e.n, e.c, e.k, e.h, e.w}) {
    if (size < 1 || size > kMost) {
      return false;
    }
  }
  const auto product = base::checked_product(e.n, e.c, e.k, e.h, e.w, std::int64_t{128});
  return product && *product <= base::kLargestExact;
}

/// A convolution, a pool or a resize names what VGG's do not have: one number for height and width.
timing::Filter filter_of(Row& row, const json& value, timing::OpKind kind, const timing::Extent& sizes) {
  constexpr std::int64_t kMost = 1024;
  timing::Filter filter;
  if (!value.contains("kernel")) {
    return filter;
  }
  const std::int64_t kernel = row.between("kernel", 1, kMost);
  const std::int64_t padding = row.between("padding", 0, kMost, 0);
  filter.height = filter.width = kernel;
  filter.stride = row.between("stride", 1, kMost, 1);
  filter.dilation = row.between("dilation", 1, kMost, 1);
  filter.groups = row.between("groups", 1, sizes.c, 1);
  filter.transposed = row.boolean("transposed");
  const std::int64_t reach = filter.dilation * (kernel - 1);
  const auto out = [&](std::int64_t in) {
    const std::int64_t size = filter.transposed ? (in - 1) * filter.stride - 2 * padding + kernel
                                                : (in + 2 * padding - reach - 1) / filter.stride + 1;
    return std::max<std::int64_t>(size, 1);
  };
  filter.out_height = out(sizes.h);
  filter.out_width = out(sizes.w);
  const timing::Filter vgg{3, 3, 1, 1, 1, false, sizes.h, sizes.w};
  return timing::is_convolution(kind) && filter == vgg ? timing::Filter{} : filter;
}

base::Result<timing::OpSample> op_of(const json& value, const std::string& place) {
  Row row(value);
  // An optimizer goes over tensors of its parameters, all other operations over images.
  const bool updates = value.contains("parameters");
  const auto kind = row.word<timing::OpKind>("op");
  const auto math = row.word<base::MathMode>("precision");
  const auto impl = updates ? row.word<base::OptimizerImpl>("impl") : base::OptimizerImpl::foreach;
  const auto layout = updates ? base::Layout::nchw : row.word<base::Layout>("layout");
  const timing::Extent sizes =
      updates
          ? timing::Extent{row.integer("parameters"), row.integer("tensors"), row.integer("passes"),
                           row.integer("reads"), row.integer("writes")}
          : timing::Extent{row.integer("n"), row.integer("c"), row.integer("k"), row.integer("h"), row.integer("w")};
  const base::Seconds seconds(row.number("us") * 1e-6);
  const bool half_zero = row.boolean("half_zero");
  const bool narrow = row.boolean("narrow_parameters");
  const timing::Filter filter = filter_of(row, value, kind, sizes);
  if (!row.trouble().empty()) {
    return wrong_row(place, row.trouble());
  }
  if (!is_countable(sizes)) {
    return wrong_row(place, "sizes are positive, and their product is below 2^53");
  }
  const base::DType type = type_of(math);
  if (!updates) {
    timing::Op op = timing::make_op(kind, math, type, layout, sizes, filter);
    op.narrow_parameters = narrow;
    return timing::OpSample{op, seconds, half_zero};
  }
  timing::Op op = timing::make_optimizer(type, impl, sizes.n, sizes.c, {sizes.k, sizes.h, sizes.w});
  op.kind = kind;
  return timing::OpSample{op, seconds, half_zero};
}

/// "how" is single, ddp, zero1 or fsdp2; "kw" holds DDP's arguments.
void read_parallel(const json& value, Row& row, MeasuredStep& step) {
  const std::string how = row.text("how");
  step.gpus = how == "single" ? 1 : row.integer("world");
  step.sharding = how == "single" ? "ddp" : how;
  step.accumulation = row.integer("accum", 1);
  if (const auto kw = value.find("kw"); kw != value.end() && kw->is_object()) {
    Row arguments(*kw);
    step.bucket_mb = arguments.between("bucket_cap_mb", 1, 1 << 20, 25);
    step.bucket_view = arguments.boolean("gradient_as_bucket_view");
    row.note(arguments.trouble());
  }
}

std::optional<timing::Collective> collective_of(const std::string& kind) {
  if (kind == "allreduce") {
    return timing::Collective::all_reduce;
  }
  if (kind == "all_gather") {
    return timing::Collective::all_gather;
  }
  return kind == "reduce_scatter" ? std::optional(timing::Collective::reduce_scatter) : std::nullopt;
}

base::Result<MeasuredCollective> collective_row(const json& value, timing::Collective collective,
                                                const std::string& place) {
  Row row(value);
  MeasuredCollective measured{place, collective, row.integer("world"), base::Bytes(row.integer("bytes")),
                              base::Seconds(row.number("ms") * 1e-3)};
  if (!row.trouble().empty()) {
    return wrong_row(place, row.trouble());
  }
  return measured;
}

/// Widths of the convolutions, with "M" for a pool; empty where the row names a model of the catalogue.
void read_features(const json& value, Row& row, MeasuredStep& step) {
  const auto features = value.find("features");
  if (features == value.end()) {
    return;
  }
  constexpr std::int64_t kMostChannels = 1 << 20;
  for (const json& entry : *features) {
    const bool width = entry.is_number_integer() && entry >= 1 && entry <= kMostChannels;
    if (!width && entry != "M") {
      row.note("'features' lists widths and \"M\"");
      return;
    }
    step.features.push_back(width ? entry.get<std::int64_t>() : graph::kPool);
  }
  step.batch_norm = row.boolean("batch_norm");
}

base::Result<MeasuredStep> step_of(const json& value, const std::string& place) {
  Row row(value);
  MeasuredStep step;
  step.place = place;
  step.model = row.text("arch", "vgg16");
  read_features(value, row, step);
  step.height = row.integer("h");
  step.width = row.integer("w");
  step.channels = row.integer("in_channels", 3);
  step.classes = row.integer("num_classes", graph::architecture_of(step.model).classes);
  step.frozen = row.text("frozen", "none");
  step.frozen_norm = row.text("frozen_norm", "none");
  step.until = row.text("until", "");
  step.trained = row.text("train", "parameters");
  step.batch = row.integer("batch");
  step.precision = row.text("precision");
  step.layout = row.text("layout");
  const std::string optimizer = row.text("optimizer");
  const std::size_t dash = optimizer.find('-');
  step.optimizer = optimizer.substr(0, dash);
  step.optimizer_impl = dash == std::string::npos ? "foreach" : optimizer.substr(dash + 1);
  const std::string checkpoint = row.text("checkpoint", "none");
  step.checkpointing = checkpoint.rfind("seq", 0) == 0 ? "seq:" + checkpoint.substr(3) : checkpoint;
  step.compile = row.text("compile", "none");
  step.head = row.text("head", "adaptive");
  step.mode = row.text("mode", "train");
  step.benchmark = row.boolean("benchmark");
  step.for_ranges = row.boolean("for_ranges");
  if (value.contains("host_add_us")) {
    step.host_operation = base::Seconds(row.number("host_add_us") * 1e-6);
  }
  step.on_host = value.contains("host_fwd_us");
  if (step.on_host) {
    step.step = base::Seconds(row.number("ms_loop") * 1e-3);
    step.forward = base::Seconds(row.number("host_fwd_us") * 1e-6);
    step.backward = base::Seconds(row.number("host_bwd_us") * 1e-6);
    step.optimizer_step = base::Seconds(row.number("host_opt_us") * 1e-6);
  } else if (value.contains("ms_loop")) {
    step.step = base::Seconds(row.number("ms_loop") * 1e-3);
    step.forward = base::Seconds(row.number("ms_fwd") * 1e-3);
    step.backward = base::Seconds(row.number("ms_bwd") * 1e-3);
    step.optimizer_step = base::Seconds(row.number("ms_opt") * 1e-3);
  } else {
    step.step = base::Seconds(row.number("ms") * 1e-3);
    read_parallel(value, row, step);
  }
  if (!row.trouble().empty()) {
    return wrong_row(place, row.trouble());
  }
  return step;
}

/// "decode-pil", "decode-torchvision", "decode-nvjpeg" (with a format; JPEG of quality 90 stands for JPEG),
/// "pil-totensor-normalize", "h2d" (pinned), "e2e".
base::Status read_input(const json& value, const std::string& kind, const std::string& place,
                        Measurements& measurements) {
  Row row(value);
  if (kind == "h2d") {
    if (row.boolean("pinned")) {
      measurements.copies.push_back({base::Bytes(row.integer("bytes")), base::Seconds(row.number("ms") * 1e-3)});
    }
  } else if (kind == "e2e") {
    timing::LoaderSample sample;
    const bool pil = row.second("pipeline", "tv-uint8", "pil-float");
    sample.path.pipeline = pil ? base::Pipeline::pil_float : base::Pipeline::tv_uint8;
    sample.path.pixels = row.side("h") * row.side("w");
    sample.path.file_bytes = base::Bytes(row.integer("jpeg_bytes"));
    sample.workers = row.integer("workers");
    sample.images_per_second = row.number("images_per_s");
    measurements.loaders.push_back(sample);
  } else if (row.integer("quality", 90) == 90) {
    std::string format = row.text("format", kind == "decode-nvjpeg" ? "JPEG" : "");
    std::transform(format.begin(), format.end(), format.begin(), [](unsigned char c) { return std::tolower(c); });
    measurements.stages.push_back({format.empty() ? kind : kind + "-" + format,
                                   static_cast<double>(row.side("h") * row.side("w")),
                                   base::Seconds(row.number("ms") * 1e-3)});
  }
  return row.trouble().empty() ? base::Status{} : base::Status{wrong_row(place, row.trouble())};
}

bool is_input(const std::string& kind) {
  return kind.rfind("decode-", 0) == 0 || kind == "pil-totensor-normalize" || kind == "h2d" || kind == "e2e";
}

base::Status read_line(const json& value, const std::string& place, Measurements& measurements) {
  if (!value.is_object()) {
    return wrong_row(place, "a line is one JSON object");
  }
  if (value.contains("op") && value.contains("us")) {
    measurements.ops.push_back(TRY(op_of(value, place)));
    return std::nullopt;
  }
  const std::string kind = value.contains("kind") && value["kind"].is_string() ? value["kind"].get<std::string>() : "";
  if (const auto collective = collective_of(kind)) {
    measurements.collectives.push_back(TRY(collective_row(value, *collective, place)));
  } else if (is_input(kind)) {
    return read_input(value, kind, place, measurements);
  } else if (value.contains("ms_loop") || kind == "train") {
    measurements.steps.push_back(TRY(step_of(value, place)));
  }
  return std::nullopt;
}

}  // namespace

base::Result<Measurements> read_measurements(std::string_view text, const std::string& shown,
                                             Measurements measurements) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = base::next_line(text).text;
    if (base::trimmed(line).empty()) {
      continue;
    }
    const base::Result<json> value = base::parse_json<json>(line, shown, number);
    if (!value) {
      return wrong_row(value.error().place, value.error().rule);
    }
    TRY(read_line(*value, shown + ":" + std::to_string(number), measurements));
  }
  return measurements;
}

}  // namespace vggplan::catalog
