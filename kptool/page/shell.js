"use strict";
// What every page does: its makers, its theme, its gallery with the large view, and paper.
const shell = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const PAGE = 48; // shown at first, and more at each press

  // ---- small makers; words only ever go in as text ----
  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };
  const draw = (tag, attributes = {}) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const fill = (select, options) => select.replaceChildren(...options.map(([value, words]) => make("option", { value }, words)));

  // ---- theme ----
  const theme = at("theme");
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const say = () => {
    theme.textContent = dark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
  };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    say();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
  say();

  // ---- paper: everything unfolded ----
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });

  // ---- the gallery: one stop for Tab, arrow keys inside; sorted, filtered, and each one large ----
  const names = new Intl.Collator("en", { numeric: true });
  const byName = (a, b) => names.compare(a.id, b.id) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
  // items: each with an id; value: what a key sorts by; filters: by the id of a select, whether an item fits its value;
  // rising: keys that begin with the smallest; card: [label, title, ...what is in it]; turned: called with the item
  // that the large view is to show.
  const browse = ({ items, thing, value, filters, rising, card, turned }) => {
    const gallery = at("gallery");
    const large = at("large");
    let order = [];
    let limit = PAGE;
    let current = 0;
    const arranged = () => {
      const [key, down] = [at("sort").value, at("order").value === "down"];
      const wanted = at("find").value.toLowerCase();
      const asked = Object.entries(filters).map(([id, fits]) => [fits, at(id).value]).filter(([, one]) => one !== "");
      const found = items.filter((item) => asked.every(([fits, one]) => fits(item, one)) && item.id.toLowerCase().includes(wanted));
      const turn = down ? -1 : 1;
      if (key === "id") return found.sort((a, b) => turn * byName(a, b));
      return found.sort((a, b) => {
        const [one, other] = [value(key, a), value(key, b)];
        if (one === null || other === null) return (one === null) - (other === null) || byName(a, b); // unknown last
        return turn * (one - other) || byName(a, b);
      });
    };
    const button = (item, number) => {
      const [label, title, ...inside] = card(item);
      const made = make("button", { type: "button", class: "card", tabindex: number ? "-1" : "0", "aria-label": label, title }, ...inside);
      made.addEventListener("click", () => open(number));
      return make("li", {}, made);
    };
    const cards = () => [...gallery.querySelectorAll("button")];
    const show = () => {
      order = arranged();
      const seen = order.slice(0, limit);
      gallery.replaceChildren(...seen.map(button));
      at("more").hidden = seen.length === order.length;
      at("count").textContent = order.length
        ? `${order.length} of ${items.length} ${thing}s${seen.length < order.length ? `, the first ${seen.length} shown` : ""}`
        : `No ${thing} is like that.`;
    };
    const renew = () => {
      limit = PAGE;
      show();
    };
    const go = (number) => {
      const all = cards();
      if (!all[number]) return;
      for (const one of all) one.tabIndex = -1;
      all[number].tabIndex = 0;
      all[number].focus();
    };
    gallery.addEventListener("keydown", (event) => {
      const all = cards();
      const now = all.indexOf(document.activeElement);
      if (now < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      const columns = getComputedStyle(gallery).gridTemplateColumns.split(" ").length;
      const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -now, End: all.length - 1 - now };
      if (!(event.key in steps)) return;
      event.preventDefault();
      go(now + steps[event.key]);
    });
    at("more").addEventListener("click", () => {
      const first = limit;
      limit += PAGE;
      show();
      go(first);
    });
    for (const id of ["order", ...Object.keys(filters)]) at(id).addEventListener("change", renew);
    at("find").addEventListener("input", renew);
    at("sort").addEventListener("change", () => {
      at("order").value = rising.includes(at("sort").value) ? "up" : "down";
      renew();
    });

    const turnTo = (number) => {
      if (number < 0 || number >= order.length) return;
      current = number;
      const item = order[number];
      at("large-title").replaceChildren(make("bdi", {}, item.id));
      at("before").disabled = number === 0;
      at("after").disabled = number === order.length - 1;
      if (document.activeElement.matches(":disabled")) at("close").focus(); // a button that went dead has lost it
      turned(item, `${number + 1} of ${order.length}`);
    };
    const open = (number) => {
      turnTo(number);
      large.showModal();
      at("close").focus();
    };
    at("before").addEventListener("click", () => turnTo(current - 1));
    at("after").addEventListener("click", () => turnTo(current + 1));
    at("close").addEventListener("click", () => large.close());
    large.addEventListener("click", (event) => {
      if (event.target === large) large.close();
    });
    large.addEventListener("close", () => {
      while (limit <= current) limit += PAGE;
      if (cards().length < Math.min(limit, order.length)) show();
      go(current); // the one last looked at, so that the keyboard goes on from there
    });
    large.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input, .scroll")) return;
      event.preventDefault();
      turnTo(current + step);
    });
    return { show, current: () => order[current] };
  };
  return { data, at, make, draw, fill, browse };
})();
