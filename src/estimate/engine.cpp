// SPDX-License-Identifier: MIT
// The models behind the questions of a search. Searches ask the same thing many times over (every count of
// GPUs has the same memory under DDP), so answers are kept.
#include <array>
#include <charconv>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "estimate/memory_part.hpp"
#include "estimate/storage_part.hpp"
#include "estimate/time_part.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::estimate {

namespace {

/// Numbers and names in a row, each ended, as a key.
class Key {
 public:
  Key& add(std::int64_t number) {
    std::array<char, 24> digits{};
    const auto [end, fault] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    text_.append(digits.data(), end);
    text_ += ';';
    return *this;
  }
  template <class E>
  requires std::is_enum_v<E> Key& add(E value) { return add(static_cast<std::int64_t>(value)); }
  Key& add(const std::string& name) {
    text_ += name;
    text_ += '\n';
    return *this;
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_{};
};

void add_network(Key& key, const job::Job& job) {
  key.add(job.model.name)
      .add(job.image.channels)
      .add(job.image.height)
      .add(job.image.width)
      .add(job.classes)
      .add(job.head)
      .add(job.scope.freeze)
      .add(job.scope.norm)
      .add(job.scope.until)
      .add(job.scope.trained)
      .add(job.scope.objective ? static_cast<std::int64_t>(*job.scope.objective) : -1)
      .add(job.eval_batch);
  for (const graph::Shape& size : job.sizes) {
    key.add(size.height).add(size.width);
  }
  key.add(job.checkpointing.kind).add(job.checkpointing.segments);
}

void add_settings(Key& key, const job::Job& job) {
  add_network(key, job);
  key.add(job.mode)
      .add(job.batch)
      .add(job.accumulation)
      .add(job.forward_passes)
      .add(job.precision)
      .add(job.layout)
      .add(job.optimizer);
  key.add(job.optimizer_impl).add(job.lbfgs.history_size).add(job.lbfgs.max_iter);
  key.add(job.cudnn_benchmark).add(job.compile);
}

/// Under DDP each GPU does what it would do alone, however many there are.
void add_sharing(Key& key, const job::Job& job) {
  const bool alike = job.parallel.gpus == 1 || job.parallel.sharding == job::Sharding::ddp;
  key.add(alike ? job::Sharding::ddp : job.parallel.sharding).add(alike ? 1 : job.parallel.gpus);
}

/// Pure functions, remembered; all forgotten when there are too many. Two threads that miss at once both compute,
/// and agree.
template <class V>
class Memo {
 public:
  explicit Memo(std::size_t most) : most_(most) {}

  template <class Compute>
  V get(std::string key, Compute compute) {
    {
      const std::scoped_lock lock(guard_);
      if (const auto found = known_.find(key); found != known_.end()) {
        return found->second;
      }
    }
    V value = compute();
    const std::scoped_lock lock(guard_);
    if (known_.size() >= most_) {
      known_.clear();
    }
    return known_.emplace(std::move(key), std::move(value)).first->second;
  }

 private:
  std::size_t most_;
  std::mutex guard_{};
  std::unordered_map<std::string, V> known_{};
};

using SharedLowered = std::shared_ptr<const base::Result<Lowered>>;
using SharedCalibration = std::shared_ptr<const base::Result<timing::Calibration>>;
using SharedWork = std::shared_ptr<const StepWork>;
using SharedOwnTime = std::shared_ptr<const timing::OwnTime>;

/// What ranks do not share: all but the update and the gradients that accumulate.
StepWork without_shared_parts(StepWork work) {
  std::erase_if(work.ops, [](const timing::Op& op) {
    return op.phase == base::Phase::optimizer || op.kind == timing::OpKind::grad_accumulate;
  });
  return work;
}

class Models {
 public:
  explicit Models(Knowledge knowledge) : knowledge_(std::move(knowledge)) {}

  Bytes memory_floor(const job::Job& job, const Target& /*target*/) {
    Key key;
    add_settings(key, job);
    add_sharing(key, job);
    return memory_floors_.get(key.take(), [&] {
      const SharedLowered lowered = lower(job);
      return *lowered ? estimate::memory_floor(**lowered, job) : Bytes(0);
    });
  }

  base::Result<MemoryAnswer> memory(const job::Job& job, const Target& target) {
    return memories_.get(memory_key(job, target), [&]() -> base::Result<MemoryAnswer> {
      const SharedLowered lowered = lower(job);
      if (!*lowered) {
        return lowered->error();
      }
      TRY(job::validate(job, (*lowered)->network));
      return memory_answer({**lowered, job, target, knowledge_.framework});
    });
  }

  base::Result<Bytes> reserved_high(const job::Job& job, const Target& target) {
    return reserved_highs_.get(memory_key(job, target), [&]() -> base::Result<Bytes> {
      const MemoryAnswer expected = TRY(memory(job, target));
      const SharedLowered lowered = lower(job);
      return estimate::reserved_high({**lowered, job, target, knowledge_.framework}, expected);
    });
  }

  Bytes usable(const job::Job& job, const Target& target) const {
    return usable_memory(job, target, knowledge_.framework);
  }

  base::Result<Seconds> time_floor(const job::Job& job, const Target& target) {
    if (!job.sizes.empty()) {
      Seconds sum;
      for (const graph::Shape& size : job.sizes) {
        sum += TRY(time_floor(job::of_size(job, size), target));
      }
      return sum * (1.0 / static_cast<double>(job.sizes.size()));
    }
    const bool shared = job.parallel.gpus > 1 && job.parallel.sharding != job::Sharding::ddp;
    Key key;
    add_settings(key, job);
    key.add(shared ? 1 : 0).add(target.gpu.name);
    return time_floors_.get(key.take(), [&]() -> base::Result<Seconds> {
      const SharedCalibration calibration = calibrated(target.gpu);
      const SharedLowered lowered = lower(job);
      if (!*calibration || !*lowered) {
        return *calibration ? lowered->error() : calibration->error();
      }
      job::Job alone = job;
      alone.parallel = {};
      const Timed asked{alone, target, knowledge_, **calibration};
      const SharedWork all = work(alone, target, **lowered);
      const SharedOwnTime time =
          shared ? std::make_shared<const timing::OwnTime>(own_time_of(without_shared_parts(*all), asked))
                 : own(*all, asked);
      return time->step.step.value * static_cast<double>(job::closures(job));
    });
  }

  base::Result<TimeAnswer> time(const job::Job& job, const Target& target) {
    const SharedCalibration calibration = calibrated(target.gpu);
    if (!*calibration) {
      return calibration->error();
    }
    const Timed asked{job, target, knowledge_, **calibration};
    const timing::ParallelTime parallel = TRY(parallel_time(asked));
    const timing::InputThroughput throughput = feed(asked, parallel.step.step.value);
    return TimeAnswer{parallel.step.step.value, parallel.exposed.value, images_per_second(job, throughput),
                      bound_by(parallel, throughput), usd_per_hour(job, target, knowledge_)};
  }

  base::Result<Estimate> full(const job::Job& job, const Target& target) { return estimate(job, target, knowledge_); }

 private:
  /// Of several sizes the mean.
  base::Result<timing::ParallelTime> parallel_time(const Timed& asked) {
    const auto& [job, target, knowledge, calibration] = asked;
    std::vector<timing::ParallelTime> times;
    for (const graph::Shape& size : job.sizes) {
      times.push_back(TRY(parallel_time({job::of_size(job, size), target, knowledge, calibration})));
    }
    if (!times.empty()) {
      return timing::mean(times);
    }
    const SharedLowered lowered = lower(job);
    if (!*lowered) {
      return lowered->error();
    }
    const SharedWork done = work(job, target, **lowered);
    return step_of(*done, *own(*done, asked), asked);
  }

  std::string memory_key(const job::Job& job, const Target& target) const {
    Key key;
    add_settings(key, job);
    const bool alike =
        job.parallel.sharding == job::Sharding::ddp;  // every rank holds the same, however many there are
    key.add(alike ? std::min<std::int64_t>(job.parallel.gpus, 2) : job.parallel.gpus).add(job.parallel.sharding);
    key.add(job.parallel.bucket.count()).add(job.parallel.bucket_view).add(job.expandable_segments);
    const lowering::Device device = device_of(target.gpu, knowledge_.framework);
    key.add(device.sm_count)
        .add(device.threads_per_sm)
        .add(device.cublas_workspace.count())
        .add(device.l2_cache.count())
        .add(device.tf32)
        .add(device.fp16);
    key.add(usable(job, target).count());
    return key.take();
  }

  SharedLowered lower(const job::Job& job) {
    Key key;
    add_network(key, job);
    return lowered_.get(key.take(),
                        [&] { return std::make_shared<const base::Result<Lowered>>(estimate::lower(job)); });
  }

  SharedCalibration calibrated(const hardware::Gpu& gpu) {
    return calibrations_.get(gpu.name, [&] {
      return std::make_shared<const base::Result<timing::Calibration>>(calibration_for(gpu, knowledge_));
    });
  }

  SharedWork work(const job::Job& job, const Target& target, const Lowered& lowered) {
    Key key;
    add_settings(key, job);
    add_sharing(key, job);
    key.add(job.parallel.bucket.count()).add(job.parallel.bucket_view).add(job::runs_as(job.precision, target.gpu));
    return works_.get(key.take(), [&] {
      return std::make_shared<const StepWork>(work_of(lowered, job, target.gpu, knowledge_.framework));
    });
  }

  SharedOwnTime own(const StepWork& work, const Timed& asked) {
    Key key;
    add_settings(key, asked.job);
    add_sharing(key, asked.job);
    key.add(asked.target.gpu.name);
    return own_times_.get(key.take(),
                          [&] { return std::make_shared<const timing::OwnTime>(own_time_of(work, asked)); });
  }

  /// Several times the settings and batches of one GPU model: searches go from one model to the next. Of what is large
  /// fewer, so that all together stay below some 100 MB.
  static constexpr std::size_t kNumbers = 32'768;
  static constexpr std::size_t kTimes = 8'192;
  static constexpr std::size_t kSteps = 2'048;
  static constexpr std::size_t kNetworks = 512;

  Knowledge knowledge_;
  Memo<SharedLowered> lowered_{kNetworks};
  Memo<SharedCalibration> calibrations_{kNetworks};
  Memo<SharedWork> works_{kSteps};
  Memo<SharedOwnTime> own_times_{kTimes};
  Memo<base::Result<MemoryAnswer>> memories_{kNumbers};
  Memo<base::Result<Bytes>> reserved_highs_{kNumbers};
  Memo<Bytes> memory_floors_{kNumbers};
  Memo<base::Result<Seconds>> time_floors_{kNumbers};
};

}  // namespace

Engine make_engine(Knowledge knowledge) {
  const auto models = std::make_shared<Models>(std::move(knowledge));
  const auto ask = [&](auto question) {
    return [models, question](const job::Job& job, const Target& target) { return ((*models).*question)(job, target); };
  };
  return {.usable = ask(&Models::usable),
          .memory_floor = ask(&Models::memory_floor),
          .time_floor = ask(&Models::time_floor),
          .memory = ask(&Models::memory),
          .reserved_high = ask(&Models::reserved_high),
          .time = ask(&Models::time),
          .full = ask(&Models::full)};
}

}  // namespace vggplan::estimate
