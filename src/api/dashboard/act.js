// One runner, and what an operator may do.

let cameFrom = null;

function openRunner(name, from) {
  state.selected = name;
  cameFrom = from;
  say($("drain-said"), "");
  drawRunner();
  drawActions();
  $("runner").showModal();
  $("runner-close").focus();
}

function drawRunner() {
  if (!state.selected) return;
  const runner = state.runners.find((one) => one.name === state.selected);
  const held = state.plan.held.find((one) => one.runner === state.selected);
  say($("runner-name"), state.selected);
  fill($("runner-facts"), JSON.stringify([runner, held]), () => {
    if (!runner) return [h("dt", {}, "Now"), h("dd", {}, "it is gone")];
    const rows = [["Does", [runner.phase, runner.since ? ticking(runner.since, { before: ", for " }) : ""]]];
    if (runner.job) rows.push(["Job", [linkTo(runner.job)]]);
    if (held) rows.push(["Stays", [span("chip", held.reason), " ", ...prose(held.why)]]);
    rows.push(["Pool", [foreign(`${runner.pool}/${runner.arch}, slot ${runner.slot}`)]]);
    rows.push(["Host", [foreign(runner.host), runner.seen ? "" : " (unknown now; this was last seen)"]]);
    rows.push(["Spec", [runner.up_to_date ? "up to date" : "older; it is replaced when it is idle"]]);
    rows.push(["Container", [span("mono", runner.container.slice(0, 24))]]);
    rows.push(["System id", [span("mono", runner.system_id)]]);
    return rows.flatMap(([name, words]) => [h("dt", {}, name), h("dd", {}, ...words)]);
  });
}

function drawActions() {
  const may = Boolean(token()) && !state.reader;
  for (const id of ["reconcile", "reload", "drain-note"]) show($(id), may);
  show($("forget"), Boolean(token()));
  show($("operate"), !may);
  show($("spec-read"), Boolean(token()));
  const runner = state.runners.find((one) => one.name === state.selected);
  show($("drain"), may && Boolean(runner) && ["idle", "busy", "starting"].includes(runner.phase));
}

let toastTimer = null;

function toast(text) {
  say($("toast"), text);
  $("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("shown"), 6_000);
}

const READER = "This token is good for reading.";

/** Why the token does not open what nobody sees without one, or nothing. */
async function notReading() {
  const response = await fetch("status", { headers: asking(), signal: AbortSignal.timeout(PATIENCE_MS) });
  return response.ok ? null : (await response.json()).detail;
}

/** Asks AutoGit to act; what is wrong with that, or nothing. */
async function act(path) {
  try {
    const response = await fetch(path, { method: "POST", headers: asking(), signal: AbortSignal.timeout(PATIENCE_MS) });
    soon();
    if (response.ok) return null;
    const problem = await response.json();
    if (response.status === 403 && state.locked) {
      const wrong = await notReading();
      state.reader = !wrong;
      if (wrong) sessionStorage.removeItem(TOKEN);
      return wrong ?? READER;
    }
    if ([401, 403].includes(response.status)) sessionStorage.removeItem(TOKEN);
    return problem.hint && response.status !== 401 ? `${problem.detail}; ${problem.hint}` : problem.detail;
  } catch {
    return "AutoGit does not answer";
  } finally {
    draw();
  }
}

async function press(path, done, tell = toast) {
  tell((await act(path)) ?? done);
}

$("operate").addEventListener("click", () => {
  say($("sign-in-fault"), "");
  $("token").value = "";
  $("sign-in").showModal();
});
$("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    sessionStorage.setItem(TOKEN, $("token").value.trim());
  } catch {
    return say($("sign-in-fault"), "this browser keeps nothing for the tab");
  }
  const wrong = await act("reconcile");
  if (wrong && wrong !== READER) {
    sessionStorage.removeItem(TOKEN);
    say($("sign-in-fault"), wrong);
    draw();
  } else {
    $("token").value = "";
    $("sign-in").close();
    draw();
    follow();
    soon();
    toast(wrong ?? "The token is right. AutoGit looks now.");
  }
});
$("sign-in-close").addEventListener("click", () => $("sign-in").close());
$("reconcile").addEventListener("click", () => press("reconcile", "AutoGit looks now."));
$("reload").addEventListener("click", () => press("reload", "AutoGit reads the spec again."));
$("forget").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  state.reader = false;
  drawActions();
  $("operate").focus();
  soon();
});
$("drain").addEventListener("click", () => {
  const path = `runners/${encodeURIComponent(state.selected)}/drain`;
  press(path, "It finishes what it has and exits.", (text) => say($("drain-said"), text));
});
$("spec-read").addEventListener("click", async () => {
  const spec = await ask("spec").catch(() => ({ detail: "AutoGit does not answer" }));
  say($("spec-lines"), spec.text ?? spec.detail);
  const { pending = [], after_restart: later = [] } = spec;
  for (const id of ["spec-pending-title", "spec-pending"]) show($(id), pending.length > 0);
  say($("spec-pending"), pending.join("\n"));
  show($("spec-restart"), later.length > 0);
  say($("spec-restart"), `In force after a restart: ${later.join(", ")}`);
  $("spec-text").showModal();
  $("spec-close").focus();
});
$("spec-close").addEventListener("click", () => $("spec-text").close());
$("runner-close").addEventListener("click", () => $("runner").close());
$("runner").addEventListener("close", () => {
  state.selected = null;
  if (cameFrom?.isConnected) cameFrom.focus();
});
$("lanes").addEventListener("pointermove", readOut);
$("lanes").addEventListener("pointerleave", leave);
$("hour-table").addEventListener("toggle", drawTable);
