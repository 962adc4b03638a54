#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole processes against the clock: check_speed.py VGGPLAN, a release build. The best of many runs counts, for others
work on the machine as well, and what an empty process costs is taken off."""
import subprocess
import sys
import time

ESTIMATE = ["estimate", "--height", "4024", "--width", "3036", "--gpu", "h200-sxm-141gb", "--batch", "2", "--json"]
PLAN = ["--height", "4024", "--width", "3036", "--gpus", "a100-sxm4-80gbx4", "--json"]
SWEEP = ["sweep", "--gpu", "h200-sxm-141gb", "--width", "3036", "--sweep", "height=1024:2023", "--json"]
# What, how often, and the most milliseconds that it may take.
BARS = [("estimate", ESTIMATE, 30, 10), ("plan", PLAN, 15, 150), ("sweep of 1,000 points", SWEEP, 5, 1500)]


def best(command, times):
    shortest = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        shortest = min(shortest, time.perf_counter() - start)
    return 1e3 * shortest


def main():
    failed = 0
    empty = best(["/bin/true"], 30)
    for name, arguments, times, bar in BARS:
        took = best([sys.argv[1], *arguments], times) - empty
        failed += took > bar
        print(f"speed: {name}: {took:.1f} ms, at most {bar}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
