// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "vggplan/base/checked.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/catalog/measurements.hpp"

namespace vggplan::catalog {
namespace {

using nlohmann::json;

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
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  template <class T, class Check>
  T get(const char* key, std::optional<T> otherwise, Check check) {
    const auto found = value_.find(key);
    if (found == value_.end() && otherwise) {
      return *otherwise;
    }
    if (found == value_.end() || !check(*found)) {
      if (trouble_.empty()) {
        trouble_ = std::string("'") + key + "' is missing or of the wrong type";
      }
      return T{};
    }
    return found->template get<T>();
  }

  const json& value_;
  std::string trouble_{};
};

/// Unit and type of an operation by its word.
struct Arithmetic {
  base::MathMode math{};
  base::DType type{};
};
std::optional<Arithmetic> arithmetic(const std::string& precision) {
  const auto math = base::parse_enum<base::MathMode>(precision);
  if (!math) {
    return std::nullopt;
  }
  switch (*math) {
    case base::MathMode::fp32: return Arithmetic{*math, base::DType::f32};
    case base::MathMode::tf32: return Arithmetic{*math, base::DType::f32};
    case base::MathMode::fp16: return Arithmetic{*math, base::DType::f16};
    case base::MathMode::bf16: return Arithmetic{*math, base::DType::bf16};
  }
  return std::nullopt;
}

timing::OptimizerLoop loop_of(const std::string& impl) {
  return impl == "fused"  ? timing::OptimizerLoop::fused
         : impl == "loop" ? timing::OptimizerLoop::single
                          : timing::OptimizerLoop::foreach;
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

base::Result<timing::OpSample> op_of(const json& value, const std::string& place) {
  Row row(value);
  const std::string name = row.text("op");
  const auto kind = timing::op_kind(name);
  const auto how = arithmetic(row.text("precision"));
  if (!row.trouble().empty()) {
    return wrong_row(place, row.trouble());
  }
  if (!kind || !how) {
    return wrong_row(place, !kind ? "unknown operation '" + name + "'" : "unknown precision");
  }
  timing::OpSample sample;
  sample.seconds = base::Seconds(row.number("us") * 1e-6);
  if (const timing::Extent parameters{row.integer("parameters", 1), row.integer("reads", 1), row.integer("writes", 1),
                                      row.integer("tensors", 1), row.integer("passes", 1)};
      value.contains("parameters") && !is_countable(parameters)) {
    sample.op.extent = parameters;
  } else if (value.contains("parameters")) {
    sample.op =
        timing::make_optimizer(how->type, loop_of(row.text("impl")), row.integer("parameters"), row.integer("tensors"),
                               {row.integer("passes"), row.integer("reads"), row.integer("writes")});
    sample.op.kind = *kind;
  } else {
    const bool nhwc = row.text("layout") == "nhwc";
    const timing::Extent extent{row.integer("n"), row.integer("c"), row.integer("k"), row.integer("h"),
                                row.integer("w")};
    if (is_countable(extent)) {
      sample.op = timing::make_op(*kind, how->math, how->type, nhwc ? base::Layout::nhwc : base::Layout::nchw, extent);
    } else {
      sample.op.extent = extent;
    }
  }
  if (!row.trouble().empty()) {
    return wrong_row(place, row.trouble());
  }
  if (!is_countable(sample.op.extent)) {
    return wrong_row(place, "sizes are positive, and their product is below 2^53");
  }
  return sample;
}

/// "how" is single, ddp, zero1 or fsdp2; "kw" holds DDP's arguments.
void read_parallel(const json& value, Row& row, MeasuredStep& step) {
  const std::string how = row.text("how");
  step.gpus = how == "single" ? 1 : row.integer("world");
  step.sharding = how == "single" ? "ddp" : how;
  step.accumulation = row.integer("accum", 1);
  if (const auto kw = value.find("kw"); kw != value.end() && kw->is_object()) {
    Row arguments(*kw);
    step.bucket_mb = arguments.integer("bucket_cap_mb", 25);
    step.bucket_view = arguments.boolean("gradient_as_bucket_view");
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

base::Result<MeasuredStep> step_of(const json& value, const std::string& place) {
  Row row(value);
  MeasuredStep step;
  step.place = place;
  step.model = row.text("arch", "vgg16");
  step.height = row.integer("h");
  step.width = row.integer("w");
  step.channels = row.integer("in_channels", 3);
  step.classes = row.integer("num_classes", 1000);
  step.batch = row.integer("batch");
  step.precision = row.text("precision");
  step.layout = row.text("layout");
  const std::string optimizer = row.text("optimizer");
  const std::size_t dash = optimizer.find('-');
  step.optimizer = optimizer.substr(0, dash);
  step.optimizer_impl = dash == std::string::npos ? "foreach" : optimizer.substr(dash + 1);
  const std::string checkpoint = row.text("checkpoint", "none");
  step.checkpointing = checkpoint.rfind("seq", 0) == 0 ? "seq:" + checkpoint.substr(3) : checkpoint;
  step.head = row.text("head", "adaptive");
  step.mode = row.text("mode", "train");
  step.benchmark = row.boolean("benchmark");
  if (value.contains("ms_loop")) {
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
    sample.path.float_in_worker = row.text("pipeline") == "pil-float";
    sample.path.decoder = sample.path.float_in_worker ? timing::Decoder::pil : timing::Decoder::torchvision;
    sample.path.pixels = row.integer("h") * row.integer("w");
    sample.path.file_bytes = base::Bytes(row.integer("jpeg_bytes"));
    sample.workers = row.integer("workers");
    sample.images_per_second = row.number("images_per_s");
    measurements.loaders.push_back(sample);
  } else if (row.integer("quality", 90) == 90) {
    std::string format = row.text("format", kind == "decode-nvjpeg" ? "JPEG" : "");
    std::transform(format.begin(), format.end(), format.begin(), [](unsigned char c) { return std::tolower(c); });
    measurements.stages.push_back({format.empty() ? kind : kind + "-" + format,
                                   static_cast<double>(row.integer("h")) * static_cast<double>(row.integer("w")),
                                   base::Seconds(row.number("ms") * 1e-3)});
  }
  return row.trouble().empty() ? base::Status{} : base::Status{wrong_row(place, row.trouble())};
}

bool is_input(const std::string& kind) {
  return kind.rfind("decode-", 0) == 0 || kind == "pil-totensor-normalize" || kind == "h2d" || kind == "e2e";
}

base::Status read_line(std::string_view line, const std::string& place, Measurements& measurements) {
  const json value = json::parse(line, nullptr, false);
  if (value.is_discarded() || !value.is_object()) {
    return wrong_row(place, "a line is one JSON object");
  }
  if (value.contains("op") && value.contains("us")) {
    auto sample = op_of(value, place);
    if (!sample) {
      return sample.error();
    }
    measurements.ops.push_back(*sample);
    return std::nullopt;
  }
  const std::string kind = value.contains("kind") && value["kind"].is_string() ? value["kind"].get<std::string>() : "";
  if (const auto collective = collective_of(kind)) {
    auto measured = collective_row(value, *collective, place);
    if (!measured) {
      return measured.error();
    }
    measurements.collectives.push_back(*std::move(measured));
  } else if (is_input(kind)) {
    return read_input(value, kind, place, measurements);
  } else if (value.contains("ms_loop") || kind == "train") {
    auto step = step_of(value, place);
    if (!step) {
      return step.error();
    }
    measurements.steps.push_back(*std::move(step));
  }
  return std::nullopt;
}

}  // namespace

base::Result<Measurements> read_measurements(std::string_view text, const std::string& shown) {
  Measurements measurements;
  std::size_t number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      if (base::Status status = read_line(line, shown + ":" + std::to_string(number), measurements)) {
        return *status;
      }
    }
    begin = end + 1;
  }
  return measurements;
}

}  // namespace vggplan::catalog
