#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTML reports in a real browser: charts drawn, no errors, no network, tables whole, themes, phone, paper, hostile names.

check_pages.py VGGPLAN [FOLDER]: the program to ask; where to leave pages and screenshots, to look at.
"""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile

from browser import Browser

DESKTOP, NARROW, PHONE, PAPER = 1280, 1100, 390, 716  # CSS pixels; A4 less Chromium's margins
HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror=hacked=1>"\'&amp;`|\u2028\x1b[31m'
ESTIMATE = "estimate --size 1024x768 --gpus a100-sxm4-80gbx2 --batch 4 --images 100000 --epochs 3"
PLAN = "--size 4024x3036 --gpus a100-sxm4-80gbx4,h100-sxm5-80gbx2 --images 100000"
ONE = ["memory", "timeline", "batch", "layers"]
# Name, question, charts.
PAGES = [
    ("estimate", ESTIMATE, ONE),
    ("refused", "estimate --size 4024x3036 --gpu t4 --batch 8", ONE),
    ("infer", "estimate --size 512x512 --gpu l4 --mode infer", ONE),
    ("plan", PLAN, [*ONE, "alternatives"]),
    ("plan-refused", "--size 20000x20000 --gpus t4", []),
    ("layers", "layers --size 512x512 --model vgg19_bn", ["layers"]),
    ("sweep", "sweep --gpu t4 --size 1024x1024 --sweep batch=1,2,4,8,64 --sweep precision=fp32,amp-fp16", ["points"]),
    ("gpus", "gpus", []),
    ("gpu", "gpus a100", []),
    ("diff", "diff old.json new.json", []),
    ("check", "check new.json --against old.json", []),
    ("verify", "verify new.json stats.json", []),
]

# What is drawn: the charts by name, with the number of data sets and of colours in the canvas.
DRAWN = """Object.fromEntries([...document.querySelectorAll('canvas')].map(canvas => {
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const colors = new Set(new Uint32Array(pixels.buffer));
  const chart = Chart.getChart(canvas);
  return [canvas.id.replace('chart-', ''), {
    sets: chart.data.datasets.map(set => set.label), colors: colors.size, width: canvas.getBoundingClientRect().width,
    values: chart.data.datasets.reduce((count, set) => count + set.data.filter(v => v !== null).length, 0)}];
}))"""
TABLES = """[...document.querySelectorAll('table')].map(table => [...table.rows].map(row => [...row.cells].map(c => c.textContent)))"""
# Contrast by the WCAG's formula, of every element that has text of its own.
FAINT = """(() => {
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = rgb(getComputedStyle(e).backgroundColor);
      if (color.length === 3) return color;
    }
    return [255, 255, 255];
  };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return [...document.body.querySelectorAll('*')].filter(e => own(e) && !['SCRIPT', 'STYLE'].includes(e.tagName)).map(e => {
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), e.textContent.slice(0, 30)];
  }).filter(([ratio]) => ratio < 4.5);
})()"""
TOO_WIDE = """[...document.querySelectorAll('.scroll, .chart, canvas, pre')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.id || e.className || e.tagName)"""


class Checks:
    def __init__(self, program, folder):
        self.program, self.folder, self.failures, self.count = program, folder, [], 0

    def expect(self, holds, what):
        self.count += 1
        if not holds:
            self.failures.append(what)

    def ask(self, question, *more):
        run = subprocess.run([self.program, *question.split(), *more, "--quiet"], cwd=self.folder, capture_output=True,
                             text=True, encoding="utf-8", check=False, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        if run.returncode > 1:
            raise SystemExit(f"{question}: exit {run.returncode}: {run.stderr}")
        return run.stdout

    def page(self, name, question):
        path = os.path.join(self.folder, name + ".html")
        self.ask(question, "--format", "html", "--output", path)
        return path


def shown_rows(kind, data):
    """How many rows each table must have that lists something, by what its head begins with."""
    best = data.get("recommendation", data)
    rows = {}
    if "layers" in best:
        rows["layer"] = len(best["layers"]) + ("totals" in best)
    for key, head, more in (("alternatives", "#", 1), ("inputs", "input", 0), ("checks", "", 0), ("components", "", 0), ("gpus", "name", 0)):
        if data.get(key) and (key != "gpus" or len(data[key]) > 1):  # of one all is told, line by line
            rows[head] = len(data[key]) + more
    if kind == "sweep":
        rows["batch"] = len(data["points"])
    elif "by_batch" in best:
        rows["batch"] = len(best["by_batch"])
    if "memory" in best:
        rows["at the peak"] = len([b for b in best["memory"]["breakdown_at_peak"].values() if b])
    return rows


def check_tables(checks, name, browser):
    data = json.loads(browser.value("document.getElementById('report')?.textContent || 'null'") or "null")
    if data is None:
        data = json.loads(checks.ask(dict((n, q) for n, q, _ in PAGES)[name], "--json"))
    tables = browser.value(TABLES)
    for head, count in shown_rows(data["kind"], data).items():
        found = [len(table) - 1 for table in tables if table[0][0] == head]
        more = 2 if head == "at the peak" else 0  # cached by the allocator, free
        checks.expect(any(count <= rows <= count + more for rows in found), f"{name}: table '{head}' has {found} rows, not {count}")
    for table in tables:
        checks.expect(len({len(row) for row in table}) == 1, f"{name}: a table is not rectangular")


def check_charts(checks, name, browser, charts):
    checks.expect(browser.value("document.querySelectorAll('canvas').length") == len(charts), f"{name}: not {len(charts)} canvases")
    drawn = browser.value(DRAWN) if charts else {}
    checks.expect(sorted(drawn) == sorted(charts), f"{name}: charts {sorted(drawn)}, not {sorted(charts)}")
    for chart, about in drawn.items():
        checks.expect(about["colors"] > 8 and about["values"] > 0, f"{name}: chart {chart} is empty: {about}")
        checks.expect(browser.value(f"document.getElementById('chart-{chart}').getAttribute('aria-label')"), f"{name}: {chart} has no label")


    if "timeline" in drawn:
        held = json.loads(browser.value("document.getElementById('report').textContent"))
        held = held.get("recommendation", held)["memory"]["timeline"]
        names = {name.replace("_", " ") for point in held for name in point["categories"]} | {"reserved"}
        checks.expect(set(drawn["timeline"]["sets"]) == names, f"{name}: the timeline shows {drawn['timeline']['sets']}")


def check_quiet(checks, name, browser):
    for event in browser.events:
        method, params = event.get("method"), event.get("params", {})
        bad = method == "Runtime.exceptionThrown" or method == "Page.javascriptDialogOpening" or (
            method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning")) or (
            method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning")) or (
            method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(("file:", "data:")))
        checks.expect(not bad, f"{name}: {method} {json.dumps(params)[:200]}")


def check_looks(checks, name, browser):
    grounds = set()
    for width in (DESKTOP, NARROW, PHONE):
        for dark in (False, True):
            browser.look(width, dark)
            grounds.add(browser.value("getComputedStyle(document.body).backgroundColor"))
            what = f"{name} at {width}, {'dark' if dark else 'light'}"
            checks.expect(browser.value("document.documentElement.scrollWidth") <= width, f"{what}: wider than the window")
            faint = browser.value(FAINT)
            checks.expect(not faint, f"{what}: faint text {faint[:3]}")
            if width != PHONE:  # where tables of figures may be pushed to the side
                wide = browser.value(TOO_WIDE)
                checks.expect(not wide, f"{what}: cut off {wide}")
            png = browser.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
            with open(os.path.join(checks.folder, f"{name}-{width}-{'dark' if dark else 'light'}.png"), "wb") as file:
                file.write(base64.b64decode(png))
    checks.expect(len(grounds) == 2, f"{name}: the themes have the grounds {grounds}")


def check_paper(checks, name, browser):
    """Printed from a dark screen: white, nothing cut off, charts drawn in dark on light."""
    browser.look(DESKTOP, dark=True)
    pdf = base64.b64decode(browser.ask("Page.printToPDF", printBackground=False, paperWidth=8.27, paperHeight=11.69)["data"])
    with open(os.path.join(checks.folder, name + ".pdf"), "wb") as file:
        file.write(pdf)
    checks.expect(len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 1, f"{name}: the PDF has no pages")
    browser.look(PAPER, dark=True, media="print")
    browser.value("dispatchEvent(new Event('beforeprint'))")
    wide = browser.value(TOO_WIDE)
    checks.expect(not wide, f"{name} on paper: cut off {wide}")
    checks.expect(browser.value("getComputedStyle(document.documentElement).getPropertyValue('--ground').trim()") == "#ffffff",
                  f"{name} on paper: not white")
    browser.value("dispatchEvent(new Event('afterprint'))")


def check_pointer(checks, browser):
    """The layer under the pointer, in the chart of memory over one step."""
    browser.look(DESKTOP)
    box = browser.value("(() => { const c = document.getElementById('chart-timeline'); c.scrollIntoView({block: 'center'});"
                        " const b = c.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()")
    titles = set()
    for share in (0.2, 0.35, 0.6):
        browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + share * box[2], y=box[1] + box[3] / 2)
        browser.value("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
        titles.add(browser.value("Chart.getChart('chart-timeline').tooltip.title.join(' ')"))
    checks.expect(len(titles) == 3 and all(re.match(r"(forward|backward), \w+", title) for title in titles),
                  f"plan: the pointer on the timeline shows {titles}")


def hostile(value, key=""):
    """A report in which every text that the program does not depend on is HOSTILE."""
    if key == "tool":
        return value
    if isinstance(value, dict):
        return {k: hostile(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [hostile(v, key) for v in value]
    # What the schema of reports lists is refused before it is shown.
    fixed = ("kind", "verdict", "schema_version", "mode", "basis", "severity", "metric", "head", "precision", "layout",
             "optimizer", "optimizer_impl", "checkpointing", "sharding", "image_format", "pipeline", "objective")
    return HOSTILE if isinstance(value, str) and key not in fixed else value


def check_hostile(checks, browser):
    for name, question in (("plan", PLAN + " --timeline"), ("estimate", ESTIMATE), ("layers", "layers --size 64x64")):
        path = os.path.join(checks.folder, "hostile.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(hostile(json.loads(checks.ask(question, "--json"))), file)
        browser.open(checks.page("hostile-" + name, "show hostile.json"))
        check_quiet(checks, "hostile " + name, browser)
        checks.expect(browser.value("window.hacked") is None, f"hostile {name}: a name ran as script")
        checks.expect(browser.value("document.querySelectorAll('img, script').length") == 3, f"hostile {name}: names became elements")
        checks.expect(browser.value("document.body.innerText.includes('<script>window.hacked=1</script>')"),
                      f"hostile {name}: the name is not shown as it is")


BROKEN = """<!DOCTYPE html><body style="background: white"><p style="color: #aaa">faint</p>
<div class="scroll" style="width: 2000px">wide</div><table><tr><td>1</td></tr><tr><td>1</td><td>2</td></tr></table>
<canvas id="chart-memory"></canvas><img src="http://127.0.0.1:9/x"><script>throw new Error('x')</script></body>"""


def check_itself(checks, browser):
    """The checks notice a page in which all is wrong."""
    trial = Checks(checks.program, checks.folder)
    path = os.path.join(checks.folder, "broken.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(BROKEN)
    browser.open(path)
    browser.value("window.Chart = {getChart: () => ({data: {datasets: []}})}; 0")
    check_charts(trial, "broken", browser, ["memory"])
    check_tables(trial, "gpus", browser)
    check_looks(trial, "broken", browser)
    check_paper(trial, "broken", browser)
    check_quiet(trial, "broken", browser)
    told = "\n".join(trial.failures)
    for part in ("is empty", "has no label", "not rectangular", "rows, not", "faint text", "wider than the window", "have the grounds",
                 "cut off", "not white", "exceptionThrown", "requestWillBeSent"):
        checks.expect(part in told, f"the check of '{part}' does not notice a broken page")


def main():
    checks = Checks(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else tempfile.mkdtemp())
    os.makedirs(checks.folder, exist_ok=True)
    checks.ask("estimate --size 1024x768 --gpu t4 --json --output old.json")
    checks.ask("estimate --size 1024x768 --gpu t4 --batch 2 --json --output new.json")
    with open(os.path.join(checks.folder, "stats.json"), "w") as file:
        json.dump({"allocated_bytes.all.peak": 5 * 2**30, "reserved_bytes.all.peak": 6 * 2**30, "num_alloc_retries": 2}, file)
    browser = Browser()
    try:
        for name, question, charts in PAGES:
            browser.look(DESKTOP)
            browser.open(checks.page(name, question))
            check_charts(checks, name, browser, charts)
            check_tables(checks, name, browser)
            check_looks(checks, name, browser)
            if name == "plan":
                check_pointer(checks, browser)
            check_paper(checks, name, browser)
            check_quiet(checks, name, browser)
        browser.look(DESKTOP)
        check_hostile(checks, browser)
        check_itself(checks, browser)
    finally:
        browser.close()
    for failure in checks.failures:
        print("page: " + failure, file=sys.stderr)
    print(f"pages: {checks.count} checks, {len(checks.failures)} failed", file=sys.stderr)
    return 1 if checks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
