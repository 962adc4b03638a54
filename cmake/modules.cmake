# SPDX-License-Identifier: MIT
# vggplan_module(NAME [USES module...] [LINKS target...])
# One static library per folder of src/; an INTERFACE library while the folder holds headers only.
# Globbed, since thirteen folders follow one rule; CONFIGURE_DEPENDS notices files that come and go.
function(vggplan_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/src/app/main.cpp)
  list(TRANSFORM arg_USES PREPEND vggplan_)
  set(target vggplan_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE vggplan_options)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${VGGPLAN_UNITY} UNITY_BUILD_BATCH_SIZE 0)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope}
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(${target} ${scope} ${arg_USES} ${arg_LINKS})
endfunction()
