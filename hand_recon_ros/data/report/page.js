// Pointing at a line chart tells the nearest values. The numbers are read back from the drawn path.
"use strict";
const told = (value) => Number(value.toPrecision(4)).toString();

function points(path) {
  return [...path.getAttribute("d").matchAll(/(\d+) (\d+)/g)].map((m) => [+m[1] / 1e4, +m[2] / 1e4]);
}

function nearest(series, x) {
  let low = 0, high = series.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (series[middle][0] < x) low = middle + 1; else high = middle;
  }
  return low > 0 && x - series[low - 1][0] < series[low][0] - x ? series[low - 1] : series[low];
}

for (const plot of document.querySelectorAll(".plot[data-x-low]")) {
  const range = (name) => [+plot.dataset[name + "Low"], +plot.dataset[name + "High"]];
  const [xLow, xHigh] = range("x"), [yLow, yHigh] = range("y");
  const cursor = plot.querySelector(".cursor"), tip = plot.querySelector(".tip");
  let lines = null;
  const hide = () => { cursor.hidden = tip.hidden = true; };
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("pointermove", (event) => {
    lines ??= [...plot.querySelectorAll(".lines path")]
      .map((path) => ({ name: path.dataset.name, series: points(path) }))
      .filter((line) => line.series.length);
    const box = plot.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    if (!lines.length || share < 0 || share > 1) return hide();
    const found = lines.map((line) => ({ name: line.name, at: nearest(line.series, share) }));
    const x = found.reduce((a, b) => Math.abs(a.at[0] - share) < Math.abs(b.at[0] - share) ? a : b).at[0];
    const rows = found.map(({ name, at }) =>
      (found.length > 1 ? name + "  " : "") + told(yLow + (1 - at[1]) * (yHigh - yLow)));
    const band = [...plot.querySelectorAll(".bands rect")]
      .find((rect) => share >= +rect.dataset.start && share <= +rect.dataset.end);
    tip.textContent = [`${plot.dataset.x}  ${told(xLow + x * (xHigh - xLow))}`, ...rows,
      ...(band ? [band.dataset.kind] : [])].join("\n");
    cursor.style.left = `${100 * x}%`;
    tip.style.left = x < 0.5 ? `calc(${100 * x}% + 8px)` : "auto";
    tip.style.right = x < 0.5 ? "auto" : `calc(${100 * (1 - x)}% + 8px)`;
    cursor.hidden = tip.hidden = false;
  });
}
