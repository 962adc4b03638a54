# SPDX-License-Identifier: MIT
# Embeds files in the program, so that it is one file to copy with no path to set.
# Included by CMakeLists.txt it defines vggplan_embed(); run with `cmake -P` at build time it writes the C++ source.

if(CMAKE_SCRIPT_MODE_FILE)
  file(STRINGS ${LIST} paths)
  set(rows "")
  foreach(path IN LISTS paths)
    file(READ ${ROOT}/${path} text)
    string(APPEND rows "    {R\"vggplan(${path})vggplan\"sv, R\"vggplan(${text})vggplan\"sv},\n")
  endforeach()
  list(LENGTH paths count)
  file(WRITE ${OUTPUT} "// Generated from ${ROOT} by cmake/embed.cmake.
#include <array>

#include \"${HEADER}\"

namespace vggplan::${ROOM} {

using namespace std::string_view_literals;  // they know their lengths: clang counts few characters at compile time

std::span<const base::EmbeddedFile> ${FUNCTION}() {
  static constexpr std::array<base::EmbeddedFile, ${count}> kFiles{{
${rows}  }};
  return kFiles;
}

}  // namespace vggplan::${ROOM}
")
  return()
endif()

# vggplan_embed(TARGET ROOM FOLDER PATTERN HEADER FUNCTION): the files of FOLDER like PATTERN, as what FUNCTION of
# namespace ROOM returns, which HEADER declares.
function(vggplan_embed target room folder pattern header function)
  set(root ${PROJECT_SOURCE_DIR}/${folder})
  file(GLOB_RECURSE paths RELATIVE ${root} CONFIGURE_DEPENDS ${root}/${pattern})
  list(SORT paths)
  list(JOIN paths "\n" lines)
  # A file that is removed changes this list, which the generated source depends on.
  set(list ${PROJECT_BINARY_DIR}/generated/${folder}.list)
  file(CONFIGURE OUTPUT ${list} CONTENT "${lines}\n" @ONLY)
  set(output ${PROJECT_BINARY_DIR}/generated/${folder}.cpp)
  list(TRANSFORM paths PREPEND ${root}/ OUTPUT_VARIABLE files)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DROOT=${root} -DLIST=${list} -DOUTPUT=${output} -DROOM=${room} -DHEADER=${header}
            -DFUNCTION=${function} -P ${script}
    DEPENDS ${files} ${list} ${script}
    COMMENT "Embedding ${folder}" VERBATIM)
  add_library(${target} STATIC ${output})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  # Generated data, not ours to style.
  set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "")
endfunction()
