// SPDX-License-Identifier: MIT
// What the page is made of besides the report: our style and script, and the chart library that was
// found at build time (cmake/page.cmake). Defined in a generated source.
#pragma once

#include <string>

namespace vggplan::render {

std::string page_style();
std::string page_script();
std::string chart_library();  ///< empty where the build had none

}  // namespace vggplan::render
