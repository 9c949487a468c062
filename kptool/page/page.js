"use strict";
(() => {
  const { data, at, make, draw, fill, browse } = shell;
  const [width, height] = data.size;
  const digits = data.unit === "%" ? 2 : 3;
  const amount = (value, places = digits, unit = data.unit) => (value === null ? "–" : `${value.toFixed(places)} ${unit}`);

  // ---- points over a picture: coordinates are of pixel centres, so the picture begins at -0.5 ----
  const frame = `-0.5 -0.5 ${width} ${height}`;
  const place = (list, k) => (list[2 * k] === null || list[2 * k + 1] === null ? null : [list[2 * k], list[2 * k + 1]]);
  const ring = ([x, y], r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
  const cross = ([x, y], r) => `M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}`;
  const overlay = (face, points, size, see, faint = "") => {
    const parts = { join: "", truth: "", answer: "", circle: "" };
    for (const k of points) {
      const truth = place(face.truth, k);
      const answer = place(face.answer, k);
      if (truth) parts.truth += ring(truth, size);
      if (answer && (truth || see.all)) parts.answer += cross(answer, size * 0.85);
      if (truth && answer) parts.join += `M${truth[0]} ${truth[1]}L${answer[0]} ${answer[1]}`;
      if (answer && see.circle && data.radii[k] > 0) parts.circle += ring(answer, data.radii[k]);
    }
    const group = draw("g", faint ? { class: faint } : {});
    const shown = ["join", "truth", "answer", "circle"].filter((name) => parts[name] && see[name]);
    const over = shown.map((name) => parts[name]).join("");
    if (over) group.append(draw("path", { class: "halo", d: over }));
    for (const name of shown) group.append(draw("path", { class: name, d: parts[name] }));
    return group;
  };
  const every = data.points.map((_, k) => k);
  const reach = Math.max(width, height);
  // Marks as large as the faces allow: of many points on a small face they must not hide it.
  const extent = (list) => {
    const spots = every.map((k) => place(list, k)).filter(Boolean);
    const span = (axis) => Math.max(...spots.map((spot) => spot[axis])) - Math.min(...spots.map((spot) => spot[axis]));
    return spots.length > 1 ? Math.max(span(0), span(1)) : reach;
  };
  const extents = data.faces.map((face) => extent(face.truth)).sort((a, b) => a - b);
  const usual = extents[Math.floor(extents.length / 2)] || reach;
  const dot = Math.min(reach * 0.019, usual * (every.length > 30 ? 0.0145 : 0.032));

  // ---- which faces, in which order ----
  const figures = {
    error: (face) => face.error,
    fold: (face) => face.fold,
    scheme: (face) => face.scheme,
  };
  const measure = (key) => figures[key] || ((face) => face.away[Number(key.slice(6))]);

  // ---- the gallery ----
  const gallery = at("gallery");
  const shownError = (face) => {
    const key = at("sort").value;
    return key.startsWith("point:") ? amount(measure(key)(face), 2, "px") : amount(face.error);
  };
  const card = (face) => {
    const picture = make("span", { class: "picture" });
    picture.style.aspectRatio = `${width} / ${height}`;
    if (face.picture) picture.append(make("img", { src: face.picture, alt: "", width, height, decoding: "async" }));
    const svg = draw("svg", { viewBox: frame, "aria-hidden": "true" });
    svg.append(overlay(face, every, dot * 1.15, { join: true, truth: true, answer: true }));
    picture.append(svg);
    const label = `${face.id}: ${data.metric} ${amount(face.error)}, fold ${face.fold}, ${data.schemes[face.scheme]}`;
    return [label, face.id, picture, make("span", { class: "caption" }, make("b", {}, shownError(face)), make("bdi", {}, face.id))];
  };
  gallery.classList.toggle("dense", data.points.length > 30);

  // ---- one face, large ----
  const stage = at("stage");
  const checks = ["truth", "answer", "join", "names", "radius"];
  let sheet = null; // the face's maps
  let touched = false;
  const chosen = () => (at("point").value === "" ? null : Number(at("point").value));
  const paintHeat = () => {
    const canvas = stage.querySelector("canvas");
    if (!canvas || !sheet) return;
    const { width: w, height: h, columns, count } = data.looks;
    const sketch = make("canvas", { width: sheet.naturalWidth, height: sheet.naturalHeight }).getContext("2d", { willReadFrequently: true });
    sketch.drawImage(sheet, 0, 0);
    const tile = (k) => sketch.getImageData((k % columns) * w, Math.floor(k / columns) * h, w, h).data;
    const one = chosen();
    const tiles = count > 1 ? (one === null ? every : [one]).map(tile) : [tile(0)];
    const made = new ImageData(w, h);
    for (let n = 0; n < w * h; n += 1) {
      const value = Math.max(...tiles.map((pixels) => pixels[4 * n])) / 255;
      // Violet, orange, yellow: lightness alone tells them apart.
      made.data.set([90 + 165 * Math.min(1, 1.6 * value), 230 * Math.max(0, value - 0.25) * 1.33, 140 * (1 - value), 235 * value], 4 * n);
    }
    canvas.width = w;
    canvas.height = h;
    canvas.getContext("2d").putImageData(made, 0, 0);
    canvas.style.opacity = at("heat").value / 100;
  };
  // A name goes to the first side of its point where it covers no other name; where there is none, the table has it.
  const label = (svg, face, points) => {
    const size = reach * 0.024;
    const taken = [];
    for (const k of points) {
      const spot = place(face.truth, k) || (points.length === 1 ? place(face.answer, k) : null);
      if (!spot) continue;
      const [x, y] = spot;
      const long = data.points[k].length * size * 0.56;
      const gap = 1.4 * dot;
      const sides = [[x + gap, y + size / 3], [x - gap - long, y + size / 3], [x - long / 2, y - gap], [x - long / 2, y + gap + size], [x + gap, y - gap], [x + gap, y + gap + size / 2], [x - gap - long, y - gap], [x - gap - long, y + gap + size / 2]];
      const free = ([left, base]) => left >= 0 && left + long <= width && base >= size && base <= height &&
        taken.every(([l, b, w]) => left > l + w || left + long < l || Math.abs(base - b) > size);
      const side = sides.find(free);
      if (!side && points.length > 1) continue;
      const [left, base] = side || [Math.max(0, Math.min(x + gap, width - long)), Math.max(size, y - gap)];
      taken.push([left, base, long]);
      const text = draw("text", { class: "name", x: left, y: base, "font-size": size, "stroke-width": size / 4 });
      text.textContent = data.points[k];
      svg.append(text);
    }
  };
  const paint = () => {
    const face = browser.current();
    const see = Object.fromEntries(checks.map((name) => [name, at(`see-${name}`).checked]));
    Object.assign(see, { circle: see.radius });
    const one = chosen();
    const svg = stage.querySelector("svg");
    svg.replaceChildren();
    for (const [a, b] of data.edges) {
      const [from, to] = [place(face.answer, a), place(face.answer, b)];
      if (from && to && see.answer) svg.append(draw("path", { class: "join faint", d: `M${from}L${to}` }));
    }
    const others = one === null ? every : every.filter((k) => k !== one);
    svg.append(overlay(face, others, dot * 0.75, { ...see, circle: see.circle && one === null }, one === null ? "" : "faint"));
    if (one !== null) svg.append(overlay(face, [one], dot, { ...see, all: true }));
    label(svg, face, one === null ? (see.names ? every : []) : [one]);
    for (const row of at("errors").tBodies[0].rows) row.setAttribute("aria-current", String(Number(row.dataset.point) === one));
    paintHeat();
  };
  // Who asks for one point wants to see where it was looked for, unless the map was set by hand.
  const choose = () => {
    if (!touched && sheet) at("heat").value = chosen() === null ? 0 : 65;
    paint();
  };
  const errors = (face) => {
    const known = every.filter((k) => face.away[k] !== null).sort((a, b) => face.away[b] - face.away[a]);
    const most = known.length ? face.away[known[0]] : 0;
    const rows = known.map((k) => {
      const bar = draw("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
      bar.append(draw("rect", { width: most > 0 ? (100 * face.away[k]) / most : 0, height: 10 }));
      const row = make("tr", { "data-point": k }, make("th", { scope: "row" }, make("bdi", {}, data.points[k])),
        make("td", { class: "n" }, face.away[k].toFixed(2)), make("td", {}, bar));
      row.addEventListener("click", () => {
        at("point").value = chosen() === k ? "" : String(k);
        choose();
      });
      return row;
    });
    at("errors").tBodies[0].replaceChildren(...rows);
  };
  const fit = () => {
    const most = Math.min(0.86 * innerHeight, innerWidth < 768 ? 0.5 * innerHeight : Infinity);
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.maxWidth = `${(most * width) / height}px`;
  };
  const turned = (face, place) => {
    const why = [...face.kinds].sort().map((kind) => data.kinds[kind]).join(", ");
    at("large-facts").textContent = [`${data.metric} ${amount(face.error)}`, `fold ${face.fold}`, data.schemes[face.scheme], why,
      place].filter(Boolean).join(" · ");
    stage.replaceChildren();
    if (face.picture) stage.append(make("img", { src: face.picture, alt: `What the model saw of ${face.id}` }));
    sheet = null;
    at("heat-box").hidden = !face.maps;
    if (face.maps) {
      stage.append(make("canvas", { "aria-hidden": "true" }));
      const loading = make("img", { src: face.maps, alt: "" });
      loading.decode().then(() => {
        if (browser.current() !== face) return;
        sheet = loading;
        paintHeat();
      });
    }
    stage.append(draw("svg", { viewBox: frame, role: "img", "aria-label": "Labels as rings, answers as crosses; the errors are in the table" }));
    errors(face);
    fit();
    paint();
  };
  for (const name of checks) at(`see-${name}`).addEventListener("change", paint);
  at("point").addEventListener("change", choose);
  at("heat").addEventListener("input", () => {
    touched = true;
    paintHeat();
  });
  addEventListener("resize", fit);

  // ---- begin ----
  const browser = browse({
    items: data.faces,
    thing: "face",
    value: (key, face) => measure(key)(face),
    filters: {
      fold: (face, fold) => face.fold === Number(fold),
      scheme: (face, scheme) => face.scheme === Number(scheme),
      kind: (face, kind) => face.kinds.includes(Number(kind)),
    },
    rising: ["id", "fold", "scheme"],
    card,
    turned,
  });
  const points = data.points.map((name, k) => [String(k), name]);
  fill(at("sort"), [["error", `${data.metric}, all points`], ...points.map(([k, name]) => [`point:${k}`, name]), ["id", "id"], ["fold", "fold"], ["scheme", "scheme"]]);
  const folds = [...new Set(data.faces.map((face) => face.fold))].sort((a, b) => a - b);
  fill(at("fold"), [["", "all"], ...folds.map((fold) => [String(fold), `fold ${fold}`])]);
  fill(at("scheme"), [["", "all"], ...data.schemes.map((name, s) => [String(s), name])]);
  fill(at("kind"), [["", "all"], ...data.kinds.map((name, kind) => [String(kind), name])]);
  at("scheme").parentElement.hidden = data.schemes.length < 2;
  at("kind").parentElement.hidden = !data.faces.some((face) => face.kinds.length);
  fill(at("point"), [["", "all points"], ...points]);
  at("see-names").checked = data.points.length <= 20;
  at("see-radius-box").hidden = !data.radii.some((radius) => radius > 0);
  at("radius-name").textContent = data.level === null ? "" : `${Math.round(100 * data.level)} % radius`;
  if (data.looks) at("heat-name").textContent = data.looks.kind === "heat" ? "Heat map" : "Gradient map";
  at("controls").hidden = false;
  browser.show();
})();
