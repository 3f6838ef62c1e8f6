// Pools, queue, running jobs, activity, sources and spec: each a list that is capped and kept by key.

/** How many rows of a list are shown, and the line below it. */
function capped(name, all, step = LIST_STEP) {
  const shown = state.shown.get(name) ?? step;
  return all.slice(0, shown && all.length <= shown + 2 ? shown + 2 : shown);
}

function drawMore(place, name, total, drawn, step = LIST_STEP) {
  const left = total - drawn;
  show(place, left > 0);
  if (left <= 0) return;
  if (!place.firstChild) {
    place.append(h("span"), h("button", { type: "button", onclick: () => {
      state.shown.set(name, Math.min(LIST_MAX, (state.shown.get(name) ?? step) + LIST_MORE));
      draw();
    } }));
  }
  say(place.firstChild, drawn ? `and ${figure(left)} more` : "");
  say(place.lastChild, drawn ? "Show more" : "Show");
  show(place.lastChild, drawn < LIST_MAX);
}

function drawPools() {
  const byPool = new Map();
  for (const runner of state.runners) {
    if (!byPool.has(runner.pool)) byPool.set(runner.pool, []);
    byPool.get(runner.pool).push(runner);
  }
  const declared = Object.entries(state.status.pools).map(([name, pool]) => ({ name, pool }));
  const gone = [...byPool.keys()].filter((name) => !state.status.pools[name]);
  const removed = gone.map((name) => ({ name, pool: null }));
  const all = [...declared, ...removed];
  const [held, stuck] = [new Map(), new Set()];
  for (const { pool, jobs, reason } of [...heldJobs(state.queue).values()].flat()) {
    held.set(pool, (held.get(pool) ?? 0) + jobs.length);
    if (STUCK.has(reason)) stuck.add(pool);
  }
  const pools = all.map((item) => {
    const runners = byPool.get(item.name) ?? [];
    runners.sort((one, other) => one.arch.localeCompare(other.arch) || one.slot - other.slot);
    return { ...item, runners, held: held.get(item.name) ?? 0, stuck: stuck.has(item.name) };
  });
  const sought = pools.filter(({ name }) => !chosen("of-pool") || chosen("of-pool") === name);
  const most = Math.min(CELLS_MAX, Math.floor(CELLS_OF_ALL / Math.min(POOLS_MAX, all.length)));
  const items = inOrder(sought).slice(0, POOLS_MAX);
  for (const item of items) item.cells = item.runners.slice(0, most);
  const folds = sought.length > WHOLE_POOLS;
  list($("pools"), items, (item) => item.name, makePool, (element, item) => {
    element.classList.toggle("brief", folds && !state.whole && isQuiet(item));
    updatePool(element, item);
  });
  show($("pools-empty"), !all.length);
  show($("pools-order"), sought.length > 1);
  say($("pools-order"), state.fileOrder ? "Trouble first" : "As in the file");
  show($("pools-fold"), folds);
  say($("pools-fold"), state.whole ? "Fold quiet pools" : "Unfold quiet pools");
  show($("pools-more"), sought.length > POOLS_MAX);
  say($("pools-more"), `and ${sought.length - POOLS_MAX} more pools`);
}

function makePool({ name }) {
  const cells = h("ul", { class: "cells", "aria-label": `Runners of ${name}`, onkeydown: walk });
  const head = h("div", { class: "pool-head" }, h("h3", {}, foreign(name)), span("numbers"), span("waits"));
  const takes = h("p", { class: "pool-takes" });
  return h("li", { "data-pool": name }, head, h("div", { class: "pool-body" }, cells, h("p", { class: "pool-why" }), takes));
}

function updatePool(element, { name, pool, runners, cells, held }) {
  const [head, body] = element.children;
  const [places, why, takes] = body.children;
  const count = (phase) => runners.filter((runner) => runner.phase === phase).length;
  const counts = PHASES.map((phase) => [count(phase), phase]).filter(([number]) => number);
  const numbers = counts.map(([number, phase]) => `${figure(number)} ${phase}`).join(", ") || "no runners";
  const warm = pool?.warm ? `, ${pool.warm} kept warm` : "";
  say(head.children[1], pool ? `${numbers} of at most ${figure(pool.max)}${warm}` : numbers);
  places.classList.toggle("dense", runners.length > DENSE);
  head.children[2].classList.toggle("held", held > 0);
  say(head.children[2], pool?.pending ? `${figure(pool.pending)} waiting` : "");
  fill(why, pool?.why ?? "gone", () => prose(pool?.why ?? "not in the spec any more: its runners finish and go"));
  const tags = pool?.tags ?? [];
  const proxies = (state.status.proxies ?? []).filter(({ pools }) => pools.includes(name));
  fill(takes, JSON.stringify([tags, pool?.scope, proxies]), () => [
    ...tags.slice(0, TAGS_SHOWN).map((tag) => span("chip", foreign(tag))),
    ...moreTags(tags),
    pool?.scope && pool.scope !== "instance" ? span("soft", "only jobs of ", foreign(pool.scope)) : "",
    ...proxies.map(proxyOf),
  ]);
  const live = runners.filter((runner) => runner.phase !== "exited").length;
  const free = pool ? Math.max(0, Math.min(FREE_MAX, pool.max - live)) : 0;
  const hidden = runners.length - cells.length;
  const arches = new Set(cells.map((runner) => runner.arch)).size;
  const items = cells.flatMap((runner, index) => {
    const first = arches > 1 && runner.arch !== cells[index - 1]?.arch;
    const cell = { key: runner.name, runner };
    return first ? [{ key: `arch ${runner.arch}`, arch: runner.arch }, cell] : [cell];
  });
  if (hidden === 0) {
    for (let index = 0; index < free; index += 1) items.push({ key: `free ${index}`, free: true });
  }
  const beyond = pool ? pool.max - live - free : 0;
  if (hidden > 0) items.push({ key: "rest", rest: `and ${figure(hidden)} more` });
  else if (beyond > 0) items.push({ key: "rest", rest: `room for ${figure(free + beyond)}` });
  list(places, items, (item) => item.key, makeCell, updateCell);
  const stop = places.querySelector('button[tabindex="0"]') ?? places.querySelector("button");
  stop?.setAttribute("tabindex", "0");
}

function makeCell(item) {
  if (item.arch) return h("li", { class: "arch" }, item.arch);
  if (item.free) return h("li", { class: "cell free", "aria-hidden": "true" });
  if (item.rest) return h("li", { class: "rest" });
  const open = (event) => openRunner(item.runner.name, event.currentTarget);
  const attributes = { type: "button", class: "cell", tabindex: "-1", "data-runner": item.runner.name };
  return h("li", {}, h("button", { ...attributes, onclick: open }));
}

function updateCell(element, { runner, rest }) {
  if (rest) return say(element, rest);
  if (!runner) return;
  const cell = element.firstElementChild;
  const before = cell.dataset.phase;
  cell.dataset.phase = runner.phase;
  cell.classList.toggle("unseen", !runner.seen);
  say(cell, LETTERS[runner.phase] ?? "?");
  const does = `${runner.phase}${runner.job?.id ? `, job ${runner.job.id}` : ""}`;
  const label = `slot ${runner.slot}, ${does}${runner.seen ? "" : ", as last seen"}`;
  if (cell.getAttribute("aria-label") !== label) {
    cell.setAttribute("aria-label", label);
    cell.title = `${runner.name}\n${does} on ${runner.host}`;
  }
  if (before && before !== runner.phase && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    cell.animate([{ transform: "rotateX(90deg)" }, { transform: "none" }], { duration: 350, easing: "ease-out" });
  }
}

/** Arrow keys within the cells of a pool: one stop for Tab, whatever their number. */
function walk(event) {
  const cells = [...event.currentTarget.querySelectorAll("button")];
  const at = cells.indexOf(document.activeElement);
  const [next, before, last] = [at + 1, at - 1, cells.length - 1];
  const keys = { ArrowRight: next, ArrowDown: next, ArrowLeft: before, ArrowUp: before, Home: 0, End: last };
  const to = keys[event.key];
  if (at < 0 || to === undefined || !cells[to]) return;
  event.preventDefault();
  cells[at].tabIndex = -1;
  cells[to].tabIndex = 0;
  cells[to].focus();
}

const TAGS_SHOWN = 6;

/** The proxy of a pool's runners and jobs, whose address tells no credentials. */
function proxyOf({ http, https, no_proxy, jobs_only, from }) {
  const [one, other] = [http ?? https, http && https && http !== https ? https : null];
  const whose = jobs_only ? "jobs' proxy " : "proxy ";
  const title = `by ${from}${no_proxy ? `; not for ${no_proxy}` : ""}`;
  return h("span", { class: "soft", title }, whose, foreign(one), ...(other ? [", ", foreign(other)] : []));
}

/** The tags beyond those that are shown. */
function moreTags(tags) {
  const left = tags.length - TAGS_SHOWN;
  const title = tags.slice(TAGS_SHOWN).join(", ");
  return left > 0 ? [h("span", { class: "soft", title }, `and ${left} more ${left === 1 ? "tag" : "tags"}`)] : [];
}

/** The queue by reason and pool: those for which somebody has to do something come first. */
function groups(jobs) {
  const found = new Map();
  for (const job of jobs) {
    const key = `${job.reason ?? ""} ${job.pool ?? ""} ${job.reason === "no-pool-matches" ? job.why : ""}`;
    if (!found.has(key)) found.set(key, { key, reason: job.reason, pool: job.pool, why: job.why, jobs: [] });
    found.get(key).jobs.push(job);
  }
  const rank = ({ reason }) => (STUCK.has(reason) ? 0 : isHeld(reason) ? 1 : 2);
  const order = (one, other) => rank(one) - rank(other) || other.jobs.length - one.jobs.length;
  return [...found.values()].sort(order);
}

function drawQueue() {
  const { queue } = state;
  const found = queue.jobs.filter(isFound);
  const all = groups(found).slice(0, GROUPS_MAX);
  let room = LIST_STEP;
  for (const group of all) {
    group.step = found.length > LIST_STEP ? Math.min(GROUP_STEP, room) : LIST_STEP;
    room -= Math.min(group.step, group.jobs.length);
  }
  show($("queue-empty"), !found.length);
  const none = queue.jobs.length ? "None of the jobs that wait is looked for." : "No job waits.";
  say($("queue-empty"), queue.state === "known" ? none : `The queue is unknown: ${queue.error}`);
  const of = found.length < queue.jobs.length ? `${figure(found.length)} of ` : "";
  const count = `${of}${queue.more ? "at least " : ""}${plural(queue.jobs.length, "job")}, oldest first`;
  say($("queue-count"), queue.jobs.length ? count : "");
  list($("queue"), all, (group) => group.key, makeGroup, updateGroup);
}

function makeGroup() {
  const head = h("div", { class: "group-head" }, h("h3"), span("chip"), h("p", { class: "group-why" }));
  return h("li", {}, head, h("ul", { class: "rows" }), h("p", { class: "more", hidden: "" }));
}

function updateGroup(element, group) {
  const [head, rows, more] = element.children;
  const [heading, chip, why] = head.children;
  const pool = group.pool ? ` for ${group.pool}` : "";
  say(heading, `${plural(group.jobs.length, "job")}${pool}`);
  say(chip, group.reason ?? "served");
  const level = STUCK.has(group.reason) ? "ill" : "wait";
  chip.className = `chip ${isHeld(group.reason) ? level : ""}`;
  const them = group.jobs.length === 1 ? "it" : "them";
  const words = group.why ?? `pool \`${group.pool}\` has a runner for ${them}, or starts one now`;
  fill(why, words, () => prose(words));
  const drawn = capped(group.key, group.jobs, group.step);
  list(rows, drawn, (job) => job.id, makeJob);
  element.classList.toggle("folded", !drawn.length);
  drawMore(more, group.key, group.jobs.length, drawn.length, group.step);
}

function makeJob(job) {
  const name = h("span", { class: "name", title: job.name }, link(job.url, `#${job.id} `, foreign(job.name)));
  const title = `${job.project} ${job.ref}`;
  const project = h("span", { class: "name soft", title }, foreign(job.project), " ", foreign(job.ref));
  const all = job.tags.slice(0, TAGS_SHOWN).map((tag) => span("chip", foreign(tag)));
  const open = { type: "button", class: "small time", title: `Why job ${job.id} waits`, onclick: () => openJob(job.id) };
  const waits = h("button", open, ticking(job.queued_at, { after: " · why" }));
  return h("li", { "data-job": job.id }, name, project, span("tags", ...all, ...moreTags(job.tags)), waits);
}

function drawRunning() {
  const running = runningJobs();
  const all = running.filter(({ job }) => isFound(job)).map(({ runner }) => runner);
  all.sort((one, other) => (ranSince(one) ?? "").localeCompare(ranSince(other) ?? ""));
  const drawn = capped("running", all);
  show($("running-empty"), !all.length);
  say($("running-empty"), running.length ? "None of the jobs that run is looked for." : "No job runs.");
  const of = all.length < running.length ? `${figure(all.length)} of ` : "";
  say($("running-count"), running.length ? `${of}${plural(running.length, "job")}, longest first` : "");
  list($("running"), drawn, ({ name, job, since }) => `${name} ${job.id} ${job.name} ${job.url} ${job.since} ${since}`, makeRunning);
  drawMore($("running-more"), "running", all.length, drawn.length);
}

/** Since when the runner has its job; a draining one does so for another time than it drains. */
const ranSince = ({ job, phase, since }) => job.since ?? (phase === "busy" ? since : null);

function makeRunning(runner) {
  const { job } = runner;
  const variant = foreign(`${runner.pool}/${runner.arch}`);
  const where = h("span", { class: "name soft", title: runner.name }, variant, ` slot ${runner.slot}`);
  const runs = span("time soft", ranSince(runner) ? ticking(ranSince(runner)) : "–");
  return h("li", {}, span("name", linkTo(job)), where, span("soft", "on ", foreign(runner.host)), runs);
}

/** The job that a runner has, as far as it is known. */
const linkTo = ({ id, name, project, url }) =>
  link(url, id ? `#${id} ` : "a job ", ...(name ? [foreign(name), " "] : []), foreign(project ?? ""));

function drawActivity() {
  const drawn = capped("activity", state.activity);
  show($("activity-empty"), !state.activity.length);
  list($("activity"), drawn, (entry) => entry.key, makeEntry, (element, entry) => {
    fill(element.children[1], `${entry.count}`, () => wordsOf(entry));
    say(element.children[2], moment(entry.at));
  });
  drawMore($("activity-more"), "activity", state.activity.length, drawn.length);
}

function makeEntry(entry) {
  const kind = entry.failed ? "ill" : (entry.action ?? "");
  const mark = h("span", { class: `mark ${kind}`, "aria-hidden": "true" }, entry.mark);
  const at = h("time", { datetime: new Date(entry.at).toISOString() });
  const rule = entry.rule ? [span("chip", entry.rule), " "] : [];
  const why = entry.why ? span("why", ...rule, ...prose(entry.why)) : null;
  return h("li", {}, mark, span("what"), at, why);
}

function drawSources() {
  const { sources, hosts } = state.status;
  const items = Object.entries(sources).map(([name, source]) => {
    return { name, source, host: hosts[name.replace(/^host /, "")] };
  });
  items.sort((one, other) => (one.source.state === "known") - (other.source.state === "known"));
  const brief = items.length > HOSTS_WHOLE;
  list($("sources"), items.slice(0, HOSTS_MAX), (item) => item.name, ({ name }) => {
    const head = h("div", { class: "source-head" }, h("h3", {}, foreign(title(name))), span("state"), span("age"));
    return h("li", {}, head, h("p", { class: "error", hidden: "" }), h("div"));
  }, (element, { source, host, name }) => {
    const [head, error, budgets] = element.children;
    const known = source.state === "known";
    const word = known ? "known" : "unknown";
    say(head.children[1], host?.state ? `${word} · ${host.state}` : word);
    head.children[1].classList.toggle("ill", !known);
    const at = source.at ?? source.since;
    fill(head.children[2], at, () => [ticking(at, known ? { after: " old" } : { before: "for " })]);
    show(error, !known);
    say(error, source.error ?? "");
    if (host && name !== "gitlab") drawBudgets(budgets, host, brief);
  });
}

const gib = (bytes) => `${+(bytes / 2 ** 30).toFixed(1)}`;

/** What runners use of a host; of many hosts only what is scarcest. */
function drawBudgets(place, { budget, used }, brief) {
  const all = [
    ["runners", used.runners, budget?.runners, (value) => String(value), ""],
    ["cpus", used.cpus, budget?.cpus, (value) => `${+value.toFixed(1)}`, ""],
    ["memory", used.memory_bytes, budget?.memory_bytes, gib, " GiB"],
    ["gpus", used.gpus, budget?.gpus, (value) => String(value), ""],
  ].filter(([, , most]) => most);
  const share = ([, value, most]) => value / most;
  const rows = brief ? all.sort((one, other) => share(other) - share(one)).slice(0, 1) : all;
  list(place, rows, ([name]) => name, ([name]) => {
    const attributes = { class: "meter", role: "meter", "aria-label": name, "aria-valuemin": "0" };
    const meter = h("div", attributes, h("span"));
    return h("div", { class: "budget" }, span("soft", name), meter, h("span"));
  }, (element, [, value, most, words, unit]) => {
    const [, meter, text] = element.children;
    const said = `${words(value)} of ${words(most)}${unit}`;
    meter.setAttribute("aria-valuemax", most);
    meter.setAttribute("aria-valuenow", Math.min(value, most));
    meter.setAttribute("aria-valuetext", said);
    meter.classList.toggle("full", value >= most);
    meter.firstElementChild.style.width = `${Math.min(100, (100 * value) / most)}%`;
    say(text, said);
  });
}

/** The commit that has the spec; nothing where it comes from a file. */
function commitOf(commit) {
  if (!commit) return [];
  const at = commit.at ? [", ", ticking(commit.at, { after: " ago" })] : [];
  const id = h("code", {}, commit.id.slice(0, 12));
  return [h("dt", {}, "Commit"), h("dd", {}, id, " by ", foreign(commit.author), ...at)];
}

function drawSpec() {
  const { spec, instance } = state.status;
  fill($("spec"), JSON.stringify([spec, instance]), () => [
    h("dt", {}, "File"), h("dd", { class: "mono" }, foreign(spec.source)),
    ...commitOf(spec.commit),
    h("dt", {}, "Version"), h("dd", {}, h("code", {}, spec.hash), " in force for ", ticking(spec.loaded_at)),
    h("dt", {}, "Instance"), h("dd", {}, instance),
    h("dt", {}, "File now"),
    h("dd", {}, spec.valid ? "passes" : span("error", "refused, see the top of this page")),
  ]);
}
