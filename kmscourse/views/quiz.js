// Questions, one at a time. The browser shows and collects; Python marks, keeps, and says so.

function render({ model, el }) {
  const items = model.get("_items");
  const unique = `kv-quiz-${++askers}`;
  const drafts = {}; // what is ticked, but not answered yet: id -> positions
  let current = Math.max(0, items.findIndex((item) => !model.get("_marked")[item.id]));
  let waiting = null; // {id, timer, focused} while Python has not answered
  let stopWaiting = () => {}; // for a proof
  let shown; // the state of the question as it is drawn
  let refresh = () => {}; // brings the button of the shown question up to date

  const root = frame(model, "kv-quiz");
  const status = liveRegion();
  const score = h("p", { class: "kq-score" });
  const card = h("div", { class: "kq-card" });
  const foot = h("p", { class: "kq-foot" });
  const heading = h("h3", { class: "kq-title" }, model.get("title"));
  const { bar, buttons } = stepBar(items, go);
  root.append(h("header", { class: "kq-head" }, heading, score), bar, card, foot, status);
  el.append(root);
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-9]$/.test(event.key)) return;
    if (pick(card, Number(event.key) - 1)) {
      event.preventDefault();
      event.stopPropagation();
    }
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
      const look = state ? (state.ok ? "right" : "wrong") : "open";
      drawStep(buttons[i], i, current, says, look, state ? [state.ok ? CHECK : CROSS] : []);
    });
    rove(buttons, buttons[current]);
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
    const proof = model.get("_proofs")[item.id];
    shown = JSON.stringify([state, proof]);
    const submit = h("button", { type: "submit", class: "kv-button kq-main" }, "Check");
    const note = h("p", { class: "kq-note" });
    const form = questionForm({
      item,
      i: current,
      count: items.length,
      unique,
      state,
      proof,
      chosen: new Set(state ? state.chosen : (drafts[item.id] ?? [])),
      onchange: (positions) => {
        drafts[item.id] = positions;
        ready();
      },
      onsubmit: () => answer(item),
    });
    if (state) form.append(...reasonsOf(state), ...after(item, state, proof));
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

  /** The ways on from an answered question. */
  function after(item, state, proof) {
    const next = nextOpen();
    return [
      proof?.trouble ? troubleOf(proof.trouble) : null,
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
        state.provable ? proveButton(item, proof, () => prove(item)) : null,
        h("p", { class: "kq-note" }),
      ),
    ].filter(Boolean);
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
      silent(
        "The kernel does not answer, so this is not kept yet. If it is busy, wait and check again; " +
          "if it was restarted, run this cell again.",
      );
    }, PATIENCE);
    waiting = { id: item.id, timer, focused: root.contains(document.activeElement) };
    refresh();
    model.send({ do: "answer", id: item.id, chosen });
  }

  function again(item) {
    delete drafts[item.id];
    model.send({ do: "again", id: item.id });
  }

  function prove(item) {
    stopWaiting();
    stopWaiting = askForProof(model, item, silent);
  }

  function silent(words) {
    card.querySelector(".kq-note")?.replaceChildren(words);
    status.textContent = words;
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
    // Another question's answer: nothing to redraw.
    if (JSON.stringify([state, model.get("_proofs")[item.id]]) === shown) return;
    drawCard();
    if (mine) {
      status.textContent =
        `${verdictOf(state)} The reason for each option is shown below it. ${state.trouble}`;
    }
    if (!focused) return;
    const target = state
      ? (card.querySelector(".kq-next") ?? card.querySelector(".kq-again"))
      : card.querySelector("input");
    target.focus();
  }

  function proofChanged() {
    const item = items[current];
    const proof = model.get("_proofs")[item.id];
    if (JSON.stringify([model.get("_marked")[item.id], proof]) === shown) return;
    const focused = document.activeElement?.classList.contains("kq-prove");
    drawCard();
    if (proof) status.textContent = proofSaid(proof);
    if (focused && card.querySelector(".kq-prove")) card.querySelector(".kq-prove").focus();
  }

  model.on("change:_marked", changed);
  model.on("change:_proofs", proofChanged);
  draw();
  return () => {
    model.off("change:_marked", changed);
    model.off("change:_proofs", proofChanged);
    stopWaiting();
    if (waiting) clearTimeout(waiting.timer);
  };
}

export default { render };
