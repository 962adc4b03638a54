// SPDX-License-Identifier: MIT
// Catch2 version 2 (Debian 12) or 3 (newer systems), whichever is installed.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
