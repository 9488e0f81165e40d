// Sends decisions in their order, and keeps those that the server has not acknowledged: also over a reload.
"use strict";
const AT_ONCE = 500, PAUSE = 1000;
let key = "", workspace = "", waiting = [], sending = false, failed = false;
let heard = () => {};

export function begin(name, listener) {
  workspace = name;
  key = `waiting-${name}`;
  waiting = JSON.parse(sessionStorage.getItem(key) || "[]");
  heard = listener;
  return send();
}

export function save(queue, decisions) {
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
  const batch = waiting.slice(0, other < 0 ? AT_ONCE : Math.min(other, AT_ONCE));
  const body = JSON.stringify({ workspace, queue, decisions: batch.map(({ decision }) => decision) });
  try {
    const response = await fetch("/decide", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const said = await response.json();
    if (response.ok || response.status === 422) { // what makes no sense now will make none later
      waiting.splice(0, batch.length);
      note();
      failed = false;
      heard({ ...said, trouble: response.ok ? "" : trouble(said) });
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
