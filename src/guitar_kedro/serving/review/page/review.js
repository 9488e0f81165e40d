// The page of kedro review: which queue and page is shown, which pictures are chosen, and what a key does.
"use strict";
import * as grid from "./grid.js";
import * as relabel from "./relabel.js";
import * as saving from "./saving.js";
import * as single from "./single.js";

const box = (id) => document.getElementById(id);
const FILTERS = ["label", "part", "state", "text"];
const PAUSE = 1000; // ms
const AHEAD = 12; // so many before the end of a page, the next one is fetched
let about = null, names = {}, queue = null;
let page = { items: [], start: 0, total: 0 }, current = 0, anchor = 0, next = null, asked = 0, turning = false;
const done = []; // what undo takes back: for each key the files with what was decided before

const query = (more) => new URLSearchParams({
  queue: queue.key, ...Object.fromEntries(FILTERS.map((name) => [name, box(name).value])), ...more,
});

async function ask(path) {
  const response = await fetch(path);
  const said = await response.json();
  if (!response.ok) throw new Error(typeof said.detail === "string" ? said.detail : `The server said ${response.status}.`);
  return said;
}

async function load(more = {}, place = "", ready = null) {
  const number = (asked += 1);
  turning = true; // a key that comes now is about no picture that is seen
  try {
    const found = await (ready || ask(`/items?${query(more)}`));
    if (number !== asked) return;
    turn(found, place);
  } catch (error) {
    if (number !== asked) return;
    warn(error instanceof TypeError ? "The server does not answer; start kedro review again." : error.message);
    if (error instanceof TypeError) return setTimeout(() => number === asked && load(more, place), PAUSE);
  }
  turning = false;
}

function turn(found, place) {
  page = found;
  next = null;
  warn("");
  grid.draw(page.items, names);
  current = anchor = Math.max(0, place === "undecided" ? page.items.findIndex((item) => !item.decision) : ends(place) - 1);
  const end = page.start + page.items.length;
  box("range").textContent = page.total ? `${(page.start + 1).toLocaleString("en")} to ${end.toLocaleString("en")} of ${page.total.toLocaleString("en")}` : "";
  box("pager").hidden = page.total <= page.items.length;
  box("empty").hidden = page.items.length > 0;
  box("empty").textContent = FILTERS.some((name) => box(name).value) ? "No picture is like that." : "Nothing to look at here.";
  box("back").disabled = page.start === 0;
  box("on").disabled = end >= page.total;
  point();
}

function ends(before) { // where the page before this one ends: a first page may reach into it
  const place = page.items.findIndex((item) => item.file === before);
  return before && place < 0 ? page.items.length : place;
}

function point() {
  grid.choose(Math.min(anchor, current), Math.max(anchor, current), current);
  const item = page.items[current];
  box("actions").classList.toggle("idle", !item);
  box("suggested").textContent = item?.suggested ? names[item.suggested] || item.suggested : "As predicted";
  document.querySelector("[data-act=suggested]").disabled = !item?.suggested;
  if (item && single.isOpen()) single.show(item, names);
  if (!item) single.close();
  if (current >= page.items.length - AHEAD) fetchAhead();
}

function fetchAhead() {
  const last = page.items.at(-1);
  if (next || !last || page.start + page.items.length >= page.total) return;
  next = ask(`/items?${query({ after: last.file })}`);
  next.then(({ items }) => items.forEach(({ image }) => image && (new Image().src = `/thumbnail/${image}.jpg`)), () => (next = null));
}

function forth() {
  const last = page.items.at(-1);
  if (last && page.start + page.items.length < page.total) load({ after: last.file }, "", next);
}

function back() {
  if (page.start > 0) load({ before: page.items[0].file }, page.items[0].file);
}

function move(step, extend) {
  const to = current + step;
  if (to >= page.items.length && !extend) return forth();
  if (to < 0 && !extend) return back();
  current = Math.min(Math.max(to, 0), page.items.length - 1);
  if (!extend) anchor = current;
  point();
}

function decide(action, label = "") {
  if (turning) return;
  const from = Math.min(anchor, current), to = Math.max(anchor, current);
  const chosen = page.items.slice(from, to + 1);
  const possible = chosen.filter((item) => action === "drop" || item.image);
  if (!possible.length) return warn(chosen.length ? "This file cannot be read: mend it; drop says that you know of it." : "");
  warn("");
  done.push(possible.map((item) => ({ file: item.file, before: item.decision })));
  set(possible.map((item) => {
    const own = item.label || item.suggested; // a picture without a label is kept as what it is predicted to be
    return action === "keep" || (action === "relabel" && label === own) ? { item, action: "keep", label: own } : { item, action, label };
  }));
  current = anchor = to;
  move(1);
}

function set(changes) {
  for (const { item, action, label = "" } of changes) {
    item.decision = action ? { action, label } : null;
    grid.redraw(page.items.indexOf(item), item, names);
  }
  const what = changes.length > 1 ? `${changes.length} pictures` : changes[0].item.file;
  box("said").textContent = `${what}: ${grid.decided(changes[0].item, names) || "not decided any more"}`;
  saving.save(queue.key, changes.map(({ item, action, label = "" }) => ({ file: item.file, action, label })));
}

function undo() {
  const last = done.pop();
  if (!last) return;
  set(last.map(({ file, before }) => {
    const item = page.items.find((each) => each.file === file) || { file };
    return { item, action: before?.action || "", label: before?.label };
  }));
  const place = page.items.findIndex((item) => item.file === last[0].file);
  if (place >= 0) current = anchor = place;
  point();
}

async function askLabel() {
  const item = page.items[current];
  if (!item) return;
  const label = await relabel.ask(about.classes, item.suggested);
  if (label !== null) decide("relabel", label);
}

function open() {
  if (!page.items[current]) return;
  anchor = current;
  point();
  single.show(page.items[current], names);
}

const ACTS = {
  keep: () => decide("keep"),
  drop: () => decide("drop"),
  relabel: askLabel,
  suggested: () => page.items[current]?.suggested && decide("relabel", page.items[current].suggested),
  undo,
  help: () => box("keys").showModal(),
  close: single.close,
};
const KEYS = {
  k: ACTS.keep, " ": ACTS.keep, d: ACTS.drop, Delete: ACTS.drop, r: askLabel, s: ACTS.suggested, u: undo, "?": ACTS.help,
  z: () => single.isOpen() && single.zoom(), n: forth, b: back, "/": () => box("text").focus(),
  Enter: () => (single.isOpen() ? single.close() : open()),
};

function key(event) {
  if (event.ctrlKey && event.key === "z") return [event.preventDefault(), undo()];
  if (event.ctrlKey || event.metaKey || event.altKey || relabel.isOpen() || box("keys").open) return;
  if (event.target.closest("input, select") || (event.target.closest("button, summary, a") && [" ", "Enter"].includes(event.key))) return;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns(), ArrowDown: grid.columns() }[event.key];
  const act = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (!step && !act) return;
  event.preventDefault();
  if (!step) return act();
  move(single.isOpen() ? Math.sign(step) : step, event.shiftKey && !single.isOpen());
}

function warn(words) {
  box("banner").textContent = words;
  box("banner").hidden = !words;
}

function tell({ progress, next: then }) {
  if (!progress) return;
  about.progress = progress;
  box("next").replaceChildren(...grid.withCommands(then));
  for (const { key: name } of about.queues) {
    const { total, looked } = progress[name];
    document.querySelector(`[data-queue="${name}"] .count`).textContent = (total - looked).toLocaleString("en");
  }
  if (!queue) return;
  const { total, looked, changed } = progress[queue.key];
  box("progress").textContent = `${looked.toLocaleString("en")} of ${total.toLocaleString("en")} looked at; ${changed.toLocaleString("en")} changed`;
  box("bar").value = total ? looked / total : 1;
}

function choose(name) {
  queue = about.queues.find((each) => each.key === name) || about.queues[0];
  location.hash = queue.key;
  for (const link of document.querySelectorAll("[data-queue]")) link.toggleAttribute("aria-current", link.dataset.queue === queue.key);
  document.querySelector("[data-queue][aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
  box("title").textContent = queue.title;
  box("about").replaceChildren(...grid.withCommands(queue.about));
  box("states").hidden = queue.key === "rest";
  tell(about);
  load({ resume: true }, "undecided");
}

function option({ label, name }) {
  return Object.assign(document.createElement("option"), { value: label, textContent: name });
}

function queueLink({ key: name, title }) {
  const row = document.createElement("li"), link = document.createElement("a"), count = document.createElement("span");
  Object.assign(link, { href: `#${name}`, textContent: title });
  link.dataset.queue = name;
  count.className = "count";
  link.append(" ", count);
  row.append(link);
  return row;
}

async function begin() {
  about = await ask("/overview");
  document.title = `${about.workspace}: which pictures need a look?`;
  box("workspace").textContent = about.workspace;
  names = Object.fromEntries(about.classes.map(({ label, name }) => [label, name]));
  box("label").append(...about.classes.map(option));
  box("part").append(...about.parts.map((part) => option({ label: part, name: part })));
  box("queues").replaceChildren(...about.queues.map(queueLink));
  box("effects").hidden = !about.effect;
  box("effect").textContent = about.effect;
  await saving.begin(about.workspace, (said) => { // what waited before a reload is shown as decided
    warn(said.trouble);
    tell(said);
    const refused = page.items.findIndex((item) => item.file === said.refused);
    if (refused < 0) return;
    page.items[refused].decision = null;
    grid.redraw(refused, page.items[refused], names);
  });
  const first = about.queues.find(({ key: name }) => about.progress[name].total > about.progress[name].looked);
  choose(location.hash.slice(1) || first?.key);
}

addEventListener("hashchange", () => location.hash.slice(1) !== queue.key && choose(location.hash.slice(1)));
document.addEventListener("keydown", key);
document.addEventListener("click", (event) => {
  const act = event.target.closest("[data-act]")?.dataset.act;
  if (act) ACTS[act]();
});
grid.onTile((place, event) => {
  current = place;
  if (!event.shiftKey) anchor = place;
  point();
  if (event.detail === 2) open();
});
let typing = 0;
for (const name of FILTERS) {
  box(name).addEventListener("change", () => {
    box(name).blur(); // keys are for pictures again
    load({ resume: true }, "undecided");
  });
}
box("text").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => load({ resume: true }, "undecided"), 150);
});
box("filters").addEventListener("submit", (event) => event.preventDefault());
box("back").addEventListener("click", back);
box("on").addEventListener("click", forth);
begin().catch((error) => warn(error.message));
