// Questions, one at a time. The browser shows and collects; Python marks, keeps, and says so.

const CHECK = "M4 12.5l5 5L20 6.5";
const CROSS = "M6 6l12 12 M18 6L6 18";
const PATIENCE = 5000; // milliseconds until a silent kernel is spoken of

function mark(path) {
  return s(
    "svg",
    { class: "kv-icon", viewBox: "0 0 24 24", width: 16, height: 16, "aria-hidden": "true" },
    s("path", { d: path }),
  );
}

let quizzes = 0;

function render({ model, el }) {
  const items = model.get("_items");
  const unique = `kv-quiz-${++quizzes}`;
  const drafts = {}; // what is ticked, but not answered yet: id -> positions
  let current = Math.max(0, items.findIndex((item) => !model.get("_marked")[item.id]));
  let waiting = null; // {id, timer, focused} while Python has not answered
  let shown; // the state of the question as it is drawn
  let refresh = () => {}; // brings the button of the shown question up to date

  const root = frame(model, "kv-quiz");
  const status = liveRegion();
  const score = h("p", { class: "kq-score" });
  const steps = h("ol", { class: "kq-steps" });
  const card = h("div", { class: "kq-card" });
  const foot = h("p", { class: "kq-foot" });
  const heading = h("h3", { class: "kq-title" }, model.get("title"));
  root.append(h("header", { class: "kq-head" }, heading, score), steps, card, foot, status);
  el.append(root);

  const stepButtons = items.map((item, i) => {
    const button = h("button", { type: "button", class: "kq-step", onclick: () => go(i) });
    steps.append(h("li", {}, button));
    return button;
  });
  steps.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const end = { Home: 0, End: items.length - 1 }[event.key];
    const at = stepButtons.indexOf(document.activeElement);
    if (at < 0 || (move === undefined && end === undefined)) return;
    event.preventDefault();
    const to = end ?? (at + move + items.length) % items.length;
    go(to);
    stepButtons[to].focus();
  });

  function go(i, focus = false) {
    current = i;
    draw();
    if (focus) (card.querySelector("input:not(:disabled)") ?? card.querySelector(".kq-stem")).focus();
  }

  function draw() {
    drawHead();
    drawCard();
  }

  function drawHead() {
    const marked = model.get("_marked");
    const done = items.filter((item) => marked[item.id]);
    const right = done.filter((item) => marked[item.id].ok).length;
    score.textContent = done.length
      ? `${done.length} of ${items.length} answered, ${right} right`
      : plural(items.length, "question");
    items.forEach((item, i) => {
      const state = marked[item.id];
      const says = state ? (state.ok ? "answered right" : "answered wrong") : "not answered";
      const button = stepButtons[i];
      button.setAttribute("aria-label", `Question ${i + 1}, ${says}`);
      if (i === current) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
      button.dataset.state = state ? (state.ok ? "right" : "wrong") : "open";
      button.replaceChildren(String(i + 1), ...(state ? [mark(state.ok ? CHECK : CROSS)] : []));
    });
    rove(stepButtons, stepButtons[current]);
    const missed = items.map((item, i) => [i + 1, marked[item.id]]).filter(([, m]) => m && !m.ok);
    const all = done.length === items.length;
    const closing = !all
      ? ""
      : missed.length
        ? `All answered. Worth another look: ${missed.map(([n]) => `question ${n}`).join(", ")}. `
        : "All answered, all right. ";
    foot.textContent = closing + model.get("_more");
    foot.hidden = !foot.textContent;
  }

  function drawCard() {
    const item = items[current];
    const state = model.get("_marked")[item.id];
    shown = JSON.stringify(state);
    const chosen = new Set(state ? state.chosen : (drafts[item.id] ?? []));
    const stemId = `${unique}-stem-${current}`;
    const asksId = `${unique}-asks-${current}`;

    const submit = h("button", { type: "submit", class: "kv-button kq-main" }, "Check");
    const note = h("p", { class: "kq-note" });
    const choices = item.choices.map((text, i) => {
      const whyId = `${unique}-why-${current}-${i}`;
      const input = h("input", {
        type: item.several ? "checkbox" : "radio",
        name: `${unique}-${current}`,
        value: String(i),
        checked: chosen.has(i),
        disabled: Boolean(state),
        "aria-describedby": state ? whyId : null,
        "data-lm-suppress-shortcuts": "true",
        onchange: () => {
          const ticked = [...card.querySelectorAll("input:checked")].map((e) => Number(e.value));
          drafts[item.id] = ticked;
          ready();
        },
      });
      const label = h("label", { class: "kq-label" }, input, h("span", {}, text));
      const row = h("li", { class: "kq-choice" }, label);
      if (state) {
        const right = state.right.includes(i);
        row.dataset.state = right ? "right" : "wrong";
        if (chosen.has(i)) row.dataset.chosen = "";
        row.append(
          h(
            "p",
            { class: "kq-why", id: whyId },
            h(
              "strong",
              { class: "kq-verdict" },
              mark(right ? CHECK : CROSS),
              right ? "Right" : "Wrong",
              chosen.has(i) ? ", and your choice" : "",
              ". ",
            ),
            state.whys[i],
          ),
        );
      }
      return row;
    });

    const form = h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          answer(item);
        },
      },
      h(
        "div",
        {
          role: item.several ? "group" : "radiogroup",
          "aria-labelledby": stemId,
          "aria-describedby": asksId,
        },
        h("p", { class: "kq-count" }, `Question ${current + 1} of ${items.length}`),
        h("p", { class: "kq-stem", id: stemId, tabindex: "-1" }, item.stem),
        h("p", { class: "kq-asks", id: asksId }, item.asks),
        h("ul", { class: "kq-choices" }, choices),
      ),
    );

    if (state) form.append(...after(item, state));
    else form.append(h("div", { class: "kq-buttons" }, submit, note));
    card.replaceChildren(form);

    function ready() {
      const count = (drafts[item.id] ?? []).length;
      const busy = waiting?.id === item.id;
      submit.disabled = count !== item.count;
      submit.setAttribute("aria-disabled", String(busy)); // not disabled: it keeps the focus
      note.textContent = busy
        ? "Checking…"
        : item.several && count !== item.count
          ? `${count} of ${item.count} chosen`
          : "";
    }
    refresh = state ? () => {} : ready;
    refresh();
  }

  /** What stands under an answered question: the verdict, where it can be read, and the way on. */
  function after(item, state) {
    const next = nextOpen();
    const parts = [
      h(
        "p",
        { class: "kq-result", "data-state": state.ok ? "right" : "wrong" },
        mark(state.ok ? CHECK : CROSS),
        verdict(state),
      ),
    ];
    if (state.trouble) {
      parts.push(h("p", { class: "kq-trouble", role: "alert" }, icon("alert"), state.trouble));
    }
    if (state.notes.length) {
      parts.push(
        h(
          "dl",
          { class: "kq-notes" },
          state.notes.map(([name, text, address]) => [
            h("dt", {}, name),
            h(
              "dd",
              {},
              address
                ? h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, text)
                : text,
            ),
          ]),
        ),
      );
    }
    if (state.grounds.length) {
      const lines = state.grounds.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]);
      parts.push(
        h(
          "details",
          { class: "kq-grounds" },
          h("summary", {}, "The facts it rests on"),
          h("dl", { class: "kq-notes" }, lines),
        ),
      );
    }
    parts.push(
      h(
        "div",
        { class: "kq-buttons" },
        next === null
          ? null
          : h(
              "button",
              { type: "button", class: "kv-button kq-main kq-next", onclick: () => go(next, true) },
              "Next question",
            ),
        h(
          "button",
          { type: "button", class: "kv-button kq-again", onclick: () => again(item) },
          "Try again",
        ),
      ),
    );
    return parts;
  }

  function verdict(state) {
    if (state.ok) return "Right.";
    const hit = state.chosen.filter((i) => state.right.includes(i)).length;
    return hit ? `Not right yet: ${hit} of ${state.right.length} found.` : "Not right yet.";
  }

  function nextOpen() {
    const marked = model.get("_marked");
    for (let step = 1; step < items.length; step++) {
      const i = (current + step) % items.length;
      if (!marked[items[i].id]) return i;
    }
    return null;
  }

  function answer(item) {
    const chosen = drafts[item.id] ?? [];
    if (chosen.length !== item.count || waiting) return;
    const timer = setTimeout(() => {
      waiting = null;
      refresh();
      const words =
        "The kernel does not answer, so this is not kept yet. If it is busy, wait and check again; " +
        "if it was restarted, run this cell again.";
      card.querySelector(".kq-note")?.replaceChildren(words);
      status.textContent = words;
    }, PATIENCE);
    waiting = { id: item.id, timer, focused: root.contains(document.activeElement) };
    refresh();
    model.send({ do: "answer", id: item.id, chosen });
  }

  function again(item) {
    delete drafts[item.id];
    model.send({ do: "again", id: item.id });
  }

  function changed() {
    const marked = model.get("_marked");
    const item = items[current];
    const state = marked[item.id];
    const inCard = card.contains(document.activeElement);
    const mine = waiting?.id === item.id && Boolean(state);
    const focused = mine ? waiting.focused : inCard;
    if (waiting && marked[waiting.id]) {
      clearTimeout(waiting.timer);
      waiting = null;
    }
    drawHead();
    if (JSON.stringify(state) === shown) return; // another question's answer: nothing to redraw
    drawCard();
    if (mine) {
      status.textContent =
        `${verdict(state)} The reason for each option is shown below it. ${state.trouble}`;
    }
    if (!focused) return;
    const target = state
      ? (card.querySelector(".kq-next") ?? card.querySelector(".kq-again"))
      : card.querySelector("input");
    target.focus();
  }

  model.on("change:_marked", changed);
  draw();
  return () => {
    model.off("change:_marked", changed);
    if (waiting) clearTimeout(waiting.timer);
  };
}

export default { render };
