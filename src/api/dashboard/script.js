// The dashboard: shows what AutoGit's own routes say, and keeps up with it.
//
// `elements.js` makes elements of data, `lists.js`, `hour.js` and `why.js` draw their parts, `find.js`
// narrows the lists, `stream.js` follows the events, `act.js` does what an operator may; this asks and
// says how things stand. All are one script in the page, which `begin.js` sets going.
//
// Truth comes from the polled JSON (`status`, `runners`, `queue`, `plan`, `trend`); the event stream
// only says when to ask again and what happened meanwhile. `health` is the heartbeat: while it does
// not answer, the page says so and shows what was last seen.
//
// It never builds HTML from text: every word of others (job names, paths, errors) becomes a text
// node, and only http(s) addresses become links. It never asks another origin, never writes the
// token anywhere but to this tab's session storage, and never shows more elements than fit a page:
// lists are capped and say how many more there are.

const BEAT_MS = 5_000; // between two heartbeats
const HIDDEN_BEAT_MS = 60_000; // while nobody looks: for the title
const PATIENCE_MS = 8_000; // for one answer
const PAUSE_MS = 500; // between two readings, at least; four times as long as the last one took
const PAUSE_MAX_MS = 10_000;
const EVENTS_KEPT = 400; // entries of the activity
const CELLS_MAX = 160; // runners of one pool that get a cell
const CELLS_OF_ALL = 800;
const FREE_MAX = 24; // empty places of one pool that get a cell
const POOLS_MAX = 60;
const LIST_STEP = 12; // rows of a list at first
const LIST_MORE = 40; // rows that "Show more" adds
const LIST_MAX = 132; // rows at most
const HOUR_SECS = 3_600;
const FIVE_MINUTES_MS = 300_000;
const DENSE = 48; // runners of a pool from which on its cells are small
const GROUPS_MAX = 40;
const TROUBLES_MAX = 6;
const HOSTS_MAX = 60;
const HOSTS_WHOLE = 6; // hosts with all of their budget; of more than these only what is scarcest
const GROUP_STEP = 5; // jobs of a group while the queue is long
const CHOICES_MAX = 200; // options of a choice
const COME_BACK_MS = 2_000; // after a stream ended
const FAULT_LINES = 12; // lines of a refused spec's faults that are shown at first

const LETTERS = { created: "S", starting: "S", idle: "I", busy: "B", draining: "D", exited: "X", failed: "F" };
// Reasons that do not pass by themselves: somebody has to do something.
const PHASES = ["busy", "idle", "starting", "draining", "exited", "failed"];
const OTHERS = "other-runner"; // no pool takes the job, and a runner of others may
const STUCK = new Set([
  "no-pool-matches", "protected", "scope", "backing-off", "unclaimed", "unseen", "foreign-record",
  "another-autogit", "no-image",
]);
const MARKS = {
  start: "+", "verify-token": "+", "create-record": "+", "create-network": "+", "pull-image": "+", "update-record": "±",
  drain: "~", reap: "−", sweep: "−", "delete-record": "−",
};

const $ = (id) => document.getElementById(id);
const state = {
  health: null, status: null, runners: [], queue: null, plan: null, trend: null,
  lostAt: null, // when AutoGit stopped answering, by this machine's clock
  offset: 0, // AutoGit's clock minus this machine's, in milliseconds
  activity: [], newest: ["", 0], // the last event: which process it is of, and its number
  bars: [], shown: new Map(), // rows that each list shows
  selected: null, // the runner whose panel is open
  lastEvent: null, // where the event stream goes on
  locked: false, // reading takes a token
  reader: false, // the token is good for reading alone
  fileOrder: false, whole: false, wholeFault: false, // how pools and faults are shown
};

// ── Asking ─────────────────────────────────────────────────────────────────────────────────────────

const tags = new Map(); // what each address said last, by its entity tag

/** The answer as JSON, and whether it is another one than last time. */
async function ask(path) {
  const headers = asking();
  const response = await fetch(path, { cache: "no-cache", headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  if (path === "status") state.locked = response.status === 401;
  if (response.status === 401 && token()) sessionStorage.removeItem(TOKEN);
  const tag = response.headers.get("etag");
  const known = tags.get(path);
  if (tag && known?.tag === tag) return known.body;
  const body = await response.json();
  if (tag) tags.set(path, { tag, body });
  return body;
}

const PAGES = ["runners", "queue", "plan", "trend"];

let reading = false;
let readAgain = false;
let readAfter = 0;

/** Reads everything, one reading at a time; what is asked for meanwhile is one more reading. */
async function read() {
  if (reading) return void (readAgain = true);
  reading = true;
  readAgain = false;
  const begin = performance.now();
  try {
    state.health = await ask("health");
    state.offset = instant(state.health.now) - Date.now();
    tickAll();
    state.lostAt = null;
    if (state.health.status !== "starting") {
      const status = await ask("status");
      const [runners, queue, plan, trend] = state.locked ? [] : await Promise.all(PAGES.map(ask));
      if (status.sources && queue?.jobs) Object.assign(state, { status, runners, queue, plan, trend });
    }
  } catch {
    state.lostAt ??= Date.now();
  }
  reading = false;
  readAfter = performance.now() + Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MS, 4 * (performance.now() - begin)));
  draw();
  if (readAgain) soon();
}

let timer = null;

/** Reads as soon as the last reading is long enough ago. */
function soon() {
  if (timer !== null) return;
  const wait = Math.max(0, readAfter - performance.now());
  timer = setTimeout(() => ((timer = null), read()), wait);
}

// ── What happened ──────────────────────────────────────────────────────────────────────────────────

function happened(kind, id, event) {
  const [epoch, number] = id.split("-");
  if (epoch === state.newest[0] && Number(number) <= state.newest[1]) return;
  if (epoch !== state.newest[0] && state.newest[0]) missing();
  state.newest = [epoch, Number(number)];
  const at = instant(event.at);
  const entry = { key: id, at, kind, count: 1 };
  if (kind === "decision") Object.assign(entry, { ...decided(event), mark: MARKS[event.action] ?? "·" });
  if (kind === "failure") {
    const { kind: rule, error: why } = event;
    Object.assign(entry, { ...decided(event.decision), mark: "!", failed: true, rule, why });
  }
  if (kind === "source") {
    const words = [h("b", {}, foreign(event.source)), event.known ? " can be read again" : " cannot be read"];
    Object.assign(entry, { mark: event.known ? "·" : "!", failed: !event.known, words, why: event.error });
  }
  if (kind === "spec") {
    const { valid, hash, fault } = event;
    const words = valid ? ["spec ", h("code", {}, hash), " is in force"] : ["a changed spec is refused"];
    Object.assign(entry, { mark: valid ? "·" : "!", failed: !valid, words, why: fault?.split("\n")[0] });
  }
  enter(entry);
  draw();
}

/** A decision in words; those of one rule at one moment become one entry. */
function decided({ action, runner, pool, arch, host, rule, why }) {
  const subject = runner ?? (pool ? `${pool}/${arch}` : (host ?? ""));
  return { action, subject, pool, host: subject === host ? null : host, rule, why };
}

/** Events are missing, or come from another process from now on. */
function missing() {
  state.newest = ["", 0];
  const words = ["AutoGit restarted, or events are missing here"];
  if (state.activity.length) enter({ key: `gap-${now()}`, at: now(), mark: "·", kind: "gap", words });
  soon();
}

function enter(entry) {
  const last = state.activity[0];
  const alike = ["at", "kind", "action", "pool", "rule", "why"];
  const same = last && entry.action && alike.every((name) => last[name] === entry[name]);
  if (same) {
    last.count += 1;
    last.host = last.host === entry.host ? last.host : null;
  } else {
    state.activity.unshift(entry);
    state.activity.length = Math.min(state.activity.length, EVENTS_KEPT);
  }
}

/** `start 3 runners of linux on local` */
function wordsOf(entry) {
  if (entry.words) return entry.words.map((word) => (word instanceof Node ? word.cloneNode(true) : word));
  const verb = entry.action.replace("-", " ");
  const failed = entry.failed ? " failed: " : " ";
  const many = entry.count > 1 ? `${figure(entry.count)} × ${entry.pool ?? ""}` : entry.subject;
  const subject = span("mono", foreign(many));
  return [h("b", {}, verb), failed, subject, ...(entry.host ? [" on ", foreign(entry.host)] : [])];
}

// ── Drawing ────────────────────────────────────────────────────────────────────────────────────────

let drawing = false;

/** Draws at the next frame, however often it is asked to. A hidden page has no frames, but a title. */
function draw() {
  if (drawing) return;
  drawing = true;
  (document.hidden ? setTimeout : requestAnimationFrame)(() => {
    drawing = false;
    drawLink();
    drawHealth();
    if (state.status) {
      drawFigures();
      drawFilters();
      drawHour();
      drawPools();
      drawQueue();
      drawRunning();
      drawSources();
      drawSpec();
      drawRunner();
      drawJob();
    }
    drawActivity();
    drawActions();
  });
}

function drawLink() {
  const lost = state.lostAt !== null;
  $("link").dataset.state = lost ? "off" : "on";
  document.body.toggleAttribute("data-lost", lost);
  const looked = state.status ? instant(state.status.at) : null;
  const key = lost ? `off ${state.lostAt}` : `on ${looked}`;
  fill($("link-words"), key, () => {
    if (lost) return ["Not connected for ", ticking(state.lostAt + state.offset)];
    return looked === null ? ["Connected"] : ["Live, looked ", ticking(looked, { after: " ago" })];
  });
  say($("instance"), state.status && state.status.instance !== "autogit" ? state.status.instance : "");
  const version = state.status?.version;
  state.version ??= version;
  const newer = version === state.version ? "" : `; this page is of ${state.version}, reload it`;
  say($("version"), version ? `AutoGit ${version}${newer}` : "");
}

/** Everything that is wrong or waits: how bad it is, in a few words, and what follows these. */
function troubles() {
  const { health, status, queue } = state;
  const found = [];
  const add = (level, headline, ...words) => found.push({ level, headline, words });
  if (state.lostAt !== null) {
    const at = state.lostAt + state.offset;
    const seen = status ? "; this is what was last seen" : "";
    add("off", "Not connected to AutoGit", ` since ${clock(at)}, for `, ticking(at), seen);
  }
  if (state.locked) {
    add("off", "AutoGit shows nothing without a token", "; sign in with the one for reading, or the operator's");
  }
  if (health?.status === "starting" && status) {
    add("off", "AutoGit has just started", "; this is what was seen before");
  }
  if (health?.status === "stuck") {
    const looked = instant(health.now) - 1000 * (health.last_look_secs ?? 0);
    add("ill", "AutoGit no longer looks", "; its last look was ", ticking(looked, { after: " ago" }), ", restart it");
  }
  if (!status) return found;
  for (const [name, source] of Object.entries(status.sources)) {
    if (source.state === "known") continue;
    add("ill", `${title(name)} is unknown`, " for ", ticking(source.since), ": ", ...prose(source.error));
  }
  if (!status.spec.valid) add("ill", "A changed spec is refused", "; the last good one stays in force");
  for (const notice of status.notices ?? []) {
    add("ill", "Something stands in the way", ": ", ...prose(notice));
  }
  const failed = state.runners.filter((runner) => runner.phase === "failed");
  if (failed.length) {
    const others = failed.length > 1 ? ` and ${failed.length - 1} more` : "";
    const headline = `${plural(failed.length, "runner")} failed to start`;
    add("ill", headline, ": ", foreign(failed[0].name), others, " made no contact with GitLab");
  }
  for (const [reason, held] of heldJobs(queue)) {
    const count = held.reduce((sum, group) => sum + group.jobs.length, 0);
    const others = held.length > 1 ? `, and ${plural(held.length - 1, "more pool")} like it` : "";
    const level = STUCK.has(reason) ? "ill" : "wait";
    const headline = `${plural(count, "job")} ${verb(count, "wait")}`;
    found.push({ level, waits: count, headline, words: [": ", ...prose(wordsOfHold(held[0])), others] });
  }
  return found.sort((one, other) => LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level));
}

/** Why jobs wait, with the pool they wait for. */
function wordsOfHold({ pool, why }) {
  const named = !pool || why.split(/[`/\s]/).includes(pool);
  return named ? why : `pool \`${pool}\`: ${why}`;
}

/** A runner that starts for a job is no reason to worry, nor is a job that is left to others. */
const isHeld = (reason) => Boolean(reason) && reason !== "starting" && reason !== OTHERS;

/** The groups of jobs that get no runner now, by reason. A source that is unknown speaks for itself. */
function heldJobs(queue) {
  const found = new Map();
  for (const group of groups(queue.jobs)) {
    if (!isHeld(group.reason) || (group.reason === "unseen" && queue.state !== "known")) continue;
    found.set(group.reason, [...(found.get(group.reason) ?? []), group]);
  }
  return found;
}

const title = (name) => (name === "gitlab" ? "GitLab" : `Host ${name}`);
const SIGNS = { ok: "✓", wait: "⋯", ill: "!", off: "?" };
const LEVELS = ["off", "ill", "wait"];

function drawHealth() {
  const found = troubles();
  const level = found[0]?.level ?? (state.status ? "ok" : "off");
  const headline = headlineOf(found);
  $("health").dataset.level = level;
  say($("sign"), SIGNS[level]);
  // One trouble is told in the headline; of several it is the sum.
  const [first] = found;
  const alone = found.length === 1 || state.lostAt !== null;
  const whole = alone ? [span("rest", ...first.words)] : [];
  fill($("headline"), keyOf([headline, ...(first?.words ?? []), alone]), () => [headline, ...whole]);
  const lines = found.slice(alone ? 1 : 0, TROUBLES_MAX).map(({ headline, words }) => [h("b", {}, foreign(headline)), ...words]);
  if (found.length > TROUBLES_MAX) lines.push([`and ${found.length - TROUBLES_MAX} more`]);
  if (!found.length && state.status) lines.push([calm()]);
  fill($("troubles"), keyOf(lines.flat()), () => lines.map((line) => h("li", {}, ...line)));
  drawFault(state.status?.spec.pending_fault ?? "");
  drawMoves();
  const name = `${level === "ok" ? "" : `${SIGNS[level]} `}${headline} – AutoGit`;
  if (document.title !== name) document.title = name;
  announce(level, headline);
}

/** What is wrong with a refused spec; a flood of faults only by its begin. */
function drawFault(text) {
  const lines = text.split("\n");
  const left = lines.length - FAULT_LINES;
  const folded = left > 2 && !state.wholeFault;
  show($("fault"), Boolean(text));
  say($("fault"), folded ? lines.slice(0, FAULT_LINES).join("\n") : text);
  show($("fault-more"), left > 2);
  say($("fault-more"), folded ? `Show ${figure(left)} more lines` : "Show less");
}

/** What words are made of: those that tick are made anew only when their begin changes. */
const keyOf = (words) => JSON.stringify(words.map((word) => word.dataset?.at ?? word.textContent ?? word));

/** The worst few in one sentence; what waits is counted once, whatever it waits for. */
function headlineOf(found) {
  const first = state.health ? "AutoGit takes its first look" : "Asking AutoGit";
  if (!state.status && state.lostAt === null && !state.locked) return first;
  if (!found.length) return "Everything runs as asked";
  if (found.length === 1 || state.lostAt !== null) return found[0].headline;
  const parts = found.filter((one) => !one.waits).map((one) => one.headline);
  const count = found.reduce((sum, one) => sum + (one.waits ?? 0), 0);
  if (count) parts.push(`${state.queue.more ? "at least " : ""}${plural(count, "job")} ${verb(count, "wait")}`);
  const rest = parts.length > 3 ? [...parts.slice(0, 2), `${parts.length - 2} things more`] : parts;
  const [worst, ...others] = rest.map((part, index) => (index ? part.replace(/^A /, "a ") : part));
  return others.length ? `${[worst, ...others.slice(0, -1)].join(", ")} and ${others.at(-1)}` : worst;
}

function calm() {
  const { queue_pending: pending, busy_runners: busy, idle_runners: idle } = state.status;
  const others = state.queue.jobs.filter(({ reason }) => reason === OTHERS).length;
  const ours = pending - others;
  const have = ours === 1 ? "has a runner" : "have runners";
  const left = others ? `, ${plural(others, "job")} ${others === 1 ? "is" : "are"} left to runners of others` : "";
  const waits = ours > 0 ? `${plural(ours, "job")} ${have} on the way` : others ? "No job waits for us" : "No job waits";
  return `${waits}${left}, ${plural(busy, "runner")} ${busy === 1 ? "is" : "are"} busy and ${figure(idle)} idle.`;
}

let announced = null;

/** Tells a screen reader when things get better or worse, not each number. */
function announce(level, headline) {
  if (announced === level) return;
  if (announced !== null || level !== "ok") say($("announce"), headline);
  announced = level;
}

/** What was done last, and what is known to come. */
function drawMoves() {
  const last = state.activity.find((entry) => entry.action && !entry.failed);
  fill($("last"), last ? `${last.key} ${last.count}` : "none", () => {
    if (!last) return ["nothing since AutoGit started"];
    return [...wordsOf(last), " ", ticking(last.at, { after: " ago" }), " by ", span("chip", last.rule)];
  });
  const cooling = (state.plan?.held ?? []).filter((held) => held.until);
  cooling.sort((one, other) => (one.until < other.until ? -1 : 1));
  const starting = state.runners.filter((runner) => runner.phase === "starting").length;
  const every = state.status?.poll_interval_secs;
  const [first] = cooling;
  const key = JSON.stringify([first?.runner, first?.until, cooling.length, starting, every, state.lostAt]);
  fill($("next"), key, () => {
    if (state.lostAt !== null) return ["not known"];
    if (!state.status) return ["its first look"];
    const parts = [];
    if (starting) parts.push(`${plural(starting, "runner")} ${starting === 1 ? "comes" : "come"} into contact`);
    if (first) {
      const then = cooling.length > 1 ? `, then ${figure(cooling.length - 1)} more` : "";
      const left = ticking(first.until, { until: true });
      parts.push(["drain ", span("mono", foreign(first.runner)), " in ", left, " unless a job comes", then]);
    }
    parts.push(`a look at least every ${every}s`);
    return parts.flatMap((part, index) => [index ? "; " : "", part].flat());
  });
}

function drawFigures() {
  const { status, queue, runners } = state;
  const count = (phase) => runners.filter((runner) => runner.phase === phase).length;
  const values = {
    queued: queue.state === "known" ? queue.jobs.length : null,
    starting: count("starting"), busy: status.busy_runners, idle: count("idle"), draining: count("draining"),
  };
  for (const [name, value] of Object.entries(values)) {
    const place = document.querySelector(`.figures [data-of="${name}"]`);
    place.toggleAttribute("data-zero", value === 0);
    const more = name === "queued" && queue.more ? "+" : "";
    say(place.lastElementChild, value === null ? "?" : `${figure(value)}${more}`);
  }
}
