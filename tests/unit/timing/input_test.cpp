// SPDX-License-Identifier: MIT
#include "vggplan/timing/input.hpp"

#include <algorithm>
#include <cmath>

#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

InputRates rates() {
  InputRates r;
  r.stages = {{"decode-pil-jpeg", {{1e6, 10e-3}, {4e6, 80e-3}}},
              {"decode-torchvision-jpeg", {{1e6, 5e-3}}},
              {"pil-totensor-normalize", {{1e6, 6e-3}}}};
  r.handover_seconds_per_byte = 1e-9;
  r.inline_seconds_per_byte = 0.5e-9;
  r.pinned_copy = base::BytesPerSecond(10e9);
  return r;
}

ImagePath path(std::int64_t pixels, bool float_in_worker) {
  ImagePath p;
  p.pipeline = float_in_worker ? base::Pipeline::pil_float : base::Pipeline::tv_uint8;
  p.pixels = pixels;
  p.file_bytes = base::Bytes(200'000);
  return p;
}

InputSide side(std::int64_t workers, std::int64_t gpus = 1) {
  InputSide s;
  s.workers = workers;
  s.gpus = gpus;
  s.cpus = 64;
  return s;
}

}  // namespace

TEST_CASE("a worker decodes, transforms and hands over; floats are four bytes a sample") {
  CHECK(worker_seconds(path(1'000'000, true), rates()).count() == Approx(10e-3 + 6e-3 + 12e-3));
  CHECK(worker_seconds(path(1'000'000, false), rates()).count() == Approx(5e-3 + 3e-3));
  SECTION("between measured sizes on a line of logarithms, beyond them in proportion") {
    ImagePath p = path(2'000'000, true);
    CHECK(worker_seconds(p, rates()).count() == Approx(28.284e-3 + 12e-3 + 24e-3).epsilon(1e-4));
    p.pixels = 8'000'000;
    CHECK(worker_seconds(p, rates()).count() == Approx(160e-3 + 48e-3 + 96e-3));
  }
  SECTION("what one decoder was not measured with takes what it takes PIL") {
    InputRates measured = rates();
    measured.stages.push_back({"decode-pil-tiff", {{1e6, 40e-3}}});
    ImagePath p = path(1'000'000, false);
    p.file = base::ImageFormat::tiff;
    CHECK(worker_seconds(p, measured).count() == Approx(40e-3 + 3e-3));
  }
  SECTION("what torchvision was not measured with goes through PIL") {
    ImagePath p = path(1'000'000, false);
    p.file = base::ImageFormat::raw;
    CHECK(worker_seconds(p, rates()).count() == Approx(3e-3));
  }
}

TEST_CASE("the slowest of GPU, workers, copy and storage bounds the whole") {
  const ImagePath p = path(1'000'000, false);
  const base::Seconds step(1e-3);
  // 8 ms in a worker, 1.3 ms on the GPU with its copy.
  CHECK(input_throughput(p, side(2), step, rates()).bound == Bound::workers);
  CHECK(input_throughput(p, side(2), step, rates()).images_per_second == Approx(2 / 8e-3));
  const InputThroughput fed = input_throughput(p, side(16), step, rates());
  CHECK(fed.bound == Bound::gpu);
  CHECK(fed.images_per_second == Approx(1 / 1.3e-3));
  const Demand demand = demand_of(p, 1, step, rates());
  CHECK(demand.images_per_second == Approx(1 / 1.3e-3));
  CHECK(demand.workers == 7);
  CHECK(input_throughput(p, side(7), step, rates()).bound == Bound::gpu);
  CHECK(input_throughput(p, side(6), step, rates()).bound == Bound::workers);
  SECTION("storage reads files") {
    InputSide slow = side(16);
    slow.storage_read = base::BytesPerSecond(20e6);
    const InputThroughput out = input_throughput(p, slow, step, rates());
    CHECK(out.bound == Bound::storage);
    CHECK(out.images_per_second == Approx(100.0));
  }
  SECTION("without workers everything comes in turn") {
    const InputThroughput alone = input_throughput(p, side(0), step, rates());
    CHECK(alone.images_per_second == Approx(1 / (1.3e-3 + 5e-3 + 1.5e-3)));
    CHECK(alone.input_images_per_second() == Approx(1 / (5e-3 + 1.5e-3)));
    CHECK(alone.bound == Bound::workers);
    // 6.5 ms of the process beside a step of a second.
    CHECK(input_throughput(p, side(0), base::Seconds(1.0), rates()).bound == Bound::gpu);
  }
  SECTION("a copy that takes longer than the kernels bounds the two") {
    CHECK(input_throughput(p, side(64), base::Seconds(0.2e-3), rates()).bound == Bound::copy);
  }
  SECTION("readers share the latency of the storage") {
    InputSide far = side(16);
    far.storage_read = base::BytesPerSecond(1e9);
    far.storage_latency = base::Seconds(40e-3);
    far.readers = 4;
    CHECK(*input_throughput(p, far, step, rates()).storage_images_per_second == Approx(1 / (0.2e-3 + 10e-3)));
  }
  SECTION("more cores than there are do not help") {
    InputSide few = side(16);
    few.cpus = 4;
    CHECK(input_throughput(p, few, step, rates()).images_per_second == Approx(4 / 8e-3));
  }
}

TEST_CASE("every GPU's process has whole workers of its own") {
  // 7 for one GPU, as 6.2 are needed: four GPUs share 24.6 of them no better.
  CHECK(demand_of(path(1'000'000, false), 4, base::Seconds(1e-3), rates()).workers == 28);
}

TEST_CASE("decoding on the GPU takes its time from the step, and no worker's") {
  InputRates measured = rates();
  measured.stages.push_back({"decode-nvjpeg-jpeg", {{1e6, 2e-3}}});
  ImagePath p = path(1'000'000, false);
  p.pipeline = base::Pipeline::nvjpeg;
  const double copy = 200'000 / 10e9;
  const InputThroughput out = input_throughput(p, side(8), base::Seconds(1e-3), measured);
  CHECK(out.images_per_second == Approx(1 / (1e-3 + copy + 2e-3)));
  CHECK(out.bound == Bound::gpu);
}

TEST_CASE("a stage between measured sizes lies on a power of the pixels, and beyond them in proportion to these") {
  InputRates measured;
  measured.stages = {{"decode-pil-png", {{1e6, 9.0}}},  // another format
                     {"decode-pil-jpeg", {{1e6, 1.0}, {4e6, 2.0}, {9e6, 18.0}}}};
  measured.handover_seconds_per_byte = 0.0;
  const auto seconds = [&](std::int64_t pixels) { return worker_seconds(path(pixels, true), measured).count(); };
  CHECK(seconds(500'000) == Approx(0.5));
  CHECK(seconds(1'000'000) == Approx(1.0));
  CHECK(seconds(2'250'000) == Approx(1.5));  // as the root from 1 to 4
  CHECK(seconds(4'000'000) == Approx(2.0));
  CHECK(seconds(6'000'000) == Approx(6.0));  // the middle of 4 and 9, and of 2 and 18
  CHECK(seconds(9'000'000) == Approx(18.0));
  CHECK(seconds(18'000'000) == Approx(36.0));
  measured.stages[1].nodes.clear();
  CHECK(seconds(1'000'000) == 0.0);  // named, and not measured
}

TEST_CASE("what is handed over, by pipeline: samples of a byte or of a float, or the file") {
  ImagePath p = path(1000, true);
  p.channels = 5;
  CHECK(handed_bytes(p).count() == 20'000);
  p.pipeline = base::Pipeline::tv_uint8;
  CHECK(handed_bytes(p).count() == 5'000);
  p.pipeline = base::Pipeline::nvjpeg;
  CHECK(handed_bytes(p).count() == 200'000);
  InputRates measured = rates();
  measured.stages.push_back({"decode-nvjpeg-jpeg", {{1000, 2e-3}}});
  CHECK(worker_seconds(p, measured).count() == Approx(200'000 * 1e-9));
  CHECK(gpu_seconds(p, measured).count() == Approx(200'000 / 10e9 + 2e-3));
  p.decode_factor = 1.5;
  CHECK(gpu_seconds(p, measured).count() == Approx(200'000 / 10e9 + 3e-3));
  p.pipeline = base::Pipeline::tv_uint8;
  CHECK(gpu_seconds(p, measured).count() == Approx(5'000 / 10e9));
}

TEST_CASE("the slowest side bounds the machine, each tried around the rate of the GPUs") {
  const ImagePath p = path(1'000'000, false);  // 8 ms a worker, 0.3 ms to copy
  const base::Seconds step(0.7e-3);            // 1000 images a second and GPU
  for (const std::int64_t gpus : {1, 4}) {
    for (const std::int64_t workers : {4, 31, 33, 80}) {
      for (const double storage : {20e6, 790e6, 810e6, 1e12}) {
        InputSide s = side(workers, gpus);
        s.cpus = 33;
        s.storage_read = base::BytesPerSecond(storage);
        const InputThroughput out = input_throughput(p, s, step, rates());
        const double of_gpus = 1000.0 * static_cast<double>(gpus);
        const double of_workers = static_cast<double>(std::min<std::int64_t>(workers, 33)) / 8e-3;
        const double of_storage = storage / 200'000;
        CAPTURE(gpus, workers, storage);
        CHECK(out.gpu_images_per_second == Approx(of_gpus));
        CHECK(out.copy_images_per_second == Approx(of_gpus * 1.0 / 0.3));
        CHECK(out.worker_images_per_second == Approx(of_workers));
        CHECK(*out.storage_images_per_second == Approx(of_storage));
        CHECK(out.images_per_second == Approx(std::min({of_gpus, of_workers, of_storage})));
        CHECK(out.input_images_per_second() == Approx(std::min({of_gpus / 0.3, of_workers, of_storage})));
        CHECK(out.bound == (of_storage < std::min(of_gpus, of_workers) ? Bound::storage
                            : of_workers < of_gpus                     ? Bound::workers
                                                                       : Bound::gpu));
      }
    }
  }
  SECTION("workers as fast as the GPU leave it its bound") {
    InputRates alone;
    alone.pinned_copy = base::BytesPerSecond(HUGE_VAL);
    const base::Seconds same = worker_seconds(p, alone);
    CHECK(input_throughput(p, side(1), same, alone).bound == Bound::gpu);
    CHECK(input_throughput(p, side(1), same * 0.99, alone).bound == Bound::workers);
  }
  SECTION("a copy as long as the step leaves the GPU its bound") {
    CHECK(input_throughput(p, side(64), base::Seconds(3e6 / 10e9), rates()).bound == Bound::gpu);
    CHECK(input_throughput(p, side(64), base::Seconds(0.29e-3), rates()).bound == Bound::copy);
    CHECK(input_throughput(p, side(64), base::Seconds(0.31e-3), rates()).bound == Bound::gpu);
  }
  SECTION("without workers a process of a twentieth of the step is noticed") {
    // 6.5 ms in the process; 0.3 ms to copy.
    CHECK(input_throughput(p, side(0), base::Seconds(6.5e-3 / 0.051 - 0.3e-3), rates()).bound == Bound::workers);
    CHECK(input_throughput(p, side(0), base::Seconds(6.5e-3 / 0.049 - 0.3e-3), rates()).bound == Bound::gpu);
    CHECK(input_throughput(p, side(0, 4), step, rates()).worker_images_per_second == Approx(4 / 6.5e-3));
    CHECK(input_throughput(p, side(0, 4), step, rates()).images_per_second == Approx(4 / 7.5e-3));
  }
}

TEST_CASE("rates without bound ask for no more workers than can be counted") {
  InputRates boundless;
  boundless.pinned_copy = base::BytesPerSecond(HUGE_VAL);
  const Demand demand = demand_of(path(1'000'000, false), 2, base::Seconds(0.0), boundless);
  CHECK(demand.images_per_second == HUGE_VAL);
  CHECK(demand.workers == 2'000'000'000'000);
}

}  // namespace vggplan::timing
