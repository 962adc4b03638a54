// SPDX-License-Identifier: MIT
#include "vggplan/job/job.hpp"

#include <functional>
#include <limits>

#include "support/catch.hpp"
#include "support/vgg.hpp"
#include "vggplan/hardware/hardware.hpp"

namespace vggplan::job {
namespace {

using base::Bytes;
using base::DType;
using base::MathMode;

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

Job good_job() {
  Job job;
  job.model = support::vgg(16);
  job.image = {3, 4024, 3036};
  job.batch = 2;
  return job;
}

/// What validate says of a good job after one change.
base::Diagnostic error_after(const std::function<void(Job&)>& change) {
  Job job = good_job();
  change(job);
  const base::Status found = validate(job);
  REQUIRE(found.has_value());
  CHECK(found->fault == base::Fault::question);
  CHECK(!found->remedy.empty());
  return *found;
}

bool valid_after(const std::function<void(Job&)>& change) {
  Job job = good_job();
  change(job);
  return !validate(job).has_value();
}

TEST_CASE("the default job is valid with every model, head and precision") {
  for (const int depth : {11, 13, 16, 19}) {
    for (const auto& head : base::NameTable<graph::Head>::table) {
      for (const auto& precision : base::NameTable<Precision>::table) {
        CHECK(valid_after([&](Job& job) {
          job.model = support::vgg(depth, depth == 13);
          job.head = head.value;
          job.precision = precision.value;
        }));
      }
    }
  }
}

TEST_CASE("a number out of range names its flag, the range and what was given") {
  const auto batch = error_after([](Job& job) { job.batch = 0; });
  CHECK(batch.place == "--batch");
  CHECK(batch.rule == "must be 1 to 1073741824, but is 0");
  CHECK(batch.remedy == "give 1 or more");
  const auto accumulation = error_after([](Job& job) { job.accumulation = 100'000; });
  CHECK(accumulation.place == "--accumulation");
  CHECK(accumulation.rule == "must be 1 to 65536, but is 100000");
  CHECK(accumulation.remedy == "give at most 65536");
  CHECK(error_after([](Job& job) { job.parallel.gpus = 0; }).place == "--gpus");
  CHECK(error_after([](Job& job) { job.parallel.nodes = -1; }).place == "--nodes");
  CHECK(error_after([](Job& job) { job.parallel.bucket = Bytes(0); }).place == "--bucket-mb");
  CHECK(error_after([](Job& job) { job.data.images = 0; }).place == "--images");
  CHECK(error_after([](Job& job) { job.data.epochs = 0; }).place == "--epochs");
  CHECK(error_after([](Job& job) { job.data.bytes_per_image = Bytes(0); }).place == "--bytes-per-image");
  CHECK(error_after([](Job& job) { job.data.workers = -1; }).place == "--workers");
  CHECK(error_after([](Job& job) { job.data.cpus = 0; }).place == "--cpus");
  CHECK(error_after([](Job& job) { job.data.ram = Bytes(-1); }).place == "--ram");
  CHECK(error_after([](Job& job) { job.data.checkpoint_every = 0; }).place == "--checkpoint-every");
  CHECK(error_after([](Job& job) { job.data.keep_checkpoints = 0; }).place == "--keep-checkpoints");
  CHECK(valid_after([](Job& job) { job.data.workers = 0; }));
}

TEST_CASE("what the network cannot be built for is the job's error") {
  CHECK(error_after([](Job& job) { job.image.height = 31; }).place == "--height");
  CHECK(valid_after([](Job& job) { job.image = {1, 32, 32}; }));
}

TEST_CASE("no product of large numbers wraps") {
  const auto batch = error_after([](Job& job) { job.batch = 1 << 30; });
  CHECK(batch.place == "--batch");
  CHECK(batch.rule ==
        "1073741824 images of 4024x3036 need more than 9007199254740992 bytes, the largest number that is counted "
        "exactly");
  const auto work = error_after([](Job& job) {
    job.batch = 10'000;
    job.accumulation = 1 << 16;
    job.parallel.gpus = hardware::kMostGpus;
  });
  CHECK(work.place == "--batch, --accumulation");
  CHECK(work.rule == "10000 images by 65536 micro-batches by 4096 GPUs is more work in one step than 64 bits count");
  for (const auto& field : {&Job::batch, &Job::accumulation, &Job::classes}) {
    for (const std::int64_t value : {kHuge, -kHuge, kHuge / 2}) {
      CHECK(!valid_after([&](Job& job) { job.*field = value; }));
    }
  }
  CHECK(error_after([](Job& job) {
          job.data.images = 1'000'000'000'000;
          job.data.epochs = 1'000'000;
        }).place == "--images, --epochs");
}

TEST_CASE("a data set beyond what is counted is refused by its decoded size unless the file size is given") {
  // One image decodes to 3 x 4024 x 3036 = 36,650,592 bytes; 2^53 bytes hold 245,758,629 of them, without checkpoints.
  CHECK(valid_after([](Job& job) {
    job.mode = job::Mode::infer;
    job.data.images = 245'758'629;
  }));
  const auto error = error_after([](Job& job) { job.data.images = 245'758'630; });
  CHECK(error.place == "--images");
  CHECK(error.rule ==
        "245758630 images of 36650592 bytes are more than 9007199254740992 bytes, the largest data set that is "
        "counted exactly");
  CHECK(valid_after([](Job& job) {
    job.data.images = 245'758'630;
    job.data.bytes_per_image = Bytes(4'000'000);
  }));
}

TEST_CASE("what is stored stays below 2^53 bytes: decoded cache, checkpoints and the sum of all") {
  const auto files_of_a_byte = [](Job& job) {
    job.image = {3, 65536, 65536};
    job.data.images = 10'000'000'000;
    job.data.bytes_per_image = Bytes(1);
  };
  CHECK(valid_after(files_of_a_byte));
  // 10^10 images of 3 x 2^32 bytes are 1.3e20.
  CHECK(error_after([&](Job& job) {
          files_of_a_byte(job);
          job.data.decoded_cache = true;
        }).place == "--decoded-cache");
  // 10^6 checkpoints of 1.66 GB are 1.7e15 bytes, of a head of 10^6 classes and three values a parameter 5e16.
  const auto keep = [](Job& job) { job.data.keep_checkpoints = 1'000'000; };
  CHECK(valid_after(keep));
  CHECK(error_after([&](Job& job) {
          keep(job);
          job.classes = 1'000'000;
        }).place == "--keep-checkpoints");
  CHECK(error_after([&](Job& job) {
          keep(job);
          job.data.images = 245'758'629;
        }).rule ==
        "images, cache, checkpoints and logs are more than 9007199254740992 bytes, the largest number that is "
        "counted exactly");
}

TEST_CASE("settings that rule each other out are refused with a remedy") {
  const auto accumulating = error_after([](Job& job) {
    job.mode = job::Mode::infer;
    job.accumulation = 4;
  });
  CHECK(accumulating.place == "--accumulation");
  CHECK(accumulating.rule == "inference has no optimizer step to accumulate gradients for");
  const auto decoding = error_after([](Job& job) {
    job.data.pipeline = job::Pipeline::nvjpeg;
    job.data.format = job::ImageFormat::png;
  });
  CHECK(decoding.place == "--pipeline");
  CHECK(decoding.rule == "nvjpeg decodes JPEG alone, but --image-format is png");
  CHECK(decoding.remedy == "use --pipeline tv-uint8, or --image-format jpeg");
}

TEST_CASE("nodes hold equal numbers of GPUs") {
  CHECK(valid_after([](Job& job) { job.parallel = {.gpus = 16, .nodes = 2}; }));
  const auto error = error_after([](Job& job) { job.parallel = {.gpus = 6, .nodes = 4}; });
  CHECK(error.place == "--nodes");
  CHECK(error.rule == "every node must hold the same number of GPUs, but 6 GPUs are on 4 nodes");
  CHECK(error_after([](Job& job) { job.parallel = {.gpus = 1, .nodes = 2}; }).rule ==
        "every node must hold the same number of GPUs, but 1 GPU is on 2 nodes");
  CHECK(error_after([](Job& job) { job.parallel = {.gpus = 2, .nodes = 4}; }).place == "--nodes");
}

TEST_CASE("sharding needs something to spread over") {
  for (const Sharding sharding : {Sharding::zero1, Sharding::fsdp2}) {
    CHECK(valid_after([&](Job& job) { job.parallel = {.gpus = 2, .sharding = sharding}; }));
    CHECK(error_after([&](Job& job) { job.parallel.sharding = sharding; }).remedy ==
          "leave --sharding out, or give more GPUs");
  }
  CHECK(error_after([](Job& job) { job.parallel.sharding = Sharding::zero1; }).rule ==
        "zero1 spreads a job over several GPUs, but there is one");
}

TEST_CASE("fsdp2 refuses channels_last, the other ways do not") {
  const auto error = error_after([](Job& job) {
    job.parallel = {.gpus = 4, .sharding = Sharding::fsdp2};
    job.layout = base::Layout::nhwc;
  });
  CHECK(error.place == "--sharding");
  CHECK(error.rule == "fsdp2 refuses parameters in channels_last (nhwc)");
  CHECK(error.remedy == "use --layout nchw, or --sharding ddp or zero1");
  for (const Sharding sharding : {Sharding::ddp, Sharding::zero1}) {
    CHECK(valid_after([&](Job& job) {
      job.parallel = {.gpus = 4, .sharding = sharding};
      job.layout = base::Layout::nhwc;
    }));
  }
}

TEST_CASE("inference takes no notice of how training would go") {
  CHECK(valid_after([](Job& job) {
    job.mode = Mode::infer;
    job.optimizer = Optimizer::adam;
    job.optimizer_impl = OptimizerImpl::fused;
    job.checkpointing = {Checkpointing::Kind::block, 0};
  }));
}

TEST_CASE("several forward passes are for training, of parameters, without fsdp2") {
  CHECK(valid_after([](Job& job) { job.forward_passes = 2; }));
  CHECK(valid_after([](Job& job) {
    job.forward_passes = 2;
    job.parallel = {.gpus = 2, .sharding = Sharding::zero1};
  }));
  for (const auto& edit : std::vector<std::function<void(Job&)>>{
           [](Job& job) { job.mode = Mode::infer; }, [](Job& job) { job.scope.trained = graph::Trained::image; },
           [](Job& job) { job.parallel = {.gpus = 2, .sharding = Sharding::fsdp2}; },
           [](Job& job) { job.forward_passes = 17; }}) {
    CHECK(error_after([&](Job& job) {
            job.forward_passes = 2;
            edit(job);
          }).place == "--forward-passes");
  }
}

TEST_CASE("there is no fused rmsprop to train with") {
  const auto error = error_after([](Job& job) {
    job.optimizer = Optimizer::rmsprop;
    job.optimizer_impl = OptimizerImpl::fused;
  });
  CHECK(error.place == "--optimizer-impl");
  CHECK(error.rule == "PyTorch has no fused rmsprop");
}

TEST_CASE("lbfgs trains on one GPU in NCHW, without GradScaler or torch.compile") {
  CHECK(valid_after([](Job& job) { job.optimizer = Optimizer::lbfgs; }));
  const auto place = [](const std::function<void(Job&)>& edit) {
    return error_after([&](Job& job) {
             job.optimizer = Optimizer::lbfgs;
             edit(job);
           })
        .place;
  };
  CHECK(place([](Job& job) { job.layout = base::Layout::nhwc; }) == "--layout");
  CHECK(place([](Job& job) { job.precision = Precision::amp_fp16; }) == "--precision");
  CHECK(place([](Job& job) { job.parallel.gpus = 2; }) == "--optimizer");
  CHECK(place([](Job& job) { job.compile = Compile::usual; }) == "--compile");
  CHECK(place([](Job& job) { job.optimizer_impl = OptimizerImpl::fused; }) == "--optimizer-impl");
  CHECK(place([](Job& job) { job.lbfgs.max_iter = 0; }) == "--max-iter");
}

TEST_CASE("a segment count below one is refused") {
  const auto error = error_after([](Job& job) { job.checkpointing = {Checkpointing::Kind::sequential, 0}; });
  CHECK(error.place == "--checkpointing");
  CHECK(error.rule == "must be none, block or seq:N with N segments, N at least 1, but is 'seq:0'");
}

TEST_CASE("checkpointing reads back what it writes") {
  for (const std::string_view text : {"none", "block", "seq:1", "seq:4", "seq:9223372036854775807"}) {
    const auto parsed = parse_checkpointing(text, "--checkpointing");
    REQUIRE(parsed.has_value());
    CHECK(to_string(*parsed) == text);
  }
}

TEST_CASE("checkpointing that is no word of ours is an error with examples") {
  for (const std::string_view text : {"", "Block", "seq", "seq:", "seq4", "seq:0", "seq:-1", "seq:+2", "seq:2x",
                                      "seq: 2", "seq:9223372036854775808", "none "}) {
    const auto parsed = parse_checkpointing(text, "--checkpointing");
    REQUIRE(!parsed.has_value());
    CHECK(parsed.error().rule ==
          "must be none, block or seq:N with N segments, N at least 1, but is '" + std::string(text) + "'");
    CHECK(parsed.error().remedy == "for example --checkpointing block, or --checkpointing seq:4");
  }
}

TEST_CASE("precision decides what is stored and on which unit it is multiplied") {
  struct Row {
    Precision precision{};
    DType activation{};
    DType parameter{};
    MathMode convolution{};
    MathMode linear{};
  };
  for (const Row& row : {
           Row{Precision::fp32, DType::f32, DType::f32, MathMode::fp32, MathMode::fp32},
           Row{Precision::tf32, DType::f32, DType::f32, MathMode::tf32, MathMode::fp32},
           Row{Precision::amp_bf16, DType::bf16, DType::f32, MathMode::bf16, MathMode::bf16},
           Row{Precision::amp_fp16, DType::f16, DType::f32, MathMode::fp16, MathMode::fp16},
           Row{Precision::bf16, DType::bf16, DType::bf16, MathMode::bf16, MathMode::bf16},
       }) {
    CHECK(activation_type(row.precision) == row.activation);
    CHECK(parameter_type(row.precision) == row.parameter);
    CHECK(convolution_math(row.precision) == row.convolution);
    CHECK(linear_math(row.precision) == row.linear);
  }
  CHECK(is_autocast(Precision::amp_bf16));
  CHECK(is_autocast(Precision::amp_fp16));
  CHECK(!is_autocast(Precision::bf16));
}

}  // namespace
}  // namespace vggplan::job
