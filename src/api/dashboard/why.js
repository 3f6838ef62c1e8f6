// Why one job waits: what `autogit explain` says, in a panel.

let askedFor = null; // the job whose panel is open

async function openJob(id) {
  askedFor = id;
  say($("job-name"), `Job ${id}`);
  fill($("job-facts"), "asking", () => [h("dt", {}, "Why"), h("dd", {}, "asking AutoGit")]);
  $("job-pools").replaceChildren();
  $("job").showModal();
  $("job-close").focus();
  await drawJob();
}

/** Asks again after each look, for as long as the panel is open. */
async function drawJob() {
  const id = askedFor;
  if (id === null) return;
  let job;
  try {
    job = await ask(`explain/jobs/${id}`);
  } catch {
    return; // the page says by itself that AutoGit does not answer
  }
  if (askedFor !== id || !job.why) return;
  say($("job-name"), `Job ${job.id}${job.name ? ` ${job.name}` : ""}`);
  fill($("job-facts"), JSON.stringify(job), () => factsOf(job));
  list($("job-pools"), job.pools ?? [], ({ pool, arch }) => `${pool} ${arch}`, makeFit, (element, fit) => {
    say(element.children[1], fit.fits ? "fits" : "does not");
    element.children[1].className = `chip ${fit.fits ? "" : "wait"}`;
    fill(element.children[2], fit.why, () => prose(fit.why));
  });
}

function makeFit({ pool, arch }) {
  return h("li", {}, span("mono", foreign(arch ? `${pool}/${arch}` : pool)), span("chip"), span("soft"));
}

function factsOf(job) {
  const place = job.place && `${job.place.position} of ${job.place.of} for ${job.place.pool}, priority ${job.place.priority}`;
  const reason = job.reason ? [span("chip", job.reason), " "] : [];
  const rows = [
    ["Now", [job.status, job.waiting ? `, for ${job.waiting}` : ""]],
    ["Why", [...reason, ...prose(job.why)]],
    ["Project", job.project && [foreign(job.project), " ", foreign(job.ref ?? "")]],
    ["Tags", job.tags?.length && [foreign(job.tags.join(", "))]],
    ["Place in line", place && [foreign(place)]],
    ["Earliest start", job.earliest_start && prose(job.earliest_start)],
    ["At the latest", job.starts_by && [clock(job.starts_by)]],
    ["GitLab drops it", job.dropped && prose(job.dropped)],
    ["Page", job.url && [link(job.url, "at GitLab")]],
  ];
  return rows.filter(([, words]) => words).flatMap(([name, words]) => [h("dt", {}, name), h("dd", {}, ...words)]);
}

$("job-close").addEventListener("click", () => $("job").close());
$("job").addEventListener("close", () => {
  const row = document.querySelector(`[data-job="${askedFor}"] button`);
  askedFor = null;
  row?.focus();
});
