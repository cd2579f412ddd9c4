// Refreshes the page's <main> while it is visible. Every page works without this file.
"use strict";
const REFRESH_MS = 10000;
// A reader who is typing, selecting text or has opened a fold must not lose it to a refresh.
function isInUse(main) {
  const selection = document.getSelection();
  return main.contains(document.activeElement)
    || main.querySelector("details[open]") !== null
    || (selection !== null && !selection.isCollapsed);
}
async function refresh() {
  const main = document.querySelector("main");
  if (document.hidden || !main || isInUse(main)) return;
  try {
    const limit = AbortSignal.timeout(REFRESH_MS);
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: limit });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("main");
    // The page may have come into use while the answer was on its way.
    if (!next || isInUse(main)) return;
    main.replaceWith(next);
    document.title = page.title;
  } catch (_) { /* The server is restarting: the next round tries again. */ }
}
setInterval(refresh, REFRESH_MS);
