// SPDX-License-Identifier: MIT
// What is known: JSON, embedded at build or brought by the user, as typed records. Nothing is parsed
// before it is asked for, so that one estimate reads the few files it needs. No file is opened here.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/catalog/prices.hpp"
#include "vggplan/catalog/record_file.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/lowering/framework.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::catalog {

/// The text of a file that the user brings.
struct ConfigFile {
  std::string path{};  ///< within the folder of configuration files, "gpus/my-card.json"; or just a name
  std::string text{};
  std::string shown{};  ///< what errors call it; empty: `path`
};

/// A GPU as a name stands for it.
struct GpuChoice {
  hardware::Gpu gpu{};
  std::string note{};                       ///< empty, or which variant an ambiguous name was taken as, and the others
  std::vector<std::string> alternatives{};  ///< names of the other variants that the name could mean
  bool of_any{false};                       ///< nobody named it: `any` was asked for
};

/// A short name and the GPU that it stands for by default.
struct GpuAlias {
  std::string_view alias{};
  std::string_view name{};
};
std::span<const GpuAlias> gpu_aliases();

struct NameMatch;

class Catalog {
 public:
  static Catalog built_in();

  /// This catalogue with the user's files on top: a file of a known name replaces it. Every file is
  /// checked at once.
  [[nodiscard]] base::Result<Catalog> with_overrides(std::span<const ConfigFile> files) const;
  /// With one GPU added (--gpu-file); its path means nothing, its name is the one inside.
  [[nodiscard]] base::Result<Catalog> with_gpu_file(const ConfigFile& file) const;

  /// With prices of the user's in place of those that are known, and of these those that `asked` takes.
  [[nodiscard]] base::Result<Catalog> with_prices(PriceList prices, AskedPrices asked) const;

  /// Names in a folder (gpus, machines, models, storage, frameworks, calibration), sorted.
  [[nodiscard]] std::vector<std::string> names(std::string_view folder) const;
  [[nodiscard]] std::vector<std::string> gpu_names() const { return names("gpus"); }
  /// Those that can be had apart: all but the laptops'.
  [[nodiscard]] std::vector<std::string> card_names() const;
  [[nodiscard]] std::vector<std::string> machine_names() const { return names("machines"); }
  [[nodiscard]] std::vector<std::string> model_names() const { return names("models"); }
  [[nodiscard]] std::vector<std::string> storage_names() const { return names("storage"); }

  /// `name` may be an alias, the words of a name in any order, or a size ("8GB"), which stands for a card of as much;
  /// `place` is what errors call its origin.
  [[nodiscard]] base::Result<GpuChoice> find_gpu(std::string_view name, std::string_view place) const;
  /// Whether `name` stands for one GPU: cheaper than to find it.
  [[nodiscard]] bool knows_gpu(std::string_view name) const;
  [[nodiscard]] base::Result<hardware::Gpu> gpu(std::string_view name) const;
  [[nodiscard]] base::Result<hardware::Machine> machine(std::string_view name, std::string_view place = "") const;
  [[nodiscard]] base::Result<graph::ModelSpec> model(std::string_view name) const;
  [[nodiscard]] base::Result<hardware::Storage> storage(std::string_view name) const;
  [[nodiscard]] base::Result<hardware::Link> link(std::string_view name) const;
  [[nodiscard]] base::Result<lowering::Framework> framework(std::string_view name) const;
  [[nodiscard]] base::Result<timing::Calibration> calibration(std::string_view name) const;

  [[nodiscard]] base::Result<std::vector<hardware::Link>> links() const;
  /// Machines that have this GPU, by its full name.
  [[nodiscard]] base::Result<std::vector<hardware::Machine>> machines_with(std::string_view gpu) const;

  /// A file as it stands.
  [[nodiscard]] base::Result<std::string_view> text(std::string_view folder, std::string_view name) const;

 private:
  struct Entry : RecordFile {
    std::shared_ptr<const std::string> owner{};  ///< keeps a user's text alive
  };
  using Folder = std::map<std::string, Entry, std::less<>>;

  [[nodiscard]] base::Result<const Entry*> entry(std::string_view folder, std::string_view name,
                                                 std::string_view place = "") const;
  [[nodiscard]] base::Result<hardware::Gpu> load_gpu(std::string_view name) const;
  [[nodiscard]] base::Result<NameMatch> match_gpu(std::string_view name) const;
  [[nodiscard]] base::Result<NameMatch> match_with_memory(std::string_view name) const;
  [[nodiscard]] base::Diagnostic unknown(std::string_view name, std::string_view place) const;
  base::Status add(const ConfigFile& file);
  void settle_price(hardware::Machine& machine) const;
  /// Some price must be of each region that is asked for.
  [[nodiscard]] base::Status check_regions() const;
  /// The links that the user's GPUs name must be known.
  [[nodiscard]] base::Status check_links() const;
  /// And the profiles that the user's take their rules from.
  [[nodiscard]] base::Status check_frameworks() const;

  std::map<std::string, Folder, std::less<>> folders_{};
  std::vector<Entry> links_{};  ///< files of links, the user's last
  Entry other_gpus_{};
  PriceList prices_{};
  AskedPrices asked_{};
};

/// Single records from a user's file.
base::Result<hardware::Gpu> gpu_from(const ConfigFile& file);
base::Result<graph::ModelSpec> model_from(const ConfigFile& file);

}  // namespace vggplan::catalog
