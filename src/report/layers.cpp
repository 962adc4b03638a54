// SPDX-License-Identifier: MIT
#include <algorithm>

#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

Document shape(const graph::Shape& shape) {
  if (shape.height == 1 && shape.width == 1) {
    return Document::array({shape.channels});
  }
  return Document::array({shape.channels, shape.height, shape.width});
}

/// The columns that both a row and the totals have.
void add_figures(Document& row, const estimate::LayerRow& layer, job::Mode mode) {
  const bool training = mode == job::Mode::train;
  row["parameters"] = layer.counts.parameters;
  row["macs"] = layer.counts.macs;
  row["flops_forward"] = plain(layer.counts.flops_forward);
  if (training) {
    row["flops_backward"] = plain(layer.counts.flops_backward);
  }
  row["output_bytes"] = plain(layer.output_bytes);
  if (training) {
    row["saved_bytes"] = plain(layer.saved_bytes);
  }
  row["workspace_bytes"] = plain(layer.workspace_bytes);
  row["forward_seconds"] = plain(layer.forward);
  if (training) {
    row["backward_seconds"] = plain(layer.backward);
  }
}

estimate::LayerRow sum_of(const std::vector<estimate::LayerRow>& layers) {
  estimate::LayerRow totals;
  for (const estimate::LayerRow& layer : layers) {
    totals.counts.parameters += layer.counts.parameters;
    totals.counts.macs += layer.counts.macs;
    totals.counts.flops_forward += layer.counts.flops_forward;
    totals.counts.flops_backward += layer.counts.flops_backward;
    totals.output_bytes += layer.output_bytes;
    totals.saved_bytes += layer.saved_bytes;
    // Layers run one after the other: a workspace is given back before the next one is taken.
    totals.workspace_bytes = std::max(totals.workspace_bytes, layer.workspace_bytes);
    totals.forward += layer.forward;
    totals.backward += layer.backward;
  }
  return totals;
}

}  // namespace

Document layer_rows(const estimate::Estimate& estimate) {
  Document rows = Document::array();
  for (const estimate::LayerRow& layer : estimate.layers) {
    Document row = {{"name", layer.name}, {"kind", layer.kind}};
    row["output_shape"] = shape(layer.output);
    add_figures(row, layer, estimate.job.mode);
    rows.push_back(std::move(row));
  }
  return rows;
}

Document build_layers(const estimate::Estimate& estimate) {
  Document report = start(Kind::layers);
  report["job"] = job_part(estimate.job);
  report["machine"] = machine_part(estimate);
  report["model"] = model_part(estimate.model, estimate.job.mode);
  report["layers"] = layer_rows(estimate);
  Document totals = Document::object();
  add_figures(totals, sum_of(estimate.layers), estimate.job.mode);
  report["totals"] = std::move(totals);
  report["warnings"] = warnings_part(estimate.warnings);
  report["assumptions"] = assumptions_part(estimate.assumptions);
  return report;
}

}  // namespace vggplan::report
