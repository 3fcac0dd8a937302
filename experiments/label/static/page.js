"use strict";
// What the keys do, and how a part of the page takes the place of the one before it. All markup comes from the server.

const POLL_MS = 2000; // between two looks at what another tab has done
const SETTLE_MS = 400; // a question that came by itself is not answered by a key meant for the one before it
const LATE_MS = 150; // after which one sees that the model is being fitted
const SAID_MS = 6000; // that a line stays
const MOST_MATCHES = 8;

const byId = (id) => document.getElementById(id);
let busy = false; // an answer is on its way
let settled = 0; // when the question may be answered

let fading;
function say(text, wrong) {
  clearTimeout(fading);
  if (text && !wrong) fading = setTimeout(say, SAID_MS, "");
  byId("said").textContent = text;
  byId("said").classList.toggle("trouble", Boolean(wrong));
}

function show(html, own) {
  const made = new DOMParser().parseFromString(html, "text/html");
  const asked = byId("question"), next = made.getElementById("question");
  const scrolled = byId("counts").scrollTop;
  const same = asked.dataset.row === next.dataset.row && !own;
  const focused = document.activeElement && asked.contains(document.activeElement) ? document.activeElement.id : "";
  if (!same) asked.replaceWith(next);
  for (const id of ["classes", "progress"]) byId(id).replaceWith(made.getElementById(id));
  if (scrolled) byId("counts").scrollTop = scrolled; // lays the page out, so once and last
  if (same) {
    asked.dataset.version = next.dataset.version;
    byId("undo").disabled = made.getElementById("undo").disabled;
    return;
  }
  (["undo", "skip"].includes(focused) ? byId(focused) || byId("ask") : byId("ask")).focus({ preventScroll: true });
  if (own) say(next.dataset.said, "wrong" in next.dataset);
  else {
    settled = performance.now() + SETTLE_MS;
    say("Another tab has answered; this is the next question.");
  }
  if (own) window.scrollTo(0, 0);
}

async function send(what, name) {
  if (busy || performance.now() < settled) return;
  busy = true;
  const late = setTimeout(() => document.body.classList.add("late"), LATE_MS);
  try {
    const body = new URLSearchParams({ row: byId("question").dataset.row, name: name || "" });
    const reply = await fetch(what, { method: "POST", body });
    if ([200, 409, 507].includes(reply.status)) show(await reply.text(), true);
    else say(`The answer was not taken (${reply.status}): open the address that the command printed last.`, true);
  } catch {
    say("The command does not answer. What was answered before is kept: start it again and open its new address.", true);
  } finally {
    clearTimeout(late);
    document.body.classList.remove("late");
    busy = false;
  }
}

async function look() {
  if (busy || document.hidden) return;
  try {
    const reply = await fetch(`part?version=${byId("question").dataset.version}`);
    if (reply.status === 200 && !busy) show(await reply.text(), false);
  } catch {
    say("The command does not answer. What was answered before is kept: start it again and open its new address.", true);
  }
}

// The box that finds a class: as one types, the best matches; the last entry makes a new class of what was typed.

const plain = (text) => text.toLowerCase().replace(/[\s_-]+/g, " ").trim();

function matches(typed) {
  const wanted = plain(typed);
  const names = [...document.querySelectorAll("#counts [data-name]")].map((item) => item.dataset.name);
  const rank = (name) => {
    const place = plain(name).indexOf(wanted);
    return place < 0 ? 3 : place === 0 ? 0 : plain(name)[place - 1] === " " ? 1 : 2;
  };
  const found = names.filter((name) => rank(name) < 3).sort((a, b) => rank(a) - rank(b));
  return { found: found.slice(0, MOST_MATCHES), left: found.length - MOST_MATCHES, known: names.some((name) => plain(name) === wanted) };
}

function entry(what, name, text) {
  const made = document.createElement("li");
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", "false");
  Object.assign(made.dataset, { do: what, name });
  made.textContent = text;
  return made;
}

function find() {
  const typed = byId("search").value.trim(), list = byId("matches");
  list.replaceChildren();
  if (typed) {
    const { found, left, known } = matches(typed);
    list.append(...found.map((name) => entry("answer", name, name)));
    if (left > 0) list.append(entry("", "", `and ${left} more`));
    if (!known) list.append(entry("class", typed, `New class “${typed}”${found.length ? "" : ": ↓ and Enter"}`));
    [...list.children].forEach((item, place) => (item.id = `match-${place}`));
  }
  list.hidden = !typed;
  choose(typed && list.firstChild.dataset.do === "answer" ? list.firstChild : null);
  byId("search").setAttribute("aria-expanded", String(Boolean(typed)));
}

function choose(item) {
  for (const other of byId("matches").children) other.setAttribute("aria-selected", String(other === item));
  if (item) {
    byId("search").setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  } else byId("search").removeAttribute("aria-activedescendant");
}

function leave() {
  byId("search").value = "";
  find();
  byId("ask").focus({ preventScroll: true });
}

function searchKey(event) {
  const items = [...byId("matches").children].filter((item) => item.dataset.do);
  const chosen = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const step = event.key === "ArrowDown" ? 1 : -1;
    if (items.length) choose(items[(chosen + step + items.length + (chosen < 0 && step < 0)) % items.length]);
  } else if (event.key === "Enter") {
    if (chosen >= 0) send(items[chosen].dataset.do, items[chosen].dataset.name);
  } else if (event.key === "Escape") leave();
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || byId("help").open) return;
  if (event.target.id === "search") return searchKey(event);
  const key = event.key.toLowerCase();
  const button = { s: "skip", u: "undo", "?": "keys" }[key] || (/^[1-9]$/.test(key) ? `answer-${key}` : "");
  if (key === "/" && byId("search")) byId("search").focus();
  else if (button && byId(button)) byId(button).click();
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-do]");
  if (!pressed || event.detail > 1) return; // the second half of a double click is for no other question
  if (pressed.dataset.do === "help") byId("help").showModal();
  else if (pressed.dataset.do) send(pressed.dataset.do, pressed.dataset.name);
});

document.addEventListener("input", (event) => event.target.id === "search" && find());
document.addEventListener("visibilitychange", look);
setInterval(look, POLL_MS);
