// Finding one thing among many: the words and choices that narrow the lists, and the order of pools.

const FILTERS = ["find", "of-pool", "of-reason", "of-project"];
const MANY_JOBS = 12; // from which on the lists can be narrowed
const MANY_POOLS = 8;
const WHOLE_POOLS = 12; // of more than these, those that do nothing are one line each

const chosen = (id) => $(id).value.trim();
const isNarrowed = () => FILTERS.some((id) => chosen(id));

/** Whether a job is one of those that are looked for. */
function isFound({ id, name, project, ref, tags, pool, reason }) {
  const words = chosen("find").toLowerCase().split(/\s+/).filter(Boolean);
  const text = [`#${id}`, name, project, ref, pool, reason, ...(tags ?? [])].join(" ").toLowerCase();
  return words.every((word) => text.includes(word))
    && [["of-pool", pool ?? NO_POOL], ["of-reason", reason ?? SERVED], ["of-project", project]]
      .every(([choice, value]) => !chosen(choice) || chosen(choice) === value);
}

const NO_POOL = "no pool";
const SERVED = "served";

/** The running jobs in the shape of waiting ones. */
function runningJobs() {
  return state.runners.filter((runner) => runner.job).map((runner) => {
    const { id, name, project } = runner.job;
    return { runner, job: { id, name, project, pool: runner.pool, reason: "running", tags: [] } };
  });
}

function drawFilters() {
  const { queue, status } = state;
  const running = runningJobs();
  const many = queue.jobs.length + running.length > MANY_JOBS || Object.keys(status.pools).length > MANY_POOLS;
  show($("filters"), many || isNarrowed());
  const all = [...queue.jobs, ...running.map(({ job }) => job)];
  choices("of-pool", "any pool", all.map((job) => job.pool ?? NO_POOL));
  choices("of-reason", "any reason", all.map((job) => job.reason ?? SERVED));
  choices("of-project", "any project", all.map((job) => job.project).filter(Boolean));
  show($("find-nothing"), isNarrowed());
}

/** The options of a choice, each with how many jobs it is; what is chosen stays, though none is left. */
function choices(id, any, values) {
  const counts = new Map([[chosen(id), 0]]);
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  counts.delete("");
  const names = [...counts.keys()].sort((one, other) => one.localeCompare(other)).slice(0, CHOICES_MAX);
  fill($(id), JSON.stringify([...counts]), () => {
    const before = chosen(id);
    const options = names.map((name) => h("option", { value: name, selected: name === before }, `${name} (${figure(counts.get(name))})`));
    return [h("option", { value: "" }, any), ...options];
  });
}

/** Pools with trouble first; the file's own order is one click away. */
function inOrder(pools) {
  const byFile = (one, other) => (one.pool?.position ?? Infinity) - (other.pool?.position ?? Infinity);
  if (state.fileOrder) return pools.sort(byFile);
  return pools.sort((one, other) => troubleOf(one) - troubleOf(other) || byFile(one, other));
}

/** 0: somebody has to do something; 1: jobs wait; 2: nothing is wrong. */
function troubleOf({ stuck, held, runners }) {
  if (stuck || runners.some((runner) => runner.phase === "failed")) return 0;
  return held ? 1 : 2;
}

const isQuiet = ({ pool, runners }) => !runners.length && !pool?.pending;

for (const id of FILTERS) $(id).addEventListener("input", draw);
$("find-nothing").addEventListener("click", () => {
  for (const id of FILTERS) $(id).value = "";
  draw();
  $("find").focus();
});
$("pools-order").addEventListener("click", () => {
  state.fileOrder = !state.fileOrder;
  draw();
});
$("pools-fold").addEventListener("click", () => {
  state.whole = !state.whole;
  draw();
});
