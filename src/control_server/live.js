
"use strict";
const by = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let frozen = false;
let caption = "The screen of the box";

// A new picture takes the old one's place only when it is decoded, so nothing flickers.
async function refreshPicture() {
  for (let number = 0; ; number += 1) {
    const began = performance.now();
    if (!frozen && !document.hidden) {
      const old = by("screen");
      const next = new Image();
      const width = Math.min(3840, Math.ceil(Math.max(old.clientWidth, 320) * devicePixelRatio / 160) * 160);
      next.src = `/screen.jpg?max_width=${width}&n=${number}`;
      try {
        await next.decode();
        if (!frozen) {
          next.id = "screen";
          next.alt = caption;
          old.replaceWith(next);
        }
      } catch {
        await pause(1000);
      }
    }
    await pause(Math.max(20, 200 - (performance.now() - began)));
  }
}

function duration(ms) {
  const s = Math.floor(ms / 1000);
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s % 60} s` : `${s} s`;
}

function figures(pairs) {
  const list = by("figures");
  if (list.childElementCount !== pairs.length) {
    list.replaceChildren(...pairs.map(() => {
      const cell = document.createElement("div");
      cell.append(document.createElement("dt"), document.createElement("dd"));
      return cell;
    }));
  }
  pairs.forEach(([name, value], index) => {
    const [term, text] = list.children[index].children;
    if (term.textContent !== name) term.textContent = name;
    if (text.textContent !== String(value)) text.textContent = value;
  });
}

function put(id, text) {
  if (by(id).textContent !== text) by(id).textContent = text;
}

function show(status) {
  const { display, item } = status;
  const title = item ? item.title || item.id : "Nothing is playing";
  put("name", status.name);
  put("state", status.state);
  by("state").className = `state ${status.state}`;
  put("title", title);
  put("where", [status.playlist && status.playlist.name, status.position].filter(Boolean).join(" · "));
  document.title = `${title} · ${status.name}`;
  caption = item ? `The screen of the box, showing ${title}` : "The screen of the box";
  by("screen").alt = caption;
  const count = (number) => number.toLocaleString("en").replaceAll(",", "\u2009");
  figures([
    ["Items shown", count(status.items_shown)],
    ["Replays", count(status.replays)],
    ["Reloads", count(status.reloads)],
    ["Rounds", count(status.rounds)],
    ["Display", `${display.kind} ${display.mode || "none"}`],
    [display.estimated ? "Presented (estimated)" : "Presented", count(display.presented)],
    ["Late", count(display.late)],
    ["Dropped", count(display.dropped)],
    ["Repeated", count(display.repeated)],
    ["Starved", count(display.starved)],
    ["Missed vblanks", count(display.missed_vblanks)],
    ["Up", duration(status.uptime_ms)],
  ]);
  by("faults").hidden = status.errors.length === 0;
  const lines = status.errors.map((error) => `${error.item}: ${error.message} (${error.kind}, ${error.count}×)`);
  if (by("errors").dataset.lines !== lines.join("\n")) {
    by("errors").dataset.lines = lines.join("\n");
    by("errors").replaceChildren(...lines.map((line) => {
      const entry = document.createElement("li");
      entry.textContent = line;
      return entry;
    }));
  }
}

async function refreshStatus() {
  for (;;) {
    try {
      const answer = await fetch("/v1/status", { signal: AbortSignal.timeout(6000) });
      if (!answer.ok) throw new Error(answer.status);
      show(await answer.json());
    } catch {
      put("state", "no answer from the box");
      by("state").className = "state away";
    }
    await pause(document.hidden ? 5000 : 500);
  }
}

function freeze() {
  frozen = !frozen;
  by("freeze").setAttribute("aria-pressed", String(frozen));
}

function full() {
  if (document.fullscreenElement) document.exitFullscreen();
  else by("stage").requestFullscreen();
}

by("freeze").addEventListener("click", freeze);
by("full").addEventListener("click", full);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "BUTTON") return;
  if (event.key === " ") { event.preventDefault(); freeze(); }
  if (event.key === "f") full();
});
refreshPicture();
refreshStatus();
