// The map beside a site: shows where it is, and lets a person mark its place and draw its corners. What is
// drawn are the two fields of the form, which can be typed in as well. Works with mouse, finger, keyboard.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const [WIDE, HIGH] = [640, 480];
  const E6 = 1e6;

  const make = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const key of Object.keys(attributes)) element.setAttribute(key, attributes[key]);
    return element;
  };
  const parse = (text) => {
    const parts = text.split(/[,,]/).map((part) => Number(part.trim()));
    return parts.length === 2 && parts.every(Number.isFinite) && text.trim() ? parts : null;
  };
  const write = (point) => `${point[0].toFixed(6)},${point[1].toFixed(6)}`;
  const button = (text, label) => {
    const one = document.createElement("button");
    one.type = "button";
    one.className = "btn small";
    one.textContent = text;
    if (label) one.setAttribute("aria-label", label);
    return one;
  };

  function start(box) {
    const still = "still" in box.dataset;
    const field = (name) => document.getElementById(box.dataset[name]);
    const [positionField, outlineField] = still ? [null, null] : [field("position"), field("outline")];
    const read = () => {
      const lines = still ? box.dataset.drawn.trim().split(/\s+/) : outlineField.value.split("\n");
      const corners = lines.map(parse).filter(Boolean);
      return { at: parse(still ? box.dataset.at : positionField.value), corners };
    };
    let around = { shapes: [], sites: [], extent: null };
    let mode = "pan";
    // The middle of the picture in degrees, and degrees of longitude across it.
    let view = { lon: 112.9, lat: 27.8, span: 0.02 };
    let cursor = null;

    const svg = make("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "map", role: "img", tabindex: "0", "aria-label": box.dataset.label });
    const bar = document.createElement("div");
    bar.className = "map-moves";
    const note = document.createElement("p");
    note.className = "card-note muted";
    note.setAttribute("role", "status");

    const narrowing = () => Math.cos((view.lat * Math.PI) / 180);
    const tall = () => (view.span * narrowing() * HIGH) / WIDE;
    const toPixel = (point) => [
      ((point[0] - view.lon) / view.span + 0.5) * WIDE,
      ((view.lat - point[1]) / tall() + 0.5) * HIGH,
    ];
    const toDegrees = (x, y) => [view.lon + (x / WIDE - 0.5) * view.span, view.lat - (y / HIGH - 0.5) * tall()];
    const path = (rings) =>
      rings.map((ring) => "M" + ring.map((point) => toPixel(point).map((n) => n.toFixed(1)).join(" ")).join("L") + "Z").join("");

    function show(points) {
      const known = points.filter(Boolean);
      if (!known.length) return false;
      const lons = known.map((point) => point[0]);
      const lats = known.map((point) => point[1]);
      const middle = (list) => (Math.min(...list) + Math.max(...list)) / 2;
      view = { lon: middle(lons), lat: middle(lats), span: view.span };
      const across = Math.max(...lons) - Math.min(...lons);
      const down = ((Math.max(...lats) - Math.min(...lats)) * WIDE) / HIGH / narrowing();
      view.span = Math.max(across, down, 0.003) * 1.4;
      return true;
    }

    function mu(corners) {
      let twice = 0;
      corners.forEach((point, i) => {
        const next = corners[(i + 1) % corners.length];
        twice += point[0] * next[1] - next[0] * point[1];
      });
      const metres = 111195;
      return (Math.abs(twice) / 2) * metres * metres * narrowing() * 0.0015;
    }

    function draw() {
      const { at, corners } = read();
      svg.textContent = "";
      svg.append(make("rect", { width: WIDE, height: HIGH, class: "map-sky" }));
      for (const shape of around.shapes) {
        svg.append(make("path", { d: path(shape.rings), class: "map-ground" }));
      }
      for (const shape of around.shapes) {
        const ring = shape.rings[0] || [];
        if (!shape.name || !ring.length) continue;
        const [x, y] = toPixel([ring.reduce((sum, p) => sum + p[0], 0) / ring.length, ring.reduce((sum, p) => sum + p[1], 0) / ring.length]);
        const text = make("text", { x, y, class: "map-name" });
        text.textContent = shape.name;
        svg.append(text);
      }
      for (const site of around.sites) {
        if (site.outline.length) svg.append(make("path", { d: path([site.outline]), class: "map-other" }));
        const [x, y] = toPixel(site.at);
        const dot = make("circle", { cx: x, cy: y, r: 4, class: "map-other" });
        const title = make("title", {});
        title.textContent = site.name;
        dot.append(title);
        svg.append(dot);
      }
      if (corners.length) {
        svg.append(make("path", { d: path([corners]), class: "map-plot" }));
        if (!still) {
          corners.forEach((point) => {
            const [x, y] = toPixel(point);
            svg.append(make("circle", { cx: x, cy: y, r: 4, class: "map-corner" }));
          });
        }
      }
      if (at) {
        const [x, y] = toPixel(at);
        svg.append(make("path", { d: `M${x} ${y}c-4-9-9-12-9-18a9 9 0 1 1 18 0c0 6-5 9-9 18z`, class: "map-pin" }));
      }
      if (cursor) {
        const [x, y] = toPixel(cursor);
        svg.append(make("path", { d: `M${x - 12} ${y}h24M${x} ${y - 12}v24`, class: "map-cursor" }));
      }
      scale();
      if (!still) {
        note.textContent = corners.length > 2 ? box.dataset.size.replace("{mu}", mu(corners).toFixed(1)).replace("{n}", corners.length) : box.dataset.start;
      }
    }

    function scale() {
      const metresPerPixel = (tall() * 111195) / HIGH;
      const most = (metresPerPixel * WIDE) / 5;
      let metres = 10 ** Math.floor(Math.log10(most));
      for (const step of [5, 2]) {
        if (metres * step <= most) {
          metres *= step;
          break;
        }
      }
      const group = make("g", { class: "map-scale" });
      group.append(make("path", { d: `M16 ${HIGH - 24}v8h${metres / metresPerPixel}v-8` }));
      const text = make("text", { x: 22, y: HIGH - 28 });
      text.textContent = metres < 1000 ? `${metres} m` : `${metres / 1000} km`;
      group.append(text);
      svg.append(group);
    }

    function set(point) {
      if (mode === "point") positionField.value = write(point);
      else if (mode === "corners") {
        const kept = outlineField.value.trim();
        outlineField.value = (kept ? `${kept}\n` : "") + write(point);
      }
      draw();
    }

    function zoom(by, about) {
      const before = about || [view.lon, view.lat];
      const span = Math.min(Math.max(view.span * by, 0.0005), 8);
      const real = span / view.span;
      view = { lon: before[0] + (view.lon - before[0]) * real, lat: before[1] + (view.lat - before[1]) * real, span };
      draw();
      fetchSoon();
    }

    const inside = (event) => {
      const rect = svg.getBoundingClientRect();
      return [((event.clientX - rect.left) / rect.width) * WIDE, ((event.clientY - rect.top) / rect.height) * HIGH];
    };
    let held = null;
    svg.addEventListener("pointerdown", (event) => {
      const [x, y] = inside(event);
      held = { x, y, lon: view.lon, lat: view.lat, moved: false };
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!held) return;
      const [x, y] = inside(event);
      if (Math.hypot(x - held.x, y - held.y) > 6) held.moved = true;
      if (!held.moved) return;
      view.lon = held.lon - ((x - held.x) / WIDE) * view.span;
      view.lat = held.lat + ((y - held.y) / HIGH) * tall();
      draw();
    });
    svg.addEventListener("pointerup", (event) => {
      if (held && !held.moved && !still && mode !== "pan") set(toDegrees(...inside(event)));
      else if (held && held.moved) fetchSoon();
      held = null;
    });
    svg.addEventListener("pointercancel", () => (held = null));
    svg.addEventListener("wheel", (event) => {
      if (document.activeElement !== svg) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, toDegrees(...inside(event)));
    }, { passive: false });
    svg.addEventListener("keydown", (event) => {
      const step = view.span / 20;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
      if (moves[event.key]) {
        const from = cursor || [view.lon, view.lat];
        if (mode === "pan") (view.lon += moves[event.key][0]), (view.lat += moves[event.key][1]);
        else cursor = [from[0] + moves[event.key][0], from[1] + moves[event.key][1]];
      } else if (event.key === "+" || event.key === "=") return zoom(0.7);
      else if (event.key === "-") return zoom(1.4);
      else if (event.key === "Enter" && !still && mode !== "pan") set(cursor || [view.lon, view.lat]);
      else return;
      event.preventDefault();
      draw();
    });

    let asked = 0;
    function fetchSoon() {
      clearTimeout(asked);
      asked = setTimeout(() => look().then(draw).catch(() => {}), 300);
    }
    async function look() {
      const corner = (lon, lat) => write([lon, lat]);
      const part = `${corner(view.lon - view.span, view.lat - tall())},${corner(view.lon + view.span, view.lat + tall())}`;
      const answer = await fetch(`${box.dataset.around}?part=${part}`, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const found = await answer.json();
      const own = location.pathname.split("/")[2];
      around = {
        shapes: found.shapes.map((shape) => ({ name: shape.name, rings: shape.rings.map((ring) => ring.map(parse)) })),
        sites: found.sites.filter((site) => site.id !== own).map((site) => ({ name: site.name, at: parse(site.at), outline: site.outline.map(parse) })),
        extent: found.extent && found.extent.map(parse),
      };
    }

    const modes = {};
    if (!still) {
      for (const name of ["pan", "point", "corners"]) {
        modes[name] = button(box.dataset[name]);
        modes[name].addEventListener("click", () => choose(name));
        bar.append(modes[name]);
      }
      const undo = button(box.dataset.undo);
      undo.addEventListener("click", () => {
        outlineField.value = outlineField.value.trim().split("\n").slice(0, -1).join("\n");
        draw();
      });
      const clear = button(box.dataset.clear);
      clear.addEventListener("click", () => {
        outlineField.value = "";
        draw();
      });
      bar.append(undo, clear);
      if (navigator.geolocation && window.isSecureContext) {
        const here = button(box.dataset.here);
        here.addEventListener("click", () => {
          navigator.geolocation.getCurrentPosition(
            (found) => {
              const point = [found.coords.longitude, found.coords.latitude];
              positionField.value = write(point);
              show([point]);
              draw();
              fetchSoon();
            },
            () => (note.textContent = box.dataset.nowhere),
            { enableHighAccuracy: true, timeout: 20000 },
          );
        });
        bar.append(here);
      }
      positionField.addEventListener("change", draw);
      outlineField.addEventListener("change", draw);
    }
    const closer = button("+", box.dataset.in);
    const farther = button("−", box.dataset.out);
    closer.addEventListener("click", () => zoom(0.6));
    farther.addEventListener("click", () => zoom(1.6));
    bar.append(closer, farther);
    function choose(name) {
      mode = name;
      for (const key of Object.keys(modes)) modes[key].setAttribute("aria-pressed", String(key === name));
      svg.classList.toggle("marks", name !== "pan");
    }
    choose(still ? "pan" : "point");

    box.append(bar, svg, note);
    const { at, corners } = read();
    const placed = show([at].concat(corners));
    const begin = placed ? look() : fetch(box.dataset.around).then((answer) => answer.json()).then((found) => {
      const points = [].concat(...found.shapes.map((shape) => [].concat(...shape.rings))).map(parse);
      show(found.extent ? found.extent.map(parse) : points);
      return look();
    });
    draw();
    begin.then(draw).catch(() => {});
  }

  document.querySelectorAll("[data-picker]").forEach(start);
})();
