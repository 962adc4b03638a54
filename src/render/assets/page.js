'use strict';
// Draws what the report in this page holds. Every chart stands beside a table with its figures.
(() => {
  const report = JSON.parse(document.getElementById('report').textContent);
  const estimate = report.recommendation || (report.kind === 'estimate' ? report : null);
  const GiB = 2 ** 30;
  const COLORS = 14;
  const value = (figure) => (typeof figure === 'object' ? figure.value : figure);
  const words = (key) => key.replaceAll('_', ' ');
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const palette = (i) => color('c' + (i % COLORS));
  const legend = () => ({ position: 'bottom', labels: { boxWidth: 14, color: color('ink') } });
  const charts = [];

  // A category of memory has one colour in all charts: in the order of its share of the peak.
  const categories = [];
  const categoryColor = (name) => {
    if (!categories.includes(name)) categories.push(name);
    return palette(categories.indexOf(name));
  };

  // Text that can be read on whatever lies below it.
  function outlined(pen, text, x, y) {
    pen.setLineDash([]);
    pen.lineWidth = 4;
    pen.strokeStyle = color('ground');
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }

  // A line across the chart where the memory of the GPU ends.
  const capacityLine = {
    id: 'capacity',
    afterDatasetsDraw(chart, _, options) {
      const scale = chart.scales[options.axis];
      if (!scale || options.at === undefined) return;
      const at = scale.getPixelForValue(options.at);
      const { left, right, top, bottom } = chart.chartArea;
      const pen = chart.ctx;
      pen.save();
      pen.strokeStyle = pen.fillStyle = color('bad');
      pen.lineWidth = 2;
      pen.setLineDash([6, 4]);
      pen.font = '12px system-ui, sans-serif';
      pen.beginPath();
      const across = scale.isHorizontal();
      pen.moveTo(across ? at : left, across ? top : at);
      pen.lineTo(across ? at : right, across ? bottom : at);
      pen.stroke();
      const leftwards = across && at > (left + right) / 2;
      pen.textAlign = leftwards ? 'right' : 'left';
      const below = at < top + 18 ? 16 : -6;
      outlined(pen, 'usable', across ? at + (leftwards ? -6 : 6) : left + 6, across ? top + 13 : at + below);
      pen.restore();
    },
  };

  // Where the phases of a step begin, with their names.
  const phaseLines = {
    id: 'phases',
    beforeDatasetsDraw(chart, _, options) {
      const { left, top, bottom } = chart.chartArea;
      const pen = chart.ctx;
      pen.save();
      pen.strokeStyle = color('quiet');
      pen.fillStyle = color('quiet');
      pen.font = '12px system-ui, sans-serif';
      for (const { at, name } of options.starts) {
        const x = chart.scales.x.getPixelForValue(at);
        pen.beginPath();
        pen.moveTo(x, top);
        pen.lineTo(x, bottom);
        if (x > left + 1) pen.stroke();
        const leftwards = x + 4 + pen.measureText(name).width > chart.width;
        pen.textAlign = leftwards ? 'right' : 'left';
        pen.fillText(name, x + (leftwards ? -4 : 4), top - 4);
      }
      pen.restore();
    },
  };

  function axis(text, more = {}) {
    return { title: { display: text !== '', text, color: color('quiet') }, ticks: { color: color('quiet') },
             grid: { color: color('line') }, ...more };
  }

  function add(id, make) {
    const canvas = document.getElementById(id);
    if (canvas) charts.push({ canvas, make, chart: null });
  }

  function draw() {
    Chart.defaults.color = color('ink');
    Chart.defaults.animation = false;
    Chart.defaults.maintainAspectRatio = false;
    for (const entry of charts) {
      if (entry.chart) entry.chart.destroy();
      entry.chart = new Chart(entry.canvas, entry.make());
    }
  }

  function memoryChart() {
    const memory = estimate.memory;
    const parts = Object.entries(memory.breakdown_at_peak).filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1]);
    const allocated = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
    const reserved = value(memory.reserved_peak_bytes);
    const sets = parts.map(([name, bytes]) => ({ label: words(name), data: [bytes / GiB], backgroundColor: categoryColor(name) }));
    if (reserved > allocated) {
      sets.push({ label: 'cached by allocator', data: [(reserved - allocated) / GiB], backgroundColor: color('cached') });
    }
    const rest = memory.usable_bytes - Math.max(reserved, allocated);
    if (rest > 0) sets.push({ label: 'free', data: [rest / GiB], backgroundColor: color('free') });
    return {
      type: 'bar',
      data: { labels: ['one GPU'], datasets: sets },
      options: {
        indexAxis: 'y',
        scales: { x: axis('GiB', { stacked: true, max: Math.max(reserved, allocated, memory.usable_bytes) / GiB * 1.02,
                                   ticks: { color: color('quiet'), precision: 0, includeBounds: false } }),
                  y: { stacked: true, display: false } },
        plugins: {
          capacity: { axis: 'x', at: memory.usable_bytes / GiB },
          legend: legend(),
          tooltip: { callbacks: { title: () => '', label: (item) => `${item.dataset.label}: ${item.parsed.x.toFixed(2)} GiB` } },
        },
      },
      plugins: [capacityLine],
    };
  }

  // The categories that are held at some moment, the largest at the bottom; or what is allocated, undivided.
  function timelineSets(points) {
    const at = (read) => points.map((point, i) => ({ x: i, y: read(point) / GiB }));
    const most = {};
    for (const point of points) {
      for (const [name, bytes] of Object.entries(point.categories || {})) most[name] = Math.max(most[name] || 0, bytes);
    }
    const names = Object.keys(most).filter((name) => most[name] > 0).sort((a, b) => most[b] - most[a]);
    const sets = names.length
      ? names.map((name) => ({ label: words(name), data: at((p) => p.categories[name] || 0),
                               backgroundColor: categoryColor(name), borderColor: categoryColor(name) }))
      : [{ label: 'allocated', data: at((p) => p.allocated_bytes), backgroundColor: color('c4'), borderColor: color('c0') }];
    for (const set of sets) Object.assign(set, { fill: true, stack: 'allocated' });
    sets.push({ label: 'reserved', data: at((p) => p.reserved_bytes), stack: 'reserved', fill: false,
                borderColor: color('ink'), backgroundColor: color('ground'), borderDash: [3, 3] });
    for (const set of sets) Object.assign(set, { stepped: true, pointRadius: 0, pointHitRadius: 0, borderWidth: 1 });
    return sets;
  }

  function timelineChart() {
    const points = estimate.memory.timeline;
    const starts = points.map((point, i) => ({ at: i, name: point.phase }))
      .filter(({ at, name }) => at === 0 || points[at - 1].phase !== name);
    return {
      type: 'line',
      data: { datasets: timelineSets(points) },
      options: {
        parsing: false,
        layout: { padding: { top: 16 } },
        interaction: { mode: 'index', intersect: false },
        scales: { x: axis('allocations and frees of the first step and of a later one, in order', { type: 'linear', max: points.length - 1, ticks: { display: false } }),
                  y: axis('GiB', { stacked: true, beginAtZero: true, suggestedMax: estimate.memory.usable_bytes / GiB }) },
        plugins: {
          capacity: { axis: 'y', at: estimate.memory.usable_bytes / GiB },
          phases: { starts },
          legend: legend(),
          tooltip: {
            filter: (item) => item.parsed.y > 0,
            callbacks: {
              title: (items) => {
                if (!items.length) return '';
                const point = points[items[0].parsed.x];
                return point.layer ? `${point.phase}, ${point.layer}` : point.phase;
              },
              label: (item) => `${item.dataset.label}: ${item.parsed.y.toFixed(2)} GiB`,
            },
          },
        },
      },
      plugins: [capacityLine, phaseLines],
    };
  }

  // Memory as bars, coloured by whether it fits, and speed as a line, for one row each.
  function memoryAndSpeed(rows, labels, title, usable, showLine = true) {
    const kinds = [['fits', 'reserved, fits', 'c0'], ['fits-with-cache-flushes', 'reserved, with cache flushes', 'warn'],
                   ['does-not-fit', 'reserved, does not fit', 'bad']];
    const speed = { type: 'line', label: 'images per second', yAxisID: 'rate', borderColor: color('c1'), showLine,
                    pointRadius: showLine ? 3 : 5, backgroundColor: color('c1'), data: rows.map((row) => (row.verdict === 'does-not-fit' ? null : row.speed)) };
    const bars = kinds.map(([verdict, label, name]) => ({
      type: 'bar', label, yAxisID: 'memory', grouped: false, backgroundColor: color(name),
      data: rows.map((row) => (row.verdict === verdict ? row.reserved / GiB : null)),
    })).filter((set) => set.data.some((bytes) => bytes !== null));
    return {
      data: { labels, datasets: [speed, ...bars] },
      options: {
        scales: {
          x: axis(title),
          memory: axis('GiB', { axis: 'y', position: 'left', beginAtZero: true, suggestedMax: (usable || 0) / GiB * 1.05 }),
          rate: axis('images/s', { axis: 'y', position: 'right', beginAtZero: true, grid: { drawOnChartArea: false } }),
        },
        plugins: {
          capacity: { axis: 'memory', at: usable === undefined ? undefined : usable / GiB },
          legend: legend(),
          tooltip: { callbacks: { label: (item) => item.dataset.yAxisID === 'rate'
            ? `${item.dataset.label}: ${item.parsed.y.toPrecision(3)}` : `${item.dataset.label}: ${item.parsed.y.toFixed(2)} GiB` } },
        },
      },
      plugins: [capacityLine],
    };
  }

  function batchChart() {
    const rows = estimate.by_batch.map((row) => ({ verdict: row.verdict, speed: value(row.images_per_second),
                                                   reserved: value(row.reserved_peak_bytes) }));
    return memoryAndSpeed(rows, estimate.by_batch.map((row) => row.batch), 'batch per GPU', estimate.memory.usable_bytes);
  }

  function pointsChart() {
    const rows = report.points.map((row) => ({ verdict: row.memory.verdict, speed: value(row.time.images_per_second),
                                               reserved: value(row.memory.reserved_peak_bytes) }));
    const axes = Object.keys(report.points[0].point);
    const usable = new Set(report.points.map((row) => row.memory.usable_bytes));
    return memoryAndSpeed(rows, report.points.map((row) => Object.values(row.point).join(', ')),
                          axes.map(words).join(', '), usable.size === 1 ? [...usable][0] : undefined, axes.length === 1);
  }

  function layersChart() {
    const rows = (report.kind === 'layers' ? report : estimate).layers
      .filter((row) => row.forward_seconds + (row.backward_seconds || 0) > 0);
    const sets = [{ label: 'forward', data: rows.map((row) => row.forward_seconds * 1e3), backgroundColor: color('c0') }];
    if (rows.some((row) => 'backward_seconds' in row)) {
      sets.push({ label: 'backward', data: rows.map((row) => row.backward_seconds * 1e3), backgroundColor: color('c1') });
    }
    return {
      type: 'bar',
      data: { labels: rows.map((row) => row.name), datasets: sets },
      options: {
        indexAxis: 'y',
        scales: { x: axis('ms', { stacked: true }),
                  y: axis('', { stacked: true, ticks: { autoSkip: false, color: color('quiet') } }) },
        plugins: {
          legend: legend(),
          tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${item.parsed.x.toPrecision(3)} ms` } },
        },
      },
    };
  }

  function alternativesChart() {
    const { launch, time } = report.recommendation;
    const own = report.pareto.find((row) => row.settings.gpu === launch.gpu && row.settings.gpu_count === launch.gpu_count &&
                                            value(row.time.step_seconds) === value(time.step_seconds));
    const all = [...report.pareto, ...report.alternatives];
    const priced = all.length > 0 && all.every((row) => 'usd_per_million_images' in row.run);
    const cost = (row) => (priced ? row.run.usd_per_million_images : row.run.gpu_hours_per_million_images);
    const hours = (row) => 1e6 / value(row.time.images_per_second) / 3600;
    const name = ({ settings }) => `${settings.gpu_count} x ${settings.gpu}, ${settings.precision}, ${settings.layout}, batch ${settings.batch}`;
    const points = (rows) => rows.map((row) => ({ x: hours(row), y: cost(row), name: name(row) }));
    const sets = [
      { label: 'no other is as good in time, cost and GPUs', data: points(report.pareto), backgroundColor: color('c2'), pointRadius: 6 },
      { label: 'alternatives', data: points(report.alternatives), backgroundColor: color('c0'), pointRadius: 5 },
    ];
    if (own) sets.unshift({ label: 'recommended', data: points([own]), backgroundColor: color('c5'), pointRadius: 9 });
    return {
      type: 'scatter',
      data: { datasets: sets },
      options: {
        scales: { x: axis('hours for a million images', { beginAtZero: true }),
                  y: axis(priced ? 'US dollars for a million images' : 'GPU-hours for a million images', { beginAtZero: true }) },
        plugins: { legend: legend(),
                   tooltip: { callbacks: { label: (item) => `${item.raw.name}: ${item.parsed.x.toFixed(1)} h, ${item.parsed.y.toFixed(2)}` } } },
      },
    };
  }

  add('chart-memory', memoryChart);
  add('chart-timeline', timelineChart);
  add('chart-batch', batchChart);
  add('chart-layers', layersChart);
  add('chart-alternatives', alternativesChart);
  add('chart-points', pointsChart);
  draw();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  // Paper is white, and as wide as it is: the canvases are drawn again for it.
  const onPaper = (printing) => {
    document.documentElement.classList.toggle('paper', printing);
    draw();
  };
  addEventListener('beforeprint', () => onPaper(true));
  addEventListener('afterprint', () => onPaper(false));
})();
