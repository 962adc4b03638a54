'use strict';
// Draws what the report in this page holds. Every chart has its figures in a table beside it.
(() => {
  const report = JSON.parse(document.getElementById('report').textContent);
  const estimate = report.recommendation || (report.kind === 'estimate' ? report : null);
  const GiB = 2 ** 30;
  const value = (figure) => (typeof figure === 'object' ? figure.value : figure);
  const words = (key) => key.replaceAll('_', ' ');
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const palette = (i) => color('c' + (i % 8));
  const charts = [];

  // A line across the chart where the memory of the GPU ends.
  const capacityLine = {
    id: 'capacity',
    afterDatasetsDraw(chart, _, options) {
      const scale = chart.scales[options.axis];
      if (!scale) return;
      const at = scale.getPixelForValue(options.at);
      const { left, right, top, bottom } = chart.chartArea;
      const draw = chart.ctx;
      draw.save();
      draw.strokeStyle = draw.fillStyle = color('bad');
      draw.lineWidth = 2;
      draw.setLineDash([6, 4]);
      draw.font = '12px system-ui, sans-serif';
      draw.beginPath();
      if (scale.isHorizontal()) {
        draw.moveTo(at, top);
        draw.lineTo(at, bottom);
        draw.textAlign = at > (left + right) / 2 ? 'right' : 'left';
        draw.fillText('usable', at + (at > (left + right) / 2 ? -6 : 6), top + 12);
      } else {
        draw.moveTo(left, at);
        draw.lineTo(right, at);
        draw.fillText('usable', left + 6, at - 5);
      }
      draw.stroke();
      draw.restore();
    },
  };

  function axis(text, more = {}) {
    return { title: { display: true, text, color: color('quiet') }, ticks: { color: color('quiet') },
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
    const sets = parts.map(([name, bytes], i) => ({ label: words(name), data: [bytes / GiB], backgroundColor: palette(i) }));
    if (reserved > allocated) {
      sets.push({ label: 'cached by allocator', data: [(reserved - allocated) / GiB], backgroundColor: color('c8') });
    }
    const rest = memory.usable_bytes - Math.max(reserved, allocated);
    if (rest > 0) sets.push({ label: 'free', data: [rest / GiB], backgroundColor: color('c9') });
    return {
      type: 'bar',
      data: { labels: ['one GPU'], datasets: sets },
      options: {
        indexAxis: 'y',
        scales: { x: axis('GiB', { stacked: true, max: Math.max(reserved, allocated, memory.usable_bytes) / GiB * 1.02 }),
                  y: { stacked: true, display: false } },
        plugins: {
          capacity: { axis: 'x', at: memory.usable_bytes / GiB },
          legend: { position: 'bottom', labels: { boxWidth: 14 } },
          tooltip: { callbacks: { title: () => '', label: (item) => `${item.dataset.label}: ${item.parsed.x.toFixed(2)} GiB` } },
        },
      },
      plugins: [capacityLine],
    };
  }

  function timelineChart() {
    const points = estimate.memory.timeline;
    const names = points.length && points[0].categories ? Object.keys(points[0].categories) : [];
    const held = names.filter((name) => points.some((point) => point.categories[name] > 0));
    const at = (read) => points.map((point, i) => ({ x: i, y: read(point) / GiB }));
    const sets = held.length
      ? held.map((name, i) => ({ label: words(name), data: at((p) => p.categories[name]), fill: true, stack: 'a',
                                 backgroundColor: palette(i), borderColor: palette(i) }))
      : [{ label: 'allocated', data: at((p) => p.allocated_bytes), fill: true, stack: 'a',
           backgroundColor: color('c4'), borderColor: color('c0') }];
    sets.push({ label: 'reserved', data: at((p) => p.reserved_bytes), stack: 'r', fill: false, borderColor: color('ink'), borderDash: [3, 3] });
    for (const set of sets) Object.assign(set, { stepped: true, pointRadius: 0, borderWidth: 1 });
    return {
      type: 'line',
      data: { datasets: sets },
      options: {
        parsing: false,
        interaction: { mode: 'index', intersect: false },
        scales: { x: axis('allocations and frees of one step, in order', { type: 'linear', ticks: { display: false } }),
                  y: axis('GiB', { stacked: true, beginAtZero: true, suggestedMax: estimate.memory.usable_bytes / GiB }) },
        plugins: {
          capacity: { axis: 'y', at: estimate.memory.usable_bytes / GiB },
          legend: { position: 'bottom', labels: { boxWidth: 14 } },
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
      plugins: [capacityLine],
    };
  }

  function batchChart() {
    const rows = estimate.by_batch;
    const usable = estimate.memory.usable_bytes / GiB;
    return {
      data: {
        labels: rows.map((row) => row.batch),
        datasets: [
          { type: 'line', label: 'images per second', yAxisID: 'rate', borderColor: color('c1'), backgroundColor: color('c1'),
            data: rows.map((row) => (row.verdict === 'does-not-fit' ? null : value(row.images_per_second))) },
          { type: 'bar', label: 'memory reserved', yAxisID: 'memory',
            backgroundColor: rows.map((row) => color(row.verdict === 'fits' ? 'c0' : row.verdict === 'does-not-fit' ? 'bad' : 'warn')),
            data: rows.map((row) => value(row.reserved_peak_bytes) / GiB) },
        ],
      },
      options: {
        scales: {
          x: axis('batch per GPU'),
          memory: axis('GiB', { beginAtZero: true, suggestedMax: usable * 1.05 }),
          rate: axis('images/s', { position: 'right', beginAtZero: true, grid: { drawOnChartArea: false } }),
        },
        plugins: { capacity: { axis: 'memory', at: usable }, legend: { position: 'bottom', labels: { boxWidth: 14 } } },
      },
      plugins: [capacityLine],
    };
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
      options: { indexAxis: 'y', scales: { x: axis('ms', { stacked: true }), y: axis('', { stacked: true, ticks: { autoSkip: false, color: color('quiet') } }) },
                 plugins: { legend: { position: 'bottom', labels: { boxWidth: 14 } } } },
    };
  }

  function alternativesChart() {
    const best = { settings: report.recommendation.launch, time: report.recommendation.time, run: report.recommendation.run || {}, best: true };
    const own = report.pareto.find((row) => row.settings.gpu === best.settings.gpu && row.settings.gpu_count === best.settings.gpu_count &&
                                            value(row.time.step_seconds) === value(best.time.step_seconds));
    const all = [...report.pareto, ...report.alternatives];
    const priced = all.length > 0 && all.every((row) => 'usd_per_million_images' in row.run);
    const cost = (row) => (priced ? row.run.usd_per_million_images : row.run.gpu_hours_per_million_images);
    const hours = (row) => 1e6 / value(row.time.images_per_second) / 3600;
    const name = (row) => `${row.settings.gpu_count} x ${row.settings.gpu}, ${row.settings.precision}, ${row.settings.layout}, batch ${row.settings.batch}`;
    const points = (rows) => rows.map((row) => ({ x: hours(row), y: cost(row), name: name(row) }));
    const sets = [
      { label: 'no other is better in all', data: points(report.pareto), backgroundColor: color('c2'), pointRadius: 5 },
      { label: 'alternatives', data: points(report.alternatives), backgroundColor: color('c0'), pointRadius: 5 },
    ];
    if (own) sets.unshift({ label: 'recommended', data: points([own]), backgroundColor: color('c5'), pointRadius: 8 });
    return {
      type: 'scatter',
      data: { datasets: sets },
      options: {
        scales: { x: axis('hours for a million images'), y: axis(priced ? 'US dollars for a million images' : 'GPU-hours for a million images') },
        plugins: { legend: { position: 'bottom', labels: { boxWidth: 14 } },
                   tooltip: { callbacks: { label: (item) => `${item.raw.name}: ${item.parsed.x.toFixed(1)} h, ${item.parsed.y.toFixed(2)}` } } },
      },
    };
  }

  function pointsChart() {
    const rows = report.points;
    const label = (row) => Object.values(row.point).join(', ');
    return {
      data: {
        labels: rows.map(label),
        datasets: [
          { type: 'line', label: 'images per second', yAxisID: 'rate', borderColor: color('c1'), backgroundColor: color('c1'),
            data: rows.map((row) => (row.memory.verdict === 'does-not-fit' ? null : value(row.time.images_per_second))) },
          { type: 'bar', label: 'memory reserved', yAxisID: 'memory',
            backgroundColor: rows.map((row) => color(row.memory.verdict === 'fits' ? 'c0' : row.memory.verdict === 'does-not-fit' ? 'bad' : 'warn')),
            data: rows.map((row) => value(row.memory.reserved_peak_bytes) / GiB) },
        ],
      },
      options: {
        scales: {
          x: axis(Object.keys(rows[0].point).join(', ')),
          memory: axis('GiB', { beginAtZero: true }),
          rate: axis('images/s', { position: 'right', beginAtZero: true, grid: { drawOnChartArea: false } }),
        },
        plugins: { legend: { position: 'bottom', labels: { boxWidth: 14 } } },
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
})();
