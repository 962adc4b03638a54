# SPDX-License-Identifier: MIT
# Embeds every configs/**/*.json in the program, so that it is one file to copy with no path to set.
# Included by CMakeLists.txt it defines vggplan_embed_configs(); run with `cmake -P`
# at build time it writes the C++ source.

if(CMAKE_SCRIPT_MODE_FILE)
  file(STRINGS ${LIST} paths)
  set(rows "")
  foreach(path IN LISTS paths)
    file(READ ${ROOT}/${path} text)
    string(APPEND rows "    {R\"vggplan(${path})vggplan\"sv, R\"vggplan(${text})vggplan\"sv},\n")
  endforeach()
  list(LENGTH paths count)
  file(WRITE ${OUTPUT} "// Generated from configs/ by cmake/embed.cmake.
#include <array>

#include \"vggplan/catalog/embedded.hpp\"

namespace vggplan::catalog {

using namespace std::string_view_literals;  // they know their lengths: clang counts few characters at compile time

std::span<const EmbeddedFile> embedded_files() {
  static constexpr std::array<EmbeddedFile, ${count}> kFiles{{
${rows}  }};
  return kFiles;
}

}  // namespace vggplan::catalog
")
  return()
endif()

function(vggplan_embed_configs target)
  set(root ${PROJECT_SOURCE_DIR}/configs)
  file(GLOB_RECURSE paths RELATIVE ${root} CONFIGURE_DEPENDS ${root}/*.json)
  list(SORT paths)
  list(JOIN paths "\n" lines)
  # A file that is removed changes this list, which the generated source depends on.
  set(list ${PROJECT_BINARY_DIR}/generated/configs.list)
  file(CONFIGURE OUTPUT ${list} CONTENT "${lines}\n" @ONLY)
  set(output ${PROJECT_BINARY_DIR}/generated/embedded.cpp)
  list(TRANSFORM paths PREPEND ${root}/ OUTPUT_VARIABLE files)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DROOT=${root} -DLIST=${list} -DOUTPUT=${output} -P ${script}
    DEPENDS ${files} ${list} ${script}
    COMMENT "Embedding configs" VERBATIM)
  add_library(${target} STATIC ${output})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include)
  # Generated data, not ours to style.
  set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "")
endfunction()
