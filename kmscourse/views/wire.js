// The wire, drawn in the browser. Moving about asks nobody; a switch asks Python, which shakes
// hands once more and answers with what really happened.

const WAIT = 6000; // milliseconds until we say that Python does not answer
const ROW = 16; // bytes in a line of the byte view; half of it where there is little room
const WIDE = 545; // pixels that a full line needs
let wires = 0; // radio buttons of two views must not share a name

const SEAT_NAMES = { client: "Client", eavesdropper: "Eavesdropper", interceptor: "Interceptor", server: "Server" };
const SEAT_ICONS = { client: "people", eavesdropper: "eye", interceptor: "pen" };
const PIPE_NAMES = {
  eavesdropper: "An eavesdropper: listens",
  tamperer: "A tamperer: flips one bit",
  interceptor: "An interceptor: stands in between",
};
// How a record looks from a seat: style, icon, and the word for it, so that no colour is needed.
const LOOKS = {
  clear: ["wire-clear", "eye", "in the clear"],
  opened: ["wire-opened", "open", "opened"],
  sealed: ["wire-sealed", "lock", "sealed"],
};
const OUTCOMES = {
  fooled: ["alert", "Fooled", "wire-bad"],
  refused: ["shield", "Refused", "wire-good"],
  done: ["shield", "Arrived", "wire-good"],
  stuck: ["alert", "Nothing came", "wire-bad"],
};

function render({ model, el }) {
  const view = new WireView(model);
  el.replaceChildren(view.root);
  const shown = () => view.answered();
  model.on("change:_shown", shown);
  const room = new ResizeObserver(() => view.resized());
  room.observe(view.root);
  return () => {
    room.disconnect();
    model.off("change:_shown", shown);
  };
}

class WireView {
  constructor(model) {
    this.model = model;
    this.id = `wire-${(wires += 1)}`;
    this.seat = "eavesdropper";
    this.chosen = "0/0"; // the record that is opened: leg/index
    this.part = null; // "wire" or "inside", as chosen by the learner
    this.field = 0;
    this.questions = 0; // how often Python was asked, so that only the last answer is shown
    this.wanted = null; // the setting that was asked for and is not answered yet
    this.rows = new Map(); // "leg/index" -> its element
    this.build();
    this.draw();
  }

  get shown() {
    return this.model.get("_shown");
  }

  // ------------------------------------------------------------------ building

  build() {
    const model = this.model;
    this.live = liveRegion();
    this.verify = h(
      "button",
      { class: "wire-switch", type: "button", role: "switch", onclick: () => this.toggleVerify() },
      h("span", { class: "wire-knob", "aria-hidden": "true" }),
      h("span", {}, "The client checks the certificate"),
      h("kbd", { "aria-hidden": "true" }, "V"),
    );
    this.pipe = this.choice("On the wire", "pipe", Object.entries(PIPE_NAMES), (pipe) => this.ask({ pipe }));
    this.version = this.choice("Version", "version", [["TLS 1.3", "TLS 1.3"], ["TLS 1.2", "TLS 1.2"]], (version) =>
      this.ask({ version }),
    );
    this.story = h("div", { class: "wire-story" });
    this.outcome = h("div", { class: "wire-outcome" });
    const cards = h("div", { class: "wire-cards" });
    this.seats = h("fieldset", { class: "wire-seats" }, h("legend", {}, "Watch from the seat of"), cards);
    this.seatNotes = {};
    ["client", "eavesdropper", "interceptor"].forEach((seat, i) => {
      const note = h("span", { class: "wire-seat-note" });
      this.seatNotes[seat] = note;
      const input = h("input", {
        type: "radio",
        name: `${this.id}-seat`,
        value: seat,
        "aria-label": SEAT_NAMES[seat],
        "aria-describedby": `${this.id}-${seat}`,
        onchange: () => this.sit(seat),
      });
      note.id = `${this.id}-${seat}`;
      cards.append(
        h(
          "label",
          { class: "wire-seat" },
          input,
          h("span", { class: "wire-seat-name" }, icon(SEAT_ICONS[seat]), SEAT_NAMES[seat], h("kbd", { "aria-hidden": "true" }, i + 1)),
          note,
        ),
      );
    });
    this.ladder = h("div", { class: "wire-ladder", role: "listbox" });
    this.detail = h("div", { class: "wire-detail" });
    this.root = frame(model, "wire");
    this.root.append(
      h(
        "div",
        { class: "wire-head" },
        h("div", { class: "wire-title", role: "heading", "aria-level": "3" }, model.get("title")),
        h("div", { class: "wire-facts" }, (this.facts = h("span", {}))),
      ),
      h("div", { class: "wire-controls" }, this.verify, this.pipe, this.version),
      this.story,
      this.outcome,
      this.seats,
      h("div", { class: "wire-columns" }, h("div", { class: "wire-session" }, this.ladder, this.keys()), this.detail),
      this.live,
    );
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  choice(legend, name, options, onchange) {
    const set = h("fieldset", { class: "wire-choice" }, h("legend", {}, legend));
    for (const [value, label] of options) {
      const input = h("input", { type: "radio", name: `${this.id}-${name}`, value, onchange: () => onchange(value) });
      set.append(h("label", {}, input, h("span", {}, label)));
    }
    return set;
  }

  keys() {
    return h(
      "p",
      { class: "wire-keys kv-keys" },
      h("kbd", {}, "↑"),
      h("kbd", {}, "↓"),
      " choose a record, ",
      h("kbd", {}, "Enter"),
      " opens it to its bytes, ",
      h("kbd", {}, "Esc"),
      " leads back. ",
      h("kbd", {}, "1"),
      h("kbd", {}, "2"),
      h("kbd", {}, "3"),
      " change the seat.",
    );
  }

  // ------------------------------------------------------------------ drawing

  draw() {
    const shown = this.shown;
    this.drawControls();
    this.facts.textContent = [shown.version, shown.suite, shown.group].filter(Boolean).join(" · ");
    this.root.setAttribute("aria-label", `${this.model.get("title")}. ${this.model.get("summary")}`);
    this.drawStory();
    this.drawOutcome();
    this.drawSeats();
    this.drawLadder();
    this.drawDetail();
  }

  get setting() {
    return this.wanted || this.model.get("_setting");
  }

  drawControls() {
    const { verify, pipe, version } = this.setting;
    this.verify.setAttribute("aria-checked", String(verify));
    for (const [set, value] of [[this.pipe, pipe], [this.version, version], [this.seats, this.seat]]) {
      for (const input of set.querySelectorAll("input")) input.checked = input.value === value;
    }
  }

  /** Who said what, and what arrived. */
  drawStory() {
    const { asked, server_got, answered, client_got, legs, outcome } = this.shown;
    const setting = this.model.get("_setting");
    const two = legs[0].ends.includes("interceptor");
    const quote = (label, text, other) =>
      h("div", { class: "wire-quote" }, h("span", {}, label), text ? h("q", {}, marked(text, other)) : h("em", {}, "nothing"));
    const line = (safe, words) =>
      h("div", { class: "wire-line" }, icon(safe ? "lock" : "alert"), h("span", {}, words));
    const middle = { eavesdropper: "Eavesdropper", tamperer: "Tamperer", interceptor: "Interceptor" }[setting.pipe];
    const fooled = outcome === "fooled";
    const said =
      fooled && (asked || answered)
        ? [quote("read", asked, asked), quote("read", answered, answered), quote("passed on", client_got, answered)]
        : quote(setting.pipe === "tamperer" ? "flipped a bit, and read" : "read", "", "");
    const cut = outcome === "refused" || outcome === "stuck";
    this.story.replaceChildren(
      h("div", { class: "wire-person" }, h("strong", {}, "Client"), quote("asked", asked, asked), quote("got", client_got, answered || client_got)),
      line(!two || cut, cut ? "broken off" : two ? "the interceptor's lock" : "one lock, end to end"),
      h("div", { class: "wire-person wire-middle" }, h("strong", {}, middle), said),
      line(!two || cut, cut && two ? "never asked" : two ? "the server's lock" : cut ? "broken off" : "the same lock"),
      h("div", { class: "wire-person" }, h("strong", {}, "Server"), quote("was asked", server_got, asked), quote("answered", answered, answered)),
    );
  }

  drawOutcome() {
    const { outcome, summary, alert, code } = this.shown;
    const [sign, word, look] = OUTCOMES[outcome];
    this.outcome.className = `wire-outcome ${look}`;
    this.outcome.replaceChildren(
      icon(sign, 20),
      h(
        "div",
        {},
        h("strong", { class: "wire-verdict" }, word),
        h("span", {}, ` ${summary}`),
        alert || code
          ? h(
              "div",
              { class: "wire-codes" },
              alert ? [h("span", {}, "alert "), h("code", {}, alert)] : null,
              code ? [h("span", {}, alert ? " · reason " : "reason "), h("code", {}, code)] : null,
            )
          : null,
      ),
    );
  }

  drawSeats() {
    for (const [seat, note] of Object.entries(this.seatNotes)) {
      const { seen, opened, read, present } = this.shown.seats[seat];
      const readable = seen.filter(([leg, index]) => this.look(leg, this.record(leg, index), seat) !== "sealed").length;
      const words = !present
        ? "Not in between now: sees what anyone on the way sees."
        : opened.length > 0
          ? read
            ? "Has the keys: reads all that is said."
            : "Has the keys; nothing was said."
          : "Has no key.";
      note.textContent = `${words} ${readable} of ${plural(seen.length, "record")} readable.`;
    }
  }

  drawLadder() {
    const { legs } = this.shown;
    const seen = this.shown.seats[this.seat].seen.map((pair) => pair.join("/"));
    if (!seen.includes(this.chosen)) [this.chosen] = seen;
    this.rows.clear();
    const parts = [];
    legs.forEach((leg, number) => {
      const rows = leg.records.filter((record) => seen.includes(`${number}/${record.index}`));
      if (rows.length === 0) return;
      const [left, right] = leg.ends.map((end) => SEAT_NAMES[end]);
      const elements = rows.map((record) => this.row(number, leg, record));
      parts.push(
        h(
          "div",
          { role: "group", class: "wire-leg", "aria-label": `${left} and ${right}` },
          h("div", { class: "wire-ends", "aria-hidden": "true" }, h("span", {}, left), h("span", {}, right)),
          elements,
        ),
      );
    });
    this.ladder.setAttribute("aria-label", `Records, seen by the ${this.seat}`);
    this.ladder.replaceChildren(...parts);
    rove([...this.rows.values()], this.rows.get(this.chosen));
  }

  row(number, leg, record) {
    const key = `${number}/${record.index}`;
    const look = this.look(number, record, this.seat);
    const [style, sign, word] = LOOKS[look];
    const to = leg.ends[record.outward ? 1 : 0];
    const what = this.carries(record, look);
    const row = h(
      "div",
      {
        class: `wire-row ${style} ${record.outward ? "wire-out" : "wire-in"}`,
        role: "option",
        "aria-selected": String(key === this.chosen),
        "aria-label": `${record.index + 1}: ${record.sender} to ${to}, ${what}, ${word}, ${plural(record.size, "byte")}`,
        "data-key": key,
        onclick: () => {
          this.choose(key);
          row.focus();
        },
      },
      h("span", { class: "wire-number" }, record.index + 1),
      h(
        "span",
        { class: "wire-bar" },
        h("span", { class: "wire-arrow", "aria-hidden": "true" }, record.outward ? "→" : "←"),
        icon(sign, 14),
        h("span", { class: "wire-what" }, what),
        h("span", { class: "wire-word" }, word),
      ),
      h("span", { class: "wire-size" }, `${record.size} B`),
    );
    this.rows.set(key, row);
    return row;
  }

  record(leg, index) {
    return this.shown.legs[leg].records.find((record) => record.index === index);
  }

  /** "clear", "opened" or "sealed", from a seat. */
  look(leg, record, seat) {
    if (!record.sealed) return "clear";
    const opened = this.shown.seats[seat].opened.some((pair) => pair[0] === leg && pair[1] === record.index);
    return opened && record.opened ? "opened" : "sealed";
  }

  carries(record, look) {
    const words = { application_data: "what they say", change_cipher_spec: "change cipher spec" };
    if (look === "opened") return words[record.opened.carries] || record.opened.carries;
    if (look === "sealed") return "unreadable";
    return words[record.carries] || record.carries;
  }

  // ------------------------------------------------------------------ one record

  drawDetail() {
    const [leg, index] = this.chosen.split("/").map(Number);
    const record = this.record(leg, index);
    const look = this.look(leg, record, this.seat);
    const inside = look === "opened" && (this.part || "inside") === "inside";
    const part = inside ? record.opened : record;
    this.now = { part, look };
    this.field = Math.min(this.field, part.fields.length - 1);
    const to = this.shown.legs[leg].ends[record.outward ? 1 : 0];
    const tabs =
      look === "opened"
        ? h(
            "div",
            { class: "wire-tabs", role: "group", "aria-label": "Which bytes" },
            this.tab("On the wire", "wire", !inside),
            this.tab("Under the lock", "inside", inside),
          )
        : null;
    this.fieldRows = part.fields.map((field, i) => this.fieldRow(field, i));
    this.fields = h("div", { class: "wire-fields", role: "listbox", "aria-label": "Named parts of the record" }, this.fieldRows);
    this.inspector = h("div", { class: "wire-inspector" });
    this.bytes = h("div", { class: "wire-bytes", tabindex: "0", role: "img" });
    this.layBytes();
    this.detail.replaceChildren(
      h("div", { class: "wire-detail-name", role: "heading", "aria-level": "4" }, `Record ${record.index + 1}: ${this.carries(record, look)}`),
      h("div", { class: "wire-route" }, `${SEAT_NAMES[record.sender]} to ${SEAT_NAMES[to]} · says on the outside: ${record.type} · ${plural(record.size, "byte")}`),
      h("p", { class: "wire-why" }, icon(LOOKS[look][1]), h("span", {}, this.why(record, look))),
      ...(tabs ? [tabs] : []),
      this.fields,
      this.inspector,
      this.bytes,
    );
    this.inspect();
  }

  tab(label, part, pressed) {
    return h(
      "button",
      {
        class: "kv-button",
        type: "button",
        "aria-pressed": String(pressed),
        onclick: () => {
          this.part = part;
          this.field = 0;
          this.drawDetail();
          this.detail.querySelector('[aria-pressed="true"]').focus();
        },
      },
      icon(part === "wire" ? "lock" : "open"),
      label,
    );
  }

  why(record, look) {
    if (look === "clear") {
      return record.sealed ? "" : "Travels in the clear: everyone on the way can read it.";
    }
    if (look === "opened") {
      const { secret, number } = record.opened;
      return `Sealed on the wire. This seat has the key: ${secret}, record number ${number} under it.`;
    }
    const has = this.shown.seats[this.seat].opened.length > 0;
    if (has && record.reason) return `Not even this seat can open it: ${record.reason}.`;
    return "Sealed. From here only its outside can be seen: that it came, when, from whom and how long it is.";
  }

  fieldRow(field, i) {
    const row = h(
      "div",
      {
        class: "wire-field",
        role: "option",
        "aria-selected": String(i === this.field),
        "aria-label": `${field.name}${field.value ? `: ${field.value}` : ""}, ${plural(field.end - field.start, "byte")}`,
        style: `--depth: ${field.depth}`,
        onclick: () => {
          this.field = i;
          this.inspect();
          row.focus();
        },
      },
      h("span", { class: "wire-field-name" }, field.name),
      h("span", { class: "wire-field-value" }, field.value),
    );
    return row;
  }

  /** The bytes, in lines as long as there is room for. */
  layBytes() {
    const { part } = this.now;
    const raw = part.wire.match(/../g) || [];
    const width = this.wide() ? ROW : ROW / 2;
    const rows = [];
    this.cells = [];
    for (let start = 0; start < raw.length; start += width) {
      const line = raw.slice(start, start + width);
      const cells = line.map((text) => h("span", { class: "wire-byte" }, text));
      const chars = line.map((text) => h("span", { class: "wire-char" }, printable(Number.parseInt(text, 16))));
      cells.forEach((cell, i) => this.cells.push([cell, chars[i]]));
      rows.push(
        h(
          "div",
          { class: "wire-hexrow", "aria-hidden": "true" },
          h("span", { class: "wire-offset" }, start),
          h("span", { class: "wire-hex" }, cells),
          h("span", { class: "wire-text" }, chars),
        ),
      );
    }
    if (part.size > raw.length) rows.push(h("div", { class: "wire-more" }, `and ${plural(part.size - raw.length, "more byte")}`));
    this.bytes.style.setProperty("--hex", `${1.6 * width}em`);
    this.bytes.replaceChildren(...rows);
    this.laid = this.wide();
  }

  wide() {
    return !this.detail.clientWidth || this.detail.clientWidth >= WIDE;
  }

  resized() {
    if (this.laid === this.wide()) return;
    this.layBytes();
    this.inspect();
  }

  /** Show the chosen part: its bytes and what they are for. */
  inspect() {
    const { part } = this.now;
    const field = part.fields[this.field];
    if (!field) {
      this.inspector.replaceChildren();
      return;
    }
    this.fieldRows.forEach((row, i) => row.setAttribute("aria-selected", String(i === this.field)));
    rove(this.fieldRows, this.fieldRows[this.field]);
    const last = field.end - field.start > 1 ? `bytes ${field.start} to ${field.end - 1}` : `byte ${field.start}`;
    const place = field.end === field.start ? "empty" : last;
    const readers = field.seats.length > 0 ? field.seats.join(", ") : "nobody";
    this.inspector.replaceChildren(
      h("div", {}, h("strong", {}, field.name), h("span", { class: "wire-place" }, ` ${place}`)),
      field.value ? h("div", { class: "wire-value" }, field.value) : "",
      field.meaning ? h("div", {}, field.meaning) : "",
      h("div", { class: "wire-place" }, `Readable by: ${readers}`),
    );
    this.cells.forEach(([cell, char], i) => {
      const on = field.start <= i && i < field.end;
      cell.classList.toggle("wire-on", on);
      char.classList.toggle("wire-on", on);
    });
    this.bytes.setAttribute("aria-label", `The bytes of ${field.name}, ${place}: ${part.wire.slice(2 * field.start, 2 * Math.min(field.end, field.start + 16))}`);
    const first = this.cells[field.start];
    if (first) this.bytes.scrollTop = Math.max(0, first[0].offsetTop - this.bytes.clientHeight / 3);
  }

  // ------------------------------------------------------------------ doing

  toggleVerify() {
    this.ask({ verify: !this.setting.verify });
  }

  /** Ask Python for a fresh handshake. */
  ask(change) {
    this.wanted = { ...this.setting, ...change };
    this.questions += 1;
    this.drawControls();
    this.root.setAttribute("aria-busy", "true");
    this.say("Shaking hands…");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.root.removeAttribute("aria-busy");
      this.wanted = null;
      this.draw(); // the switches back to what is shown
      this.outcome.className = "wire-outcome wire-bad";
      this.outcome.replaceChildren(icon("alert", 20), h("div", {}, "Python does not answer, so nothing new can be tried. Run the cell above again (Shift+Enter)."));
      this.say("Python does not answer. Run the cell again.");
    }, WAIT);
    this.model.send({ do: "run", question: this.questions, view: this.id, ...this.wanted });
  }

  answered() {
    const { view, question } = this.shown;
    if (this.wanted && view === this.id && question < this.questions) return; // a newer answer is coming
    this.wanted = null;
    clearTimeout(this.timer);
    this.root.removeAttribute("aria-busy");
    this.field = 0;
    const inList = this.ladder.contains(document.activeElement);
    const inDetail = this.detail.contains(document.activeElement);
    this.draw();
    if (inList || inDetail) this.rows.get(this.chosen).focus();
    const [, word] = OUTCOMES[this.shown.outcome];
    this.say(`${word}. ${this.shown.summary}`);
  }

  sit(seat) {
    this.seat = seat;
    this.field = 0;
    const inside = this.ladder.contains(document.activeElement) || this.detail.contains(document.activeElement);
    for (const input of this.seats.querySelectorAll("input")) input.checked = input.value === seat;
    this.drawLadder();
    this.drawDetail();
    if (inside) this.rows.get(this.chosen).focus();
    this.say(`${SEAT_NAMES[seat]}. ${this.seatNotes[seat].textContent}`);
  }

  choose(key) {
    this.chosen = key;
    this.field = 0;
    for (const [each, row] of this.rows) row.setAttribute("aria-selected", String(each === key));
    rove([...this.rows.values()], this.rows.get(key));
    this.drawDetail();
  }

  say(words) {
    this.live.textContent = words;
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    // JupyterLab's shortcuts look at the focused element first, and would move or make cells.
    if (event.key !== "Tab") event.stopPropagation();
    const key = event.key.toLowerCase();
    if (["1", "2", "3"].includes(key)) {
      this.sit(["client", "eavesdropper", "interceptor"][Number(key) - 1]);
    } else if (key === "v") {
      this.toggleVerify();
    } else if (this.ladder.contains(event.target)) {
      const keys = [...this.rows.keys()];
      const to = stepTo(event.key, keys.indexOf(this.chosen), keys.length);
      if (to !== null) {
        this.choose(keys[to]);
        this.rows.get(keys[to]).focus();
      } else if (event.key === "Enter" || event.key === "ArrowRight") {
        this.fieldRows[this.field]?.focus();
      } else return;
    } else if (this.fields.contains(event.target)) {
      const to = stepTo(event.key, this.field, this.fieldRows.length);
      if (to !== null) {
        this.field = to;
        this.inspect();
        this.fieldRows[to].focus();
      } else if (event.key === "Escape" || event.key === "ArrowLeft") {
        this.rows.get(this.chosen).focus();
      } else return;
    } else if (event.key === "Escape" && this.detail.contains(event.target)) {
      this.rows.get(this.chosen).focus();
    } else return;
    event.preventDefault();
  }
}

/** Where a key leads in a list, or null if it is not for the list. */
function stepTo(key, at, length) {
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: length - 1, PageUp: at - 8, PageDown: at + 8 }[key];
  return to === undefined ? null : Math.max(0, Math.min(length - 1, to));
}

function printable(byte) {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·";
}

/** A text, with what differs from another text marked. */
function marked(text, other) {
  if (!other || text === other) return text;
  let start = 0;
  while (start < text.length && start < other.length && text[start] === other[start]) start += 1;
  let end = 0;
  while (end < text.length - start && end < other.length - start && text.at(-1 - end) === other.at(-1 - end)) end += 1;
  return [text.slice(0, start), h("mark", {}, text.slice(start, text.length - end)), text.slice(text.length - end)];
}

export default { render };
