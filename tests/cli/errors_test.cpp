// SPDX-License-Identifier: MIT
// A wrong question gets one message that names the place, the rule and the remedy, exit code 2, and
// nothing on standard output.
#include <fmt/ranges.h>

#include <set>

#include "app/flags.hpp"
#include "cli/fake_world.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using test::Ran;
using test::run;

struct Case {
  std::string arguments{};
  std::string message{};  ///< all of standard error
};

const std::string kAsked = "estimate --size 224x224 --gpu h200 ";

void expect(const Case& wrong, int code = app::kWrongQuestion) {
  INFO(wrong.arguments);
  const Ran ran = run(wrong.arguments);
  CHECK(ran.err == "vggplan: " + wrong.message);
  CHECK(ran.code == code);
  CHECK(ran.out.empty());
}

}  // namespace

TEST_CASE("each flag of the job refuses a wrong value by name", "[cli]") {
  const std::string pixels = "takes a whole number from 1 to 1,048,576, not ";
  expect({"estimate --height 0 --width 9", "--height: " + pixels + "'0'\n"});
  expect({"estimate --height 9 --width tall", "--width: " + pixels + "'tall'\n"});
  expect({"estimate --height 1.5 --width 9", "--height: " + pixels + "'1.5'\n"});
  expect({"estimate --height 99999999999999999999 --width 9", "--height: " + pixels + "'99999999999999999999'\n"});
  expect({"estimate --size 224x",
          "--size: takes HEIGHTxWIDTH, or one number for both, not '224x'\n  write, for example, 4024x3036\n"});
  expect({"estimate --size large", "--size: " + pixels + "'large'\n"});
  expect({"estimate --size 224..512",
          "--size: cannot make sizes out of '224..512'\n  write 224:512:32 (from:to:step), or 224,320,512\n"});
  expect({"estimate --size 224,tall", "--size: " + pixels + "'tall'\n"});
  expect({"estimate --size 224:512 --gpu h200",
          "--size: gives 289 sizes, more than 64\n  take a larger step, such as 224:512:32\n"});
  expect({"estimate --size 224,320 --height 30 --gpu h200",
          "--size: goes up to 320x320, and the images are said to be 30x320\n  leave --height and --width out\n"});
  expect({"estimate --size 224,320 --head flatten --gpu h200",
          "--size: gives several sizes, and the first Linear of --head flatten is as large as one map\n"
          "  use --head adaptive, gap or linear\n"});
  expect({"layers --size 224,320", "--size: gives several sizes, and layers shows those of one\n  give one\n"});
  expect({"estimate --size axb", "--size: " + pixels + "'a'\n"});
  expect({kAsked + "--channels -3", "--channels: takes a whole number from 1 to 100,000, not '-3'\n"});
  expect({kAsked + "--classes none", "--classes: takes a whole number from 1 to 100,000,000, not 'none'\n"});
  expect({kAsked + "--batch 0", "--batch: takes a whole number from 1 to 100,000,000, not '0'\n"});
  expect({kAsked + "--batch=", "--batch: takes a value, and none follows\n"});
  expect({kAsked + "--global-batch x", "--global-batch: takes a whole number from 1 to 100,000,000, not 'x'\n"});
  expect({kAsked + "--accumulation 0", "--accumulation: takes a whole number from 1 to 65,536, not '0'\n"});
  expect({kAsked + "--precision tf33",
          "--precision: takes one of fp32, tf32, amp-bf16, amp-fp16, bf16, fp16, not 'tf33'\n"
          "  did you mean 'tf32'?\n"});
  expect({kAsked + "--checkpointing seq:0",
          "--checkpointing: must be none, block or seq:N with N segments, N at least 1, but is 'seq:0'\n"
          "  for example --checkpointing block, or --checkpointing seq:4\n"});
  expect({kAsked + "--compile default --checkpointing block",
          "--compile: compiled steps are modelled without checkpointing alone\n"
          "  use --checkpointing none, or --compile none\n"});
  expect({kAsked + "--compile default --gpu-count 2 --sharding fsdp2",
          "--compile: compiled steps are not modelled under fsdp2\n"
          "  use --sharding ddp or zero1, or --compile none\n"});
  expect({kAsked + "--sharding zero3",
          "--sharding: takes one of ddp, zero1, fsdp2, not 'zero3'\n  did you mean 'fsdp2'?\n"});
  expect({kAsked + "--sharding dp",
          "--sharding: dp spreads a job over several GPUs, but there is one\n"
          "  leave --sharding out, or give more GPUs\n"});
  expect({kAsked + "--sharding dp --gpu-count 16 --nodes 2",
          "--sharding: dp, torch.nn.DataParallel, is one process on one machine\n  use ddp\n"});
  expect({kAsked + "--bucket-mb 0", "--bucket-mb: takes MiB above 0 and up to 1,000,000, not '0'\n"});
  expect({kAsked + "--bucket-view=maybe", "--bucket-view: is a switch: true or false, not 'maybe'\n"});
  expect({kAsked + "--cudnn-benchmark=2", "--cudnn-benchmark: is a switch: true or false, not '2'\n"});
  expect({kAsked + "--framework pytorch-2.10",
          "--framework: unknown framework 'pytorch-2.10'\n  did you mean 'pytorch-2.11', 'pytorch-2.14' or "
          "'pytorch-2.15'?\n"});
}

TEST_CASE("models and GPUs that are not known are answered with the nearest names", "[cli]") {
  expect({"estimate --size 224x224 --gpu h200 --model vgg61",
          "--model: unknown model 'vgg61'\n  did you mean 'vgg11', 'vgg16' or 'vgg13'?\n"});
  expect(
      {"estimate --size 224x224 --gpu h201", "--gpu: unknown GPU 'h201'\n  did you mean 'h200', 'b200' or 'gh200'?\n"});
  expect(
      {"--size 224x224 --gpus a100x4,b301x2", "--gpus: unknown GPU 'b301'\n  did you mean 'b300', 'a30' or 'b200'?\n"});
  expect({"--size 224x224 --gpus a100x0",
          "--gpus: the number of GPUs must be from 1 to 4096, not '0'\n"
          "  write it like a100x4, 4xa100, a100:4 or a100-40gb-pcie:8\n"});
  expect({"estimate --size 224x224 --model net.json --gpu h200",
          "--model net.json: cannot be read: No such file or directory\n  name a model, or a file: ONNX, a .pt2 of "
          "torch.export, or JSON as vggplan schema network and vggplan schema model tell\n"},
         app::kFileTrouble);
}

TEST_CASE("each flag of the machine, the data and the goal refuses a wrong value by name", "[cli]") {
  expect({kAsked + "--gpu-count 0", "--gpu-count: takes a whole number from 1 to 4,096, not '0'\n"});
  expect({kAsked + "--nodes two", "--nodes: takes a whole number from 1 to 4,096, not 'two'\n"});
  expect({kAsked + "--usable-memory 40",
          "--usable-memory: takes at least 2MiB, the allocator's smallest segment, not '40'\n"
          "  write a number and a unit, such as 40GiB\n"});
  expect({kAsked + "--usable-memory 40G",
          "--usable-memory: the unit of '40G' may be decimal or binary\n"
          "  write GB (powers of 1000) or GiB (powers of 1024)\n"});
  expect({kAsked + "--price h200",
          "--price: takes NAME=USD_PER_HOUR, not 'h200'\n  write, for example, a100-sxm4-80gb=1.80 for each GPU, or a "
          "machine's name for the whole machine\n"});
  expect({kAsked + "--price h200=cheap", "--price: takes a number from 0 to 10^12, not 'cheap'\n"});
  expect({kAsked + "--images 0", "--images: takes a whole number from 1 to 10,000,000,000, not '0'\n"});
  expect({kAsked + "--epochs x", "--epochs: takes a whole number from 1 to 100,000, not 'x'\n"});
  expect({kAsked + "--bytes-per-image -1MB",
          "--bytes-per-image: a size cannot be negative, as '-1MB' is\n  write a number and a unit, such as 40GiB, "
          "40GB, 512MiB or 1.5TB; a number alone counts bytes\n"});
  expect({kAsked + "--workers -1", "--workers: takes a whole number from 0 to 65,536, not '-1'\n"});
  expect({kAsked + "--cpus 0", "--cpus: takes a whole number from 1 to 65,536, not '0'\n"});
  expect({kAsked + "--ram much",
          "--ram: 'much' is not a size\n  write a number and a unit, such as 40GiB, 40GB, 512MiB or 1.5TB; a number "
          "alone counts bytes\n"});
  expect({kAsked + "--storage nvmee", "--storage: unknown storage 'nvmee'\n  did you mean 'nvme'?\n"});
  expect({kAsked + "--checkpoint-every 0", "--checkpoint-every: takes a whole number from 1 to 1,000,000, not '0'\n"});
  expect({kAsked + "--keep-checkpoints 0", "--keep-checkpoints: takes a whole number from 1 to 1,000,000, not '0'\n"});
  const std::string plan = "--size 224x224 --gpus h200 ";
  expect({plan + "--deadline 24",
          "--deadline: the duration '24' lacks a unit\n  write numbers and units (d, h, min, s, ms), such as 24h, "
          "90min or "
          "1h30min\n"});
  expect({plan + "--max-gpus 0", "--max-gpus: takes a whole number from 1 to 4,096, not '0'\n"});
  expect({plan + "--max-cost free", "--max-cost: takes a number from 0 to 10^12, not 'free'\n"});
  expect({plan + "--reserve abc", "--reserve: 'abc' is not a size\n  write a share or a size: 10% or 4GiB\n"});
  for (const std::string share : {"100%", "nan%", "-5%", "inf%", "%"}) {
    expect({plan + "--reserve " + share,
            "--reserve: takes from 0 % to less than 100 % of the memory, not '" + share + "'\n  write 10% or 4GiB\n"});
  }
  expect({plan + "--top -1", "--top: takes a whole number from 0 to 1,000, not '-1'\n"});
}

TEST_CASE("each flag of the output refuses a wrong value by name", "[cli]") {
  expect(
      {kAsked + "--json --format csv", "--json: contradicts --format: 'json' against 'csv'\n  give one of the two\n"});
  expect(
      {kAsked + "--export html", "--export: takes FORMAT=FILE, not 'html'\n  write, for example, html=report.html\n"});
  expect({kAsked + "--export pdf=a.pdf", "--export: takes one of text, json, csv, markdown, html, not 'pdf'\n"});
  expect({kAsked + "--output=", "--output: takes a value, and none follows\n"});
}

TEST_CASE("a sweep refuses what cannot vary", "[cli]") {
  const std::string sweep = "sweep --size 224x224 --gpu h200 ";
  expect({"sweep --size 224x224 --gpu h200",
          "--sweep: is required: what varies\n  give, for example, --sweep batch=1,2,4\n"});
  expect({sweep + "--sweep batch",
          "--sweep: takes FLAG=VALUES, not 'batch'\n  write, for example, height=1024:4096:512 or batch=1,2,4\n"});
  expect({sweep + "--sweep bach=1,2", "--sweep: 'bach' is not a flag that can vary\n  did you mean 'batch'?\n"});
  expect({sweep + "--sweep batch=1:8:0",
          "--sweep: the steps of '1:8:0' never reach its end\n  write from:to:step with a step towards the end\n"});
  expect({sweep + "--sweep batch=8:1",
          "--sweep: the steps of '8:1' never reach its end\n  write from:to:step with a step towards the end\n"});
  expect(
      {sweep + "--sweep batch=1:x",
       "--sweep: cannot make values out of '1:x'\n  write from:to:step, such as height=1024:4096:512, or a list, such "
       "as batch=1,2,4\n"});
  expect({sweep + "--sweep batch=1,0", "--sweep batch=0: takes a whole number from 1 to 100,000,000, not '0'\n"});
  expect({sweep + "--sweep batch=1:9999999",
          "--sweep: '1:9999999' has more than 1,000,000 values\n  take a larger step\n"});
  expect({sweep + "--sweep batch=1:1000 --sweep height=100:2000",
          "--sweep: makes more than 1,000,000 points\n  take fewer values\n"});
  expect({sweep + "--sweep batch=1 --sweep batch=2",
          "--sweep: 'batch' varies twice\n  put all its values into one --sweep\n"});
}

TEST_CASE("what other tools call otherwise is answered with its name here", "[cli]") {
  const auto remedy = [](const std::string& arguments) {
    const Ran ran = run(arguments);
    CHECK(ran.code == app::kWrongQuestion);
    return ran.err.substr(ran.err.find("\n  ") + 3);
  };
  CHECK(remedy(kAsked + "--precision half") == "did you mean 'amp-fp16'?\n");
  CHECK(remedy(kAsked + "--batch-size 4") == "did you mean '--batch'?\n");
  CHECK(remedy(kAsked + "--dtype fp32") == "did you mean '--precision'?\n");
  CHECK(remedy(kAsked + "--vram 8GB") == "did you mean '--memory'?\n");
  CHECK(remedy("max-batch --size 224") == "did you mean 'fit'?\n");
  CHECK(remedy("estimate --size 224 --gpu k40").starts_with("nearest by memory and speed: k80-12gb"));
}

TEST_CASE("flags and commands that are misspelt get suggestions", "[cli]") {
  expect({"frobnicate",
          "'frobnicate': is not a command\n  choose from plan, estimate, fit, layers, sweep, gpus, machines, models, "
          "show, "
          "diff, check, launch, verify, calibrate, schema, completion, man\n"});
  expect({"estimat --size 3x3", "'estimat': is not a command\n  did you mean 'estimate'?\n"});
  expect({"--hieght 5", "'--hieght': is not a known flag\n  did you mean '--height'?\n"});
  expect({"estimate --frob", "'--frob': is not a known flag\n  see vggplan estimate --help\n"});
  expect({"gpus --batch 3",
          "--batch: is not a flag of 'gpus'\n  it belongs to plan, estimate, fit, layers, sweep, launch\n"});
  expect({"estimate --objective fastest", "--objective: is not a flag of 'estimate'\n  it belongs to plan, launch\n"});
  expect({"--size 9x9 --gpus h200 --batch", "--batch: takes a value, and none follows\n"});
  expect({"--batch --size 9x9", "--batch: takes a value (N), and the flag --size follows\n"});
  expect({"--batch 1 --batch 2", "--batch: is given more than once\n  give it once\n"});
  expect({"--json estimate",
          "'estimate': is one argument too many for 'plan'\n  write the command first: vggplan estimate ...\n"});
  expect({"gpus a100 h100", "'h100': is one argument too many for 'gpus'\n  see vggplan gpus --help\n"});
  expect({"show", "show: needs REPORT.json\n  for example: vggplan show report.json --format markdown\n"});
  expect({"diff a.json", "diff: needs OLD.json NEW.json\n  for example: vggplan diff old.json new.json\n"});
  expect({"completion ksh", "completion: 'ksh' is not a shell that it is made for\n  did you mean 'zsh'?\n"});
  expect({"schema repot", "schema: 'repot' is not known\n  did you mean 'report'?\n"});
  expect({"models vgg15", "models: 'vgg15' is not known\n  did you mean 'vgg11', 'vgg13' or 'vgg16'?\n"});
}

TEST_CASE("settings that do not go together are told apart", "[cli]") {
  expect({"estimate --gpu h200",
          "--height: is required: the size of the images decides the memory\n"
          "  give --height and --width, or --size HxW\n"});
  expect({"estimate --height 9 --gpu h200",
          "--width: is required: the size of the images decides the memory\n"
          "  give --height and --width, or --size HxW\n"});
  expect({"estimate --size 224x224",
          "--gpus: is required: what the job runs on\n"
          "  give, for example, --gpus a100x4; vggplan gpus lists the names\n"});
  expect({"estimate --size 224x224 --height 9",
          "--size: contradicts --height: '224' against '9'\n  give one of the two\n"});
  expect({"estimate --size 224x224 --gpus a100,h100",
          "--gpus: names 2 alternatives, and one job runs on one\n  let plan choose: vggplan --gpus ...\n"});
  expect({"estimate --size 224x224 --gpu a100,h100",
          "--gpu: takes one GPU, not 'a100,h100'\n  give alternatives to plan with --gpus\n"});
  expect({"estimate --size 224x224 --gpus a100x4 --gpu-count 2",
          "--gpu-count: 2 contradicts --gpus a100x4\n  give the number once\n"});
  expect({"estimate --size 224x224 --gpu h100 --machine p4d.24xlarge",
          "--machine: p4d.24xlarge has a100-sxm4-40gb, not h100-sxm5-80gb\n"
          "  leave --gpus out, or name another machine; see vggplan machines\n"});
  expect({"estimate --size 224x224 --gpus a100x4 --global-batch 6",
          "--global-batch: 6 images cannot be shared evenly by 4 GPUs with 1 micro-batches each\n  give a multiple\n"});
  expect({"estimate --size 224x224 --gpus a100x2 --global-batch 12 --batch 3 --accumulation 4",
          "--global-batch: 12 is not 3 x 4 x 2, which --batch, --accumulation and the GPUs make\n"
          "  leave one of them out\n"});
}

TEST_CASE("nonsense for any flag ends with exit code 2 and its name", "[cli]") {
  // Free texts, which anything may be: names and files are looked up later.
  const std::vector<std::string_view> free{"output",      "gpu-file",   "against",   "budget", "machine", "calibrate",
                                           "storage",     "model",      "framework", "gpus",   "gpu",     "config",
                                           "calibration", "config-dir", "until",     "freeze", "prices"};
  const std::set<std::string_view> more{"checkpointing", "sharding", "sweep", "export"};
  for (const app::Flag& flag : app::flags()) {
    if (!flag.takes_value() || std::find(free.begin(), free.end(), flag.name) != free.end()) {
      continue;
    }
    const auto* command = std::ranges::find_if(base::NameTable<app::Command>::table,
                                               [&](const auto& row) { return flag.applies_to(row.value); });
    const Ran ran = run(fmt::format("{} --{} \x01?", command->name, flag.name));
    INFO(flag.name);
    CHECK(ran.code == app::kWrongQuestion);
    CHECK(ran.out.empty());
    CHECK(ran.err.starts_with("vggplan: --" + std::string(flag.name) + ": "));
    CHECK(ran.err.find('\x01') == std::string::npos);
    // Of words, with all that it takes, but for those that take more than words.
    if (flag.choices != nullptr && !more.contains(flag.name)) {
      CHECK(ran.err.find(fmt::format(": takes one of {}, not ", fmt::join(flag.choices(), ", "))) != std::string::npos);
    }
  }
}

TEST_CASE("the bound that is told first is the one that holds", "[cli]") {
  // What a flag takes by its own message is not refused by another with narrower bounds.
  for (const std::string most : {"--accumulation 65536", "--workers 65536", "--cpus 65536", "--bucket-mb 0.9",
                                 "--bucket-mb 1000000", "--epochs 100000", "--keep-checkpoints 1000000"}) {
    INFO(most);
    CHECK(run("estimate --size 32x32 --gpus h200x2 " + most).code == app::kYes);
  }
  expect(
      {"estimate --size 32x1048577 --gpu h200", "--size: takes a whole number from 1 to 1,048,576, not '1048577'\n"});
}

TEST_CASE("names and files are blamed by the flag that they came with", "[cli]") {
  expect({kAsked + "--price h200=2 --price h200=3", "--price: gives 'h200' a second price\n  give one of the two\n"});
  expect({kAsked + "--price h200=1e13", "--price: takes a number from 0 to 10^12, not '1e13'\n"});
  expect({"estimate --size 64x64 --machine p4d.25xlarge",
          "--machine: unknown machine 'p4d.25xlarge'\n  did you mean 'p4d.24xlarge' or 'p4de.24xlarge'?\n"});
  expect({kAsked + "--gpu-file none.json",
          "--gpu-file none.json: cannot be read: No such file or directory\n"
          "  name a JSON file with a GPU; vggplan schema gpu tells its keys\n"},
         app::kFileTrouble);
  test::FakeWorld world;
  world.files["mine.json"] = run("gpus").out;
  CHECK(run("estimate --size 64x64 --gpu-file mine.json", world).code == app::kWrongQuestion);
}

TEST_CASE("a price that no answer uses is told, and one in a list of prices is not", "[cli]") {
  const auto warned = [](const std::string& arguments, test::FakeWorld& world) {
    return run(arguments + " --json", world).out.find("\"unused-price\"") != std::string::npos;
  };
  test::FakeWorld world;
  for (const std::string job : {"estimate --size 64x64 --gpu t4 --images 100", "--size 64x64 --gpus t4 --images 100"}) {
    INFO(job);
    CHECK(warned(job + " --price h100=2", world));
    CHECK(warned(job + " --price t4=1 --price h100=2", world));
    CHECK(warned(job + " --price p4d.24xlarge=2", world));
    CHECK_FALSE(warned(job + " --price t4=1", world));
    CHECK_FALSE(warned(job + " --price g4dn.xlarge=1", world));
  }
  CHECK(warned("estimate --machine g4dn.12xlarge --gpus t4x4 --size 64x64 --price g4dn.xlarge=1", world));
  CHECK(run("sweep --size 64x64 --gpu t4 --sweep batch=1,2 --price h100=2").err.find("h100-sxm5-80gb is not used") !=
        std::string::npos);
  world.files["vggplan.toml"] = "price = { h100 = 2, t4 = 1 }\n";
  CHECK_FALSE(warned("estimate --size 64x64 --gpu t4 --images 100", world));
}

TEST_CASE("help is a word as well as a flag", "[cli]") {
  CHECK(run("help").out == run("--help").out);
  CHECK(run("help sweep").out == run("sweep --help").out);
  CHECK(run("help nonsense").code == app::kWrongQuestion);
}

}  // namespace vggplan
