// The event stream, and how each request shows who asks.

const TOKEN = "autogit-token";

function token() {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null; // this browser keeps nothing
  }
}

const asking = () => (token() ? { authorization: `Bearer ${token()}` } : {});

let stream = null;

/**
 * Follows the events until the page is hidden. Not by `EventSource`: that cannot send a token, which
 * reading may take.
 */
async function follow() {
  stream?.abort();
  const own = (stream = new AbortController());
  try {
    const last = state.lastEvent ? { "last-event-id": state.lastEvent } : {};
    const response = await fetch("events", { headers: { ...asking(), ...last }, signal: own.signal });
    if (!response.ok) throw new Error(response.statusText);
    soon();
    await messages(response.body.getReader(), heard);
  } catch {
    // It ended: what follows is the same as after a quiet end.
  }
  if (own.signal.aborted) return;
  soon();
  setTimeout(() => stream === own && !document.hidden && follow(), COME_BACK_MS);
}

/** Hands on the messages of a stream of server-sent events, until it ends. */
async function messages(reader, take) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = block.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line)).filter(Boolean);
      const message = Object.fromEntries(fields.map(([, name, value]) => [name, value]));
      if (message.event) take(message);
    }
  }
}

function heard({ event, data, id }) {
  if (id) state.lastEvent = id;
  if (event === "reset") missing();
  else if (["look", "phase"].includes(event)) soon();
  else if (["decision", "failure", "source", "spec"].includes(event)) happened(event, id, JSON.parse(data));
}
