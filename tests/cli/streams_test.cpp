// SPDX-License-Identifier: MIT
// Standard streams under the name "-", files under several names, and limits of the system.
#include <new>

#include "cli/fake_world.hpp"
#include "cli/folder.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using test::FakeWorld;
using test::Folder;
using test::Ran;
using test::run;

const std::string kStreamed = "estimate --size 64x64 --gpu h200-sxm-141gb ";

}  // namespace

TEST_CASE("- is standard output for a report, and no file's name", "[cli]") {
  FakeWorld world;
  CHECK(run(kStreamed + "-o -", world).out == run(kStreamed, world).out);
  const Ran exported = run(kStreamed + "--export json=-", world);
  CHECK(exported.code == app::kWrongQuestion);
  CHECK(exported.err ==
        "vggplan: --export: writes a file, and - is standard output\n  write there with --format json\n");
  CHECK(world.files.empty());
}

TEST_CASE("one file by two names is one file", "[cli]") {
  FakeWorld world;
  for (const std::string other : {"./same", "a/../same", "/here/same", ".//same"}) {
    INFO(other);
    CHECK(run(kStreamed + "--output same --export json=" + other, world).code == app::kWrongQuestion);
    CHECK(run(kStreamed + "--export html=same --export json=" + other, world).code == app::kWrongQuestion);
  }
  CHECK(world.files.empty());
}

TEST_CASE("standard input is read once", "[cli]") {
  const Folder folder;
  REQUIRE(folder.shell(kStreamed + "--json -o r.json") == app::kYes);
  CHECK(folder.shell("show - <r.json") == app::kYes);
  CHECK(folder.shell("diff - r.json <r.json") == app::kYes);
  for (const std::string twice : {"diff - - <r.json", "check - --against - <r.json", "check - --budget - <r.json"}) {
    INFO(twice);
    CHECK(folder.shell(twice) == app::kWrongQuestion);
    CHECK(folder.said().find("is standard input, which can be read once") != std::string::npos);
  }
}

TEST_CASE("where no thread is to be had, the answer is the same", "[cli]") {
  const Folder folder;
  const std::string sweep = "sweep --size 64x64 --gpu t4 --sweep batch=1:20 --json -o ";
  REQUIRE(folder.shell(sweep + "many") == app::kYes);
#if defined(__SANITIZE_ADDRESS__)
  const std::string limits = "ulimit -s unlimited;";  // the sanitizer's own memory is beyond any limit
#else
  const std::string limits = "ulimit -s 4000000; ulimit -v 4000000;";  // stacks as large as all memory there may be
#endif
  CHECK(folder.shell(sweep + "one", limits) == app::kYes);
  CHECK(folder.said().empty());
  CHECK(folder.read("many") == folder.read("one"));
}

TEST_CASE("too little memory is told as that, and not as a fault of ours", "[cli]") {
  class Full final : public FakeWorld {
   public:
    base::Result<std::string> read_file(const std::string& /*path*/) override { throw std::bad_alloc(); }
  };
  Full world;
  const Ran ran = run("show r.json", world);
  CHECK(ran.code == app::kProgramFault);
  CHECK(ran.err.starts_with("vggplan: memory: the system gives no more, and the answer needs more\n  "));
  CHECK(ran.err.find("fault") == std::string::npos);
}

}  // namespace vggplan
