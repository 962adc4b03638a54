# SPDX-License-Identifier: MIT
# One file to copy. Not every system has a static C library (Fedora does not, macOS never); then the program needs the
# system's, and brings the rest along.
include(CheckCXXSourceCompiles)

set(CMAKE_REQUIRED_LINK_OPTIONS -static)
check_cxx_source_compiles("#include <string>\nint main(int n, char** v) { return std::string(v[0]).size() == n; }"
                          VGGPLAN_CAN_LINK_STATICALLY)
set(CMAKE_REQUIRED_LINK_OPTIONS -static-libstdc++ -static-libgcc)
check_cxx_source_compiles("#include <string>\nint main(int n, char** v) { return std::string(v[0]).size() == n; }"
                          VGGPLAN_CAN_LINK_LIBSTDCXX_STATICALLY)
unset(CMAKE_REQUIRED_LINK_OPTIONS)

if(VGGPLAN_CAN_LINK_STATICALLY)
  target_link_options(vggplan PRIVATE -static)
elseif(VGGPLAN_CAN_LINK_LIBSTDCXX_STATICALLY)
  target_link_options(vggplan PRIVATE -static-libstdc++ -static-libgcc)
endif()
target_link_options(vggplan PRIVATE $<$<CONFIG:Release>:-s>)
