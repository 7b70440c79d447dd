// The rotation timeline, drawn in the browser. Moving through time asks nobody: everything that
// happened, and what a real Decrypt said, came with the view.

const DAY = 86_400_000;

function render({ model, el }) {
  const view = new RotationView(model);
  el.replaceChildren(view.root);
  const changed = () => view.build();
  model.on("change:_shown", changed);
  return () => model.off("change:_shown", changed);
}

class RotationView {
  constructor(model) {
    this.model = model;
    this.root = frame(model, "rot");
    this.build();
  }

  build() {
    const shown = (this.shown = this.model.get("_shown"));
    this.span = Math.max(shown.now - shown.start, 1);
    this.moments = this.happened();
    this.live = liveRegion();
    const days = Math.max(1, Math.ceil(this.span / DAY));
    this.days = days;
    this.slider = h("input", {
      type: "range",
      class: "rot-slider",
      min: 0,
      max: days,
      step: Math.max(1, Math.round(days / 180)),
      value: days,
      "aria-label": "Time",
      "data-lm-suppress-shortcuts": "true",
      oninput: () => this.dragged(),
    });
    this.date = h("div", { class: "rot-date" });
    this.before = this.jumper("Event before", "[", () => this.jump(-1));
    this.after = this.jumper("Event after", "]", () => this.jump(1));
    this.news = h("p", { class: "rot-news" });
    this.lanes = shown.rows.map((row, index) => this.lane(row, index));
    this.total = h("span", { class: "rot-dollars" });
    this.head = h("caption", {});
    this.lines = shown.ciphertexts.map((each) => this.line(each));
    this.root.replaceChildren(
      h("div", { class: "rot-title", role: "heading", "aria-level": "3" }, this.model.get("title")),
      h("div", { class: "rot-controls" }, this.before, this.date, this.after, this.news),
      h(
        "div",
        { class: "rot-lanes" },
        h("div", { class: "rot-lane rot-time" }, h("div", { class: "rot-who" }, "Time"), this.slider, h("div", { class: "rot-cost" }, "a month")),
        this.axis(),
        this.lanes.map((lane) => lane.root),
        this.sum(),
      ),
      shown.ciphertexts.length ? this.table() : "",
      this.live,
    );
    this.root.onkeydown = (event) => this.onKey(event);
    this.go(shown.now);
  }

  jumper(words, key, onclick) {
    return h("button", { class: "kv-button", type: "button", onclick }, words, h("kbd", { "aria-hidden": "true" }, key));
  }

  /** Everything that happened, in order: {at, words}. */
  happened() {
    const { rows, ciphertexts, start, now } = this.shown;
    const found = [];
    for (const row of rows) {
      row.materials.forEach((material, index) => {
        material.spans.forEach(([since], again) => {
          const moved = material.key && (index > 0 || again > 0);
          const how = moved && material.made <= since ? `the alias moved to key ${material.key}` : material.how;
          found.push({ at: since, words: `${row.name}: ${material.name} encrypts from now on (${how})` });
        });
      });
      for (const shut of row.shut) {
        found.push({ at: shut.since, words: `${row.name}: the key is ${shut.why}` });
        if (shut.until !== null) found.push({ at: shut.until, words: `${row.name}: the key can be used again` });
      }
    }
    for (const each of ciphertexts) {
      found.push({ at: each.made, words: `${each.name} is encrypted under ${this.materialOf(each).name}` });
      for (const shut of each.shut) {
        if (shut.since >= each.made) found.push({ at: shut.since, words: `${each.name} opens no more (${shut.why})` });
      }
    }
    found.push({ at: start, words: "The beginning" }, { at: now, words: "Now" });
    return found.filter(({ at }) => start <= at && at <= now).sort((a, b) => a.at - b.at);
  }

  materialOf(ciphertext) {
    return this.shown.rows[ciphertext.row].materials[ciphertext.material];
  }

  // ------------------------------------------------------------------ building

  x(at) {
    return (100 * (Math.min(at, this.shown.now) - this.shown.start)) / this.span;
  }

  axis() {
    const { start, now } = this.shown;
    const ticks = [];
    const first = new Date(start).getUTCFullYear() + 1;
    const last = new Date(now).getUTCFullYear();
    for (let year = first; year <= last; year += Math.ceil((last - first + 1) / 8)) {
      ticks.push(h("span", { class: "rot-tick", style: `left:${this.x(Date.UTC(year, 0, 1))}%` }, year));
    }
    return h("div", { class: "rot-lane rot-axis", "aria-hidden": "true" }, h("div", {}), h("div", { class: "rot-ticks" }, ticks), h("div", {}));
  }

  lane(row, index) {
    const bars = [];
    for (const material of row.materials) {
      for (const [since, until] of material.spans) {
        const width = this.x(until ?? this.shown.now) - this.x(since);
        // Where the name does not fit, the style sheet wraps it out of sight.
        const bar = h(
          "span",
          {
            class: `rot-bar rot-c${material.colour}`,
            style: `left:${this.x(since)}%;width:${width}%`,
            title: `${material.name}: ${material.how}, ${day(since)} to ${until === null ? "now" : day(until)}`,
          },
          h("span", {}, material.name),
        );
        bars.push({ bar, since, until });
      }
    }
    const shut = row.shut.map(({ since, until, why }) =>
      h("span", {
        class: "rot-shut",
        title: why,
        style: `left:${this.x(since)}%;width:${this.x(until ?? this.shown.now) - this.x(since)}%`,
      }),
    );
    let previous = -100;
    let level = 0;
    const marks = this.shown.ciphertexts
      .map((each, number) => ({ each, number }))
      .filter(({ each }) => each.row === index)
      .sort((a, b) => a.each.made - b.each.made)
      .map(({ each, number }) => {
        const at = this.x(each.made);
        level = at - previous < 3.2 ? (level + 1) % 3 : 0;
        previous = at;
        const mark = h("span", { class: `rot-mark rot-level${level}`, style: `left:${at}%`, title: each.name }, number + 1);
        return { mark, each };
      });
    const dollars = h("span", { class: "rot-dollars" });
    const who = h("span", { class: "rot-current" });
    const root = h(
      "div",
      { class: "rot-lane" },
      h("div", { class: "rot-who" }, h("strong", {}, row.name), h("span", { class: "rot-kind" }, row.kind), who),
      h(
        "div",
        { class: "rot-strip", role: "img", "aria-label": this.spoken(row) },
        h("div", { class: "rot-bars" }, bars.map(({ bar }) => bar), shut),
        h("div", { class: `rot-marks rot-levels${Math.max(0, ...marks.map(({ mark }) => Number(mark.className.slice(-1))))}` }, marks.map(({ mark }) => mark)),
        h("div", { class: "rot-head" }),
      ),
      h("div", { class: "rot-cost" }, dollars),
    );
    return { root, bars, marks, dollars, who, row };
  }

  spoken(row) {
    const parts = row.materials.map(({ name, how, key, spans }) =>
      spans.length
        ? `${name}${key ? ` of key ${key}` : ""}, ${how}, encrypts ${spans.map(([a, b]) => `from ${day(a)} to ${b === null ? "now" : day(b)}`).join(" and ")}`
        : `${name}, ${how}`,
    );
    return `${row.name}: ${parts.join("; ")}.`;
  }

  /** The cost of all keys, as stairs. */
  sum() {
    const { totals, now } = this.shown;
    const most = Math.max(1, ...totals.map(({ dollars }) => dollars));
    const y = (dollars) => 38 - (34 * dollars) / most;
    const path = totals.map(({ at, dollars }, i) => `${i ? "H" : "M0 38 H"}${this.x(at)} V${y(dollars)}`).join(" ");
    const stairs = s(
      "svg",
      { class: "rot-stairs", viewBox: "0 0 100 40", preserveAspectRatio: "none", "aria-hidden": "true" },
      s("path", { d: `${path} H${this.x(now)} V38 H0 Z` }),
    );
    const spoken = totals.map(({ at, dollars }) => `${money(dollars)} from ${day(at)}`).join("; ");
    return h(
      "div",
      { class: "rot-lane rot-total" },
      h("div", { class: "rot-who" }, h("strong", {}, "All keys"), h("span", { class: "rot-kind" }, "dollars a month")),
      h("div", { class: "rot-strip", role: "img", "aria-label": `Cost a month: ${spoken || "nothing"}.` }, stairs, h("div", { class: "rot-head" })),
      h("div", { class: "rot-cost" }, this.total),
    );
  }

  line(each) {
    const material = this.materialOf(each);
    const verdict = h("td", { class: "rot-verdict" });
    const number = this.shown.ciphertexts.indexOf(each) + 1;
    const row = h(
      "tr",
      {},
      h("th", { scope: "row" }, h("span", { class: "rot-mark", "aria-hidden": "true" }, number), each.name),
      h("td", {}, this.shown.rows[each.row].name),
      h("td", {}, day(each.made)),
      h("td", {}, h("span", { class: `rot-chip rot-c${material.colour}` }, material.name)),
      verdict,
    );
    return { row, verdict, each };
  }

  table() {
    const heads = ["Ciphertext", "Key", "Made on", "Under", "Decrypt"];
    return h(
      "table",
      { class: "rot-table" },
      this.head,
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, this.lines.map(({ row }) => row)),
    );
  }

  // ------------------------------------------------------------------ moving through time

  dragged() {
    const at = Number(this.slider.value) >= Number(this.slider.max) ? this.shown.now : this.shown.start + Number(this.slider.value) * DAY;
    this.go(Math.min(at, this.shown.now));
  }

  jump(step) {
    const times = [...new Set(this.moments.map(({ at }) => at))];
    const next = step > 0 ? times.find((at) => at > this.at) : times.findLast((at) => at < this.at);
    if (next === undefined) return;
    this.slider.value = Math.round((next - this.shown.start) / DAY);
    this.go(next);
    this.live.textContent = `${day(next)}. ${this.news.textContent}`;
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { "[": -1, "]": 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.jump(step);
  }

  go(at) {
    this.at = at;
    const { shown } = this;
    this.date.textContent = day(at);
    this.slider.setAttribute("aria-valuetext", day(at));
    this.before.disabled = at <= shown.start;
    this.after.disabled = at >= shown.now;
    const news = this.moments.filter((each) => each.at <= at).at(-1);
    const same = this.moments.filter((each) => each.at === news?.at && each.words !== "Now");
    this.news.textContent = (same.length ? same : [news]).map(({ words }) => words).join(". ");
    this.root.style.setProperty("--rot-at", `${this.x(at)}%`);
    for (const lane of this.lanes) this.drawLane(lane, at);
    this.total.textContent = money(valueAt(shown.totals, at));
    this.head.textContent = `Ciphertexts on ${day(at)}`;
    for (const line of this.lines) this.drawLine(line, at);
  }

  drawLane({ bars, marks, dollars, who, row }, at) {
    for (const { bar, since, until } of bars) {
      bar.classList.toggle("rot-later", since > at);
      bar.classList.toggle("rot-now", since <= at && (until === null || at < until));
    }
    for (const { mark, each } of marks) mark.classList.toggle("rot-later", each.made > at);
    dollars.textContent = money(valueAt(row.rates, at));
    const current = row.materials.find(({ spans }) => spans.some(([a, b]) => a <= at && (b === null || at < b)));
    const shut = row.shut.find(({ since, until }) => since <= at && (until === null || at < until));
    const next = row.due !== null && at >= this.shown.now ? `, until ${day(row.due)}` : "";
    who.textContent = shut ? shut.why : current ? `${current.name} encrypts${next}` : "nothing encrypts";
  }

  drawLine({ row, verdict, each }, at) {
    const shut = each.shut.find(({ since, until }) => since <= at && (until === null || at < until));
    const kind = at < each.made ? "later" : shut ? "shut" : "open";
    if (verdict.dataset.kind === kind && verdict.dataset.why === (shut?.why || "")) return;
    verdict.dataset.kind = kind;
    verdict.dataset.why = shut?.why || "";
    row.className = { later: "rot-later", open: "rot-open", shut: "rot-closed" }[kind];
    const why = shut?.why.startsWith("refused") ? shut.why : `key ${shut?.why}`;
    verdict.replaceChildren(
      ...{
        later: ["not made yet"],
        open: [icon("open"), ` opens, with ${this.materialOf(each).name}`],
        shut: [icon("refuse"), ` does not open: ${why}`],
      }[kind],
    );
  }
}

function valueAt(steps, at) {
  return steps.filter((step) => step.at <= at).at(-1)?.dollars ?? 0;
}

function day(at) {
  return new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
}

function money(dollars) {
  return `$${dollars.toFixed(2)}`;
}

export default { render };
