// A mock exam. The browser shows and collects; Python keeps, counts the time, and marks at the end.

const TICK = 15000; // milliseconds between two words to Python that the exam is still open
const WARN = [600, 300, 60]; // seconds left at which the time is spoken

function clockText(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const pad = (n) => String(n).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
}

function same(one, other) {
  return one.length === other.length && one.every((each, i) => each === other[i]);
}

function render({ model, el }) {
  const items = model.get("_items");
  const unique = `kv-mock-${++askers}`;
  const drafts = {}; // what is chosen here, until Python has said that it is kept
  let place = "paper"; // or "review", "hand-in"
  let current = 0;
  let hidden = false; // the time
  let silence = null; // the timer until a silent kernel is spoken of
  let stopWaiting = () => {};
  let phase; // as drawn
  let spoken = Infinity; // the last warning of time that was spoken

  const root = frame(model, "kv-quiz kv-mock");
  const status = liveRegion();
  const heading = h("h3", { class: "kq-title" }, model.get("title"));
  const score = h("p", { class: "kq-score" });
  const clock = h("span", { class: "km-clock", role: "timer", "aria-label": "Time left" });
  const hide = h("button", { type: "button", class: "kv-button", onclick: toggleTime });
  const timer = h("p", { class: "km-time" }, clock, hide);
  const card = h("div", { class: "kq-card" });
  const foot = h("p", { class: "kq-foot kv-keys" });
  const { bar, buttons } = stepBar(items, (i) => go(i));
  root.append(
    h("header", { class: "kq-head" }, heading, score, timer),
    bar,
    card,
    foot,
    status,
  );
  el.append(root);

  const state = () => model.get("_state");
  const chosenOf = (item) => drafts[item.id] ?? state().chosen[item.id] ?? [];
  const flagged = (item) => state().flags.includes(item.id);
  const answered = (item) => chosenOf(item).length === item.count;
  const going = () => state().phase === "going";

  function left() {
    const { left: seconds, at } = state();
    return seconds === null ? null : Math.max(0, seconds - (going() ? Date.now() / 1000 - at : 0));
  }

  // --- moving about

  function go(i, focus = false) {
    current = i;
    place = "paper";
    draw();
    if (focus) (card.querySelector("input:not(:disabled)") ?? card.querySelector(".kq-stem")).focus();
  }

  function show(where) {
    place = where;
    draw();
    card.querySelector(".km-heading").focus();
  }

  function step(by) {
    const to = current + by;
    if (to >= 0 && to < items.length) go(to, true);
    else if (by > 0 && going()) show("review");
  }

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("a, summary")) return;
    const key = event.key.toLowerCase();
    const act = {
      n: () => step(1),
      p: () => step(-1),
      f: going() && place === "paper" ? () => flag(items[current]) : null,
      r: going() ? () => show("review") : null,
      t: going() && state().left !== null ? toggleTime : null,
    }[key];
    if (!act && !/^[1-9]$/.test(key)) return;
    if (state().phase === "before") return;
    if (act) act();
    else if (!pick(card, Number(key) - 1)) return;
    event.preventDefault();
    event.stopPropagation();
  });

  // --- what is said to Python

  function send(content) {
    clearTimeout(silence);
    silence = setTimeout(() => {
      const words =
        "The kernel does not answer, so this is not kept yet. If it is busy, wait: it is kept as " +
        "soon as the kernel answers. If it was restarted, run this cell again.";
      card.querySelector(".kq-note")?.replaceChildren(words);
      status.textContent = words;
    }, PATIENCE);
    model.send(content);
  }

  function choose(item, positions) {
    drafts[item.id] = positions;
    send({ do: "choose", id: item.id, chosen: positions });
    drawHead();
    note();
  }

  function flag(item) {
    send({ do: "flag", id: item.id, flagged: !flagged(item) });
  }

  function toggleTime() {
    hidden = !hidden;
    drawTime();
    status.textContent = hidden ? "The time is hidden." : `Time left: ${clockText(left())}.`;
  }

  const beat = setInterval(() => going() && model.send({ do: "tick" }), TICK);
  const second = setInterval(() => {
    if (!going() || left() === null) return;
    drawTime();
    const seconds = left();
    const due = WARN.find((each) => seconds <= each && spoken > each && seconds > each - 30);
    if (due !== undefined) {
      spoken = due;
      status.textContent = `${plural(due / 60, "minute")} left.`;
    }
    if (seconds === 0) send({ do: "finish" });
  }, 1000);

  // --- drawing

  function draw() {
    phase = state().phase;
    drawHead();
    bar.hidden = phase === "before";
    timer.hidden = phase !== "going" || state().left === null;
    foot.hidden = phase !== "going";
    foot.replaceChildren(
      "Keys: ",
      ...[["1", "to choose, "], ["N", "next, "], ["P", "previous, "], ["F", "flag, "], ["R", "review, "], ["T", "time."]]
        .filter(([key]) => key !== "T" || state().left !== null)
        .flatMap(([key, words]) => [h("kbd", {}, key), ` ${words}`]),
    );
    if (phase === "before") card.replaceChildren(...door());
    else if (phase === "over") card.replaceChildren(...result(), marked());
    else if (place === "review") card.replaceChildren(...review());
    else if (place === "hand-in") card.replaceChildren(...handIn());
    else drawPaper();
  }

  function drawHead() {
    const over = state().phase === "over";
    const done = items.filter(answered).length;
    score.textContent =
      state().phase === "before" ? "" : over ? "Handed in" : `${done} of ${items.length} answered`;
    items.forEach((item, i) => {
      const mine = model.get("_marked")[item.id];
      const chosen = chosenOf(item);
      let says, look, marks;
      if (mine) {
        says = mine.ok ? "right" : mine.chosen.length ? "wrong" : "not answered, wrong";
        look = mine.ok ? "right" : "wrong";
        marks = [mine.ok ? CHECK : CROSS];
      } else {
        says = answered(item) ? "answered" : chosen.length ? "answered in part" : "not answered";
        look = answered(item) ? "done" : "open";
        marks = answered(item) ? [CHECK] : [];
      }
      if (flagged(item)) {
        says += ", flagged";
        marks.push(FLAG);
      }
      drawStep(buttons[i], i, current, says, look, marks);
    });
    rove(buttons, buttons[current]);
    drawTime();
  }

  function drawTime() {
    const seconds = left();
    clock.textContent = hidden || seconds === null ? "" : `Time left ${clockText(seconds)}`;
    clock.hidden = hidden;
    hide.textContent = hidden ? "Show time" : "Hide time";
  }

  /** Before it begins, or before going on after a break. */
  function door() {
    const begun = state().begun;
    const done = items.filter(answered).length;
    const rules = begun
      ? [
          `You have begun: ${done} of ${items.length} answered.`,
          ...(state().left === null ? [] : [`${clockText(left())} is left. The clock stands until you go on.`]),
        ]
      : model.get("_rules");
    return [
      h("ul", { class: "km-rules" }, rules.map((rule) => h("li", {}, rule))),
      h(
        "div",
        { class: "kq-buttons" },
        h(
          "button",
          { type: "button", class: "kv-button kq-main km-begin", onclick: begin },
          begun ? "Go on" : "Begin",
        ),
        h("p", { class: "kq-note" }),
      ),
      state().trouble ? troubleOf(state().trouble) : "",
    ];
  }

  function begin() {
    const open = items.findIndex((item) => !answered(item));
    current = open < 0 ? 0 : open;
    send({ do: "begin" });
  }

  function drawPaper() {
    const item = items[current];
    const form = questionForm({
      item,
      i: current,
      count: items.length,
      unique,
      state: null,
      chosen: new Set(chosenOf(item)),
      onchange: (positions) => choose(item, positions),
      onsubmit: () => step(1),
    });
    const isFlagged = flagged(item);
    form.append(
      h("p", { class: "kq-note", "aria-hidden": "true" }),
      h(
        "div",
        { class: "kq-buttons" },
        key("Previous", "P", () => step(-1), { disabled: current === 0 }),
        h("button", { type: "submit", class: "kv-button kq-main km-next" }, "Next ", h("kbd", {}, "N")),
        h(
          "button",
          {
            type: "button",
            class: "kv-button km-flag",
            "aria-pressed": String(isFlagged),
            onclick: () => flag(item),
          },
          mark(FLAG),
          isFlagged ? "Flagged " : "Flag ",
          h("kbd", {}, "F"),
        ),
        key("Review", "R", () => show("review")),
      ),
      state().trouble ? troubleOf(state().trouble) : "",
    );
    card.replaceChildren(form);
    note();
  }

  function key(words, letter, onclick, more = {}) {
    return h(
      "button",
      { type: "button", class: "kv-button", onclick, ...more },
      `${words} `,
      h("kbd", {}, letter),
    );
  }

  /** Whether what is chosen is kept, and how many are to be chosen. */
  function note() {
    if (place !== "paper" || !going()) return;
    const item = items[current];
    const chosen = chosenOf(item);
    const kept = same(chosen, state().chosen[item.id] ?? []);
    const parts = [];
    if (item.several && chosen.length !== item.count) {
      parts.push(`${chosen.length} of ${item.count} chosen.`);
    }
    if (chosen.length || !kept) parts.push(kept ? "Saved." : "Saving…");
    card.querySelector(".kq-note")?.replaceChildren(parts.join(" "));
  }

  function review() {
    const open = items.filter((item) => !answered(item)).length;
    const marks = items.filter(flagged).length;
    return [
      h("h4", { class: "km-heading", tabindex: "-1" }, "Review"),
      h("p", {}, `${open} not answered, ${marks} flagged. Choose a question to go back to it.`),
      h(
        "ul",
        { class: "km-list" },
        items.map((item, i) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", class: "km-row", onclick: () => go(i, true) },
              h("span", { class: "km-number" }, `${i + 1}.`),
              h("span", { class: "km-stem" }, item.stem),
              h(
                "span",
                { class: "km-state" },
                flagged(item) ? mark(FLAG) : null,
                [
                  flagged(item) ? "flagged" : null,
                  answered(item)
                    ? "answered"
                    : chosenOf(item).length
                      ? "answered in part"
                      : "not answered",
                ]
                  .filter(Boolean)
                  .join(", "),
              ),
            ),
          ),
        ),
      ),
      h(
        "div",
        { class: "kq-buttons" },
        h(
          "button",
          { type: "button", class: "kv-button kq-main km-hand-in", onclick: () => show("hand-in") },
          "Hand in",
        ),
        h("button", { type: "button", class: "kv-button", onclick: () => go(current, true) }, "Back"),
        h("p", { class: "kq-note" }),
      ),
    ];
  }

  function handIn() {
    const open = items.filter((item) => !answered(item)).length;
    const words = open
      ? `${plural(open, "question")} without a whole answer. What is not answered counts as wrong.`
      : "Every question has an answer.";
    return [
      h("h4", { class: "km-heading", tabindex: "-1" }, "Hand in?"),
      h("p", {}, words),
      h(
        "div",
        { class: "kq-buttons" },
        h(
          "button",
          {
            type: "button",
            class: "kv-button kq-main km-yes",
            onclick: () => send({ do: "finish" }),
          },
          "Hand in now",
        ),
        h("button", { type: "button", class: "kv-button", onclick: () => show("review") }, "Back"),
        h("p", { class: "kq-note" }),
      ),
      state().trouble ? troubleOf(state().trouble) : "",
    ];
  }

  /** What it came to. */
  function result() {
    const came = model.get("_result");
    return [
      h("h4", { class: "km-heading", tabindex: "-1" }, came.headline),
      ...came.notes.map((words) => h("p", { class: "km-words" }, words)),
      ...came.tables.map(({ caption, rows }) =>
        h(
          "table",
          { class: "km-table" },
          h("caption", {}, caption),
          h(
            "tbody",
            {},
            rows.map(([name, right, asked]) =>
              h(
                "tr",
                {},
                h("th", { scope: "row" }, name),
                h("td", {}, `${right} of ${asked}`),
                h(
                  "td",
                  { class: "km-share", "aria-hidden": "true" },
                  h("span", { style: `inline-size: ${asked ? (100 * right) / asked : 0}%` }),
                ),
              ),
            ),
          ),
        ),
      ),
      came.next ? h("p", { class: "km-words" }, came.next) : "",
    ];
  }

  /** A question, marked. */
  function marked() {
    const item = items[current];
    const mine = model.get("_marked")[item.id];
    const proof = model.get("_proofs")[item.id];
    const form = questionForm({
      item,
      i: current,
      count: items.length,
      unique,
      state: mine,
      proof,
      chosen: new Set(mine.chosen),
      onchange: () => {},
      onsubmit: () => {},
    });
    form.classList.add("km-marked");
    form.append(
      ...reasonsOf(mine),
      proof?.trouble ? troubleOf(proof.trouble) : "",
      h(
        "div",
        { class: "kq-buttons" },
        key("Previous", "P", () => step(-1), { disabled: current === 0 }),
        key("Next", "N", () => step(1), { disabled: current === items.length - 1 }),
        mine.provable
          ? proveButton(item, proof, () => {
              stopWaiting();
              stopWaiting = askForProof(model, item, (words) => {
                card.querySelector(".kq-note").textContent = words;
                status.textContent = words;
              });
            })
          : null,
        h("p", { class: "kq-note" }),
      ),
    );
    return form;
  }

  // --- what Python says

  function changed() {
    clearTimeout(silence);
    const now = state();
    const waiting = [];
    for (const item of items) {
      const draft = drafts[item.id];
      if (draft === undefined) continue;
      if (same(draft, now.chosen[item.id] ?? [])) delete drafts[item.id];
      else waiting.push(item);
    }
    const focused = root.contains(document.activeElement);
    if (now.phase !== phase) {
      if (now.phase === "over") {
        for (const id of Object.keys(drafts)) delete drafts[id];
        current = 0;
      }
      draw();
      if (now.phase === "over") status.textContent = model.get("_result").headline;
      if (!focused) return;
      const target =
        now.phase === "over" ? ".km-heading" : "input:not(:disabled), .kq-stem, .km-begin";
      card.querySelector(target)?.focus();
      return;
    }
    if (now.phase !== "going") {
      if (now.trouble) draw();
      return;
    }
    drawHead();
    const flagButton = card.querySelector(".km-flag");
    const turned = flagButton && (flagButton.getAttribute("aria-pressed") === "true") !== flagged(items[current]);
    if (turned || Boolean(now.trouble) !== Boolean(card.querySelector(".kq-trouble"))) {
      const name = document.activeElement?.name && document.activeElement.value;
      const onFlag = document.activeElement === flagButton;
      draw();
      if (turned) status.textContent = flagged(items[current]) ? "Flagged." : "Not flagged any more.";
      if (onFlag) card.querySelector(".km-flag")?.focus();
      else if (focused && name) card.querySelector(`input[value="${name}"]`)?.focus();
      else if (focused) card.querySelector("input")?.focus();
    }
    note();
    // What was chosen while the kernel was silent.
    if (!now.trouble) for (const item of waiting) resend(item);
  }

  const sent = new WeakMap(); // drafts that were sent once more: each only once
  function resend(item) {
    const draft = drafts[item.id];
    if (sent.has(draft)) return;
    sent.set(draft, true);
    model.send({ do: "choose", id: item.id, chosen: draft });
  }

  function proofChanged() {
    if (state().phase !== "over") return;
    const focused = document.activeElement?.classList.contains("kq-prove");
    draw();
    const proof = model.get("_proofs")[items[current].id];
    if (proof) status.textContent = proofSaid(proof);
    if (focused) card.querySelector(".kq-prove")?.focus();
  }

  model.on("change:_state", changed);
  model.on("change:_proofs", proofChanged);
  draw();
  return () => {
    model.off("change:_state", changed);
    model.off("change:_proofs", proofChanged);
    for (const each of [beat, second]) clearInterval(each);
    clearTimeout(silence);
    stopWaiting();
  };
}

export default { render };
