// The cost explorer. The browser reckons, in whole billionths of a dollar, from the prices and
// rules that Python handed over: so a slider moves at once, and no sum is off by a rounding.

const NANO = 1e9;
const PAUSE = 600; // milliseconds of rest after which a change is read out
const SYMMETRIC = "kms.request.symmetric";
const WORK = ["writes", "reads", "months"];

// ------------------------------------------------------------------ reckoning: as estimate.py

function kmsRequests(design, prices) {
  const [requests, shared] = prices.encryption[design.encryption];
  const share = shared ? design.reuse : 1;
  const objects = Math.ceil(design.writes / share) + Math.ceil(design.reads / share);
  const others = design.secret_reads + design.parameter_reads + (design.requests[SYMMETRIC] ?? 0);
  return requests * objects + others;
}

/** How much of each thing there is to be paid for, and how many requests are free. */
function usage(design, prices) {
  const advanced = design.tier === "Advanced" ? 1 : 0;
  const symmetric = kmsRequests(design, prices);
  const keys = design.keys * (1 + design.replicas);
  const monthly = { ...design.requests, [SYMMETRIC]: symmetric };
  const add = (name, number) => (monthly[name] = (monthly[name] ?? 0) + number);
  add("secretsmanager.request", design.secret_reads);
  add("ssm.advanced-parameter.interaction", advanced * design.parameter_reads);
  add("kms.key.month", keys);
  add("kms.key.rotation.first", design.rotations > 0 ? keys : 0);
  add("kms.key.rotation.second", design.rotations > 1 ? keys : 0);
  add("secretsmanager.secret.month", design.secrets);
  add("ssm.advanced-parameter.month", advanced * design.parameters);
  const quantities = { ...design.set_up };
  for (const [name, number] of Object.entries(monthly)) {
    quantities[name] = (quantities[name] ?? 0) + number * design.months;
  }
  const first = symmetric + (design.set_up[SYMMETRIC] ?? 0);
  const later = Math.min(symmetric, prices.free) * (design.months - 1);
  return { quantities, free: Math.min(first, prices.free) + later };
}

/** What a design costs, in billionths of a dollar: {total, parts: [one for each group]}. */
function reckon(design, prices) {
  const { quantities, free } = usage(design, prices);
  const parts = prices.groups.map(([, names]) =>
    names.reduce((sum, name) => {
      const paid = (quantities[name] ?? 0) - (name === SYMMETRIC ? free : 0);
      return sum + paid * prices.each[name];
    }, 0),
  );
  return { total: parts.reduce((sum, part) => sum + part, 0), parts };
}

/** The same work with another number of objects a month, in proportion. */
function scaled(design, objects) {
  const all = design.writes + design.reads;
  if (!all) return { writes: 0, reads: 0 };
  const writes = Number((BigInt(design.writes) * BigInt(objects)) / BigInt(all));
  return { writes, reads: objects - writes };
}

/** From how many objects a month the cheaper of two designs is the other one; null for never. */
function breakEven(one, other, prices) {
  if (one.writes + one.reads === 0) return null;
  const order = (objects) => {
    const work = scaled(one, objects);
    return Math.sign(
      reckon({ ...one, ...work }, prices).total - reckon({ ...other, ...work }, prices).total,
    );
  };
  const leavesFreeTier = (design) =>
    firstOf((objects) => kmsRequests({ ...design, ...scaled(one, objects) }, prices) > prices.free, 0, prices.far);
  const atFirst = order(0);
  const turned = (objects) => ![0, atFirst].includes(order(objects));
  const stations = [leavesFreeTier(one), leavesFreeTier(other), prices.far].sort((a, b) => a - b);
  let low = 0;
  for (const high of stations) {
    if (turned(high)) return firstOf(turned, low, high);
    low = high;
  }
  return null;
}

function firstOf(holds, low, high) {
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

// ------------------------------------------------------------------ words and stops

function dollars(nano) {
  const amount = nano / NANO;
  return amount.toLocaleString("en", { style: "currency", currency: "USD" });
}

function short(number) {
  return number.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}

/** 0, 1, 2, 5, 10, ... up to 10 to the power of `digits`. */
function series(digits, from = 0) {
  const stops = from === 0 ? [0] : [];
  for (let power = 0; power < digits; power += 1) {
    stops.push(...[1, 2, 5].map((step) => step * 10 ** power));
  }
  return [...stops, 10 ** digits];
}

function upTo(most, from = 0) {
  return Array.from({ length: most - from + 1 }, (_, index) => index + from);
}

const SLIDERS = {
  writes: ["Objects written a month", series(8)],
  reads: ["Objects read a month", series(8)],
  months: ["Months", [1, 2, 3, 6, 12, 24, 36]],
  keys: ["Customer managed keys", [...upTo(10), 20, 50, 100, 200, 500, 1000]],
  rotations: ["Rotations so far, each key", upTo(5)],
  replicas: ["Replicas of each key", upTo(5)],
  reuse: ["Objects served by one request", series(4, 1)],
  secrets: ["Secrets", series(3)],
  parameters: ["parameters", series(3)],
};

// ------------------------------------------------------------------ the view

function render({ model, el }) {
  const view = new CostView(model);
  el.replaceChildren(view.root);
  const changed = () => view.take();
  model.on("change:_designs", changed);
  return () => {
    view.leave();
    model.off("change:_designs", changed);
  };
}

class CostView {
  constructor(model) {
    this.model = model;
    this.prices = model.get("_prices");
    this.names = model.get("_names");
    this.designs = structuredClone(model.get("_designs"));
    this.id = `cost-${Math.random().toString(36).slice(2)}`;
    this.sliders = []; // what to do when designs come from elsewhere
    this.build();
    this.draw();
  }

  build() {
    this.live = liveRegion();
    this.root = frame(this.model, "cost");
    this.columns = this.designs.map((_, index) => this.column(index));
    this.verdict = h("div", { class: "cost-verdict" });
    this.evenText = h("div", { class: "cost-even-text" });
    this.chart = s("svg", { class: "cost-chart", viewBox: "0 0 640 210", "aria-hidden": "true" });
    this.root.append(
      h("div", { class: "cost-title", role: "heading", "aria-level": "3" }, this.model.get("title")),
      h(
        "fieldset",
        { class: "cost-work" },
        h("legend", {}, "The work, for both"),
        WORK.map((name) => this.slider(name, [0, 1])),
      ),
      h("div", { class: "cost-columns" }, this.columns.map((column) => column.root)),
      h("div", { class: "cost-even" }, this.verdict, this.evenText, this.chart),
      this.live,
    );
  }

  /** A slider for one attribute of some of the designs: over stops, the value it came with too. */
  slider(name, which) {
    const [words, regular] = SLIDERS[name];
    const label = name === "parameters" ? `${this.designs[which[0]].tier} ${words}` : words;
    const id = `${this.id}-${name}-${which.join("")}`;
    const output = h("span", { class: "cost-value", "aria-hidden": "true" }); // the slider says it
    const value = () => this.designs[which[0]][name];
    let stops = [];
    const input = h("input", {
      id,
      type: "range",
      min: 0,
      step: 1,
      "data-lm-suppress-shortcuts": "true",
      "data-name": name,
      oninput: () => {
        for (const index of which) this.designs[index][name] = stops[Number(input.value)];
        say();
        this.changed();
      },
    });
    const say = () => {
      output.textContent = value().toLocaleString("en");
      input.setAttribute("aria-valuetext", output.textContent);
    };
    const take = () => {
      stops = [...new Set([...regular, value()])].sort((a, b) => a - b);
      input.max = stops.length - 1;
      input.value = stops.indexOf(value());
      say();
    };
    take();
    this.sliders.push(take);
    return h("div", { class: "cost-slider" }, h("label", { for: id }, label), output, input);
  }

  column(index) {
    const id = `${this.id}-how-${index}`;
    const select = h(
      "select",
      {
        id,
        "data-lm-suppress-shortcuts": "true",
        onchange: () => {
          this.designs[index].encryption = select.value;
          this.changed();
        },
      },
      Object.keys(this.prices.encryption).map((name) => h("option", { value: name }, name)),
    );
    const take = () => (select.value = this.designs[index].encryption);
    take();
    this.sliders.push(take);
    const total = h("span", { class: "cost-total" });
    const bars = this.prices.groups.map(([title], number) => {
      const amount = h("span", { class: "cost-amount" });
      const mark = h("span", { class: "cost-mark" });
      const bar = h("span", { class: `cost-bar cost-fill-${number}` });
      const root = h(
        "li",
        {},
        h("span", { class: "cost-part" }, title),
        mark,
        amount,
        h("span", { class: "cost-track", "aria-hidden": "true" }, bar),
      );
      return { root, amount, mark, bar };
    });
    const reuse = this.slider("reuse", [index]);
    const names = ["keys", "rotations", "replicas"];
    const sliders = names.map((name) => this.slider(name, [index]));
    const extra = ["secrets", "parameters"].map((name) => this.slider(name, [index]));
    const letter = h("span", { class: `cost-letter cost-letter-${index}`, "aria-hidden": "true" }, "AB"[index]);
    const root = h(
      "fieldset",
      { class: "cost-design", "data-design": index },
      h("legend", {}, letter, this.names[index]),
      h("div", { class: "cost-sum" }, total),
      h("ul", { class: "cost-bars", "aria-label": `${this.names[index]}: what it costs` }, bars.map((bar) => bar.root)),
      h("div", { class: "cost-choice" }, h("label", { for: id }, "Objects are encrypted with"), select),
      reuse,
      sliders,
      extra,
    );
    return { root, total, bars, reuse };
  }

  /** Designs that were set in Python or in another view of this object. */
  take() {
    const given = this.model.get("_designs");
    if (JSON.stringify(given) === JSON.stringify(this.designs)) return;
    this.designs = structuredClone(given);
    for (const take of this.sliders) take();
    this.draw();
  }

  changed() {
    this.draw();
    this.model.set("_designs", structuredClone(this.designs));
    this.model.save_changes();
    clearTimeout(this.pausing);
    this.pausing = setTimeout(() => {
      this.live.textContent = `${this.spoken()} ${this.verdict.textContent} ${this.evenText.textContent}`;
    }, PAUSE);
  }

  leave() {
    clearTimeout(this.pausing);
  }

  draw() {
    const bills = this.designs.map((design) => reckon(design, this.prices));
    const most = Math.max(...bills.flatMap((bill) => bill.parts));
    this.columns.forEach((column, index) => {
      const { total, parts } = bills[index];
      const largest = parts.indexOf(Math.max(...parts));
      column.total.textContent = `${dollars(total)} ${span(this.designs[index])}`;
      column.bars.forEach((bar, number) => {
        bar.amount.textContent = dollars(parts[number]);
        bar.bar.style.inlineSize = most ? `${(100 * parts[number]) / most}%` : "0";
        const leads = total > 0 && number === largest;
        bar.root.classList.toggle("cost-largest", leads);
        bar.mark.textContent = leads ? `${Math.round((100 * parts[number]) / total)}% of it` : "";
      });
      const [, shared] = this.prices.encryption[this.designs[index].encryption];
      column.reuse.classList.toggle("cost-idle", !shared);
      column.reuse.querySelector("input").disabled = !shared;
    });
    this.bills = bills;
    this.even = breakEven(...this.designs, this.prices);
    this.verdict.textContent = this.compared();
    this.evenText.textContent = this.evenWords();
    this.drawChart();
  }

  compared() {
    const [one, other] = this.bills.map((bill) => bill.total);
    if (one === other) return "Both cost the same.";
    const [low, high] = [Math.min(one, other), Math.max(one, other)];
    const percent = Math.round((100 * (high - low)) / high);
    return `${this.names[one > other ? 1 : 0]} saves ${dollars(high - low)} ${span(this.designs[0])} (${percent}%).`;
  }

  evenWords() {
    const [one, other] = this.designs;
    if (one.writes + one.reads === 0) return "Without objects there is no break-even to look for.";
    if (this.even !== null) {
      const work = scaled(one, this.even);
      const first = reckon({ ...one, ...work }, this.prices).total;
      const second = reckon({ ...other, ...work }, this.prices).total;
      const cheaper = this.names[first > second ? 1 : 0];
      return `From ${this.even.toLocaleString("en")} objects a month on, ${cheaper} is the cheaper.`;
    }
    const [low, high] = this.bills.map((bill) => bill.total);
    if (low === high) return "Both cost the same, however many objects there are.";
    return `${this.names[low > high ? 1 : 0]} is the cheaper, however many objects there are.`;
  }

  spoken() {
    return this.bills
      .map((bill, index) => `${this.names[index]}: ${dollars(bill.total)}.`)
      .join(" ");
  }

  /** Cost against the number of objects, to both sides of where they are now. */
  drawChart() {
    const [one] = this.designs;
    const now = one.writes + one.reads;
    this.chart.toggleAttribute("hidden", now === 0);
    if (now === 0) return;
    const far = this.even !== null && this.even < 50 * now ? Math.max(now, this.even) : now;
    const end = Math.ceil(far * 1.5);
    const [left, right, top, bottom] = [64, 600, 14, 176];
    const steps = 48;
    const curves = this.designs.map((design) =>
      upTo(steps).map((step) => {
        const objects = Math.round((end * step) / steps);
        return [objects, reckon({ ...design, ...scaled(one, objects) }, this.prices).total];
      }),
    );
    const most = Math.max(...curves.flat().map(([, cost]) => cost), 1);
    const x = (objects) => left + ((right - left) * objects) / end;
    const y = (cost) => bottom - ((bottom - top) * cost) / most;
    const line = (curve) =>
      curve.map(([objects, cost], i) => `${i ? "L" : "M"}${x(objects).toFixed(1)} ${y(cost).toFixed(1)}`).join("");
    const ends = curves.map((curve) => y(curve.at(-1)[1]));
    if (Math.abs(ends[0] - ends[1]) < 14) ends[ends[0] <= ends[1] ? 1 : 0] += 14;
    const words = (at, high, text, anchor = "middle") =>
      s("text", { x: at, y: high, "text-anchor": anchor }, text);
    const crossing = this.even !== null && this.even <= end ? this.even : null;
    const cost = crossing === null ? 0 : reckon({ ...one, ...scaled(one, crossing) }, this.prices).total;
    this.chart.replaceChildren(
      ...[
        s("path", { class: "cost-axis", d: `M${left} ${top}V${bottom}H${right}` }),
        s("path", { class: "cost-now", d: `M${x(now)} ${top}V${bottom}` }),
        words(x(now), top - 4, "now"),
        words(left - 6, top + 8, dollars(most), "end"),
        words(left - 6, bottom, "$0", "end"),
        words(right, bottom + 30, "objects a month", "end"),
        words(left, bottom + 16, "0"),
        words(x(now), bottom + 16, short(now)),
        ...curves.map((curve, index) => s("path", { class: `cost-line cost-line-${index}`, d: line(curve) })),
        ...ends.map((end, index) => words(right + 8, end + 4, "AB"[index], "start")),
        crossing === null ? null : s("circle", { class: "cost-cross", cx: x(crossing), cy: y(cost), r: 6 }),
        crossing === null || Math.abs(x(crossing) - x(now)) < 60
          ? null
          : words(x(crossing), bottom + 16, short(crossing)),
      ].filter(Boolean),
    );
  }
}

function span(design) {
  return design.months === 1 ? "a month" : `over ${design.months} months`;
}

export default { render };
