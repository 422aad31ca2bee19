// Enhances the page. All forms work without the script as well.
"use strict";

const said = document.getElementById("said");

// Submits forms in place, and keeps the keyboard focus.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  const focused = document.activeElement?.id;
  const buttons = document.querySelectorAll("button");
  buttons.forEach((button) => (button.disabled = true));
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { accept: "text/html" },
      body: new URLSearchParams(new FormData(form)),
    });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.title = page.title;
    const next = document.getElementById(focused) ?? document.querySelector("main input, main a, main button");
    next?.focus();
    said.textContent = response.ok ? "Done." : document.querySelector("main h2").textContent;
    arrived = performance.now();
    count();
  } catch {
    said.textContent = "The shop does not respond.";
    buttons.forEach((button) => (button.disabled = false));
  }
});

// Counts down to the ends of values, by the clock of the server, whose time the page contains.
let arrived = performance.now();

function count() {
  const main = document.querySelector("main");
  const now = Date.parse(main.dataset.now) + performance.now() - arrived;
  for (const time of main.querySelectorAll("time[data-ends]")) {
    time.textContent = until(Math.floor((Date.parse(time.dateTime) - now) / 1000));
  }
}

// Formats durations as the server does.
function until(seconds) {
  if (seconds <= 0) return "now";
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const texts = parts.map((part, index) => (part ? `${part} ${["h", "min", "s"][index]}` : ""));
  return `in ${texts.filter(Boolean).slice(0, 2).join(" ")}`;
}

setInterval(count, 1000);
