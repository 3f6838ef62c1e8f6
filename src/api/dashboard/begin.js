// Begins to ask and to follow, once all of the script is there.

// A browser opens six connections to one server: pages that nobody looks at give theirs back.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stream?.abort();
  else follow(), soon();
});
addEventListener("online", soon);
setInterval(() => document.hidden || soon(), BEAT_MS);
setInterval(soon, HIDDEN_BEAT_MS);
setInterval(() => document.hidden || tickAll(), 1_000);
$("fault-more").addEventListener("click", () => {
  state.wholeFault = !state.wholeFault;
  draw();
});
follow();
read();
