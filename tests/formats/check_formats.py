#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reports read by readers that are not ours: check_formats.py VGGPLAN. JSON Schema by jsonschema, CSV by csv, pages by
html.parser, and a pipe by jq."""
import csv
import html.parser
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
QUESTIONS = [
    "estimate --size 224x224 --gpu h200",
    "estimate --size 224x224 --gpu h200 --mode infer --timeline",
    "estimate --size 1024x768 --gpus a100x16 --machine p4d.24xlarge --images 5000 --epochs 3 --sharding fsdp2",
    "estimate --size 9000x9000 --batch 99 --gpu t4",
    "--size 1024x1024 --gpus a100x4,any --images 100000 --deadline 24h --reserve 10% --price a100=1.8",
    "--size 20000x20000 --gpus t4", "--size 512x512 --gpus l4x2 --mode infer",
    "estimate --size 64x64 --gpu t4 --model vgg11_bn --head gap", "fit --size 224 --gpus 8GB",
    "layers --size 512x512 --model vgg19_bn", "layers --size 224x224 --mode infer --gpu t4",
    "gpus", "machines", "models", "gpus a100",
    "diff old.json new.json", "check new.json --against old.json", "verify old.json stats.json", "verify old.json smi.csv",
    "estimate --size 64x64 --gpu evil --gpu-file evil.json",
]
# Files that some of them read: a run as it was planned, one on another GPU, and a card whose title is no text for a page.
FILES = {"stats.json": '{"allocated_bytes.all.peak": 1, "num_ooms": 1}', "smi.csv": "name, memory.used [MiB]\nNVIDIA B200, 5 MiB\n",
         "evil.json": json.dumps(json.loads((CONFIGS / "gpus/l4.json").read_text(encoding="utf-8")) | {
             "name": "evil", "title": "</script><script>alert(1)</script>\n|`*_\"a,b\""})}
SWEEP = "sweep --size 256x256 --gpu t4 --sweep batch=1,2,4 --sweep precision=fp32,amp-fp16"


class Balance(html.parser.HTMLParser):
    """What is open at the end of a page, or closed without being open."""
    VOID = {"meta", "br", "link", "hr", "img"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def main():
    program, failures = os.path.abspath(sys.argv[1]), []
    with tempfile.TemporaryDirectory() as folder:
        def ask(question, *more):
            run = subprocess.run([program, *question.split(), *more, "--quiet"], cwd=folder, capture_output=True, text=True,
                                 check=False)
            if run.returncode > (2 if "smi.csv" in question else 1):
                failures.append(f"{question}: exit {run.returncode}: {run.stderr}")
            return run.stdout

        def validate(text, schema, what):
            try:
                schema.validate(json.loads(text))
            except (jsonschema.ValidationError, ValueError) as error:
                failures.append(f"{what}: {str(error).splitlines()[0]}")

        def schema_of(name):
            text = json.loads(ask("schema " + name))
            kind = jsonschema.validators.validator_for(text)
            kind.check_schema(text)
            return kind(text)

        for name, text in FILES.items():
            pathlib.Path(folder, name).write_text(text, encoding="utf-8")
        ask("estimate --size 224x224 --gpu t4 --json --output old.json")
        ask("estimate --size 224x256 --gpu l4 --batch 2 --json --output new.json")
        report = schema_of("report")
        for question in QUESTIONS:
            validate(ask(question, "--json"), report, question)
            rows = list(csv.reader(io.StringIO(ask(question, "--format", "csv"), newline=""), strict=True))
            if len({len(row) for row in rows}) != 1:
                failures.append(f"{question}: CSV is not rectangular")
            page = Balance()
            page.feed(ask(question, "--format", "html"))
            if page.open or page.wrong:
                failures.append(f"{question}: HTML leaves {page.open} open, and closes {page.wrong}")
        for line in ask(SWEEP, "--json").splitlines():
            validate(line, report, SWEEP)
        layers = json.loads(ask("layers --size 512x512", "--json"))["layers"]
        rows = list(csv.DictReader(io.StringIO(ask("layers --size 512x512", "--format", "csv"))))
        for layer, row in zip(layers, rows):
            for key, value in layer.items():
                if isinstance(value, (bool, int, float)) and json.loads(row[key]) != value:
                    failures.append(f"layers: {layer['name']}: CSV has {key} {row[key]}, JSON {value}")
        for name, path in (("gpu", "gpus"), ("machine", "machines"), ("model", "models"), ("storage", "storage"),
                           ("calibration", "calibration")):
            schema = schema_of(name)
            for file in sorted((CONFIGS / path).glob("*.json")):
                validate(file.read_text(encoding="utf-8"), schema, str(file))
        validate((CONFIGS / "links.json").read_text(encoding="utf-8"), schema_of("links"), "links.json")
        validate((CONFIGS / "other-gpus.json").read_text(encoding="utf-8"), schema_of("other-gpus"), "other-gpus.json")
        pipe = subprocess.run(f"'{program}' estimate --size 224x224 --gpu t4 --json -q | jq -e '.memory.usable_bytes > 0'",
                              shell=True, capture_output=True, text=True, check=False)
        if pipe.stdout != "true\n":
            failures.append(f"jq: {pipe.stdout}{pipe.stderr}")
    for failure in failures:
        print("formats: " + failure, file=sys.stderr)
    print(f"formats: {len(QUESTIONS)} reports, {len(failures)} failed", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
