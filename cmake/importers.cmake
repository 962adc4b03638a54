# SPDX-License-Identifier: MIT
# What reads ONNX files (protozero, headers alone) and .pt2 archives (minizip of zlib). Neither comes with a CMake package
# on Debian.
find_path(VGGPLAN_PROTOZERO_INCLUDE protozero/pbf_reader.hpp REQUIRED DOC "Debian: libprotozero-dev")
find_path(VGGPLAN_MINIZIP_INCLUDE minizip/unzip.h REQUIRED DOC "Debian: libminizip-dev")
if(VGGPLAN_STATIC)
  find_library(VGGPLAN_MINIZIP NAMES libminizip.a minizip REQUIRED)
  set(ZLIB_USE_STATIC_LIBS ON)  # from CMake 3.24
else()
  find_library(VGGPLAN_MINIZIP NAMES minizip REQUIRED)
endif()
find_package(ZLIB REQUIRED)

add_library(vggplan_protozero INTERFACE)
target_include_directories(vggplan_protozero SYSTEM INTERFACE ${VGGPLAN_PROTOZERO_INCLUDE})
add_library(vggplan_minizip INTERFACE)
target_include_directories(vggplan_minizip SYSTEM INTERFACE ${VGGPLAN_MINIZIP_INCLUDE})
target_link_libraries(vggplan_minizip INTERFACE ${VGGPLAN_MINIZIP} ZLIB::ZLIB)
