// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/samples.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan {
namespace {

using report::Document;

struct Layer {
  std::string name{};
  std::vector<std::string> inputs{};
  std::int64_t parameters{};
  bool trained{true};
};

/// The layers of a report, in place of the sample's; totals stay those of the sample.
std::string text_of(const std::vector<Layer>& layers, std::size_t columns = 80) {
  Document report = test::sample_layers();
  const Document row = report.at("layers").at(0);
  report["layers"] = Document::array();
  for (const Layer& layer : layers) {
    Document mine = row;
    mine["name"] = layer.name;
    mine["inputs"] = layer.inputs;
    mine["parameters"] = layer.parameters;
    mine["trained"] = layer.parameters > 0 && layer.trained;
    report["layers"].push_back(mine);
  }
  render::TextOptions options;
  options.columns = columns;
  return render::text(report, options);
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("a chain that is trained has no column of inputs, and no sentence about them", "[render]") {
  const std::string text = text_of({{"conv1", {"image"}, 1792}, {"relu1", {"conv1"}}, {"fc", {"relu1"}, 10}});
  CHECK(holds(text, "\nconv1  "));
  CHECK(holds(text, "\nfc  "));
  CHECK_FALSE(holds(text, "from"));
  CHECK_FALSE(holds(text, "inputs"));
  CHECK_FALSE(holds(text, "brackets"));
  CHECK_FALSE(holds(text, "reads"));
}

TEST_CASE("a layer names what it reads beside the one above, or in its place", "[render]") {
  const std::string text = text_of({{"conv1", {"image"}, 1792},
                                    {"conv2", {"conv1"}, 1792},
                                    {"add", {"conv2", "conv1"}},
                                    {"side", {"conv1"}, 1792},
                                    {"skip", {"conv2", "add"}},
                                    {"join", {"skip", "conv1", "conv2", "add"}},
                                    {"twice", {"join", "join"}},
                                    {"stem", {"image"}, 1792}},
                                   200);
  CHECK(holds(text, "\nconv1  "));
  CHECK(holds(text, "\nconv2  "));
  CHECK(holds(text, "\nadd +conv1  "));
  CHECK(holds(text, "\nside from conv1  "));
  CHECK(holds(text, "\nskip from conv2, add  "));
  CHECK(holds(text, "\njoin +conv1 and 2 more  "));
  CHECK(holds(text, "\ntwice  "));
  CHECK(holds(text, "\nstem from image  "));
  CHECK(holds(text, "A layer reads the one above it"));
}

TEST_CASE("parameters that are not trained stand in brackets, and a sentence says how many are", "[render]") {
  const std::string text =
      text_of({{"conv1", {"image"}, 1792, false}, {"relu1", {"conv1"}}, {"fc", {"relu1"}, 4'097'000}});
  CHECK(holds(text, " (1,792)  "));
  CHECK(holds(text, " 4,097,000  "));
  CHECK_FALSE(holds(text, "(0)"));
  CHECK(holds(text, "4,097,000 of 4,098,792 parameters are trained; those in brackets are not."));
}

TEST_CASE("reports that were saved before layers told their inputs are shown as chains", "[render]") {
  Document report = test::sample_layers();
  for (Document& layer : report.at("layers")) {
    layer.erase("inputs");
    layer.erase("trained");
  }
  report.at("totals").erase("trained_parameters");
  const std::string text = render::text(report, {});
  CHECK(holds(text, "\npool1  "));
  CHECK_FALSE(holds(text, "brackets"));
}

}  // namespace
}  // namespace vggplan
