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
  drawLane($("runners-top"), [
    ["starting-area", live],
    ["idle-area", (bar) => bar.busy + bar.idle],
    ["busy-area", (bar) => bar.busy],
  ]);
  $("queue-gaps").setAttribute("d", gaps((bar) => bar.queued !== null));
  $("runners-gaps").setAttribute("d", gaps(() => true));
  if (!document.querySelector(".cursor.shown")) say($("readout"), noteOf());
  const peak = (value) => figure(Math.max(0, ...state.bars.map(value)));
  const [waited, busy] = [peak((bar) => bar.queued ?? 0), peak((bar) => bar.busy)];
  say($("hour-words"), `In the last hour at most ${waited} jobs waited and ${busy} runners were busy.`);
  if ($("hour-table").open) drawTable();
}

const noteOf = () => ($("runners-gaps").getAttribute("d") ? "grey: AutoGit did not look" : "");

function leave() {
  document.querySelectorAll(".cursor").forEach((cursor) => cursor.classList.remove("shown"));
  say($("readout"), noteOf());
}

/** Areas of one scale, each behind the next. */
function drawLane(label, areas) {
  const [, highest] = areas[0];
  const most = Math.max(4, ...state.bars.map(highest));
  const unit = 10 ** Math.floor(Math.log10(most));
  const top = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * unit).find((value) => value >= most);
  say(label, figure(top));
  const x = (value) => Math.max(0, Math.min(HOUR_SECS, value)).toFixed(0);
  const y = (value) => (100 - (100 * value) / top).toFixed(1);
  for (const [id, value] of areas) {
    const bars = state.bars.filter((bar) => value(bar) > 0);
    const shapes = bars.map((bar) => `M${x(bar.x0)} 100V${y(value(bar))}H${x(bar.x1)}V100Z`);
    $(id).setAttribute("d", shapes.join(""));
  }
}

/** The time of which nothing is known: that is not the same as nothing. */
function gaps(isKnown) {
  let from = 0;
  const shapes = [];
  for (const bar of [...state.bars.filter(isKnown), { x0: HOUR_SECS, x1: HOUR_SECS }]) {
    if (bar.x0 > from + 1) shapes.push(`M${from.toFixed(0)} 0V100H${bar.x0.toFixed(0)}V0Z`);
    from = Math.max(from, bar.x1);
  }
  return shapes.join("");
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
  const make = ([begin, values]) => {
    return h("tr", {}, h("th", { scope: "row" }, minute(begin)), ...values.map(() => h("td")));
  };
  list($("hour-rows"), [...rows].reverse(), ([begin]) => begin, make, (row, [, values]) => {
    values.forEach((value, index) => say(row.children[index + 1], figure(value)));
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
  if (!bar) return say($("readout"), noteOf());
  const { at, queued, busy, idle, starting } = bar;
  const words = [`${queued ?? "?"} waiting`, `${busy} busy`, `${idle} idle`, `${starting} starting`];
  say($("readout"), [minute(instant(at)), ...words].join(" · "));
}
