// One picture, large, with what is known of it and those that look most alike.
"use strict";
import { decided, nameOf, percent, withCommands } from "./grid.js";

const box = (id) => document.getElementById(id);
const dialog = box("single"), figure = box("figure"), large = box("large"), actions = box("actions");
const ZOOM = 3;
const PAUSE = 250; // ms: whoever goes on faster asks for no maps
const SVG = "http://www.w3.org/2000/svg";
let shown = null;

export const isOpen = () => dialog.open;

export async function show(item, names) {
  if (!dialog.open) dialog.showModal();
  dialog.append(actions); // a modal dialog lies over everything else
  const isNew = shown?.file !== item.file;
  shown = item;
  box("decision").textContent = decided(item, names) || "not looked at yet";
  dialog.dataset.action = item.decision?.action || "";
  if (!isNew) return;
  zoom(false);
  large.hidden = !item.image;
  if (item.image) large.src = `/picture/${item.image}.jpg`;
  large.alt = item.file;
  box("name").textContent = names[item.label] || item.label || (item.part === "unlabelled" ? "No class yet" : "No class");
  box("remark").textContent = item.remark;
  box("file").textContent = nameOf(item.file);
  box("likeliest").replaceChildren();
  box("neighbours").replaceChildren();
  box("looks").hidden = !item.image;
  box("maps").replaceChildren();
  box("looked").textContent = "";
  const response = await fetch(`/detail?${new URLSearchParams({ file: item.file })}`);
  if (!response.ok) return;
  const { size, likeliest, neighbours } = await response.json();
  if (shown?.file !== item.file) return; // another one is shown meanwhile
  box("file").textContent = [nameOf(item.file), size[0] ? `${size[0]} × ${size[1]} px` : "", item.part].filter(Boolean).join(" · ");
  box("likeliest").replaceChildren(...likeliest.map((each) => share(each, item, names)));
  box("neighbours").replaceChildren(...neighbours.map((each) => alike(each, names)));
  if (item.image) setTimeout(() => shown?.file === item.file && look(item, size, names), PAUSE);
}

async function look(item, size, names) {
  box("looked").textContent = "The maps are computed; the first ones take some seconds.";
  const response = await fetch(`/looks?${new URLSearchParams({ file: item.file })}`).catch(() => null);
  if (shown?.file !== item.file) return;
  if (!response?.ok) return (box("looked").textContent = "There are no maps: the server gave no answer.");
  const found = await response.json();
  if (shown?.file !== item.file) return;
  box("maps").replaceChildren(...found.looks.map((each) => map(each, item, size, found.box, names)));
  const about = `Grad-CAM, one scale for all maps.${item.part === "train" ? " The model was trained on this picture." : ""}`;
  box("looked").replaceChildren(...withCommands(found.missing || about));
}

function map({ label, map: png, place }, item, [width, height], [x, y, across, down], names) {
  const part = document.createElement("div"), words = document.createElement("p"), name = document.createElement("b");
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(
    element("image", { href: `/picture/${item.image}.jpg`, width, height }),
    element("image", { href: png, x, y, width: across, height: down, preserveAspectRatio: "none" }),
  );
  name.textContent = names[label] || label;
  words.append(name, ` ${place}`);
  svg.setAttribute("aria-label", words.textContent);
  part.append(svg, words);
  return part;
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function share({ label, probability }, item, names) {
  const row = document.createElement("li"), name = document.createElement("span"), bar = document.createElement("progress");
  name.textContent = names[label] || label;
  row.classList.toggle("own", label === item.label);
  bar.value = probability;
  row.append(name, percent(probability), bar);
  return row;
}

function alike({ label, pictures }, names) {
  const part = document.createElement("section"), title = document.createElement("h3"), row = document.createElement("div");
  title.textContent = `Most alike among ${names[label] || label}`;
  row.className = "alike";
  row.append(...pictures.map(({ file, image }) => Object.assign(new Image(), { src: `/thumbnail/${image}.jpg`, alt: file, title: file })));
  part.append(title, row);
  return part;
}

export function close() {
  dialog.close();
}

dialog.addEventListener("close", () => {
  shown = null;
  document.body.append(actions);
});

export function zoom(on = !figure.classList.contains("zoomed"), x = 0.5, y = 0.5) {
  figure.classList.toggle("zoomed", on);
  large.style.transformOrigin = `${100 * x}% ${100 * y}%`;
  large.style.transform = on ? `scale(${ZOOM})` : "";
}

function place(event) {
  const { left, top, width, height } = figure.getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / height];
}

figure.addEventListener("click", (event) => zoom(undefined, ...place(event)));
figure.addEventListener("pointermove", (event) => figure.classList.contains("zoomed") && zoom(true, ...place(event)));
