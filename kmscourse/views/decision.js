// The decision, drawn in the browser. Opening and closing asks nobody; an edited policy goes to
// Python, which really decides again and answers with the whole picture.

const PATIENCE = 6000; // milliseconds until we say that Python does not answer
const PAUSE = 900; // milliseconds of no typing before a screen reader is told what is wrong
const TALLEST = 26; // lines of a policy shown without scrolling

// The part a layer plays, as a sign beside its words.
const SIGNS = {
  stops: "M7 7l10 10 M17 7L7 17",
  decides: "M5 12.5l4.5 4.5L19 7.5",
  passes: "M12 5v13 M6.5 12.5L12 18l5.5-5.5",
  silent: "M7 12h10",
  idle: "M7 12h10",
  absent: "M12 12h.01",
  fits: "M5 12.5l4.5 4.5L19 7.5",
  fails: "M7 7l10 10 M17 7L7 17",
  unread: "M12 12h.01",
  change: "M4 20l4-1L19 8l-3-3L5 16z",
  more: "M12 5v14 M5 12h14",
  back: "M4 9h10a5 5 0 0 1 0 10h-4 M4 9l4-4 M4 9l4 4",
  turn: "M9 6l6 6-6 6",
};
const NOT_YET = { statement: "Not a policy yet", grant: "Not grants yet" };
const STATES = { fits: "fits", fails: "does not fit", unread: "not looked at" };

function sign(name, size = 16) {
  return s(
    "svg",
    { class: "kv-icon", viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" },
    s("path", { d: SIGNS[name] }),
  );
}

function render({ model, el }) {
  const view = new Decision(model);
  el.replaceChildren(view.root);
  const answered = () => view.update();
  model.on("change:_shown", answered);
  return () => model.off("change:_shown", answered);
}

class Decision {
  constructor(model) {
    this.model = model;
    this.sent = 0; // the number of the last question
    this.layers = new Map(); // key -> what was built for a layer
    this.docs = new Map(); // key -> what was built for a document
    this.open = new Map(); // key of a layer or statement -> opened or closed by hand
    this.changing = false; // whether the request's own fields are shown
    this.build();
    this.update();
  }

  // ------------------------------------------------------------------ building

  build() {
    const model = this.model;
    this.live = liveRegion();
    this.resetButton = this.button("back", "Reset", "R", () => this.reset());
    this.verdict = h("div", { class: "dec-verdict" });
    this.request = h("div", { class: "dec-request", role: "group", "aria-label": "The request" });
    this.path = h("ol", { class: "dec-path", "aria-label": "What AWS looks at, in order" });
    this.root = frame(model, "dec");
    this.root.append(
      h(
        "div",
        { class: "dec-head" },
        h("div", { class: "dec-title", role: "heading", "aria-level": "3" }, model.get("title")),
        this.resetButton,
      ),
      this.verdict,
      this.request,
      h("div", { class: "dec-caption", role: "heading", "aria-level": "4" }, "What AWS looks at, in order"),
      this.path,
      h(
        "p",
        { class: "dec-hint kv-keys" },
        h("kbd", {}, "↑"),
        h("kbd", {}, "↓"),
        " move, ",
        h("kbd", {}, "Enter"),
        " opens and closes, ",
        h("kbd", {}, "E"),
        " edits the policy, ",
        h("kbd", {}, "A"),
        " adds a statement, ",
        h("kbd", {}, "C"),
        " changes the request, ",
        h("kbd", {}, "R"),
        " puts everything back, ",
        h("kbd", {}, "Esc"),
        " leaves an editor. Nothing in the simulated AWS changes.",
      ),
      this.live,
    );
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    // One Tab stop for the whole path: wherever the focus was last.
    this.path.addEventListener("focusin", (event) => {
      if (!event.target.dataset.key) return;
      this.at = event.target.dataset.key;
      rove(this.heads(), event.target);
    });
  }

  button(drawn, words, key, act, label) {
    return h(
      "button",
      { class: "kv-button dec-button", type: "button", onclick: act, "aria-label": label },
      sign(drawn),
      h("span", {}, words),
      key ? h("kbd", { "aria-hidden": "true" }, key) : null,
    );
  }

  // ------------------------------------------------------------------ drawing an answer

  update() {
    const shown = this.model.get("_shown");
    const before = this.shown;
    this.shown = shown;
    if (shown.asked >= this.sent) {
      clearTimeout(this.waiting);
      this.root.removeAttribute("aria-busy");
    }
    this.root.setAttribute("aria-label", `${this.model.get("title")}. ${shown.headline}. ${shown.because}`);
    const focus = document.activeElement && this.root.contains(document.activeElement)
      ? document.activeElement.dataset.key || ""
      : "";
    this.resetButton.disabled = !shown.changed && shown.unread.length === 0;
    this.drawVerdict(before);
    this.drawRequest();
    for (const layer of shown.layers) this.drawLayer(layer);
    for (const [key, built] of this.layers) {
      if (!shown.layers.some((layer) => layer.key === key)) {
        built.item.remove();
        this.layers.delete(key);
      }
    }
    this.drawStop();
    const heads = this.heads();
    rove(heads, this.current(heads));
    // What was replaced loses the focus; give it to what stands in its place.
    if (focus && !this.root.contains(document.activeElement)) this.focusOn(focus);
    if (this.adding && shown.asked >= this.adding) this.showAdded();
    this.announce(before);
  }

  current(heads) {
    return (
      heads.find((head) => head.dataset.key === this.at) ||
      heads.find((head) => head.closest(".dec-stops")) ||
      heads.find((head) => head.closest(".dec-decides")) ||
      heads[0]
    );
  }

  drawVerdict(before) {
    const { allowed, headline, because, outcome, changed, unread } = this.shown;
    const was = this.shown.before;
    const turned = before && before.outcome !== outcome;
    this.verdict.className = `dec-verdict ${allowed ? "dec-good" : "dec-bad"}${turned ? " dec-turned" : ""}`;
    if (turned) void this.verdict.offsetWidth; // lets the animation start anew
    const notes = [];
    if (changed) {
      notes.push(
        h(
          "p",
          { class: "dec-was" },
          sign("back", 14),
          was.outcome === outcome
            ? "With your changes; the outcome is the same as before them."
            : `With your changes. Before them: ${asides(was.headline)}.`,
        ),
      );
    }
    if (unread.length > 0) {
      notes.push(
        h("p", { class: "dec-was dec-last" }, icon("alert", 14), "This is the last verdict: the text in the editor cannot be read yet."),
      );
    }
    if (this.shown.problem && !this.changing) {
      notes.push(h("p", { class: "dec-was dec-last" }, icon("alert", 14), this.shown.problem));
    }
    this.verdict.replaceChildren(
      h("span", { class: "dec-seal" }, sign(allowed ? "decides" : "stops", 26)),
      h(
        "div",
        { class: "dec-says" },
        h("div", { class: "dec-headline" }, headline, h("code", { class: "dec-outcome", title: "AWS's name for this outcome" }, outcome)),
        h("p", {}, because),
        notes,
      ),
    );
  }

  // ------------------------------------------------------------------ the request

  drawRequest() {
    const { request, problem } = this.shown;
    if (this.changing && this.request.contains(document.activeElement)) {
      this.requestProblem.replaceChildren(...this.complaint(problem));
      return;
    }
    this.changeButton = this.button(
      this.changing ? "decides" : "change",
      this.changing ? "Done" : "Change it",
      "C",
      () => this.toggleRequest(),
      this.changing ? "Done changing the request" : "Change the request",
    );
    const row = (name, ...content) => [h("dt", {}, name), h("dd", {}, content)];
    const arn = (text) => h("div", { class: "dec-arn" }, text);
    const mark = (on) => (on ? h("span", { class: "dec-chip" }, "changed") : null);
    const facts = h(
      "dl",
      { class: "dec-facts" },
      row("Who", h("strong", {}, upperFirst(request.who)), arn(request.principal)),
      row(
        "What",
        this.changing
          ? this.field("Action", request.action, (value) => ({ action: value }))
          : h("strong", { class: "dec-code" }, request.action),
        mark(request.changed.action),
      ),
      row(
        "On what",
        this.changing
          ? this.field("Resource", request.resource, (value) => ({ resource: value }))
          : [
              request.resource === "*" ? h("strong", {}, "No resource in particular") : h("strong", {}, upperFirst(request.what)),
              request.resource === request.what || request.resource === "*" ? null : arn(request.resource),
            ],
        mark(request.changed.resource),
        request.across
          ? h("div", { class: "dec-note" }, icon("people", 14), `It belongs to account ${request.owner}; the caller is of account ${request.account}. Both sides must allow.`)
          : null,
      ),
      row("Context", this.context(request.context)),
    );
    this.requestProblem = h("div", { class: "dec-complaint" }, this.complaint(this.changing ? problem : ""));
    this.request.replaceChildren(
      h(
        "div",
        { class: "dec-request-head" },
        h("div", { class: "dec-name", role: "heading", "aria-level": "4" }, "The request"),
        this.changeButton,
      ),
      facts,
      this.requestProblem,
    );
  }

  complaint(problem) {
    return problem ? [icon("alert", 14), " ", problem, " The verdict is the last one."] : [];
  }

  /** One line of the request, to be changed. */
  field(name, value, change) {
    return h("input", {
      class: "dec-input",
      type: "text",
      value,
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": name,
      oninput: (event) => this.ask({ do: "request", ...change(event.target.value) }),
    });
  }

  /** The condition keys: those that a condition asks for are shown, the others on request. */
  context(rows) {
    const line = (row) => {
      const values = row.values;
      let shown;
      if (this.changing && row.many) {
        shown = h("textarea", {
          class: "dec-input",
          rows: Math.max(1, values.length),
          spellcheck: "false",
          "aria-label": `${row.key}, one value a line`,
          oninput: (event) =>
            this.ask({ do: "request", context: { [row.key]: event.target.value.split("\n").filter(Boolean) } }),
        });
        shown.value = values.join("\n");
      } else if (this.changing) {
        shown = this.field(row.key, values[0] || "", (value) => ({ context: { [row.key]: value } }));
      } else if (values.length === 0) {
        shown = h("em", {}, "not in the request");
      } else shown = values.join(", ");
      return [
        h("span", { class: "dec-key" }, row.key),
        h(
          "span",
          { class: "dec-value" },
          shown,
          row.changed ? h("span", { class: "dec-chip" }, "changed") : null,
        ),
      ];
    };
    const asked = rows.filter((row) => row.asked || row.changed || row.key.toLowerCase().startsWith("kms:encryptioncontext:"));
    const others = rows.filter((row) => !asked.includes(row));
    const parts = [];
    if (asked.length > 0) parts.push(h("div", { class: "dec-pairs" }, asked.map(line)));
    else parts.push(h("div", { class: "dec-note" }, "No policy here asks about the circumstances."));
    if (others.length > 0) {
      const more = h(
        "details",
        { class: "dec-more" },
        h("summary", {}, `${asked.length > 0 ? "and " : ""}${plural(others.length, "more condition key")} in the request`),
        h("div", { class: "dec-pairs" }, others.map(line)),
      );
      more.open = Boolean(this.moreOpen);
      more.addEventListener("toggle", () => {
        this.moreOpen = more.open;
      });
      parts.push(more);
    }
    if (this.changing) parts.push(h("div", { class: "dec-note" }, "An empty value takes the key out of the request."));
    return parts;
  }

  toggleRequest() {
    this.changing = !this.changing;
    this.changeButton.blur();
    this.drawRequest();
    if (this.changing) this.request.querySelector(".dec-input").focus();
    else this.changeButton.focus();
  }

  // ------------------------------------------------------------------ the path

  drawLayer(layer) {
    let built = this.layers.get(layer.key);
    if (!built) {
      built = {
        head: h("button", {
          class: "dec-layer-head",
          type: "button",
          "data-key": layer.key,
          onclick: () => this.toggle(layer.key),
        }),
        detail: h("div", { class: "dec-detail" }),
        documents: h("div", { class: "dec-documents" }),
      };
      built.body = h("div", { class: "dec-body" }, built.detail, built.documents);
      built.marker = h("span", { class: "dec-marker", "aria-hidden": "true" });
      built.box = h("div", { class: "dec-box" }, built.head, built.body);
      built.item = h("li", {}, built.marker, built.box);
      this.layers.set(layer.key, built);
      // In AWS's order, also when a layer turns up later.
      const keys = this.shown.layers.map((each) => each.key);
      const next = keys.slice(keys.indexOf(layer.key) + 1).map((key) => this.layers.get(key)).find(Boolean);
      this.path.insertBefore(built.item, next ? next.item : null);
    }
    built.layer = layer;
    built.item.className = `dec-layer dec-${layer.role}${layer.quiet ? " dec-quiet" : ""}`;
    built.marker.replaceChildren(sign(layer.role, 18));
    const open = this.isOpen(layer);
    built.head.setAttribute("aria-expanded", String(open));
    built.head.replaceChildren(
      h("span", { class: "dec-turn" }, sign("turn", 14)),
      h("span", { class: "dec-name" }, layer.title),
      layer.quiet
        ? h("span", { class: "dec-aside" }, layer.role === "absent" ? layer.detail : layer.badge)
        : h("span", { class: "dec-badge" }, sign(layer.role, 14), layer.badge),
    );
    built.body.hidden = !open;
    built.detail.replaceChildren(
      h("p", { class: "dec-about" }, layer.about),
      layer.role === "absent" ? "" : h("p", {}, layer.detail),
      layer.add
        ? this.button(
            "more",
            layer.role === "absent" || layer.key === "grant" ? "What if there were one?" : "Add a policy with the missing statement",
            "A",
            () => this.add(layer.add),
            `Add a statement: ${layer.title}`,
          )
        : "",
    );
    const wanted = layer.documents.map((document) => this.drawDocument(document));
    if (wanted.some((node, i) => built.documents.children[i] !== node) || built.documents.children.length !== wanted.length) {
      built.documents.replaceChildren(...wanted);
    }
  }

  isOpen(layer) {
    if (this.open.has(layer.key)) return this.open.get(layer.key);
    if (layer.documents.some((each) => this.docs.get(each.key)?.editing)) return true;
    return layer.role === "stops" || layer.role === "decides";
  }

  toggle(key) {
    const built = this.layers.get(key);
    this.open.set(key, built.body.hidden);
    built.body.hidden = !built.body.hidden;
    built.head.setAttribute("aria-expanded", String(!built.body.hidden));
  }

  /** Below the layer that refused, the way is broken off. */
  drawStop() {
    let stopped = false;
    for (const { key, role } of this.shown.layers) {
      this.layers.get(key).item.classList.toggle("dec-beyond", stopped);
      stopped = stopped || role === "stops";
    }
  }

  // ------------------------------------------------------------------ a document

  drawDocument(given) {
    let doc = this.docs.get(given.key);
    if (!doc) {
      doc = { key: given.key, editing: false };
      doc.title = h("div", { class: "dec-doc-title" });
      doc.editButton = this.button("change", "Edit", "E", () => this.edit(given.key));
      doc.addButton = this.button("more", `Add a ${given.holds}`, "A", () => this.add(given.key));
      doc.head = h("div", { class: "dec-doc-head" }, doc.title, doc.editButton, doc.addButton);
      doc.editor = h("div", { class: "dec-editor", hidden: true });
      doc.statements = h("div", { class: "dec-statements" });
      doc.node = h("div", { class: "dec-doc" }, doc.head, h("div", { class: "dec-doc-body" }, doc.editor, doc.statements));
      this.docs.set(given.key, doc);
    }
    doc.given = given;
    doc.editButton.setAttribute("aria-label", `Edit ${lowerFirst(given.label)}`);
    doc.addButton.setAttribute("aria-label", `Add a ${given.holds} to ${lowerFirst(given.label)}`);
    doc.title.replaceChildren(
      icon(given.holds === "grant" ? "key" : "tag", 15),
      h("span", { class: "dec-doc-name" }, given.label),
      given.state ? h("span", { class: "dec-chip" }, given.state) : "",
      given.problem && !doc.editing ? h("span", { class: "dec-chip dec-chip-wrong" }, icon("alert", 12), NOT_YET[given.holds].toLowerCase()) : "",
    );
    const { statements } = given;
    doc.statements.replaceChildren(
      ...(statements.length > 0
        ? statements.map((each) => this.statement(each))
        : [h("p", { class: "dec-note" }, this.nothingIn(given))]),
    );
    if (doc.editing) this.drawEditor(doc);
    return doc.node;
  }

  nothingIn(given) {
    const layer = this.shown.layers.find((each) => each.documents.includes(given));
    return layer && layer.role === "idle" ? "Not looked at for this request." : `There are no ${given.holds}s.`;
  }

  statement(given) {
    const open = this.open.has(given.key) ? this.open.get(given.key) : given.open;
    const parts = h(
      "div",
      { class: "dec-parts", hidden: !open },
      h("p", { class: "dec-why" }, given.detail),
      h(
        "ul",
        { class: "dec-part-list" },
        given.parts.map((part) =>
          h(
            "li",
            { class: `dec-part dec-${part.state}` },
            h("span", { class: "dec-state" }, sign(part.state, 14), STATES[part.state]),
            h("span", { class: "dec-part-name" }, part.name),
            h(
              "span",
              { class: "dec-part-text" },
              part.text,
              part.has && part.state !== "unread"
                ? h("span", { class: "dec-has" }, `the request has ${part.has}`)
                : null,
            ),
          ),
        ),
      ),
    );
    const deny = given.effect === "Deny";
    const head = h(
      "button",
      {
        class: "dec-statement-head",
        type: "button",
        "aria-expanded": String(open),
        "data-key": given.key,
        onclick: () => {
          parts.hidden = !parts.hidden;
          this.open.set(given.key, !parts.hidden);
          head.setAttribute("aria-expanded", String(!parts.hidden));
        },
      },
      h("span", { class: "dec-turn" }, sign("turn", 14)),
      h("span", { class: `dec-effect${deny ? " dec-deny" : ""}` }, given.effect),
      h("span", { class: "dec-sid" }, given.name),
      h("span", { class: "dec-result" }, sign(given.matched ? (deny ? "stops" : "decides") : "silent", 14), given.result),
      given.decided
        ? h("span", { class: "dec-decided" }, sign(this.shown.allowed ? "decides" : deny ? "stops" : "passes", 14), given.decided)
        : null,
    );
    return h(
      "div",
      { class: `dec-statement${given.matched ? " dec-matched" : ""}${given.decided ? ` dec-decider${deny ? " dec-denier" : ""}` : ""}` },
      head,
      parts,
    );
  }

  // ------------------------------------------------------------------ editing

  edit(key) {
    const doc = this.docs.get(key);
    if (!doc) return;
    if (doc.editing) {
      this.leave(doc);
      return;
    }
    doc.editing = true;
    const ident = `dec-${Math.random().toString(36).slice(2)}`;
    doc.text = h("textarea", {
      class: "dec-text",
      spellcheck: "false",
      autocomplete: "off",
      wrap: "off",
      "aria-label": `${doc.given.label}, as JSON. Escape leaves the editor.`,
      "aria-describedby": ident,
      oninput: () => {
        this.fit(doc);
        this.ask({ do: "edit", key, text: doc.text.value });
      },
    });
    doc.text.value = doc.given.text;
    doc.foot = h("div", { class: "dec-foot", id: ident });
    doc.editor.replaceChildren(doc.text, doc.foot);
    doc.editor.hidden = false;
    doc.node.classList.add("dec-editing");
    doc.editButton.setAttribute("aria-expanded", "true");
    doc.editButton.querySelector("span").textContent = "Close";
    doc.editButton.querySelector("kbd").textContent = "Esc";
    this.fit(doc);
    this.drawEditor(doc);
    doc.text.focus();
    doc.text.setSelectionRange(0, 0);
    doc.text.scrollTop = 0;
  }

  fit(doc) {
    const lines = doc.text.value.split("\n").length;
    doc.text.rows = Math.min(TALLEST, Math.max(6, lines + 1));
  }

  /** What stands under the text: the outcome now, or what is wrong and where. */
  drawEditor(doc) {
    const { given } = doc;
    // An answer to an older question must not take back what has been typed since.
    if (this.shown.asked >= this.sent && doc.text.value !== given.text) {
      doc.text.value = given.text;
      this.fit(doc);
    }
    const problem = given.problem;
    doc.text.setAttribute("aria-invalid", String(Boolean(problem)));
    const { allowed, headline } = this.shown;
    doc.foot.className = `dec-foot ${problem ? "dec-wrong" : allowed ? "dec-good" : "dec-bad"}`;
    if (!problem) {
      doc.foot.replaceChildren(
        h("div", { class: "dec-now" }, sign(allowed ? "decides" : "stops", 18), "Now: ", h("strong", {}, headline)),
      );
      return;
    }
    const line = problem.line ? doc.text.value.split("\n")[problem.line - 1] || "" : "";
    doc.foot.replaceChildren(
      ...[
        h("div", { class: "dec-now" }, icon("alert", 18), given.holds === "grant" ? `${NOT_YET.grant}:` : `${NOT_YET.statement}. AWS would say:`),
        h("div", { class: "dec-aws" }, problem.message),
        problem.advice ? h("div", {}, problem.advice) : null,
        problem.line
          ? h(
              "button",
              { class: "kv-button dec-goto", type: "button", onclick: () => this.goTo(doc) },
              `Line ${problem.line}`,
              problem.place.startsWith("line ") ? null : h("span", { class: "dec-place" }, problem.place),
              line.trim() ? h("code", {}, line.trim().slice(0, 60)) : null,
            )
          : problem.place
            ? h("div", { class: "dec-place" }, problem.place)
            : null,
        h("div", { class: "dec-note" }, `Until then the last verdict stands: ${asides(headline)}.`),
      ].filter(Boolean),
    );
  }

  goTo(doc) {
    const { start, end, line } = doc.given.problem;
    doc.text.focus();
    doc.text.setSelectionRange(start, end);
    this.scrollTo(doc, line);
  }

  scrollTo(doc, line) {
    const height = parseFloat(getComputedStyle(doc.text).lineHeight) || 18;
    doc.text.scrollTop = Math.max(0, (line - 4) * height);
  }

  leave(doc, { focus = true } = {}) {
    doc.editing = false;
    this.drawDocument(doc.given);
    doc.editor.hidden = true;
    doc.node.classList.remove("dec-editing");
    doc.editButton.removeAttribute("aria-expanded");
    doc.editButton.querySelector("span").textContent = "Edit";
    doc.editButton.querySelector("kbd").textContent = "E";
    if (focus) doc.editButton.focus();
  }

  add(where) {
    this.addingTo = where;
    this.adding = this.ask({ do: "add", where });
  }

  /** Open the document to which a statement was added, with the statement marked. */
  showAdded() {
    this.adding = 0;
    const { added } = this.shown;
    if (!added || !this.docs.has(added.key)) {
      // The text there is no policy yet: show what is wrong with it first.
      const wrong = this.docs.get(this.addingTo);
      if (wrong && !wrong.editing) this.edit(wrong.key);
      return;
    }
    const doc = this.docs.get(added.key);
    const built = this.layers.get(added.key.split("/")[0]);
    this.open.set(built.layer.key, true);
    built.body.hidden = false;
    built.head.setAttribute("aria-expanded", "true");
    if (!doc.editing) this.edit(added.key);
    doc.text.focus();
    doc.text.setSelectionRange(added.start, added.end);
    this.scrollTo(doc, doc.text.value.slice(0, added.start).split("\n").length);
    doc.node.scrollIntoView({ block: "nearest" });
  }

  reset() {
    if (this.resetButton.disabled) return;
    const focused = document.activeElement;
    for (const doc of this.docs.values()) if (doc.editing) this.leave(doc, { focus: false });
    this.changing = false;
    this.open.clear();
    this.ask({ do: "reset" });
    const heads = this.heads();
    if (!heads.includes(focused)) this.current(heads).focus();
    this.say("Everything is as it was given.");
  }

  // ------------------------------------------------------------------ keys

  heads() {
    return [...this.path.querySelectorAll("[data-key]")].filter((head) => !head.closest("[hidden]"));
  }

  focusOn(key) {
    const heads = this.heads();
    const head = heads.find((each) => each.dataset.key === key) || this.current(heads);
    head.focus({ preventScroll: true });
  }

  onKey(event) {
    const writing = event.target.matches("textarea, input");
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    let done = true;
    if (event.ctrlKey || event.metaKey || event.altKey) done = false;
    else if (key === "Escape") done = this.escape(event.target);
    else if (writing) done = false;
    else if (key === "r") this.reset();
    else if (key === "c") this.toggleRequest();
    else if (key === "e" || key === "a") done = this.onDocument(key, event.target);
    else done = this.arrow(key);
    if (done) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** The document that a key means: the one around the focus, or its layer's first. */
  onDocument(key, target) {
    const inside = [...this.docs.values()].find((doc) => doc.node.contains(target));
    const item = target.closest(".dec-layer");
    const built = [...this.layers.values()].find((each) => each.item === item);
    if (!built) return false;
    const doc = inside || this.docs.get(built.layer.documents[0]?.key);
    if (doc) {
      if (built.body.hidden) this.toggle(built.layer.key);
      if (key === "a") this.add(doc.key);
      else if (doc.editing) doc.text.focus();
      else this.edit(doc.key);
    } else if (built.layer.add && key === "a") this.add(built.layer.add);
    else this.say("There is no policy here to write in.");
    return true;
  }

  escape(target) {
    const doc = [...this.docs.values()].find((each) => each.editing && each.node.contains(target));
    if (doc) this.leave(doc);
    else if (this.changing && this.request.contains(target)) this.toggleRequest();
    else return false;
    return true;
  }

  arrow(key) {
    const heads = this.heads();
    const now = heads.indexOf(document.activeElement);
    if (now < 0) return false;
    const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: heads.length - 1 };
    if (key in next) {
      const head = heads[Math.min(Math.max(next[key], 0), heads.length - 1)];
      head.focus();
      return true;
    }
    const open = heads[now].getAttribute("aria-expanded") === "true";
    if ((key === "ArrowRight" && !open) || (key === "ArrowLeft" && open)) heads[now].click();
    else if (key !== "ArrowRight" && key !== "ArrowLeft") return false;
    return true;
  }

  // ------------------------------------------------------------------ asking Python

  ask(question) {
    this.sent = Math.max(this.sent, this.shown.asked) + 1;
    this.root.setAttribute("aria-busy", "true");
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      if (this.verdict.querySelector(".dec-deaf")) return;
      this.verdict.querySelector(".dec-says").append(
        h(
          "p",
          { class: "dec-was dec-last dec-deaf" },
          icon("alert", 14),
          "No answer from Python. Is the kernel running and free? Run this cell again, or wait for the running one.",
        ),
      );
    }, PATIENCE);
    this.model.send({ ...question, asked: this.sent });
    return this.sent;
  }

  /** Tell a screen reader what turned at once, and what is wrong after a pause in the typing. */
  announce(before) {
    clearTimeout(this.pausing);
    if (!before) return;
    const { outcome, headline, because, problem } = this.shown;
    if (before.outcome !== outcome) this.say(`${headline}. ${because}`);
    const wrong = [...this.docs.values()].find((doc) => doc.editing && doc.given.problem);
    const words = wrong
      ? `${NOT_YET[wrong.given.holds]}. ${wrong.given.problem.message} ${wrong.given.problem.advice}`
      : problem;
    if (words) this.pausing = setTimeout(() => this.say(words), PAUSE);
  }

  say(words) {
    this.live.textContent = words;
  }
}

function lowerFirst(text) {
  return /^[A-Z]{2}/.test(text) ? text : text[0].toLowerCase() + text.slice(1);
}

/** A headline within a sentence. */
function asides(headline) {
  return lowerFirst(headline).replace(":", ",");
}

function upperFirst(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : text;
}

export default { render };
