// Who can read it, drawn in the browser. Every attempt was made before; switching a measure only
// looks up what came of the attempt with exactly these measures.

const MARKS = {
  reads: ["who-reads", "eye", "reads"],
  cannot: ["who-cannot", "lock", "cannot"],
  untried: ["who-untried", null, "not tried"],
};

let grids = 0; // elements of two views must not share an id

function render({ model, el }) {
  const view = new WhoCanReadView(model);
  el.replaceChildren(view.root);
  const switched = () => view.switched();
  model.on("change:switched_on", switched);
  return () => model.off("change:switched_on", switched);
}

class WhoCanReadView {
  constructor(model) {
    this.model = model;
    this.id = `who-${(grids += 1)}`;
    const { who, measures, columns, attempts } = model.get("_shown");
    this.who = who;
    this.measures = measures;
    this.columns = columns;
    this.found = new Map(attempts.map((each) => [place(each.who, each.measures), each]));
    this.together = measures.length > 1; // only then is there anything to put together
    this.cells = []; // rows of {element, who, measures}
    this.opened = null; // the cell whose attempt is shown
    this.build();
    this.paintTogether(null);
  }

  get on() {
    return this.model.get("switched_on");
  }

  // ------------------------------------------------------------------ building

  build() {
    const model = this.model;
    this.live = liveRegion();
    this.detail = h("div", { class: "who-detail", id: `${this.id}-detail`, hidden: true });
    this.root = frame(model, "who");
    this.root.append(
      h("div", { class: "who-title", role: "heading", "aria-level": "3" }, model.get("title")),
    );
    if (this.together) this.root.append(this.switches());
    this.root.append(h("div", { class: "who-scroll" }, this.table()), this.keys(), this.detail, this.live);
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    rove(this.elements(), this.elements()[0]);
  }

  switches() {
    this.buttons = this.measures.map((measure) =>
      h(
        "button",
        {
          class: "who-switch",
          type: "button",
          role: "switch",
          "aria-checked": "false",
          onclick: () => this.toggle(measure.name),
        },
        h("span", { class: "who-knob", "aria-hidden": "true" }),
        h("span", {}, h("span", { class: "who-switch-name" }, measure.name), ` ${measure.how}`),
      ),
    );
    return h(
      "div",
      { class: "who-switches", role: "group", "aria-label": "Measures in the last column" },
      h("span", { class: "who-legend" }, "Put together:"),
      this.buttons,
    );
  }

  table() {
    const heads = this.columns.map((names) =>
      h("th", { scope: "col", role: "columnheader" }, names.length ? `${names.join(" + ")} only` : "Nothing"),
    );
    if (this.together) {
      this.heading = h("th", { class: "who-together", scope: "col", role: "columnheader" });
      heads.push(this.heading);
    }
    const rows = this.who.map(({ name, where }) => {
      const row = this.columns.map((measures) => this.cell(name, measures));
      if (this.together) row.push(this.cell(name, []));
      if (this.together) row.at(-1).element.classList.add("who-together");
      this.cells.push(row);
      return h(
        "tr",
        { role: "row" },
        h(
          "th",
          { class: "who-row", scope: "row", role: "rowheader" },
          h("span", { class: "who-name" }, name),
          h("span", { class: "who-where" }, where),
        ),
        row.map((cell) => cell.element),
      );
    });
    for (const cell of this.cells.flat()) this.paint(cell);
    return h(
      "table",
      { class: "who-grid", role: "grid", "aria-label": "Who can read the record, by what protects it" },
      h("thead", {}, h("tr", { role: "row" }, h("th", { scope: "col", role: "columnheader" }, "Who, and where"), heads)),
      h("tbody", {}, rows),
    );
  }

  cell(who, measures) {
    const cell = { who, measures, changed: false };
    cell.element = h("td", {
      role: "gridcell",
      "aria-selected": "false",
      "aria-controls": `${this.id}-detail`,
      onclick: () => this.open(cell),
    });
    return cell;
  }

  keys() {
    return h(
      "p",
      { class: "who-keys kv-keys" },
      ["←", "↑", "↓", "→"].map((key) => [h("kbd", {}, key), " "]),
      "choose a cell, ",
      h("kbd", {}, "Enter"),
      " opens the attempt behind it, ",
      h("kbd", {}, "Esc"),
      " closes it.",
      this.together
        ? [" ", this.measures.map((_, i) => [h("kbd", {}, `${i + 1}`), " "]), "switch a measure of the last column."]
        : [],
    );
  }

  // ------------------------------------------------------------------ cells

  attempt(cell) {
    return this.found.get(place(cell.who, cell.measures));
  }

  word(cell) {
    const found = this.attempt(cell);
    return found ? (found.reads ? "reads" : "cannot") : "untried";
  }

  paint(cell) {
    const [look, sign, word] = MARKS[this.word(cell)];
    cell.element.replaceChildren(
      h(
        "span",
        { class: `who-mark ${look}` },
        sign ? icon(sign) : null,
        h("span", { class: "who-word" }, word),
        cell.changed ? h("span", { class: "who-changed" }, "changed") : null,
      ),
    );
    cell.element.setAttribute("aria-label", `${word}${cell.changed ? ", changed" : ""}`);
  }

  /** The last column, for the measures that are on; `before` has its words until now. */
  paintTogether(before) {
    if (!this.together) return;
    const names = this.on.length ? this.on.join(" + ") : "Nothing yet";
    this.heading.replaceChildren(h("span", { class: "who-together-title" }, "Together"), names);
    this.buttons.forEach((button, i) =>
      button.setAttribute("aria-checked", String(this.on.includes(this.measures[i].name))),
    );
    this.cells.forEach((row, i) => {
      const cell = row.at(-1);
      cell.measures = this.on;
      cell.changed = before !== null && before[i] !== this.word(cell);
      this.paint(cell);
    });
  }

  // ------------------------------------------------------------------ switching

  toggle(name) {
    const wanted = this.measures.map((m) => m.name).filter((n) => this.on.includes(n) !== (n === name));
    this.model.set("switched_on", wanted);
    this.model.save_changes();
  }

  switched() {
    if (!this.together) return;
    const before = this.cells.map((row) => this.word(row.at(-1)));
    this.paintTogether(before);
    const changed = this.cells.map((row) => row.at(-1)).filter((cell) => cell.changed);
    if (this.opened) this.show(this.opened); // it may be one of them
    const now = changed.map((cell) => `${cell.who} now ${MARKS[this.word(cell)][2]}`);
    const names = this.on.length ? this.on.join(" and ") : "Nothing";
    this.say(`${names} switched on. ${now.length ? `Changed: ${now.join(", ")}.` : "Nothing changed."}`);
  }

  // ------------------------------------------------------------------ one attempt

  open(cell) {
    this.focus(cell);
    this.show(cell);
    const found = this.attempt(cell);
    this.say(found ? `${this.verdict(found)} ${found.tried}. ${found.error}` : "This was not tried.");
  }

  show(cell) {
    this.opened?.element.setAttribute("aria-selected", "false");
    this.opened = cell;
    cell.element.setAttribute("aria-selected", "true");
    const found = this.attempt(cell);
    const names = cell.measures.length ? cell.measures.join(" + ") : "nothing";
    this.detail.hidden = false;
    this.detail.className = `who-detail ${found ? MARKS[this.word(cell)][0] : "who-untried"}`;
    this.detail.replaceChildren(
      h(
        "div",
        { class: "who-verdict" },
        found ? icon(found.reads ? "eye" : "lock", 20) : null,
        found ? this.verdict(found) : `Nobody tried this: ${cell.who}, with ${names}.`,
      ),
    );
    if (!found) return;
    this.detail.append(
      h(
        "dl",
        {},
        h("dt", {}, "Protected by"),
        h("dd", {}, names),
        h("dt", {}, "Where"),
        h("dd", {}, found.where),
        h("dt", {}, "Tried"),
        h("dd", {}, `${found.tried}.`),
        h("dt", {}, "Seen"),
        h("dd", {}, this.seen(found.seen)),
        found.error ? [h("dt", {}, "Refused"), h("dd", {}, h("pre", { class: "who-error" }, found.error))] : [],
        h("dt", {}, "On the trail"),
        h("dd", {}, this.trail(found.trail)),
      ),
    );
  }

  verdict(found) {
    return `${found.who}: ${found.reads ? "reads the record." : "cannot read the record."}`;
  }

  seen(seen) {
    if (seen.bytes === 0) return "Nothing.";
    const size = `${plural(seen.bytes, "byte")}${seen.cut ? ", of which these" : ""}:`;
    if (seen.dump) {
      return [
        size,
        h(
          "pre",
          { class: "who-bytes" },
          seen.dump.map(([codes, text]) => `${codes.padEnd(49)}${text}`).join("\n"),
        ),
      ];
    }
    return [
      size,
      h(
        "pre",
        { class: "who-bytes who-wrapped" },
        seen.before,
        seen.found ? h("mark", {}, seen.found) : null,
        seen.after,
      ),
    ];
  }

  trail(lines) {
    if (lines.length === 0) return "Nothing: no call to AWS was made.";
    return h("ul", {}, lines.map((line) => h("li", {}, h("code", {}, line))));
  }

  close() {
    this.opened?.element.setAttribute("aria-selected", "false");
    this.opened = null;
    this.detail.hidden = true;
  }

  // ------------------------------------------------------------------ keyboard

  elements() {
    return this.cells.flat().map((cell) => cell.element);
  }

  focus(cell) {
    rove(this.elements(), cell.element);
    cell.element.focus();
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const number = Number(event.key);
    if (this.together && number >= 1 && number <= this.measures.length) {
      this.toggle(this.measures[number - 1].name);
    } else if (event.key === "Escape" && this.opened) {
      const cell = this.opened;
      this.close();
      this.focus(cell);
    } else if (!this.move(event)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Among the cells, as the ARIA grid pattern has it. Says whether the key was for that. */
  move(event) {
    const at = this.cells.findIndex((row) => row.some((cell) => cell.element === event.target));
    if (at < 0) return false;
    const row = this.cells[at];
    const column = row.findIndex((cell) => cell.element === event.target);
    if (event.key === "Enter" || event.key === " ") {
      this.open(row[column]);
      return true;
    }
    const steps = {
      ArrowUp: [at - 1, column],
      ArrowDown: [at + 1, column],
      ArrowLeft: [at, column - 1],
      ArrowRight: [at, column + 1],
      Home: [at, 0],
      End: [at, row.length - 1],
    };
    const step = steps[event.key];
    if (!step) return false;
    const cell = this.cells[step[0]]?.[step[1]];
    if (cell) this.focus(cell);
    return true;
  }

  say(words) {
    this.live.textContent = words;
  }
}

/** By what an attempt is found: who, with which measures, in any order. */
function place(who, measures) {
  return JSON.stringify([who, [...measures].sort()]);
}

export default { render };
