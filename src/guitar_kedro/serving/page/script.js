// Sends pictures as the form does without this script, one by one, and puts the answers of the server into the page.
"use strict";
const form = document.getElementById("ask");
const answers = document.getElementById("answers");
const AT_ONCE = 2, ATTEMPTS = 8;
const waiting = [];
let running = 0;

document.documentElement.classList.add("scripted");

function show(template, file, words) {
  const card = document.getElementById(template).content.firstElementChild.cloneNode(true);
  card.querySelector("h2").textContent = words.headline;
  card.querySelector(".remark").textContent = words.remark || "";
  const named = card.querySelector(".file");
  if (named) named.textContent = file.name || "";
  const picture = card.querySelector(".picture img");
  if (picture) {
    picture.src = URL.createObjectURL(file);
    picture.onload = picture.onerror = () => URL.revokeObjectURL(picture.src);
    picture.addEventListener("error", () => picture.remove());
  }
  return card;
}

function say(card) {
  const words = [...card.querySelectorAll(".words > :not(button)"), card.querySelector(".share")];
  document.getElementById("said").textContent = words.filter(Boolean).map((part) => part.textContent).join(". ");
}

function replace(old, card) {
  const had = old.contains(document.activeElement);
  old.replaceWith(card);
  if (had) card.focus();
  say(card);
}

function look(file) {
  const card = show("waiting", file, { headline: file.name || "The picture" });
  waiting.push({ file, card });
  return card;
}

async function work() {
  if (running >= AT_ONCE || !waiting.length) return;
  running += 1;
  const { file, card } = waiting.shift();
  replace(card, await ask(file).catch(() => failed(file)));
  running -= 1;
  work();
}

async function ask(file) {
  const limit = Number(form.dataset.maxBytes);
  if (file.size > limit - 2000) {
    const remark = `It has ${(file.size / 1e6).toFixed(0)} MB; ${(limit / 1e6).toFixed(0)} MB can be sent. Make it smaller, or take a screenshot of it.`;
    return trouble(file, { headline: "This picture is too large", remark });
  }
  const body = new FormData();
  body.append("pictures", file, file.name || "picture");
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(form.action, { method: "POST", body });
    if (response.status === 503 && attempt < ATTEMPTS) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((done) => setTimeout(done, 1000 * seconds * (0.5 + Math.random())));
      continue;
    }
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const answer = page.querySelector("article.answer");
    return answer ? document.importNode(answer, true) : failed(file, unanswered(response));
  }
}

function trouble(file, words, again) {
  const card = show("trouble", file, words);
  const button = card.querySelector(".again");
  if (again) button.addEventListener("click", again);
  else button.remove();
  return card;
}

const unanswered = ({ status }) =>
  ({ headline: "The service could not answer", remark: `It only said ${status}. Please try again in a while.` });

function failed(file, words = { headline: "The connection was lost", remark: "The picture is still here." }) {
  const card = trouble(file, words, () => {
    const next = look(file);
    card.replaceWith(next);
    next.focus();
    work();
  });
  return card;
}

function lookAtAll(files) {
  const cards = [...files].map(look);
  answers.prepend(...cards);
  for (const _ of cards) work();
  cards[0]?.scrollIntoView({ behavior: "smooth", block: "nearest" });
}

for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    lookAtAll(input.files);
    input.value = "";
  });
}

async function tryExample(button) {
  const name = button.getAttribute("aria-label");
  let words = { headline: "The connection was lost" };
  try {
    const response = await fetch(button.querySelector("img").src);
    if (response.ok) return lookAtAll([new File([await response.blob()], name, { type: "image/jpeg" })]);
    words = unanswered(response);
  } catch {}  // the words are those of a lost connection
  const card = trouble({ name }, words, () => {
    card.remove();
    answers.focus();
    tryExample(button);
  });
  answers.prepend(card);
}

form.addEventListener("submit", (event) => {
  const chosen = event.submitter;
  if (chosen?.name !== "example") return;
  event.preventDefault();
  tryExample(chosen);
});

document.addEventListener("paste", (event) => lookAtAll(event.clipboardData.files));

let inside = 0;
const over = (change) => {
  inside = Math.max(0, inside + change);
  document.body.classList.toggle("over", inside > 0);
};
document.addEventListener("dragenter", () => over(1));
document.addEventListener("dragleave", () => over(-1));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  over(-inside);
  lookAtAll(event.dataTransfer.files);
});
