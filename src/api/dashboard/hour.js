// The last hour in two lanes: what waited, and what the runners did.

function drawHour() {
  const { step_secs: step, points } = state.trend;
  const end = now() / 1000;
  const gap = Math.max(3 * step, 3 * state.status.poll_interval_secs);
  const bars = points.map((point, index) => {
    const from = instant(point.at) / 1000;
    const following = points[index + 1] ? instant(points[index + 1].at) / 1000 : end;
    const to = following - from > gap ? from + step : following;
    return { ...point, x0: from - end + HOUR_SECS, x1: Math.max(to, from) - end + HOUR_SECS };
  });
  state.bars = bars.filter((bar) => bar.x1 > 0);
  const live = (bar) => bar.busy + bar.idle + bar.starting;
  drawLane($("queue-top"), [["queue-area", (bar) => bar.queued ?? 0]]);
  drawLane($("runners-top"), [["starting-area", live], ["idle-area", (bar) => bar.busy + bar.idle], ["busy-area", (bar) => bar.busy]]);
  const peak = (value) => Math.max(0, ...state.bars.map(value)).toLocaleString("en");
  const words = `In the last hour at most ${peak((bar) => bar.queued ?? 0)} jobs waited and ${peak((bar) => bar.busy)} runners were busy.`;
  say($("hour-words"), words);
  if ($("hour-table").open) drawTable();
}

/** Areas of one scale, each behind the next. */
function drawLane(label, areas) {
  const [, highest] = areas[0];
  const most = Math.max(4, ...state.bars.map(highest));
  const unit = 10 ** Math.floor(Math.log10(most));
  const top = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * unit).find((value) => value >= most);
  say(label, top.toLocaleString("en"));
  const x = (value) => Math.max(0, Math.min(HOUR_SECS, value)).toFixed(0);
  const y = (value) => (100 - (100 * value) / top).toFixed(1);
  for (const [id, value] of areas) {
    const shapes = state.bars.filter((bar) => value(bar) > 0).map((bar) => `M${x(bar.x0)} 100V${y(value(bar))}H${x(bar.x1)}V100Z`);
    $(id).setAttribute("d", shapes.join(""));
  }
}

/** The same for those who do not see it, five minutes by five minutes. */
function drawTable() {
  const rows = new Map();
  for (const bar of state.bars) {
    const begin = Math.floor(instant(bar.at) / FIVE_MINUTES_MS) * FIVE_MINUTES_MS;
    const most = rows.get(begin) ?? [0, 0, 0, 0];
    const values = [bar.queued ?? 0, bar.busy, bar.idle, bar.starting];
    rows.set(begin, most.map((value, index) => Math.max(value, values[index])));
  }
  const make = ([begin, values]) => h("tr", {}, h("th", { scope: "row" }, minute(begin)), ...values.map(() => h("td")));
  list($("hour-rows"), [...rows].reverse(), ([begin]) => begin, make, (row, [, values]) => {
    values.forEach((value, index) => say(row.children[index + 1], value.toLocaleString("en")));
  });
}

/** What the hour was like below the pointer. */
function readOut(event) {
  const box = $("runners-picture").getBoundingClientRect();
  const x = (HOUR_SECS * (event.clientX - box.left)) / box.width;
  const bar = state.bars?.find((one) => one.x0 <= x && x <= one.x1);
  for (const cursor of document.querySelectorAll(".cursor")) {
    cursor.classList.toggle("shown", Boolean(bar));
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, x.toFixed(0));
  }
  say($("readout"), bar ? `${minute(instant(bar.at))} · ${bar.queued ?? "?"} waiting · ${bar.busy} busy · ${bar.idle} idle · ${bar.starting} starting` : "");
}
