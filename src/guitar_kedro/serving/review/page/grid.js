// Pictures as tiles, and which of them are chosen.
"use strict";
const grid = document.getElementById("grid");
const WORDS = { keep: "kept", drop: "dropped" };

// says 0 or 100 only where nothing else is meant
export const percent = (share) => {
  if (share === null) return "";
  const tenths = Math.round(1000 * share);
  const written = share > 0 && tenths === 0 ? "<0.1" : share < 1 && tenths === 1000 ? ">99.9" : (tenths / 10).toFixed(1);
  return `${written}\u00a0%`;
};

export function draw(items, names) {
  grid.replaceChildren(...items.map((item, place) => tile(item, place, items, names)));
}

function tile(item, place, items, names) {
  const made = document.getElementById("tile").content.firstElementChild.cloneNode(true);
  const image = made.querySelector("img");
  made.dataset.place = place;
  made.classList.toggle("begins", item.group !== null && item.group !== items[place - 1]?.group);
  made.classList.toggle("unread", !item.image);
  if (item.image) image.src = `/thumbnail/${item.image}.jpg`;
  image.alt = item.file;
  made.title = item.file;
  made.querySelector(".label").textContent = names[item.label] || item.label || nameOf(item.file);
  made.querySelector(".guess").textContent = guess(item, names);
  mark(made, item, names);
  return made;
}

export function guess(item, names) {
  if (item.suggested) return `→ ${names[item.suggested] || item.suggested} ${percent(item.probability)}`;
  return item.remark || (item.of_label === null ? item.part : `${percent(item.of_label)} · ${item.part}`);
}

export const withCommands = (sentence) => // which stand between backticks
  sentence.split("`").map((part, number) => (number % 2 ? Object.assign(document.createElement("code"), { textContent: part }) : part));

export const nameOf = (file) => file.replace(/^unlabelled:[0-9a-f]+\//, "");

export function decided({ decision, label }, names) {
  if (!decision) return "";
  return decision.action === "relabel" || (decision.action === "keep" && !label) ? names[decision.label] || decision.label : WORDS[decision.action];
}

function mark(made, item, names) {
  made.dataset.action = item.decision?.action || "";
  made.querySelector(".badge").textContent = decided(item, names);
}

export function redraw(place, item, names) {
  if (grid.children[place]) mark(grid.children[place], item, names);
}

export function choose(from, to, current) {
  for (const [place, made] of [...grid.children].entries()) {
    made.classList.toggle("chosen", place >= from && place <= to && from !== to);
    made.classList.toggle("current", place === current);
    made.toggleAttribute("aria-current", place === current);
  }
  grid.children[current]?.scrollIntoView({ block: "nearest" });
}

export function columns() {
  const tops = [...grid.children].map((made) => made.offsetTop);
  return Math.max(1, tops.filter((top) => top === tops[0]).length);
}

export function onTile(listener) {
  grid.addEventListener("click", (event) => {
    const made = event.target.closest(".tile");
    if (made) listener(Number(made.dataset.place), event);
  });
}
