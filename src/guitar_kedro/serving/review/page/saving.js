// Sends decisions in their order, and keeps those that the server has not acknowledged: also over a reload.
"use strict";
const AT_ONCE = 500, PAUSE = 1000;
let atOnce = AT_ONCE; // 1 while one of a batch that was refused is looked for: the others are kept
let key = "", workspace = "", waiting = [], sending = false, failed = false;
let refusal = ""; // is said until the next decision
let heard = () => {};

export function begin(name, listener) {
  workspace = name;
  key = `waiting-${name}`;
  waiting = JSON.parse(sessionStorage.getItem(key) || "[]");
  heard = listener;
  return send();
}

export function save(queue, decisions) {
  refusal = "";
  waiting.push(...decisions.map((decision) => ({ queue, decision })));
  note();
  send();
}

function note() {
  sessionStorage.setItem(key, JSON.stringify(waiting));
}

async function send() {
  if (sending || !waiting.length) return;
  sending = true;
  const { queue } = waiting[0];
  const other = waiting.findIndex((each) => each.queue !== queue);
  const batch = waiting.slice(0, other < 0 ? atOnce : Math.min(other, atOnce));
  const body = JSON.stringify({ workspace, queue, decisions: batch.map(({ decision }) => decision) });
  try {
    const response = await fetch("/decide", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const said = await response.json();
    if (response.status === 422 && batch.length > 1) {
      atOnce = 1;
      failed = false;
    } else if (response.ok || response.status === 422) { // what makes no sense now will make none later
      waiting.splice(0, batch.length);
      if (!waiting.length) atOnce = AT_ONCE;
      note();
      failed = false;
      if (!response.ok) refusal = trouble(said);
      heard({ ...said, trouble: refusal, refused: response.ok ? "" : batch[0].decision.file });
    } else {
      failed = true;
      heard({ trouble: `${trouble(said)} ${left()}` });
    }
  } catch {
    failed = true;
    heard({ trouble: `The server does not answer; start kedro review again. ${left()}` });
  }
  setTimeout(() => {
    sending = false;
    send();
  }, failed ? PAUSE : 0);
}

const left = () => `${waiting.length} ${waiting.length === 1 ? "decision waits" : "decisions wait"} here to be saved.`;
const trouble = ({ detail }) => (typeof detail === "string" ? detail : "The server did not understand the page; load it again.");

addEventListener("beforeunload", (event) => failed && event.preventDefault());
