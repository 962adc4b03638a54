// SPDX-License-Identifier: MIT
// Runs by format: told by content, read as documented, and refused by place where they make no sense.
#include "vggplan/runs/run.hpp"

#include "support/catch.hpp"
#include "support/run_files.hpp"

namespace vggplan::runs {
namespace {

using support::Json;
using Figures = std::map<std::string, double, std::less<>>;
using Settings = std::vector<std::pair<std::string, std::string>>;

Run read(const std::string& bytes) {
  const auto run = read_run(bytes, "f");
  INFO((run ? "" : run.error().place + ": " + run.error().rule));
  REQUIRE(run.has_value());
  return *run;
}

std::string refusal(const std::string& bytes) {
  const auto run = read_run(bytes, "f");
  return run ? "" : run.error().place + ": " + run.error().rule;
}

Json step(int number, double seconds, std::int64_t peak) {
  return {{"kind", "step"}, {"step", number}, {"step_seconds", seconds}, {"allocated_peak_bytes", peak}};
}

TEST_CASE("records: peaks are the largest, times the median after the first, and the last settings hold") {
  const Run run =
      read(support::lines({{{"kind", "environment"}, {"gpu", "NVIDIA H200"}, {"torch", "2.11.0"}, {"gpus", 1}},
                           {{"kind", "settings"}, {"batch", 2}, {"layout", "nchw"}, {"freeze", nullptr}},
                           step(10, 9.0, 500),
                           step(20, 0.3, 700),
                           {{"kind", "settings"}, {"batch", 4}, {"cudnn_benchmark", false}},
                           step(30, 0.1, 600),
                           step(40, 0.2, 600),
                           {{"kind", "from a later version"}},
                           {{"kind", "end"}, {"reason", "finished"}, {"steps", 40}}}));
  CHECK(run.format == Format::run_records);
  CHECK(run.figures == Figures{{"allocated_peak_bytes", 700}, {"step_seconds", 0.2}});
  CHECK(run.settings ==
        Settings{{"gpu", "NVIDIA H200"}, {"layout", "nchw"}, {"batch", "4"}, {"cudnn_benchmark", "false"}});
  CHECK(run.torch == "2.11.0");
}

TEST_CASE("records: a line that was being written is left out, and any other broken one is an error") {
  const std::string whole = support::lines({step(1, 0.1, 5), step(2, 0.1, 6)});
  CHECK(read(whole + R"({"kind":"step","allocated_pe)").figures.at("allocated_peak_bytes") == 6);
  CHECK(refusal(whole + "{\"kind\":\n").starts_with("f:3:"));
  CHECK(refusal(whole + "[]\n") == "f:3: is not one JSON object, as each line of a run is");
  CHECK(refusal(whole + "{}\n") == "f:3: has no \"kind\", which each line of a run names");
  CHECK(refusal(whole + "{\"kind\":\"step\",\"step_seconds\":-1}\n") ==
        "f:3: 'step_seconds' takes a number from 0 on, not '-1'");
  CHECK(refusal(whole + "{\"kind\":\"step\",\"step_seconds\":\"\\u001b[2J\"}\n").find('\x1b') == std::string::npos);
  CHECK(read("{\"kind\": \"step\", \"loss\": NaN, \"step_seconds\": 0.5}\n").figures == Figures{{"step_seconds", 0.5}});
  CHECK(refusal("{\"kind\":\"settings\"}\n") == "f: tells of no step yet");
}

TEST_CASE("memory_stats() is read flat and nested") {
  const Json flat = {{"active.all.current", 3},
                     {"allocated_bytes.all.peak", 700},
                     {"allocated_bytes.large_pool.peak", 600},
                     {"num_alloc_retries", 2},
                     {"num_ooms", 0},
                     {"reserved_bytes.all.peak", 900}};
  const Figures expected{
      {"allocated_peak_bytes", 700}, {"reserved_peak_bytes", 900}, {"allocation_retries", 2}, {"out_of_memory", 0}};
  CHECK(read(flat.dump()).figures == expected);
  CHECK(read(flat.dump(1)).figures == expected);
  const Json nested = {{"allocated_bytes", {{"all", {{"current", 1}, {"peak", 700}}}}},
                       {"reserved_bytes", {{"all", {{"peak", 900}}}}},
                       {"num_alloc_retries", 2},
                       {"num_ooms", 0}};
  CHECK(read(nested.dump()).figures == expected);
  CHECK(read(nested.dump()).format == Format::memory_stats);
  CHECK(refusal("{\"allocated_bytes\": 5}") ==
        "f: has no allocated_bytes.all.peak, which torch.cuda.memory_stats() tells");
  CHECK(refusal("{\"allocated_bytes.all.peak\": null}") ==
        "f: 'allocated_bytes.all.peak' takes a number from 0 on, not 'null'");
  CHECK(refusal("{\"allocated_bytes.all.peak\": 1e300}").find("takes a number") != std::string::npos);
  CHECK(refusal("{\"allocated_bytes.all.peak\": 7").starts_with("f:1"));
}

// Columns as in a metrics.csv of Lightning 2.x: rows of other loggers leave the monitor's cells empty.
TEST_CASE("Lightning's CSV: the largest of each statistic") {
  const std::string header =
      "DeviceStatsMonitor.on_train_batch_end/allocated_bytes.all.peak,"
      "DeviceStatsMonitor.on_train_batch_end/num_alloc_retries,"
      "DeviceStatsMonitor.on_train_batch_end/reserved_bytes.all.peak,epoch,step,train_loss\n";
  const std::string rows = "700.0,0.0,900.0,0,49,\n,,,0,49,6.9\n800.0,1.0,900.0,0,99,\n";
  const Run run = read(header + rows);
  CHECK(run.format == Format::lightning_csv);
  CHECK(run.figures == Figures{{"allocated_peak_bytes", 800}, {"reserved_peak_bytes", 900}, {"allocation_retries", 1}});
  CHECK(read(header + rows + "850.0,1.0").figures == run.figures);  // cut while it was written
  CHECK(read("\"a, \"\"b\"\"\",x/allocated_bytes.all.peak\r\n\"1,2\",5\r\n").figures ==
        Figures{{"allocated_peak_bytes", 5}});
  CHECK(refusal(header + "1,2\n") == "f:2: has 2 columns, and the header 6");
  CHECK(refusal(header + "nan,0,0,0,0,0\n").starts_with("f:2: 'allocated_bytes.all.peak' takes a number"));
  CHECK(refusal(header).starts_with("f: has no figure"));
}

// nvidia-smi --query-gpu=timestamp,name,memory.used,memory.total,utilization.gpu,clocks.sm,clocks.max.sm --format=csv
TEST_CASE("nvidia-smi: the most memory in use, and the clock while it works") {
  const std::string header =
      "timestamp, name, memory.used [MiB], memory.total [MiB], utilization.gpu [%], clocks.current.sm [MHz], "
      "clocks.max.sm [MHz]\n";
  const std::string rows =
      "2026/11/29 12:00:00.000, NVIDIA H200, 4 MiB, 143771 MiB, 0 %, 345 MHz, 1980 MHz\n"
      "2026/11/29 12:00:01.000, NVIDIA H200, 1000 MiB, 143771 MiB, 98 %, 1200 MHz, 1980 MHz\n"
      "2026/11/29 12:00:02.000, NVIDIA H200, 900 MiB, 143771 MiB, 99 %, 1210 MHz, 1980 MHz\n"
      "2026/11/29 12:00:03.000, NVIDIA H200, [N/A], 143771 MiB, 97 %, 1190 MHz, 1980 MHz\n";
  const Run run = read(header + rows);
  CHECK(run.format == Format::nvidia_smi_csv);
  CHECK(run.figures ==
        Figures{{"device_used_bytes", 1000.0 * 1048576}, {"sm_clock_mhz", 1200}, {"sm_clock_most_mhz", 1980}});
  CHECK(run.settings == Settings{{"gpu_memory_bytes", "150754820096"}, {"gpu", "NVIDIA H200"}});
  CHECK(read(header + rows + header + "2026").figures == run.figures);
  CHECK(read("memory.used [MiB]\n12\n14\n").figures == Figures{{"device_used_bytes", 14.0 * 1048576}});  // nounits
  CHECK(refusal("memory.used [MiB]\nmuch\n") == "f:2: 'memory.used' takes a number from 0 on, not 'much'");
}

TEST_CASE("snapshots: the busiest device's history, and the most that was reserved") {
  const auto event = [](const char* action, std::int64_t address, std::int64_t size, std::int64_t stream) {
    return Json{{"action", action}, {"addr", address}, {"size", size}, {"stream", stream}, {"time_us", 1}};
  };
  Json snapshot = {
      {"segments", {{{"device", 1}, {"total_size", 2 << 20}}, {{"device", 0}, {"total_size", 99 << 20}}}},
      {"device_traces",
       {Json::array(),
        {event("segment_alloc", 0, 20 << 20, 0), event("alloc", 0, 600, 0), event("segment_alloc", 1, 2 << 20, 7),
         event("free_requested", 0, 600, 0), event("free_completed", 0, 600, 0), event("segment_free", 0, 20 << 20, 0),
         event("alloc", 1, 5, 7), event("oom", 0, 1LL << 45, 0), event("snapshot", 0, 0, 0)}}},
      {"allocator_settings", {{"expandable_segments", true}}}};
  const Run run = read(support::pickled(snapshot));
  CHECK(run.format == Format::memory_snapshot);
  CHECK(run.figures == Figures{{"out_of_memory", 1}, {"reserved_peak_bytes", 22.0 * (1 << 20)}});
  REQUIRE(run.trace.has_value());
  CHECK(run.trace->expandable_segments);
  CHECK_FALSE(run.trace->too_many_streams);
  REQUIRE(run.trace->events.size() == 6);
  CHECK(run.trace->events[1].kind == TraceEvent::Kind::allocate);
  CHECK(run.trace->events[1].bytes == 600);
  CHECK(run.trace->events[3].kind == TraceEvent::Kind::release);
  CHECK(run.trace->events[4].kind == TraceEvent::Kind::give_back);
  CHECK(int{run.trace->events[5].stream} == 1);

  const std::string whole = support::pickled(snapshot);
  for (std::size_t length = 1; length < whole.size(); ++length) {
    CHECK_FALSE(read_run(whole.substr(0, length), "f").has_value());
  }
  snapshot["device_traces"][1][1]["size"] = -600;
  CHECK(refusal(support::pickled(snapshot)) == "f: has an entry of its history without a size (alloc)");
  snapshot["device_traces"][1][1] = 5;
  CHECK(refusal(support::pickled(snapshot)) == "f: has an entry of its history without an action");
  CHECK(refusal(support::pickled(Json::array())) ==
        "f: has no segments and device_traces, which a memory snapshot has");
  CHECK(refusal(support::pickled({{"segments", Json::array()}, {"device_traces", Json::array()}})) ==
        "f: is an empty snapshot");
}

TEST_CASE("what is no run is refused with what would be one") {
  for (const std::string& bytes : {std::string(), std::string(" \n"), std::string("PK\x03\x04"), std::string("hello"),
                                   std::string("a,b\n1,2\n"), std::string(1000, '\0')}) {
    const auto run = read_run(bytes, "f");
    REQUIRE_FALSE(run.has_value());
    CHECK(run.error().remedy.find("run.jsonl") != std::string::npos);
  }
}

}  // namespace
}  // namespace vggplan::runs
