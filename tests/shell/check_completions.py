#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Completion in real shells: check_completions.py VGGPLAN types lines into bash, zsh and fish and presses the tab key."""
import os
import pty
import select
import subprocess
import sys
import tempfile
import time

# What is typed, and what stands there after a tab.
CASES = [
    ("vggplan esti", "vggplan estimate "),
    ("vggplan calib", "vggplan calibrate "),
    ("vggplan estimate --prec", "vggplan estimate --precision"),
    ("vggplan estimate --precision amp-b", "vggplan estimate --precision amp-bf16 "),
    ("vggplan estimate --precision=amp-b", "vggplan estimate --precision=amp-bf16 "),
    ("vggplan --obj", "vggplan --objective"),
    ("vggplan --objective che", "vggplan --objective cheapest "),
    ("vggplan laun", "vggplan launch "),
    ("vggplan launch --engine sl", "vggplan launch --engine slurm "),
    ("vggplan check --aga", "vggplan check --against"),
    ("vggplan estimate --gpu h100-nv", "vggplan estimate --gpu h100-nvl-94gb "),
    ("vggplan gpus h100-nv", "vggplan gpus h100-nvl-94gb "),
    ("vggplan machines p4de", "vggplan machines p4de.24xlarge "),
    ("vggplan hel", "vggplan help "),
    ("vggplan help esti", "vggplan help estimate "),
    ("vggplan help pla", "vggplan help plan "),
    ("vggplan schema rep", "vggplan schema report "),
    ("vggplan completion z", "vggplan completion zsh "),
    ("vggplan estimate -f ht", "vggplan estimate -f html "),
    ("vggplan sweep --sweep ba", "vggplan sweep --sweep batch="),
    ("vggplan estimate --export ht", "vggplan estimate --export html="),
    ("vggplan show saved-rep", "vggplan show saved-report.json "),
    ("vggplan check saved-report.json --budget my-bud", "vggplan check saved-report.json --budget my-budget.toml "),
]
# A key that writes the line as it stands to a file, and clears it.
BASH = """PS1=ready; bind 'set bell-style none'; source {script}
bind -x '"\\C-t": printf "%s\\n" "$READLINE_LINE" >>lines; READLINE_LINE='
echo go"""
ZSH = """PS1=ready; unsetopt beep; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -d ./dump
keep() {{ print -r -- "$BUFFER" >>lines; BUFFER=; zle redisplay }}; zle -N keep; bindkey '^T' keep
echo go"""


def type_into(command, setup, folder):
    """The lines of CASES after a tab, typed into an interactive shell."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update(TERM="dumb", INPUTRC="/dev/null", HISTFILE="", LANG="C.UTF-8")
        os.execvp(command[0], command)
    lines = os.path.join(folder, "lines")

    def read_until(ready):
        deadline = time.monotonic() + 20
        while not ready() and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.02)[0]:
                seen.append(os.read(terminal, 65536))

    seen = []
    os.write(terminal, (setup + "\n").encode())
    read_until(lambda: b"\ngo" in b"".join(seen))
    typed = []
    for line, _ in CASES:
        os.write(terminal, line.encode() + b"\t\x14")
        read_until(lambda: os.path.exists(lines) and open(lines, encoding="utf-8").read().count("\n") > len(typed))
        typed.append(line)
    os.write(terminal, b"exit\n")
    os.close(terminal)
    os.waitpid(pid, 0)
    with open(lines, encoding="utf-8") as file:
        results = file.read().splitlines()
    os.remove(lines)
    return results


def ask_fish(script, folder):
    """fish tells candidates without a terminal; the line is what it would be with the only one."""
    results = []
    for line, _ in CASES:
        run = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], cwd=folder, check=False,
                             capture_output=True, text=True, env=dict(os.environ, HOME=folder, LANG="C.UTF-8"))
        found = [row.split("\t")[0] for row in run.stdout.splitlines()]
        start = line.rfind(" ") + 1
        end = "" if found and found[0].endswith("=") else " "
        results.append(line[:start] + found[0] + end if len(found) == 1 else f"{len(found)} candidates {run.stderr}")
    return results


def main():
    program, failures = os.path.abspath(sys.argv[1]), 0
    os.environ["PATH"] = os.path.dirname(program) + ":" + os.environ["PATH"]  # the scripts ask the program
    with tempfile.TemporaryDirectory() as folder:
        for name in ("saved-report.json", "my-budget.toml"):
            open(os.path.join(folder, name), "w", encoding="utf-8").close()
        names = {"bash": "vggplan.bash", "zsh": "_vggplan", "fish": "vggplan.fish"}
        for shell, name in names.items():
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                subprocess.run([program, "completion", shell], stdout=file, check=True)
            if shell == "fish":
                results = ask_fish(path, folder)
            else:
                command = ["bash", "--norc", "-i"] if shell == "bash" else ["zsh", "-f", "-i"]
                setup = (BASH if shell == "bash" else ZSH).format(script=path, folder=folder)
                results = type_into(command, setup, folder)
            for (line, expected), result in zip(CASES, results, strict=True):
                # A flag that takes a value may be followed by "=" or a space, as the shell likes.
                same = result == expected if expected.endswith("=") else result.rstrip(" =") == expected.rstrip()
                if not same:
                    failures += 1
                    print(f"completion: {shell}: {line!r} becomes {result!r}, not {expected!r}", file=sys.stderr)
    print(f"completion: {3 * len(CASES)} lines, {failures} failed", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
