// Elements from data, text from people, words for numbers.

/** An element with attributes and children; strings become text nodes. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const span = (name, ...children) => h("span", { class: name }, ...children);

/** Sets text only where it changed: nothing is laid out again, no reader is disturbed. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(element, shown) {
  element.hidden = !shown;
}

/** Replaces the children, if what they are made of changed. */
function fill(element, key, make) {
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  element.replaceChildren(...make());
}

/** Makes the children of `parent` those of `items`; elements of known keys stay, and keep their focus. */
function list(parent, items, keyOf, make, update) {
  const known = (parent.known ??= new Map());
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  for (const [key, element] of known) {
    if (wanted.has(key)) continue;
    element.remove();
    known.delete(key);
  }
  let place = parent.firstElementChild;
  for (const [key, item] of wanted) {
    let element = known.get(key);
    if (!element) known.set(key, (element = make(item)));
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
    update?.(element, item);
  }
}

/** Other people's words: isolated, so that signs which turn the direction of reading end with them. */
const foreign = (text) => h("bdi", {}, String(text).slice(0, 300));

/** AutoGit's sentences: what stands in backticks is code. */
function prose(text) {
  const parts = String(text).slice(0, 2000).split("`");
  return parts.map((part, index) => (index % 2 ? h("code", {}, part) : part));
}

/** A link where the address is one of the web, else the words alone. */
function link(address, ...children) {
  if (!/^https?:\/\//i.test(address ?? "")) return h("span", {}, ...children);
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

const now = () => Date.now() + state.offset;
const instant = (text) => Date.parse(text);
const figure = (number) => number.toLocaleString("en");
const plural = (count, noun) => `${figure(count)} ${noun}${count === 1 ? "" : "s"}`;
const verb = (count, word) => (count === 1 ? `${word}s` : word);
const clock = (at) => new Date(at).toLocaleTimeString("en-GB");
const minute = (at) => clock(at).slice(0, 5);
const day = (at) => new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short" });

/** The time of day, and the date of what was not today. */
const moment = (at) => (day(at) === day(now()) ? clock(at) : `${day(at)}, ${clock(at)}`);

/** `45s`, `2m05s`, `3h07m`, `2d04h` */
function brief(ms) {
  const secs = Math.max(0, Math.round(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  if (secs < 60) return `${secs}s`;
  if (secs < 3600) return `${Math.floor(secs / 60)}m${two(secs % 60)}s`;
  if (secs < 86_400) return `${Math.floor(secs / 3600)}h${two(Math.floor(secs / 60) % 60)}m`;
  return `${Math.floor(secs / 86_400)}d${two(Math.floor(secs / 3600) % 24)}h`;
}

/** Words that go on by themselves: the time since (or until) `at`. */
function ticking(at, { before = "", after = "", until = false } = {}) {
  const ms = typeof at === "number" ? at : instant(at);
  const datetime = new Date(ms).toISOString();
  const words = { "data-before": before, "data-after": after, "data-until": until ? "" : null };
  const element = h("time", { datetime, "data-at": ms, ...words });
  tick(element);
  return element;
}

function tick(element) {
  const { at, before, after, until } = element.dataset;
  const passed = now() - Number(at);
  if (until !== undefined && passed > 0) return say(element, "now");
  say(element, before + brief(Math.abs(passed)) + after);
}

function tickAll() {
  document.querySelectorAll("time[data-at]").forEach(tick);
}
