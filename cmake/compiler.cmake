# SPDX-License-Identifier: MIT
# vggplan_options: what every target of the project is compiled and linked with.
# -Wswitch-enum: a switch over an enum names every case, so that a new case is noticed.
add_library(vggplan_options INTERFACE)
target_compile_options(vggplan_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -Wundef
  -Wimplicit-fallthrough -Wswitch-enum
  $<$<BOOL:${VGGPLAN_WARNINGS_AS_ERRORS}>:-Werror>)
# The same figures on every processor: arm64 would multiply and add in one instruction, rounded once.
target_compile_options(vggplan_options INTERFACE -ffp-contract=off)

# What is released is the same bytes wherever it was built: no path of the builder's in it.
target_compile_options(vggplan_options INTERFACE
  $<$<CONFIG:Release>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=> $<$<CONFIG:Release>:-ffile-prefix-map=${PROJECT_BINARY_DIR}/=>)

# GCC 12 sees overlaps, endless fills and reads out of bounds in correct uses of std::string (GCC bugs 105651 and
# 105329, fixed in 13). The sanitize preset would find real ones.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(vggplan_options INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()

# GCC collects garbage for a tenth of its time where it may take less than this (KiB); a module takes a gigabyte anyway.
target_compile_options(vggplan_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=600000>)

if(VGGPLAN_SANITIZE)
  set(vggplan_sanitizers -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # Instrumented code misleads GCC's flow analysis (its manual says so); the other builds keep the warning.
  target_compile_options(vggplan_options INTERFACE ${vggplan_sanitizers}
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(vggplan_options INTERFACE ${vggplan_sanitizers})
endif()
if(VGGPLAN_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "VGGPLAN_FUZZ needs clang: configure with -DCMAKE_CXX_COMPILER=clang++")
  endif()
  target_compile_options(vggplan_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
