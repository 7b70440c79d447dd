// The envelope, drawn in the browser. Moving about asks nobody; flipping a byte asks Python, which
// flips it in a copy, really opens the copy and answers with the real error.

const PAGE = 512; // bytes shown at once
const FRAMES = 12; // frames drawn in the picture; the rest are reached through the letter
const PATIENCE = 6000; // milliseconds until we say that Python does not answer

// What a layer is, as a picture: its icon and who can read it.
const LOOK = {
  envelope: ["lock", ""],
  header: ["tag", "readable by all"],
  format: ["eye", "readable"],
  context: ["eye", "readable"],
  keys: ["key", "sealed"],
  "wrapped-key": ["key", "sealed"],
  framing: ["eye", "readable"],
  proofs: ["shield", "proof"],
  plain: ["eye", "readable, not protected"],
  body: ["lock", "secret"],
  frame: ["lock", "secret"],
  footer: ["pen", "proof"],
};

// What a newcomer calls them; their names in the message format stand in the details.
const NAMES = { header: "The label", body: "The letter", footer: "The signature" };

function render({ model, el }) {
  const view = new EnvelopeView(model);
  el.replaceChildren(view.root);
  const answered = () => view.showAnswer();
  model.on("change:_answer", answered);
  return () => model.off("change:_answer", answered);
}

class EnvelopeView {
  constructor(model) {
    this.model = model;
    const raw = model.get("_message");
    this.bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
    this.tree = model.get("_tree");
    this.wrapped = new Map(model.get("_keys").map((key) => [key.layer, key]));
    this.layers = new Map(); // key -> {layer, item, note}
    this.leaves = [];
    this.byKey = new Map();
    this.collect(this.tree);
    this.layer = null; // the layer whose bytes are shown
    this.at = 0; // the byte that has the focus
    this.cells = new Map(); // position -> [hex cell, text cell]
    this.fieldItems = new Map();
    this.build();
    this.showAnswer();
  }

  collect(field) {
    this.byKey.set(field.key, field);
    if (field.children.length === 0) this.leaves.push(field);
    for (const child of field.children) this.collect(child);
  }

  leafAt(position) {
    return this.leaves.find((leaf) => leaf.start <= position && position < leaf.end);
  }

  // ------------------------------------------------------------------ building

  build() {
    const model = this.model;
    this.live = liveRegion();
    this.openButton = h(
      "button",
      { class: "kv-button", type: "button", onclick: () => this.ask({ do: "open" }) },
      icon("open"),
      "Open it",
      h("kbd", { "aria-hidden": "true" }, "O"),
    );
    this.openButton.disabled = !model.get("_can_open");
    this.picture = h(
      "div",
      { class: "env-picture", role: "tree", "aria-label": "Layers of the envelope" },
      this.box(this.tree, 1),
    );
    this.detail = h("div", { class: "env-detail", hidden: true });
    this.result = h("div", { class: "env-result", hidden: true });
    this.hint = h(
      "p",
      { class: "env-hint kv-keys" },
      h("kbd", {}, "↑"),
      h("kbd", {}, "↓"),
      " move between layers, ",
      h("kbd", {}, "Enter"),
      " opens one to its bytes. Among the bytes, ",
      h("kbd", {}, "F"),
      " flips one, ",
      h("kbd", {}, "U"),
      " undoes, ",
      h("kbd", {}, "Esc"),
      " goes back.",
    );
    this.root = frame(model, "env");
    this.root.append(
      h(
        "div",
        { class: "env-head" },
        h(
          "div",
          {},
          h("div", { class: "env-title", role: "heading", "aria-level": "3" }, model.get("title")),
          h("div", { class: "env-lead" }, this.tree.meaning),
        ),
        this.openButton,
      ),
      this.picture,
      this.hint,
      this.detail,
      this.result,
      this.live,
    );
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    rove(this.items(), this.items()[0]);
  }

  items() {
    return [...this.layers.values()].map((entry) => entry.item);
  }

  /** One layer of the picture, with the layers inside it. */
  box(field, level) {
    const [sign, who] = LOOK[field.role] || ["eye", ""];
    const note = h("span", { class: "env-note" });
    const size = field.end - field.start;
    const layers = field.children.filter((child) => child.children.length > 0);
    const shown = field.role === "body" ? layers.slice(0, FRAMES) : layers;
    const name = NAMES[field.role] || field.name;
    const caption = h(
      "div",
      { class: "env-caption" },
      field.role === "envelope" ? null : icon(sign),
      h("span", { class: "env-name" }, name),
      who ? h("span", { class: "env-who" }, who) : null,
      h("span", { class: "env-size" }, plural(size, "byte")),
      note,
    );
    const item = h("div", {
      class: `env-layer env-${field.role || "plain"}`,
      role: "treeitem",
      "aria-level": level,
      "aria-selected": "false",
      "aria-label": this.spoken(field, name, who, size),
      "data-key": field.key,
      onclick: (event) => {
        event.stopPropagation();
        this.openLayer(field, { focus: false });
        this.focusItem(item);
      },
    });
    this.layers.set(field.key, { field, item, note });
    if (field.role === "envelope") {
      item.append(
        s(
          "svg",
          { class: "env-flap", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
          s("path", { d: "M0 0 L50 9.4 L100 0", "vector-effect": "non-scaling-stroke" }),
        ),
        h("span", { class: "env-seal" }, icon("lock", 24)),
      );
    }
    item.append(caption);
    const text = this.boxText(field);
    if (text) item.append(text);
    if (shown.length > 0) {
      const inside = h("div", { class: "env-inside", role: "group" });
      for (const child of shown) inside.append(this.box(child, level + 1));
      if (layers.length > shown.length) {
        inside.append(h("div", { class: "env-more" }, `${layers.length - shown.length} more frames`));
      }
      item.append(inside);
    }
    return item;
  }

  /** What stands on a layer in the picture. */
  boxText(field) {
    if (field.role === "context") {
      const pairs = this.model.get("_context");
      if (pairs.length === 0) return h("div", { class: "env-text" }, "empty");
      return h(
        "div",
        { class: "env-pairs" },
        pairs.map(([name, value]) => [
          h("span", { class: "env-pair-name" }, name),
          h("span", { title: value }, value.length > 44 ? `${value.slice(0, 22)}…` : value),
        ]),
      );
    }
    const key = this.wrapped.get(field.key);
    if (key) {
      const holders = key.holders
        ? key.holders.length > 0
          ? key.holders.join(", ")
          : "nobody"
        : "whoever may use that key";
      return h(
        "div",
        { class: "env-text" },
        h("div", {}, key.store ? `under a key of ${key.store}` : "under a wrapping key"),
        key.id ? h("div", { class: "env-id" }, key.id) : null,
        h(
          "div",
          { class: "env-holders" },
          icon("people"),
          h("span", {}, "Can be unwrapped by ", h("strong", {}, holders)),
        ),
      );
    }
    if (["envelope", "header", "keys"].includes(field.role)) return null;
    if (["body", "frame"].includes(field.role)) {
      // The first bytes of the ciphertext itself, to see that it says nothing.
      const content = field.children.find((child) => child.name === "Encrypted content");
      if (!content || content.end === content.start) return null;
      const some = this.bytes.slice(content.start, Math.min(content.end, content.start + 48));
      return h("div", { class: "env-cipher", "aria-hidden": "true" }, [...some].map((b) => hex(b)).join(" "));
    }
    return field.value ? h("div", { class: "env-text" }, field.value) : null;
  }

  spoken(field, name, who, size) {
    const key = this.wrapped.get(field.key);
    const parts = [name, who, plural(size, "byte")];
    if (key) {
      const holders = key.holders ? key.holders.join(", ") || "nobody" : "whoever may use that key";
      parts.push(key.store ? `under a key of ${key.store}` : "", `can be unwrapped by ${holders}`);
    } else if (field.value) parts.push(field.value);
    return parts.filter(Boolean).join(", ");
  }

  // ------------------------------------------------------------------ one layer, opened

  openLayer(field, { focus = true, at = null } = {}) {
    this.layer = field;
    if (at === null && !(field.start <= this.at && this.at < field.end)) this.at = field.start;
    else if (at !== null) this.at = at;
    for (const { field: each, item } of this.layers.values()) {
      item.setAttribute("aria-selected", String(each === field));
    }
    this.detail.hidden = false;
    this.drawDetail();
    if (focus) this.focusByte();
    this.say(`${field.name} opened: ${plural(field.end - field.start, "byte")}. ${field.meaning}`);
  }

  drawDetail() {
    const field = this.layer;
    const leaves = this.leaves.filter((l) => field.start <= l.start && l.end <= field.end && l.end > l.start);
    this.shownLeaves = leaves;
    this.fieldItems.clear();
    this.fields = h("div", { class: "env-fields", role: "listbox", "aria-label": `Fields of ${field.name}` });
    // A letter in hundreds of frames has thousands of fields: list those of the page only.
    this.grid = h("div", {
      class: "env-grid",
      role: "grid",
      "aria-label": `Bytes of ${field.name}. Arrow keys move, F flips a byte, U undoes, Escape returns to the layers.`,
      onclick: (event) => this.onCell(event),
    });
    this.pager = h("div", { class: "env-pager" });
    this.inspector = h("div", { class: "env-inspector" });
    this.flipButton = h(
      "button",
      { class: "kv-button env-flip", type: "button", onclick: () => this.flip() },
      icon("tear"),
      h("span", {}, "Flip this byte"),
      h("kbd", { "aria-hidden": "true" }, "F"),
    );
    this.detail.replaceChildren(
      h(
        "div",
        { class: "env-detail-head" },
        h("div", { class: "env-detail-name", role: "heading", "aria-level": "4" }, field.name),
        h("div", { class: "env-size" }, `bytes ${field.start}–${field.end - 1}`),
        h("p", {}, field.meaning),
      ),
      h("div", { class: "env-columns" }, this.fields, h("div", { class: "env-bytes" }, this.grid, this.pager)),
      this.inspector,
    );
    this.page = null;
    this.drawPage();
    this.inspect();
  }

  /** The bytes of one page, and the fields that lie on it. */
  drawPage() {
    const field = this.layer;
    const start = field.start + Math.floor((this.at - field.start) / PAGE) * PAGE;
    if (this.page === start) return;
    this.page = start;
    const end = Math.min(start + PAGE, field.end);
    this.columns = this.root.clientWidth && this.root.clientWidth < 560 ? 8 : 16;
    this.cells.clear();
    const shown = this.shownLeaves.filter((leaf) => leaf.start < end && start < leaf.end);
    const order = new Map(shown.map((leaf, i) => [leaf, i]));
    const rows = [];
    let leaf = shown[0];
    for (let row = start; row < end; row += this.columns) {
      const hexCells = [];
      const textCells = [];
      for (let p = row; p < Math.min(row + this.columns, end); p += 1) {
        if (p >= leaf.end) leaf = shown[order.get(leaf) + 1];
        const kind = order.get(leaf) % 2 ? "env-odd" : "env-even";
        const first = p === leaf.start ? " env-first" : "";
        const cell = h("span", {
          class: `env-byte ${kind}${first}`,
          role: "gridcell",
          tabindex: "-1",
          "data-at": p,
        });
        const text = h("span", { class: `env-char ${kind}` });
        this.cells.set(p, [cell, text]);
        this.paint(p);
        hexCells.push(cell);
        textCells.push(text);
      }
      rows.push(
        h(
          "div",
          { class: "env-row", role: "row" },
          h("span", { class: "env-offset", "aria-hidden": "true" }, String(row)),
          h("span", { class: "env-hex", role: "presentation" }, hexCells),
          h("span", { class: "env-ascii", "aria-hidden": "true" }, textCells),
        ),
      );
    }
    this.grid.style.setProperty("--columns", this.columns);
    this.grid.replaceChildren(...rows);
    this.pager.replaceChildren(
      ...(field.end - field.start > PAGE
        ? [
            h("button", { class: "kv-button", type: "button", onclick: () => this.turn(-1) }, "Earlier"),
            h("span", {}, `bytes ${start}–${end - 1} of ${field.start}–${field.end - 1}`),
            h("button", { class: "kv-button", type: "button", onclick: () => this.turn(1) }, "Later"),
          ]
        : []),
    );
    this.fieldItems.clear();
    this.fields.replaceChildren(
      ...shown.map((each) => {
        const item = h(
          "div",
          {
            class: `env-field ${order.get(each) % 2 ? "env-odd" : "env-even"}`,
            role: "option",
            "aria-selected": "false",
            tabindex: "-1",
            "data-field": each.key,
            onclick: () => this.move(Math.max(each.start, start)),
          },
          h("span", { class: "env-field-name" }, each.name),
          h("span", { class: "env-field-size" }, String(each.end - each.start)),
          each.value ? h("span", { class: "env-field-value", title: each.value }, each.value) : null,
        );
        this.fieldItems.set(each, item);
        return item;
      }),
    );
  }

  /** Draw one byte as it is, or as it was changed. */
  paint(position) {
    const cells = this.cells.get(position);
    if (!cells) return;
    const [cell, text] = cells;
    const changed = this.changed && this.changed.position === position;
    const value = changed ? this.changed.after : this.bytes[position];
    cell.textContent = hex(value);
    text.textContent = value > 32 && value < 127 ? String.fromCharCode(value) : value === 32 ? "\u2423" : "·";
    cell.classList.toggle("env-changed", Boolean(changed));
    text.classList.toggle("env-changed", Boolean(changed));
    const leaf = this.leafAt(position);
    cell.setAttribute(
      "aria-label",
      `byte ${position}, ${hex(value)}${changed ? `, changed from ${hex(this.bytes[position])}` : ""}, ${leaf.name}`,
    );
  }

  // ------------------------------------------------------------------ moving about

  move(position, { focus = true } = {}) {
    const field = this.layer;
    const target = Math.min(Math.max(position, field.start), field.end - 1);
    this.current(false);
    this.at = target;
    this.drawPage();
    this.inspect();
    if (focus) this.focusByte();
  }

  turn(pages) {
    this.move(this.at + pages * PAGE);
  }

  current(on) {
    const cells = this.cells.get(this.at);
    if (!cells) return;
    for (const cell of cells) cell.classList.toggle("env-current", on);
    cells[0].tabIndex = on ? 0 : -1;
  }

  focusByte() {
    const cells = this.cells.get(this.at);
    if (cells) cells[0].focus({ preventScroll: false });
  }

  focusItem(item) {
    rove(this.items(), item);
    item.focus();
  }

  /** Say what the byte under the focus is. */
  inspect() {
    this.current(true);
    const leaf = this.leafAt(this.at);
    if (leaf !== this.leaf || !this.inspector.firstChild) {
      this.leaf = leaf;
      for (const [each, item] of this.fieldItems) {
        item.setAttribute("aria-selected", String(each === leaf));
        item.tabIndex = each === leaf ? 0 : -1;
      }
      const item = this.fieldItems.get(leaf);
      if (item) {
        const list = this.fields;
        if (item.offsetTop < list.scrollTop) list.scrollTop = item.offsetTop;
        const below = item.offsetTop + item.offsetHeight - list.clientHeight;
        if (below > list.scrollTop) list.scrollTop = below;
        for (const [position, cells] of this.cells) {
          const inside = leaf.start <= position && position < leaf.end;
          for (const cell of cells) cell.classList.toggle("env-here", inside);
        }
      }
      this.where = h("span", { class: "env-where" });
      this.inspector.replaceChildren(
        h(
          "div",
          { class: "env-what" },
          h("div", {}, h("strong", {}, leaf.name), this.where),
          h("div", { class: "env-meaning" }, leaf.meaning),
          h(
            "div",
            { class: "env-checks" },
            icon("shield"),
            h("span", {}, "A change here is noticed by: ", noticedBy(leaf.checks)),
          ),
        ),
        h("div", { class: "env-buttons" }, this.flipButton),
      );
    }
    const changed = this.changed && this.changed.position === this.at;
    const value = changed ? this.changed.after : this.bytes[this.at];
    this.where.textContent =
      ` byte ${this.at - leaf.start + 1} of ${leaf.end - leaf.start}: 0x${hex(value)} = ${value}`;
    this.flipButton.disabled = !this.model.get("_can_open");
    this.flipButton.querySelector("span").textContent = changed ? "Undo the change" : "Flip this byte";
    this.flipButton.querySelector("kbd").textContent = changed ? "U" : "F";
  }

  onCell(event) {
    const cell = event.target.closest("[data-at]");
    if (cell) this.move(Number(cell.dataset.at));
  }

  onKey(event) {
    if (event.ctrlKey && !["Home", "End"].includes(event.key)) return;
    if (event.metaKey || event.altKey) return;
    const inGrid = this.grid && this.grid.contains(event.target);
    const inTree = this.picture.contains(event.target);
    const inList = this.fields && this.fields.contains(event.target);
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const onButton = event.target.closest("button");
    let done = true;
    if (key === "u" || key === "Backspace" || key === "Delete") this.undo();
    else if (key === "o") this.ask({ do: "open" });
    else if (key === "f" && this.layer) this.flip();
    else if (key === "Escape" && this.layer && !inTree) this.focusItem(this.layers.get(this.layer.key).item);
    else if (onButton) done = false;
    else if (inGrid) done = this.gridKey(event, key);
    else if (inTree) done = this.treeKey(key);
    else if (inList) done = this.listKey(key);
    else done = false;
    if (done) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  gridKey(event, key) {
    const { start, end } = this.layer;
    const row = this.page + Math.floor((this.at - this.page) / this.columns) * this.columns;
    const steps = {
      ArrowLeft: this.at - 1,
      ArrowRight: this.at + 1,
      ArrowUp: this.at - this.columns < start ? this.at : this.at - this.columns,
      ArrowDown: this.at + this.columns >= end ? this.at : this.at + this.columns,
      Home: event.ctrlKey ? start : row,
      End: event.ctrlKey ? end - 1 : row + this.columns - 1,
      PageUp: this.at - PAGE,
      PageDown: this.at + PAGE,
    };
    if (key in steps) this.move(steps[key]);
    else if (key === " " || key === "Enter") this.flip();
    else return false;
    return true;
  }

  treeKey(key) {
    const items = this.items();
    const now = items.findIndex((item) => item === document.activeElement);
    const next = { ArrowDown: now + 1, ArrowRight: now + 1, ArrowUp: now - 1, ArrowLeft: now - 1, Home: 0, End: items.length - 1 };
    if (key in next) {
      const item = items[Math.min(Math.max(next[key], 0), items.length - 1)];
      this.focusItem(item);
    } else if (key === "Enter" || key === " ") {
      this.openLayer(this.byKey.get(items[Math.max(now, 0)].dataset.key));
    } else return false;
    return true;
  }

  listKey(key) {
    const fields = [...this.fieldItems.keys()];
    const now = fields.indexOf(this.leaf);
    const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: fields.length - 1 };
    if (key in next) {
      const field = fields[Math.min(Math.max(next[key], 0), fields.length - 1)];
      this.move(Math.max(field.start, this.page), { focus: false });
      this.fieldItems.get(field).focus();
    } else if (key === "Enter" || key === " ") this.focusByte();
    else return false;
    return true;
  }

  // ------------------------------------------------------------------ asking Python

  ask(question) {
    if (!this.model.get("_can_open")) {
      this.say("This view was made without open_with, so nothing can be opened.");
      return;
    }
    this.root.setAttribute("aria-busy", "true");
    this.result.hidden = false;
    this.result.className = "env-result env-asking";
    this.result.replaceChildren(h("div", { class: "env-verdict" }, "Asking Python to open it…"));
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.result.replaceChildren(
        h("div", { class: "env-verdict" }, icon("alert", 20), "No answer from Python"),
        h("p", {}, "Is the kernel running and free? Run this cell again, or wait for the running one."),
      );
    }, PATIENCE);
    this.model.send(question);
  }

  flip() {
    if (this.changed && this.changed.position === this.at) {
      this.undo();
      return;
    }
    const previous = this.changed;
    if (this.model.get("_can_open")) {
      // Shown at once; Python confirms it with its answer.
      this.changed = { position: this.at, after: this.bytes[this.at] ^ 1 };
      if (previous) this.paint(previous.position);
      this.paint(this.at);
      this.inspect();
    }
    this.ask({ do: "flip", position: this.at });
  }

  undo() {
    if (!this.changed && this.result.hidden) return;
    this.model.send({ do: "undo" });
    this.clear();
    this.say("Undone: the message is as it was sealed.");
  }

  clear() {
    clearTimeout(this.waiting);
    this.root.removeAttribute("aria-busy");
    const previous = this.changed;
    this.changed = null;
    this.result.hidden = true;
    this.result.replaceChildren();
    for (const { item, note } of this.layers.values()) {
      item.classList.remove("env-torn", "env-refused", "env-passed");
      note.replaceChildren();
    }
    if (previous) this.paint(previous.position);
    if (this.layer) this.inspect();
  }

  showAnswer() {
    const answer = this.model.get("_answer");
    this.clear();
    if (!answer || answer.says === undefined) return;
    const flipped = answer.position !== null;
    if (flipped) {
      this.changed = { position: answer.position, after: answer.after };
      this.paint(answer.position);
      const torn = [...this.layers.values()]
        .filter(({ field }) => field.start <= answer.position && answer.position < field.end)
        .pop();
      this.mark(torn, "env-torn", "tear", "changed here");
    }
    for (const key of answer.noticed) this.mark(this.layers.get(key), "env-refused", "refuse", "refused here");
    if (answer.opened && !flipped) {
      this.mark(this.layers.get(this.tree.key), "env-passed", "open", "opened");
    }
    const [kind, sign, verdict] = !answer.opened
      ? ["env-bad", "refuse", flipped ? `Refused by: ${lowerFirst(answer.check)}` : "Refused, though nothing was changed"]
      : flipped
        ? ["env-warn", "alert", "Nobody noticed: it opened"]
        : ["env-good", "open", "Opened"];
    this.result.hidden = false;
    this.result.className = `env-result ${kind}`;
    this.result.replaceChildren(
      ...[
        h("div", { class: "env-verdict" }, icon(sign, 20), verdict),
        h("p", {}, answer.says),
        flipped
          ? h(
              "p",
              { class: "env-change" },
              `Changed: byte ${answer.position} (${answer.field}) from `,
              h("code", {}, hex(answer.before)),
              " to ",
              h("code", {}, hex(answer.after)),
            )
          : null,
        answer.error
          ? h("pre", { class: "env-error" }, answer.message ? `${answer.error}: ${answer.message}` : answer.error)
          : null,
        answer.letter ? h("blockquote", { class: "env-letter" }, answer.letter) : null,
        h(
          "button",
          { class: "kv-button", type: "button", onclick: () => this.undo() },
          flipped ? "Undo" : "Close",
          h("kbd", { "aria-hidden": "true" }, "U"),
        ),
      ].filter(Boolean),
    );
    if (this.layer) this.inspect();
    this.result.scrollIntoView({ block: "nearest" });
    this.say(`${verdict}. ${answer.says} ${answer.error}`);
  }

  /** Write on a layer of the picture what happened there; on the letter if its frame is not drawn. */
  mark(entry, className, sign, words) {
    const target = entry || [...this.layers.values()].find(({ field }) => field.role === "body");
    if (!target) return;
    target.item.classList.add(className);
    target.note.append(h("span", { class: `env-mark ${className}-mark` }, icon(sign, 14), words));
  }

  say(words) {
    this.live.textContent = words;
  }
}

function noticedBy(checks) {
  return checks.map((check) => (check === "Nobody noticed" ? "nobody" : lowerFirst(check))).join(", or ");
}

function lowerFirst(text) {
  return text ? text[0].toLowerCase() + text.slice(1) : text;
}

export default { render };
