# SPDX-License-Identifier: MIT
# vggplan_module(NAME [USES module...] [PRIVATELY module...] [LINKS target...])
# One static library per folder of src/. Globbed, since fifteen folders follow one rule; CONFIGURE_DEPENDS notices files that come and go.
#
# The compiler finds the headers of a room, and the public ones of rooms that it uses, and no others: each room has two
# folders of its own in the build folder, with a link in each. Whoever uses the room finds what is in USES as well, and not
# what is PRIVATELY used: if he takes headers that need that, he names it himself.
function(vggplan_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;PRIVATELY;LINKS")
  foreach(room IN LISTS arg_USES arg_PRIVATELY)
    if(NOT TARGET vggplan_${room})
      message(FATAL_ERROR "${name} may only use rooms declared before it, which ${room} is not: no two use each other")
    endif()
  endforeach()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/src/app/main.cpp)
  list(TRANSFORM arg_USES PREPEND vggplan_)
  list(TRANSFORM arg_PRIVATELY PREPEND vggplan_)
  set(target vggplan_${name})
  add_library(${target} STATIC ${sources})
  # Their paths end as those of the sources do, for what reads paths in messages: .clang-tidy, scripts/mutate.
  set(folder ${PROJECT_BINARY_DIR}/rooms/${name})
  file(MAKE_DIRECTORY ${folder}/include/vggplan ${folder}/src)
  foreach(link include/vggplan/${name} src/${name})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${link} ${folder}/${link} SYMBOLIC)
  endforeach()
  target_include_directories(${target} PUBLIC ${folder}/include PRIVATE ${folder}/src)
  target_link_libraries(${target} PUBLIC ${arg_USES} ${arg_LINKS} PRIVATE ${arg_PRIVATELY} vggplan_options)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${VGGPLAN_UNITY} UNITY_BUILD_BATCH_SIZE 0)
endfunction()
