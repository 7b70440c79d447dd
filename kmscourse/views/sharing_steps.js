// Five steps between two accounts. What they hold was read in Python; here it is laid out, opened
// by keyboard or mouse, and painted anew when something has changed.

const SIGNS = { done: "✓", partly: "!", failed: "✕", open: "" };

function render({ model, el }) {
  const view = new SharingView(model);
  el.replaceChildren(view.root);
  const changed = () => view.changed();
  model.on("change:_shown", changed);
  return () => model.off("change:_shown", changed);
}

class SharingView {
  constructor(model) {
    this.model = model;
    this.live = liveRegion();
    this.root = frame(model, "share");
    this.rows = this.shown.steps.map((_, at) => this.row(at));
    const { owner, target } = this.shown;
    this.root.append(
      h("div", { class: "share-title", role: "heading", "aria-level": "3" }, model.get("title")),
      h(
        "div",
        { class: "share-heads", "aria-hidden": "true" },
        h("span", {}, icon("people"), ` Account ${owner}`, h("small", {}, "has the snapshot")),
        h("span", {}, icon("people"), ` Account ${target}`, h("small", {}, "is to get it")),
      ),
      h("ol", { class: "share-steps" }, this.rows.map((row) => row.item)),
      this.keys(),
      this.live,
    );
    this.paint();
    rove(this.buttons(), this.buttons()[0]);
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  get shown() {
    return this.model.get("_shown");
  }

  row(at) {
    const detail = h("div", { class: "share-detail", hidden: true });
    const button = h("button", {
      class: "share-step",
      type: "button",
      "aria-expanded": "false",
      onclick: () => this.toggle(at),
      onfocus: () => rove(this.buttons(), button),
    });
    const says = h("p", { class: "share-says" });
    const sides = h("div", { class: "share-sides" });
    return { item: h("li", {}, button, says, sides, detail), button, says, sides, detail };
  }

  keys() {
    return h(
      "p",
      { class: "share-keys kv-keys" },
      h("kbd", {}, "↑"),
      h("kbd", {}, "↓"),
      " choose a step, ",
      h("kbd", {}, "Enter"),
      " opens the calls behind it, ",
      h("kbd", {}, "Esc"),
      " closes it. Filled in as your cells run.",
    );
  }

  // ------------------------------------------------------------------ painting

  paint() {
    this.states = this.shown.steps.map((step) => `${step.state} ${step.says}`);
    this.shown.steps.forEach((step, at) => this.paintRow(this.rows[at], step, at + 1));
  }

  paintRow(row, step, number) {
    row.item.className = `share-row share-${step.state} share-by-${step.where}`;
    row.button.replaceChildren(
      h("span", { class: "share-number", "aria-hidden": "true" }, `${number}`),
      h("span", { class: "share-name" }, step.title),
      h(
        "span",
        { class: "share-state" },
        h("span", { "aria-hidden": "true" }, SIGNS[step.state]),
        step.word,
      ),
    );
    row.button.setAttribute("aria-label", `Step ${number}: ${step.title}. ${step.word}. ${step.says}`);
    row.says.replaceChildren(step.says);
    row.sides.replaceChildren(this.side(step, "owner"), this.side(step, "target"));
    row.detail.replaceChildren(...this.detail(step));
  }

  side(step, where) {
    const names = { owner: this.shown.owner, target: this.shown.target };
    const facts = step[where].map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]);
    const may =
      where === "target" && step.permissions.length
        ? h(
            "ul",
            { class: "share-may", "aria-label": "May do with the owner's key" },
            step.permissions.map(([name, allowed]) =>
              h(
                "li",
                { class: allowed ? "share-can" : "share-cannot" },
                h("span", { "aria-hidden": "true" }, allowed ? "✓ " : "✕ "),
                name,
                h("span", { class: "kv-hidden" }, allowed ? " allowed" : " not allowed"),
              ),
            ),
          )
        : null;
    const acts = step.where === where;
    return h(
      "div",
      { class: `share-side${acts ? " share-acts" : ""}`, role: "group", "aria-label": `Account ${names[where]}` },
      h("span", { class: "share-account", "aria-hidden": "true" }, `Account ${names[where]}`),
      facts.length ? h("dl", {}, facts) : null,
      may,
      facts.length || may ? null : h("span", { class: "share-nothing" }, acts ? "nothing yet" : "no part in it"),
    );
  }

  detail(step) {
    const calls = step.calls.map((call) =>
      h(
        "li",
        { class: call.error ? "share-refused" : "" },
        h("code", { class: "share-call" }, call.name),
        ` by ${call.who}${call.through && call.through !== call.who ? `, through ${call.through}` : ""}`,
        call.error ? h("span", { class: "share-error" }, ` ${call.error}`) : null,
        call.words ? h("div", { class: "share-words" }, call.words) : null,
        h("pre", {}, call.asked),
      ),
    );
    return [
      step.document
        ? h("div", {}, h("h4", {}, "In the key policy"), h("pre", {}, step.document))
        : null,
      h("h4", {}, "On the trail"),
      calls.length ? h("ul", {}, calls) : h("p", {}, "Nothing yet."),
    ].filter(Boolean);
  }

  /** Something was done in one of the accounts. */
  changed() {
    const before = this.states;
    this.paint();
    const news = this.shown.steps.flatMap((step, at) =>
      this.states[at] === before[at] ? [] : [`Step ${at + 1} ${step.word}: ${step.says}`],
    );
    if (news.length) this.live.textContent = news.join(" ");
  }

  // ------------------------------------------------------------------ keyboard

  buttons() {
    return this.rows.map((row) => row.button);
  }

  toggle(at, open = this.rows[at].detail.hidden) {
    this.rows[at].detail.hidden = !open;
    this.rows[at].button.setAttribute("aria-expanded", String(open));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const buttons = this.buttons();
    const at = this.rows.findIndex((row) => row.item.contains(event.target));
    const steps = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: buttons.length - 1 };
    if (event.key === "Escape" && at >= 0) {
      this.toggle(at, false);
      buttons[at].focus();
    } else if (event.key in steps) {
      buttons[steps[event.key]]?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

export default { render };
