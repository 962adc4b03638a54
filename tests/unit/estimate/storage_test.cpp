// SPDX-License-Identifier: MIT
#include "estimate/storage_part.hpp"
#include "support/catch.hpp"
#include "support/known.hpp"
#include "support/vgg.hpp"

namespace vggplan::estimate {
namespace {

using base::Bytes;

job::Job large_job() {
  job::Job job;
  job.model = support::vgg(16);
  job.image = {3, 4024, 3036};
  return job;
}

TEST_CASE("checkpoints of VGG16 are as large as those that torch.save wrote") {
  job::Job job = large_job();
  const graph::Network network = support::vgg16(224, 224);
  CHECK(checkpoint_bytes(network, job, false) == Bytes(553'441'155));
  CHECK(checkpoint_bytes(network, job, true) == Bytes(1'106'880'739));
  job.optimizer = job::Optimizer::adamw;
  CHECK(checkpoint_bytes(network, job, true) == Bytes(1'660'327'871));
}

TEST_CASE("a checkpoint is its tensors and little more, in every precision and for every network") {
  for (const int depth : {11, 13, 16, 19}) {
    for (const bool batch_norm : {false, true}) {
      for (const auto precision : {job::Precision::tf32, job::Precision::bf16}) {
        job::Job job = large_job();
        job.precision = precision;
        job.optimizer = job::Optimizer::adam;
        const graph::Network network = support::network(support::vgg(depth, batch_norm), {3, 224, 224});
        const std::int64_t tensors =
            3 * graph::count(network).parameters * base::size_of(job::parameter_type(precision));
        const std::int64_t bytes = checkpoint_bytes(network, job, true).count();
        CHECK(bytes > tensors);
        CHECK(bytes < tensors + 200'000);
      }
    }
  }
}

TEST_CASE("image files are as large as the measured ones, and the user's figure comes first") {
  job::Job job = large_job();
  CHECK(bytes_per_image(job).as_double() == Approx(1'901'169).epsilon(0.001));
  job.data.format = job::ImageFormat::png;
  CHECK(bytes_per_image(job).as_double() == Approx(20'458'701).epsilon(0.001));
  job.data.format = job::ImageFormat::tiff;
  CHECK(bytes_per_image(job) == Bytes(36'650'732));
  job.data.format = job::ImageFormat::raw;
  CHECK(bytes_per_image(job) == Bytes(36'650'592));
  job.image = {3, 1024, 1024};
  job.data.format = job::ImageFormat::jpeg;
  CHECK(bytes_per_image(job).as_double() == Approx(219'726).epsilon(0.001));
  job.data.bytes_per_image = Bytes(12'345);
  CHECK(bytes_per_image(job) == Bytes(12'345));
}

TEST_CASE("a larger image never makes a smaller file") {
  for (const auto format :
       {job::ImageFormat::jpeg, job::ImageFormat::png, job::ImageFormat::tiff, job::ImageFormat::raw}) {
    job::Job job = large_job();
    job.data.format = format;
    Bytes last{};
    for (std::int64_t side = 32; side < 20'000; side += side / 8) {
      job.image = {3, side, side};
      CHECK(bytes_per_image(job) >= last);
      last = bytes_per_image(job);
    }
  }
}

TEST_CASE("the total is data set and checkpoints") {
  job::Job job = large_job();
  job.data.images = 4024;
  job.data.epochs = 10;
  job.data.keep_checkpoints = 3;
  const StorageNeed need = storage_part(support::vgg16(4024, 3036), job, 10);
  REQUIRE(need.dataset);
  CHECK(*need.dataset == bytes_per_image(job) * 4024);
  CHECK(need.checkpoints == need.checkpoint * 3);
  CHECK(need.total == *need.dataset + need.checkpoints);
  CHECK(need.read_rate.count() == Approx(10 * bytes_per_image(job).as_double()));
}

TEST_CASE("inference keeps no checkpoints, and an unknown number of images no data set") {
  job::Job job = large_job();
  job.mode = job::Mode::infer;
  const StorageNeed need = storage_part(support::vgg16(4024, 3036), job, 10);
  CHECK_FALSE(need.dataset);
  CHECK(need.checkpoints == Bytes(0));
}

hardware::Machine machine(const std::string& name, std::int64_t gpus, double price) {
  hardware::Machine machine;
  machine.name = name;
  machine.gpu = "h200-sxm-141gb";
  machine.gpu_count = gpus;
  machine.price = hardware::Price{base::Usd(price), "made up", ""};
  return machine;
}

TEST_CASE("machines are rented whole, and the cheapest that offers the GPU prices it") {
  Knowledge knowledge;
  knowledge.machines = {machine("eight", 8, 20), machine("one", 1, 4)};
  const Target bare = support::target("h200-sxm-141gb");
  const auto price = [&](std::int64_t gpus) {
    job::Job job = large_job();
    job.parallel.gpus = gpus;
    return usd_per_hour(job, bare, knowledge)->count();
  };
  CHECK(price(1) == 4);
  CHECK(price(4) == 16);
  CHECK(price(6) == 20);
  CHECK(price(8) == 20);
  CHECK(price(9) == 36);
}

TEST_CASE("the user's price comes before the catalogue's, and nothing is invented without either") {
  Knowledge knowledge;
  job::Job job = large_job();
  job.parallel.gpus = 2;
  Target bare = support::target("h200-sxm-141gb");
  CHECK_FALSE(usd_per_hour(job, bare, knowledge));
  knowledge.machines = {machine("one", 1, 4)};
  knowledge.prices["h200-sxm-141gb"] = base::Usd(1.5);
  CHECK(usd_per_hour(job, bare, knowledge)->count() == 3);
  bare.machine = machine("eight", 8, 20);
  CHECK(usd_per_hour(job, bare, knowledge)->count() == 20);
  knowledge.prices["eight"] = base::Usd(10);
  CHECK(usd_per_hour(job, bare, knowledge)->count() == 10);
}

TEST_CASE("a run is its epochs, and costs its hours") {
  job::Job job = large_job();
  job.data.images = 1001;
  job.data.epochs = 6;
  job.batch = 2;
  job.accumulation = 5;
  job.parallel.gpus = 4;
  Time time;
  time.images_per_second = {40, 20, 80, base::Basis::modelled};
  const auto run = run_part(job, time, base::Usd(12));
  REQUIRE(run);
  CHECK(run->steps == 6 * 26);  // 1001 images in steps of 40
  CHECK(run->epoch.value.count() == Approx(26));
  CHECK(run->total.value.count() == Approx(156));
  CHECK(run->total.low.count() == Approx(78));
  CHECK(run->total.high.count() == Approx(312));
  CHECK(run->gpu_hours.value == Approx(156 * 4 / 3600.0));
  REQUIRE(run->cost);
  CHECK(run->cost->value.count() == Approx(12 * 156 / 3600.0));
  job.data.images.reset();
  CHECK_FALSE(run_part(job, time, std::nullopt));
}

}  // namespace
}  // namespace vggplan::estimate
