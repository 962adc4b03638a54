// SPDX-License-Identifier: MIT
// table
#include "synonyms.hpp"

#include <array>

namespace vggplan::base {

namespace {

// By edit distance these would lead elsewhere, or nowhere: fp16 to fp32, dp to nothing.
constexpr auto kSynonyms = std::to_array<Synonym>({
    // Precision: PyTorch's, Lightning's and Hugging Face's words.
    {"fp16", "amp-fp16"},
    {"half", "amp-fp16"},
    {"float16", "amp-fp16"},
    {"16", "amp-fp16"},
    {"16-mixed", "amp-fp16"},
    {"fp16-mixed", "amp-fp16"},
    {"amp", "amp-bf16"},
    {"amp", "amp-fp16"},
    {"autocast", "amp-bf16"},
    {"autocast", "amp-fp16"},
    {"mixed", "amp-bf16"},
    {"mixed", "amp-fp16"},
    {"bf16-mixed", "amp-bf16"},
    {"bfloat16", "amp-bf16"},
    {"bfloat16", "bf16"},
    {"bf16-true", "bf16"},
    {"float32", "fp32"},
    {"float", "fp32"},
    {"full", "fp32"},
    {"32", "fp32"},
    {"32-true", "fp32"},
    {"tensorfloat32", "tf32"},
    // Layout.
    {"channels-last", "nhwc"},
    {"contiguous", "nchw"},
    {"channels-first", "nchw"},
    // Sharding.
    {"dp", "ddp"},
    {"data-parallel", "ddp"},
    {"dataparallel", "ddp"},
    {"distributed", "ddp"},
    {"zero", "zero1"},
    {"zero2", "fsdp2"},
    {"zero3", "fsdp2"},
    {"deepspeed", "zero1"},
    {"deepspeed", "fsdp2"},
    // Optimizer.
    {"sgdm", "momentum"},
    {"sgd-momentum", "momentum"},
    {"nesterov", "momentum"},
    {"multi-tensor", "foreach"},
    {"for-loop", "loop"},
    // Mode and goal.
    {"training", "train"},
    {"test", "infer"},
    {"eval", "infer"},
    {"evaluation", "infer"},
    {"inference", "infer"},
    {"predict", "infer"},
    {"quickest", "fastest"},
    {"speed", "fastest"},
    {"cost", "cheapest"},
    {"price", "cheapest"},
    // Data.
    {"dali", "nvjpeg"},
    {"pil", "pil-float"},
    {"torchvision", "tv-uint8"},
    {"ssd", "nvme"},
    {"ssd", "sata-ssd"},
    {"s3", "object-store"},
    {"gcs", "object-store"},
    // Where it runs, and as what.
    {"k8s", "kubernetes"},
    {"sbatch", "slurm"},
    {"md", "markdown"},
    {"txt", "text"},
    // Commands.
    {"recommend", "plan"},
    {"memory", "estimate"},
    {"max-batch", "fit"},
    {"summary", "layers"},
    {"compare", "diff"},
    {"cards", "gpus"},
    {"run", "launch"},
    // Flags.
    {"batch-size", "batch"},
    {"bs", "batch"},
    {"dtype", "precision"},
    {"image-size", "size"},
    {"img-size", "size"},
    {"imgsz", "size"},
    {"resolution", "size"},
    {"num-gpus", "gpu-count"},
    {"ngpus", "gpu-count"},
    {"vram", "memory"},
    {"gpu-memory", "memory"},
    {"device", "gpu"},
    {"arch", "model"},
    {"network", "model"},
    {"net", "model"},
    {"channels-last", "layout"},
    {"memory-format", "layout"},
    {"grad-accum", "accumulation"},
    {"gradient-accumulation", "accumulation"},
    {"gradient-accumulation-steps", "accumulation"},
    {"gradient-checkpointing", "checkpointing"},
    {"num-workers", "workers"},
    {"num-classes", "classes"},
    {"optim", "optimizer"},
    {"num-epochs", "epochs"},
});

}  // namespace

std::span<const Synonym> synonyms() { return kSynonyms; }

}  // namespace vggplan::base
