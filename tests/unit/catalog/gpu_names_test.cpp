// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include <algorithm>

#include "support/catch.hpp"
#include "vggplan/base/ascii.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {
namespace {

std::string resolve(const Catalog& catalog, const std::string& text) {
  const auto choice = catalog.find_gpu(text, "--gpu");
  return choice ? choice->gpu.name : "error: " + choice.error().rule;
}

TEST_CASE("aliases stand for the documented variants") {
  const Catalog catalog = Catalog::built_in();
  const std::vector<std::pair<std::string, std::string>> documented{
      {"a100", "a100-sxm4-80gb"}, {"a100-40gb", "a100-sxm4-40gb"}, {"a100-80gb", "a100-sxm4-80gb"},
      {"h100", "h100-sxm5-80gb"}, {"h200", "h200-sxm-141gb"},      {"v100", "v100-sxm2-16gb"},
      {"b200", "b200-sxm-180gb"},
  };
  for (const auto& [alias, name] : documented) {
    INFO(alias);
    CHECK(resolve(catalog, alias) == name);
  }
  for (const GpuAlias& row : gpu_aliases()) {
    INFO(row.alias);
    CHECK(resolve(catalog, std::string(row.alias)) == row.name);
  }
}

TEST_CASE("names are found however people write them") {
  const Catalog catalog = Catalog::built_in();
  const std::vector<std::pair<std::string, std::string>> written{
      {"A100-SXM4-80GB", "a100-sxm4-80gb"},
      {"NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb"},
      {"a100 80gb pcie", "a100-pcie-80gb"},
      {"a100_pcie", "a100-pcie-80gb"},
      {"a100-80", "a100-sxm4-80gb"},
      {"a100-40g", "a100-sxm4-40gb"},
      {"a100-sxm-40gb", "a100-sxm4-40gb"},
      {"a100-sxm", "a100-sxm4-80gb"},
      {"a100pcie40gb", "a100-pcie-40gb"},
      {"a100sxm4", "a100-sxm4-80gb"},
      {"Tesla V100-SXM2-32GB", "v100-sxm2-32gb"},
      {"tesla t4", "t4"},
      {"h100-pcie", "h100-pcie-80gb"},
      {"h100-nvl", "h100-nvl-94gb"},
      {"h100-sxm", "h100-sxm5-80gb"},
      {"h200-nvl", "h200-nvl-141gb"},
      {"GH200 144GB", "gh200-144gb"},
      {"Tesla M40 24GB", "m40-24gb"},
      {"NVIDIA L40", "l40"},
      {"k80", "k80-12gb"},
      {"p100-sxm2", "p100-sxm2-16gb"},
      {"NVIDIA GeForce RTX 3090", "rtx-3090"},
      {"3090", "rtx-3090"},
      {"rtx3090", "rtx-3090"},
      {"RTX4090", "rtx-4090"},
      {"a6000", "rtx-a6000"},
      {"rtxa6000", "rtx-a6000"},
      {"6000-ada", "rtx-6000-ada"},
      {"rtx6000ada", "rtx-6000-ada"},
      {"2080ti", "rtx-2080-ti"},
      {"2080-ti", "rtx-2080-ti"},
      {"1080 Ti", "gtx-1080-ti"},
      {"8000", "quadro-rtx-8000"},
      {"rtx-8000", "quadro-rtx-8000"},
      {"titanv", "titan-v"},
      {"titan-x", "titan-x-pascal"},
      {"Titan Xp", "titan-xp"},
      {"3060", "rtx-3060"},
      {"rtx 3060", "rtx-3060"},
      {"RTX3060", "rtx-3060"},
      {"rtx 3060 12gb", "rtx-3060"},
      {"3060ti", "rtx-3060-ti"},
      {"3060m", "rtx-3060-laptop"},
      {"NVIDIA GeForce RTX 3060 Laptop GPU", "rtx-3060-laptop"},
      {"rtx 3070 mobile", "rtx-3070-laptop"},
      {"gtx1080", "gtx-1080"},
      {"1080", "gtx-1080"},
      {"1660s", "gtx-1660-super"},
      {"NVIDIA GeForce RTX 2070 SUPER", "rtx-2070-super"},
      {"4070ti", "rtx-4070-ti"},
      {"rtx4070tisuper", "rtx-4070-ti-super"},
      {"4060 Ti", "rtx-4060-ti-16gb"},
      {"4060ti8gb", "rtx-4060-ti-8gb"},
      {"4090-24gb", "rtx-4090"},
      {"rtx 6000 48gb", "rtx-6000-ada"},
      {"titan 24gb", "titan-rtx"},
      {"NVIDIA RTX 4000 Ada Generation", "rtx-4000-ada"},
      {"a4000", "rtx-a4000"},
      {"L40S", "l40s"},
  };
  for (const auto& [text, name] : written) {
    INFO(text);
    CHECK(resolve(catalog, text) == name);
  }
}

TEST_CASE("an ambiguous name says which variant was taken and which others there are") {
  const auto choice = Catalog::built_in().find_gpu("a100", "--gpus");
  REQUIRE(choice.has_value());
  CHECK(choice->note ==
        "'a100' is taken as a100-sxm4-80gb (79.14 GiB); other variants: a100-pcie-40gb (39.49 GiB), "
        "a100-pcie-80gb (79.14 GiB), a100-sxm4-40gb (39.49 GiB)");
  CHECK(choice->alternatives == std::vector<std::string>{"a100-pcie-40gb", "a100-pcie-80gb", "a100-sxm4-40gb"});
}

TEST_CASE("a name that leaves nothing open is taken without a note") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string name : {"a100-sxm4-80gb", "3090", "b200", "h100-nvl", "T4", "3060", "rtx 3060 12gb"}) {
    INFO(name);
    const auto choice = catalog.find_gpu(name, "--gpus");
    REQUIRE(choice.has_value());
    CHECK(choice->note.empty());
    CHECK(choice->alternatives.empty());
  }
}

TEST_CASE("words that many names share name no GPU") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string text : {"sxm4", "sxm", "pcie", "rtx", "quadro-rtx", "ti", "nvidia", "x", "v", "pcie-40gb",
                                 "ada", "-", "", " ", "nvidia-tesla"}) {
    INFO(text);
    CHECK(resolve(catalog, text).starts_with("error: unknown GPU"));
  }
}

TEST_CASE("a name that is not quite right is refused, not guessed") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string text : {"a100-sxm4-4", "a100-20gb", "a100-sxm5", "a100-a100", "rtx-309", "h100-96gb",
                                 "gtx-3060", "rtx-1080", "gtx1080s", "3060 8gb", "3060 12gb 12gb", "3060 max-q",
                                 "rtx-4060-super", "a", "100", "h100 sxm5 80gb extra", "v100-sxm4"}) {
    INFO(text);
    CHECK(resolve(catalog, text).starts_with("error: unknown GPU"));
  }
}

TEST_CASE("where no variant is a sensible default, the choice is asked for") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string text : {"rtx-6000", "rtx6000", "6000"}) {
    const auto choice = catalog.find_gpu(text, "--gpus");
    REQUIRE_FALSE(choice.has_value());
    CHECK(choice.error() == base::Diagnostic{base::Fault::question, "--gpus",
                                             "'" + text + "' could be any of quadro-rtx-6000, rtx-6000-ada",
                                             "write one of them"});
  }
  CHECK(resolve(catalog, "titan") == "error: 'titan' could be any of titan-rtx, titan-v, titan-x-pascal, titan-xp");
}

TEST_CASE("a number that another generation's card bears too is not taken for the one that is known") {
  const auto choice = Catalog::built_in().find_gpu("rtx 4000", "--gpus");
  REQUIRE_FALSE(choice.has_value());
  CHECK(choice.error() ==
        base::Diagnostic{base::Fault::question, "--gpus", "'rtx 4000' could be rtx-4000-ada", "write its full name"});
}

TEST_CASE("a size is a card of as many gigabytes, with the context of the one that it is like") {
  const Catalog catalog = Catalog::built_in();
  for (const auto& [text, like] : std::vector<std::pair<std::string, std::string>>{
           {"8GB", "rtx-4060"}, {"12 GiB", "rtx-3060"}, {"24g", "rtx-4090"}, {"80gb", "a100-sxm4-80gb"}}) {
    INFO(text);
    const auto card = catalog.gpu(text);
    const auto known = catalog.gpu(like).value();
    REQUIRE(card.has_value());
    CHECK(card->like == known.title);
    CHECK(card->memory_total == known.memory_total);
    CHECK(card->usable_memory() == known.usable_memory());
    CHECK(catalog.gpu(card->name).value() == *card);  // the name is a size again
  }
  for (const std::int64_t gigabytes : {2, 3, 5, 7, 9, 15, 23, 72, 300, 1024}) {
    INFO(gigabytes);
    const auto card = catalog.gpu(std::to_string(gigabytes) + "GB").value();
    const double share = card.memory_total.as_double() / (base::kGiB.as_double() * static_cast<double>(gigabytes));
    CHECK(share < 1);
    CHECK(share > 0.9);
    CHECK(card.usable_memory() > base::Bytes(0));
  }
  for (const std::string text : {"1GB", "0GB", "1025GB", "8", "8.5GB", "8MB", "gb", "99999999999999999999GB"}) {
    INFO(text);
    CHECK_FALSE(catalog.knows_gpu(text));
  }
}

TEST_CASE("a card that is not modelled is answered with those nearest by memory and speed") {
  const Catalog catalog = Catalog::built_in();
  // K40: 12 GB and 4.29 TFLOP/s; of those with 12 GB the K80 has 4.11, the M40 6.83, the TITAN X 10.97 and more.
  const auto k40 = catalog.find_gpu("Tesla K40", "--gpus");
  REQUIRE_FALSE(k40.has_value());
  CHECK(k40.error() == base::Diagnostic{base::Fault::question, "--gpus",
                                        "'Tesla K40' is not modelled: NVIDIA Tesla K40 (12 GB, 4.29 TFLOP/s)",
                                        "nearest by memory and speed: k80-12gb (12 GB, 4.11 TFLOP/s) and m40-12gb "
                                        "(12 GB, 6.83 TFLOP/s)"});
  CHECK(catalog.find_gpu("gtx980", "").error().remedy.starts_with("nearest by memory and speed: gtx-1650 (4 GB"));
  CHECK(catalog.find_gpu("rx 7900 xtx", "").error().remedy.find("(24 GB") != std::string::npos);
}

TEST_CASE("a size that a known card does not have is told with the one that it has") {
  const auto choice = Catalog::built_in().find_gpu("RTX 3060 8GB", "--gpus");
  REQUIRE_FALSE(choice.has_value());
  CHECK(choice.error().rule == "unknown GPU 'RTX 3060 8GB'");
  CHECK(choice.error().remedy.starts_with("rtx-3060 has 12 GB"));
}

TEST_CASE("no card that is not modelled bears the name of one that is") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string text : {"k20", "gtx-1050-ti", "gtx 1060 3gb", "p6000", "quadro rtx 4000", "quadro-rtx-5000",
                                 "rtx-pro-6000", "RTX PRO 6000 Blackwell", "rtx 4090 d", "h800-sxm5", "mi300x"}) {
    INFO(text);
    CHECK_FALSE(catalog.knows_gpu(text));
  }
}

TEST_CASE("an unknown name is met with near ones") {
  const Catalog catalog = Catalog::built_in();
  CHECK(catalog.find_gpu("rtx-3009", "--gpu").error().remedy.find("'rtx-3090'") != std::string::npos);
  const auto far = catalog.find_gpu("mainframe", "--gpu");
  REQUIRE_FALSE(far.has_value());
  CHECK(far.error().remedy == "'vggplan gpus' lists them");
  const auto long_one = catalog.find_gpu(std::string(1'000'000, 'a'), "--gpu");
  REQUIRE_FALSE(long_one.has_value());
  CHECK(long_one.error().rule.size() < 200);
}

TEST_CASE("every name is found from its words in any order") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string& name : catalog.gpu_names()) {
    std::vector<std::string_view> words = base::split(name, '-');
    std::ranges::sort(words);
    do {
      const std::string text = fmt::format("{}", fmt::join(words, "-"));
      INFO(text);
      CHECK(resolve(catalog, text) == name);
    } while (std::next_permutation(words.begin(), words.end()));
  }
}

TEST_CASE("leaving words out finds a GPU that has the rest, or asks") {
  const Catalog catalog = Catalog::built_in();
  for (const std::string& name : catalog.gpu_names()) {
    for (std::size_t end = name.find('-'); end != std::string::npos; end = name.find('-', end + 1)) {
      const std::string text = name.substr(0, end);
      INFO(text);
      const auto choice = catalog.find_gpu(text, "");
      if (choice) {
        CHECK(choice->gpu.name.find(text) == 0);
      } else {
        const std::string& rule = choice.error().rule;
        // A 3050 Ti and a 4050 are known as a laptop's alone.
        CHECK((rule.find("could be ") != std::string::npos || text == "rtx" || text == "gtx" || text == "quadro" ||
               text == "quadro-rtx" || text == "rtx-3050-ti" || text == "rtx-4050"));
      }
    }
  }
}

TEST_CASE("other kinds of records have near names too") {
  const Catalog catalog = Catalog::built_in();
  const auto model = catalog.model("vgg61");
  REQUIRE_FALSE(model.has_value());
  CHECK(model.error().rule == "unknown model 'vgg61'");
  CHECK(model.error().remedy.find("'vgg16'") != std::string::npos);
  const auto machine = catalog.machine("p4d.24xlarg");
  REQUIRE_FALSE(machine.has_value());
  CHECK(machine.error().remedy.find("'p4d.24xlarge'") != std::string::npos);
  const auto storage = catalog.storage("floppy");
  REQUIRE_FALSE(storage.has_value());
  CHECK(storage.error().remedy == "choose from hdd, nfs, nvme, object-store, sata-ssd");
  CHECK(catalog.link("nvlink9").error().rule == "unknown link 'nvlink9'");
  CHECK(catalog.machine("P4D.24XLARGE")->name == "p4d.24xlarge");
  CHECK(catalog.text("frameworks", "caffe").error().rule == "unknown framework 'caffe'");
  CHECK(catalog.text("secrets", "x").error().rule == "unknown file 'x'");
  CHECK(catalog.text("models", "vgg16")->find("\"vgg16\"") != std::string_view::npos);
}

}  // namespace
}  // namespace vggplan::catalog
