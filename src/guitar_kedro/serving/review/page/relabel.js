// Chooses a class by the letters that are typed.
"use strict";
const dialog = document.getElementById("relabel");
const search = document.getElementById("search");
const options = document.getElementById("options");
const SHOWN = 12;
let classes = [], found = [], current = 0, done = () => {};

export const isOpen = () => dialog.open;

export function ask(all, likely) {
  classes = [...all].sort((a, b) => (b.label === likely) - (a.label === likely));
  search.value = "";
  list();
  dialog.showModal();
  return new Promise((resolve) => (done = resolve));
}

function list() {
  const typed = search.value.trim().toLowerCase();
  const place = ({ name, label }) => {
    const at = name.toLowerCase().indexOf(typed);
    return at < 0 ? (label.toLowerCase().includes(typed) ? 1000 : -1) : at && name[at - 1] === " " ? 0.5 : at;
  };
  found = classes.map((each) => [place(each), each]).filter(([at]) => at >= 0);
  found = (typed ? found.sort(([a], [b]) => a - b) : found).slice(0, SHOWN).map(([, each]) => each);
  current = 0;
  options.replaceChildren(...found.map(({ label, name }) => {
    const row = document.createElement("li");
    row.textContent = name;
    row.id = `option-${label}`;
    row.setAttribute("role", "option");
    row.addEventListener("click", () => finish(label));
    return row;
  }));
  point();
}

function point() {
  [...options.children].forEach((row, number) => row.setAttribute("aria-selected", number === current));
  search.setAttribute("aria-activedescendant", options.children[current]?.id || "");
  options.children[current]?.scrollIntoView({ block: "nearest" });
}

function finish(label) {
  const tell = done;
  done = () => {};
  dialog.close();
  tell(label);
}

search.addEventListener("input", list);
search.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && found.length) current = (current + step + found.length) % found.length;
  else if (event.key === "Enter" && found.length) finish(found[current].label);
  else if (event.key !== "Enter") return;
  event.preventDefault();
  point();
});
dialog.addEventListener("close", () => finish(null));
