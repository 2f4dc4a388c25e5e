// The one script of our own: live pages, the scanner, questions before grave acts, photos, small
// comforts. Every page works without it, but for photos.
"use strict";

const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const inField = (element) => element && element.matches("input, textarea, select, [contenteditable]");

// ---- htmx: every request proves that it comes from our page
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.body.dataset.token;
  if (token) event.detail.headers["X-Form-Token"] = token;
});

// ---- live: one connection while the window is in sight
const source = document.body.dataset.liveSource;
let stream = null;
let missed = false;

const concerned = (topic) =>
  $$("[data-live]").filter((element) => element.dataset.live.split(" ").includes(topic));

function settle(body, id) {
  fetch(`${body.dataset.liveRow}${encodeURIComponent(id)}/row`, { headers: { "HX-Request": "true" } })
    .then((answer) => (answer.ok ? answer.text() : ""))
    .then((html) => {
      if (!html.startsWith("<tr")) return;
      const template = document.createElement("template");
      template.innerHTML = html;
      const row = template.content.firstElementChild;
      const old = document.getElementById(row.id);
      if (old) old.replaceWith(row);
      else body.prepend(row);
      const max = Number(body.dataset.liveMax || 50);
      while (body.rows.length > max) body.lastElementChild.remove();
      const empty = body.closest(".card").querySelector(".empty");
      if (empty) empty.remove();
    })
    .catch(() => {});
}

// Parts that show what changed are taken from a fresh copy of the page; forms elsewhere stay as they are.
let waiting = 0;
const stale = new Set();
function renew(element) {
  if (!element.id) return;
  stale.add(element.id);
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const ids = Array.from(stale);
    stale.clear();
    fetch(location.pathname + location.search, { headers: { Accept: "text/html" } })
      .then((answer) => (answer.ok && !answer.redirected ? answer.text() : ""))
      .then((html) => {
        const fresh = new DOMParser().parseFromString(html, "text/html");
        for (const id of ids) {
          const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
          if (old && now && !old.contains(document.activeElement)) old.replaceWith(now);
        }
      })
      .catch(() => {});
  }, 500);
}

function hear(event) {
  const { topic, id } = JSON.parse(event.data);
  for (const element of concerned(topic)) {
    if (element.dataset.liveRow) settle(element, id);
    else if ("liveRenew" in element.dataset) renew(element);
    else if (window.htmx) window.htmx.trigger(element, "live");
  }
}

function refreshAll() {
  for (const element of $$("[data-live]")) {
    if (element.hasAttribute("hx-get") && window.htmx) window.htmx.trigger(element, "live");
    else renew(element);
  }
}

function listen() {
  if (!source || stream || document.hidden) return;
  stream = new EventSource(source);
  stream.addEventListener("change", hear);
  stream.addEventListener("reload", refreshAll);
  stream.onopen = () => {
    offline(false);
    if (missed) refreshAll();
    missed = false;
  };
  stream.onerror = () => {
    missed = true;
    setTimeout(() => offline(stream && stream.readyState !== EventSource.OPEN), 4000);
  };
}

function offline(is) {
  const note = document.querySelector(".offline");
  if (note) note.hidden = !is;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden && stream) {
    stream.close();
    stream = null;
    missed = true;
  } else listen();
});
window.addEventListener("pagehide", () => stream && stream.close());
listen();

// ---- the scanner types anywhere: what is typed outside a field belongs to the search box
document.addEventListener("keydown", (event) => {
  const box = document.getElementById("q");
  if (event.key === "Escape" && location.hash === "#menu") location.hash = "#main";
  if (!box || event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
  if (inField(document.activeElement) || event.key === " ") return;
  // The key itself is no text to search for.
  if (event.key === "/") event.preventDefault();
  box.value = "";
  box.focus();
});

// ---- a question before a grave act, and no second press; Chromium 80 does not tell which button was pressed
let pressedLast = null;
document.addEventListener("click", (event) => {
  pressedLast = event.target.closest("button");
}, true);
document.addEventListener("submit", (event) => {
  const form = event.target;
  const sending = form.querySelector("[data-photos]");
  if (sending && Number(sending.dataset.busy)) {
    event.preventDefault();
    photoNote(sending, sending.dataset.wait);
    return;
  }
  const dialog = document.getElementById("ask");
  if (form.dataset.ask && !form.dataset.sure && dialog && dialog.showModal) {
    event.preventDefault();
    const pressed = pressedLast && pressedLast.form === form ? pressedLast : null;
    dialog.querySelector("p").textContent = form.dataset.ask;
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (pressed && !form.dataset.sure) pressed.focus();
    };
    dialog.showModal();
    dialog.onclick = (click) => {
      const answer = click.target.value;
      if (answer === undefined) return;
      dialog.close();
      if (answer === "yes") {
        form.dataset.sure = "1";
        form.requestSubmit(pressed);
      }
    };
    return;
  }
  if (form.method === "post") {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 5000);
  }
});

// ---- copy, fill in, submit at once
document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = document.getElementById(copy.dataset.copy).textContent.trim();
    const done = () => {
      (copy.querySelector("span") || copy).textContent = copy.dataset.done;
    };
    if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(done);
    else {
      // Without TLS browsers keep the clipboard shut; a marked text can still be copied.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      if (document.execCommand("copy")) done();
      area.remove();
    }
  }
  const fill = event.target.closest("[data-fill]");
  if (fill) {
    const field = document.getElementById(fill.dataset.fill);
    field.value = fill.dataset.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

// ---- one line more where a form lists several alike; without this the form has a few empty ones
$$("[data-more]").forEach((button) => { button.hidden = false; });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-more]");
  if (!button) return;
  const lines = $$(`.${button.dataset.more}`, button.closest("fieldset"));
  const last = lines[lines.length - 1];
  if (!last || lines.length >= Number(button.dataset.max)) return;
  const line = last.cloneNode(true);
  for (const element of $$("*", line)) {
    for (const name of ["id", "name", "for"]) {
      const value = element.getAttribute(name);
      if (value) element.setAttribute(name, value.replace(/_\d+$/, `_${lines.length}`));
    }
    if (element.matches("input")) element.value = "";
  }
  last.after(line);
  line.querySelector("input").focus();
});

// ---- parts of the device form that fit the kind chosen
function fitDeviceForm() {
  for (const form of $$("[data-device-form]")) {
    const kind = form.elements.kind.value;
    for (const part of $$("[data-only]", form)) part.hidden = !part.dataset.only.split(" ").includes(kind);
  }
}
document.addEventListener("change", fitDeviceForm);
fitDeviceForm();

// ---- what waits for a printer is looked at again until it has ended
setInterval(() => {
  if (!document.hidden) $$("[data-poll]").forEach(renew);
}, 2000);

// ---- countdown
setInterval(() => {
  for (const clock of $$("[data-until]")) {
    const left = Math.floor((Date.parse(clock.dataset.until) - Date.now()) / 1000);
    if (left < 0) {
      clock.removeAttribute("data-until");
      const box = clock.closest("[hx-get]");
      if (box && window.htmx) window.htmx.trigger(box, "live");
    } else clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }
}, 1000);

// ---- photos: each is uploaded as soon as it is chosen, the form then sends only what it is called
const photosBefore = new WeakMap();

function photoNote(box, text) {
  box.querySelector(".note").textContent = text;
}

function photoItem(box, file, blob) {
  const item = document.createElement("li");
  const field = Object.assign(document.createElement("input"), { type: "hidden", name: "attachment" });
  field.value = JSON.stringify({ ...blob, name: file.name.slice(0, 128) });
  const shown = document.createElement(blob.kind === "pdf" ? "span" : "img");
  if (blob.kind === "pdf") Object.assign(shown, { className: "file", textContent: `PDF ${file.name}` });
  else Object.assign(shown, { src: `${box.dataset.photos}/${blob.hash}`, alt: file.name, width: 96, height: 96 });
  const remove = Object.assign(document.createElement("button"), { type: "button", className: "remove", textContent: "×" });
  remove.setAttribute("aria-label", `${box.dataset.remove} ${file.name}`);
  item.append(field, shown, remove);
  return item;
}

async function sendPhoto(box, file) {
  const answer = await fetch(box.dataset.photos, {
    method: "POST",
    headers: { "X-Form-Token": document.body.dataset.token, "Content-Type": "application/octet-stream", Accept: "application/json" },
    body: file,
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok || !told.hash) throw new Error(told.detail || box.dataset.failed);
  return told;
}

async function sendPhotos(box, files) {
  const list = box.querySelector(".thumbs");
  let fault = "";
  for (const file of files) {
    if (list.children.length >= Number(box.dataset.max)) {
      fault = box.dataset.full;
      break;
    }
    photoNote(box, `${box.dataset.sending} ${file.name}`);
    try {
      const blob = await sendPhoto(box, file);
      const known = $$("input", list).some((field) => JSON.parse(field.value).hash === blob.hash);
      if (!known) list.append(photoItem(box, file, blob));
    } catch (error) {
      fault = `${file.name}: ${error instanceof TypeError ? box.dataset.failed : error.message}`;
    }
  }
  photoNote(box, fault);
  box.dataset.busy = String(Number(box.dataset.busy) - 1);
}

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-photos]");
  if (box && event.target.type === "file" && event.target.files.length) {
    const files = Array.from(event.target.files);
    event.target.value = "";
    box.dataset.busy = String(Number(box.dataset.busy || 0) + 1);
    // One after the other: what one choice has to say is not wiped out by the end of another.
    const before = photosBefore.get(box) || Promise.resolve();
    photosBefore.set(box, before.then(() => sendPhotos(box, files)));
  }
});
document.addEventListener("click", (event) => {
  const remove = event.target.closest("[data-photos] .remove");
  if (remove) remove.closest("li").remove();
});

// ---- several rows at once
for (const all of $$("[data-tick-all]")) {
  const form = all.closest("form");
  const box = all.querySelector("input");
  const note = form.querySelector("[data-tick-count]");
  const boxes = $$("input[name=operator]", form);
  const tell = () => {
    const ticked = boxes.filter((one) => one.checked).length;
    box.checked = ticked === boxes.length;
    // Stays in sight while there is something to decide.
    note.closest(".bulk-bar").classList.toggle("on", ticked > 0);
    box.indeterminate = ticked > 0 && !box.checked;
    note.textContent = ticked ? `${note.dataset.tickCount} ${ticked}` : "";
  };
  all.hidden = false;
  box.addEventListener("change", () => {
    for (const one of boxes) one.checked = box.checked;
  });
  form.addEventListener("change", tell);
  tell();
}

// ---- faults first
const fault = document.querySelector("[data-focus]");
if (fault) fault.focus();

// ---- printing
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// ---- a long form that nobody is signed in for keeps what was typed on this phone until it was sent
for (const form of $$("form[data-draft]")) {
  const key = "draft/" + form.dataset.draft;
  const fields = () => [...form.elements].filter((one) => one.name && !["hidden", "password", "submit"].includes(one.type));
  try {
    const draft = JSON.parse(localStorage.getItem(key) || "{}");
    const blank = fields().every((one) => !one.value);
    for (const one of fields()) if (blank && draft[one.name]) one.value = draft[one.name];
    form.addEventListener("input", () => {
      localStorage.setItem(key, JSON.stringify(Object.fromEntries(fields().map((one) => [one.name, one.value]))));
    });
  } catch (error) {
    // A browser that keeps nothing: then nothing is kept.
  }
}
if (document.body.dataset.token) try { localStorage.removeItem("draft/apply"); } catch (error) { /* as above */ }
