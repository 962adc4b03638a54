#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""measure.py is one file that people copy to a machine with a GPU, and train.py reads plans through settings.py. What both have
must be the same text, so that what was measured is what is trained. Needs no PyTorch.

    check_settings.py
"""
import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = {"TYPES", "LAYOUTS", "set_arithmetic", "optimizer_of", "rerun", "checkpoint_model", "build"}


def definitions(text):
    """Functions, classes and constants of a file, as they are written."""
    found = {}
    for node in ast.parse(text).body:
        names = [node.name] if hasattr(node, "name") else [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
        found.update({name: ast.get_source_segment(text, node) for name in names})
    return found


def differing(settings, measure):
    """Shared names that one lacks or that differ, and others that both have."""
    ours, theirs = definitions(settings), definitions(measure)
    return sorted(name for name in SHARED | (ours.keys() & theirs.keys()) if ours.get(name, 1) != theirs.get(name, 2))


def main():
    settings, measure = ((ROOT / path).read_text() for path in ("templates/settings.py", "scripts/measure.py"))
    status = 0
    for name in differing(settings, measure):
        print(f"settings: {name} is not the same in templates/settings.py and scripts/measure.py", file=sys.stderr)
        status = 1
    # The check itself: a changed number, a function that is gone, another one of the same name.
    assert "optimizer_of" in differing(settings.replace("momentum=0.9", "momentum=0.8"), measure)
    assert "rerun" in differing(settings, measure.replace("def rerun", "def again"))
    assert "freeze" in differing(settings, measure + "\n\ndef freeze(model, job):\n    pass\n")
    lines = len((ROOT / "templates/train.py").read_text().splitlines())
    if lines > 300:
        print(f"settings: templates/train.py has {lines} lines, more than 300", file=sys.stderr)
        status = 1
    for path in ("templates/settings.py", "templates/train.py", "scripts/measure.py"):
        compile((ROOT / path).read_text(), path, "exec")
    return status


if __name__ == "__main__":
    sys.exit(main())
