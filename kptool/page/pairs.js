(() => {
  const { data, at, make, draw, fill, browse } = shell;
  const [width, height] = data.size;
  const who = (same) => (same ? "same" : "different");
  const sure = (pair) => (pair.confidence === null ? "" : `${(100 * pair.confidence).toFixed(1)} %`);
  const right = (pair) => pair.same === pair.answer;
  const verdict = (pair) => (right(pair) ? "right" : `is ${who(pair.same)}`);
  const images = (pair) => pair.pictures.map((place) => data.pictures[place]);

  // ---- one pair in the gallery ----
  const card = (pair) => {
    const both = images(pair);
    const label = `${pair.id}: said ${who(pair.answer)}, ${verdict(pair)}${sure(pair) && `, confidence ${sure(pair)}`}, score ${pair.score}, fold ${pair.fold}`;
    const two = make("span", { class: "two" }, ...both.filter((one) => one.uri).map((one) => {
      const picture = make("span", { class: "picture" }, make("img", { src: one.uri, alt: "", width, height, decoding: "async" }));
      picture.style.aspectRatio = `${width} / ${height}`;
      return picture;
    }));
    const said = make("b", right(pair) ? {} : { class: "wrong" }, `${right(pair) ? "✓" : "✗"} said ${who(pair.answer)} ${sure(pair)}`.trim());
    const told = make("span", { class: "told" }, `is ${who(pair.same)}, score ${Number(pair.score.toPrecision(3))}`);
    const caption = make("span", { class: two.childElementCount ? "caption" : "caption nameless" }, said, told, ...both.map((one) => make("bdi", {}, one.name)));
    return [label, pair.id, ...(two.childElementCount ? [two] : []), caption];
  };

  // ---- one pair, large ----
  const [low, high] = [data.edges[0], data.edges[data.edges.length - 1]];
  const across = (score) => (320 * (Math.min(Math.max(score, low), high) - low)) / (high - low);
  const most = Math.max(1, ...data.counts.same, ...data.counts.different);
  const bars = (kind, turn) => {
    const step = 320 / data.counts[kind].length;
    return data.counts[kind].map((count, n) => {
      const tall = (34 * count) / most;
      return draw("rect", { class: kind, x: n * step + 0.5, width: step - 1, y: turn < 0 ? 37 - tall : 37, height: tall });
    });
  };
  const mark = (name, x) => draw("path", { class: name, d: `M${x} 0V74` });
  const place = (pair) => at("place").replaceChildren(...bars("same", -1), ...bars("different", 1),
    mark("threshold", across(pair.threshold)), mark("own", across(pair.score)));
  const turned = (pair, where) => {
    at("large-facts").textContent = [...pair.kinds.map((kind) => data.kinds[kind]), where].join(" · ");
    at("stage").replaceChildren(...images(pair).map((one) => make("figure", {},
      ...(one.uri ? [make("img", { src: one.uri, alt: `What the model saw of ${one.name}`, width, height })] : []),
      make("figcaption", {}, make("bdi", {}, one.name)))));
    const facts = [["truth", `${who(pair.same)} ${pair.same ? "person" : "people"}`],
      ["answer", `${who(pair.answer)}, ${right(pair) ? "right" : "wrong"}`], ["confidence", sure(pair) || "–"],
      ["score", String(pair.score)], ["threshold", `${pair.threshold}, of fold ${pair.fold}`]];
    at("facts").tBodies[0].replaceChildren(...facts.map(([name, words]) => make("tr", {}, make("th", { scope: "row" }, name),
      make("td", name === "answer" && !right(pair) ? { class: "wrong" } : {}, words))));
    place(pair);
  };

  // ---- begin ----
  const doubtful = String(data.kinds.indexOf("most doubtful"));
  const unsure = data.pairs.every((pair) => pair.confidence === null);
  // The doubtful begin at the threshold. Listens before the gallery does, which then shows them in this order.
  at("kind").addEventListener("change", () => {
    const [sort, order] = [at("sort"), at("order")];
    if (at("kind").value === doubtful) [sort.value, order.value] = ["away", "up"];
    else if (sort.value === "away" && order.value === "up") [sort.value, order.value] = [unsure ? "away" : "confidence", "down"];
  });
  const browser = browse({
    items: data.pairs,
    thing: "pair",
    value: (key, pair) => pair[key],
    filters: {
      kind: (pair, kind) => pair.kinds.includes(Number(kind)),
      truth: (pair, truth) => who(pair.same) === truth,
      fold: (pair, fold) => pair.fold === Number(fold),
    },
    rising: ["id", "fold"],
    card,
    turned,
  });
  const any = (kind) => data.pairs.some((pair) => pair.kinds.includes(kind));
  fill(at("kind"), [["", "all"], ...data.kinds.map((name, kind) => [String(kind), name]).filter(([kind]) => any(Number(kind)))]);
  at("kind").value = any(0) ? "0" : ""; // what went wrong teaches most
  const folds = [...new Set(data.pairs.map((pair) => pair.fold))].sort((a, b) => a - b);
  fill(at("fold"), [["", "all"], ...folds.map((fold) => [String(fold), `fold ${fold}`])]);
  if (unsure) {
    at("sort").querySelector("[value=confidence]").remove();
    at("sort").value = "away";
  }
  at("controls").hidden = false;
  browser.show();
})();
