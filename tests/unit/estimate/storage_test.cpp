// SPDX-License-Identifier: MIT
#include <algorithm>

#include "estimate/storage_part.hpp"
#include "support/catch.hpp"
#include "support/known.hpp"
#include "support/vgg.hpp"
#include "support/warnings.hpp"
#include "vggplan/estimate/data.hpp"

namespace vggplan::estimate {
namespace {

using base::Bytes;
using support::warns;

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
  job.optimizer = job::Optimizer::rmsprop;  // one state: what momentum has, and a counter of each tensor
  CHECK(checkpoint_bytes(network, job, true).as_double() == Approx(1'106'880'739).epsilon(0.0001));
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

TEST_CASE("the total is data set, checkpoints and logs") {
  job::Job job = large_job();
  job.data.images = 4024;
  job.data.epochs = 10;
  job.data.keep_checkpoints = 3;
  const StorageNeed need = storage_part(support::vgg16(4024, 3036), job, 10);
  REQUIRE(need.dataset);
  REQUIRE(need.logs);
  CHECK(*need.dataset == bytes_per_image(job) * 4024);
  CHECK(need.weights == Bytes(553'441'155));
  CHECK(need.checkpoint == Bytes(1'106'880'739));
  CHECK(need.checkpoints == need.checkpoint * 3);
  CHECK(*need.logs == Bytes(40'240 * 200));  // one step an image, 200 bytes a step
  CHECK_FALSE(need.cache);
  CHECK(need.total == *need.dataset + need.checkpoints + *need.logs);
  CHECK(need.read_rate.count() == Approx(10 * bytes_per_image(job).as_double()));
}

TEST_CASE("no more checkpoints are kept than are written") {
  job::Job job = large_job();
  job.data.epochs = 30;
  job.data.keep_checkpoints = 5;
  const auto kept = [&](std::optional<std::int64_t> every) {
    job.data.checkpoint_every = every;
    const StorageNeed need = storage_part(support::vgg16(4024, 3036), job, 10);
    return need.checkpoints.count() / need.checkpoint.count();
  };
  CHECK(kept(std::nullopt) == 5);
  CHECK(kept(6) == 5);
  CHECK(kept(10) == 3);
  CHECK(kept(100) == 1);
}

TEST_CASE("a decoded cache holds one byte a sample beside the files, and is what is read") {
  job::Job job = large_job();
  job.data.images = 4024;
  job.data.decoded_cache = true;
  const StorageNeed need = storage_part(support::vgg16(4024, 3036), job, 10);
  REQUIRE(need.cache);
  CHECK(*need.cache == Bytes(4024LL * 3 * 4024 * 3036));
  CHECK(need.total == *need.dataset + *need.cache + need.checkpoints + *need.logs);
  CHECK(need.read_rate.count() == Approx(10.0 * 3 * 4024 * 3036));
}

TEST_CASE("with a decoded cache the workers decode nothing") {
  const Target target = support::target("h200-sxm-141gb");
  job::Job job = large_job();
  const auto files = estimate(job, target, support::known());
  job.data.decoded_cache = true;
  const auto cached = estimate(job, target, support::known());
  // What remains is to hand over 36.65 MB at 1.1 ns a byte: 25 images a second.
  CHECK(cached->input.decode_images_per_second_per_worker > 1.5 * files->input.decode_images_per_second_per_worker);
  CHECK(cached->input.decode_images_per_second_per_worker == Approx(1 / (36'650'592 * 1.1e-9)).epsilon(0.1));
}

const StorageOffer& offer(const Estimate& estimate, const std::string& name) {
  return *std::ranges::find(estimate.storage.offers, name, &StorageOffer::name);
}

TEST_CASE("a hard disk reads one file after the other, however many workers ask") {
  job::Job job = large_job();
  job.image = {3, 512, 512};
  const Target target = support::target("h200-sxm-141gb");
  const hardware::Storage hdd = support::built_in_catalog().storage("hdd").value();
  const double seconds = hdd.latency.count() + bytes_per_image(job).as_double() / hdd.sequential_read.count();
  for (const std::int64_t workers : {1, 16, 64}) {
    job.data.workers = workers;
    CHECK(offer(*estimate(job, target, support::known()), "hdd").images_per_second == Approx(1 / seconds));
  }
}

TEST_CASE("latency of an object store hides behind many readers: more workers are asked for, and then it is enough") {
  job::Job job = large_job();
  job.image = {3, 512, 512};
  job.batch = 64;
  const Target target = support::target("h200-sxm-141gb");
  const auto without = estimate(job, target, support::known());
  job.data.storage = "object-store";
  const auto with = estimate(job, target, support::known());
  CHECK(with->input.workers > without->input.workers);
  CHECK(offer(*with, "object-store").sufficient);
  CHECK(with->time.bound_by == "gpu");
  job.data.workers = 1;
  const auto alone = estimate(job, target, support::known());
  CHECK_FALSE(offer(*alone, "object-store").sufficient);
  CHECK(alone->time.bound_by == "storage");
  CHECK(alone->input.workers_needed == with->input.workers);
}

TEST_CASE("a storage is sufficient where it delivers what the GPUs take, and the job is not bound by it then") {
  for (const std::int64_t side : {224, 1024, 4000}) {
    for (const auto format : {job::ImageFormat::jpeg, job::ImageFormat::raw}) {
      for (const std::string& name : support::built_in_catalog().storage_names()) {
        job::Job job = large_job();
        job.image = {3, side, side};
        job.data.format = format;
        job.data.storage = name;
        const auto answer = estimate(job, support::target("h200-sxm-141gb"), support::known());
        INFO(name << " " << side);
        CHECK(offer(*answer, name).sufficient == (answer->time.bound_by != "storage"));
        CHECK((offer(*answer, name).read_rate >= answer->storage.read_rate) == offer(*answer, name).sufficient);
        CHECK((offer(*answer, name).sufficient ||
               answer->time.images_per_second.value == Approx(offer(*answer, name).images_per_second)));
      }
    }
  }
}

TEST_CASE("host memory that the machine lacks is warned of, and a data set that stays in memory is pointed out") {
  job::Job job = large_job();
  job.batch = 4;
  job.data.pipeline = job::Pipeline::pil_float;
  job.data.workers = 16;
  const Target target = support::target("h200-sxm-141gb");
  job.data.ram = base::kGiB * 512;
  const auto roomy = estimate(job, target, support::known());
  // Two batches of float images a worker and as much pinned: 17 x 2 x 4 x 146.6 MB, and the processes.
  CHECK(roomy->input.host_memory.as_double() == Approx(17 * 2 * 4 * 146.6e6 + 8e9).epsilon(0.1));
  CHECK_FALSE(warns(*roomy, "host-memory"));
  job.data.ram = base::kGiB * 16;
  CHECK(warns(*estimate(job, target, support::known()), "host-memory"));
  job.data.ram = base::kGiB * 512;
  job.data.storage = "hdd";
  job.data.format = job::ImageFormat::tiff;
  job.data.images = 1000;
  const auto bound = estimate(job, target, support::known());
  CHECK(*bound->input.page_cache == bytes_per_image(job) * 1000);
  CHECK(bound->time.bound_by == "storage");
  CHECK(warns(*bound, "page-cache"));
  job.data.images = 1'000'000;
  CHECK_FALSE(warns(*estimate(job, target, support::known()), "page-cache"));
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

TEST_CASE("machines are rented whole, one a node, and the cheapest that holds a node's GPUs prices it") {
  Knowledge knowledge;
  knowledge.machines = {machine("eight", 8, 20), machine("one", 1, 4)};
  const Target bare = support::target("h200-sxm-141gb");
  const auto price = [&](std::int64_t gpus, std::int64_t nodes) {
    job::Job job = large_job();
    job.parallel.gpus = gpus;
    job.parallel.nodes = nodes;
    return usd_per_hour(job, bare, knowledge);
  };
  CHECK(price(1, 1) == base::Usd(4));
  CHECK(price(4, 4) == base::Usd(16));
  CHECK(price(4, 1) == base::Usd(20));  // four machines of one GPU are not what was timed
  CHECK(price(8, 1) == base::Usd(20));
  CHECK(price(8, 2) == base::Usd(40));
  CHECK_FALSE(price(9, 1));
}

TEST_CASE("a machine without a price is not priced as another, and a run without a price says so") {
  Knowledge knowledge = support::known();
  knowledge.machines = {machine("one", 1, 4)};
  Target target = support::target("h200-sxm-141gb");
  target.machine = machine("unpriced", 1, 0);
  target.machine->price.reset();
  job::Job job = large_job();
  job.data.images = 1000;
  const auto without = estimate(job, target, knowledge);
  CHECK_FALSE(without->run->cost);
  CHECK(warns(*without, "no-price"));
  knowledge.prices["unpriced"] = base::Usd(7);
  const auto with = estimate(job, target, knowledge);
  CHECK(with->run->cost->value.count() == Approx(7 * with->run->total.value.count() / 3600));
  CHECK(with->target.machine->price->per_hour == base::Usd(7));
  CHECK_FALSE(warns(*with, "no-price"));
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
  CHECK(quote(job, bare, knowledge)->price.reference == "--price");
  bare.machine = machine("eight", 8, 20);
  CHECK(usd_per_hour(job, bare, knowledge)->count() == 20);
  CHECK(quote(job, bare, knowledge)->of == "eight");
  knowledge.prices["eight"] = base::Usd(10);
  CHECK(usd_per_hour(job, bare, knowledge)->count() == 10);
}

TEST_CASE("spot machines cost what is asked for, and a warning says what the cost lacks") {
  Knowledge knowledge = support::known();
  knowledge.machines = {machine("one", 1, 4)};
  const Target bare = support::target("h200-sxm-141gb");
  CHECK_FALSE(warns(*estimate(large_job(), bare, knowledge), "spot-price"));
  knowledge.machines.front().price->spot = true;
  CHECK(warns(*estimate(large_job(), bare, knowledge), "spot-price"));
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
