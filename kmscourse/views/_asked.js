// Shared by the views that ask questions: a question with its choices, its reasons, its proof.

const CHECK = "M4 12.5l5 5L20 6.5";
const CROSS = "M6 6l12 12 M18 6L6 18";
const FLAG = "M6 21V4 M6 4h11l-2.5 4L17 12H6";
const PATIENCE = 5000; // milliseconds until a silent kernel is spoken of

function mark(path) {
  return s(
    "svg",
    { class: "kv-icon", viewBox: "0 0 24 24", width: 16, height: 16, "aria-hidden": "true" },
    s("path", { d: path }),
  );
}

let askers = 0;

/** A row of numbered buttons, one Tab stop; arrows, Home and End move. `go(i)` shows a question. */
function stepBar(items, go) {
  const bar = h("ol", { class: "kq-steps" });
  const buttons = items.map((_, i) => {
    const button = h("button", { type: "button", class: "kq-step", onclick: () => go(i) });
    bar.append(h("li", {}, button));
    return button;
  });
  bar.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const end = { Home: 0, End: items.length - 1 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    if (at < 0 || (move === undefined && end === undefined)) return;
    event.preventDefault();
    const to = end ?? (at + move + items.length) % items.length;
    go(to);
    buttons[to].focus();
  });
  return { bar, buttons };
}

/** One button of the row: what it says, what it looks like, and whether it is the one shown. */
function drawStep(button, i, current, says, state, marks) {
  button.setAttribute("aria-label", `Question ${i + 1}, ${says}`);
  if (i === current) button.setAttribute("aria-current", "step");
  else button.removeAttribute("aria-current");
  button.dataset.state = state;
  button.replaceChildren(String(i + 1), ...marks.map(mark));
}

/**
 * A question as a form. `state` has the reasons once it is marked, `proof` what was played of it,
 * `chosen` the positions chosen; `onchange` gets the positions ticked, `onsubmit` is Enter.
 */
function questionForm({ item, i, count, unique, state, proof, chosen, onchange, onsubmit }) {
  const stemId = `${unique}-stem-${i}`;
  const asksId = `${unique}-asks-${i}`;
  const rows = item.choices.map((text, position) => {
    const whyId = `${unique}-why-${i}-${position}`;
    const input = h("input", {
      type: item.several ? "checkbox" : "radio",
      name: `${unique}-${i}`,
      value: String(position),
      checked: chosen.has(position),
      disabled: Boolean(state),
      "aria-describedby": state ? whyId : null,
      "data-lm-suppress-shortcuts": "true",
      onchange: () => onchange(ticked(form)),
    });
    const label = h("label", { class: "kq-label" }, input, h("span", {}, text));
    const row = h("li", { class: "kq-choice" }, label);
    if (!state) return row;
    const right = state.right.includes(position);
    row.dataset.state = right ? "right" : "wrong";
    if (chosen.has(position)) row.dataset.chosen = "";
    const verdict = h(
      "strong",
      { class: "kq-verdict" },
      mark(right ? CHECK : CROSS),
      right ? "Right" : "Wrong",
      chosen.has(position) ? ", and your choice" : "",
      ". ",
    );
    row.append(h("p", { class: "kq-why", id: whyId }, verdict, state.whys[position]));
    const seen = proof?.seen.find((each) => each.position === position);
    if (seen) row.append(played(seen));
    return row;
  });
  const form = h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        onsubmit();
      },
    },
    h(
      "div",
      {
        role: item.several ? "group" : "radiogroup",
        "aria-labelledby": stemId,
        "aria-describedby": asksId,
      },
      h("p", { class: "kq-count" }, `Question ${i + 1} of ${count}`),
      h("p", { class: "kq-stem", id: stemId, tabindex: "-1" }, item.stem),
      h("p", { class: "kq-asks", id: asksId }, item.asks),
      h("ul", { class: "kq-choices" }, rows),
    ),
  );
  return form;
}

function ticked(form) {
  return [...form.querySelectorAll("input:checked")].map((each) => Number(each.value));
}

/** What the simulator showed of one choice. */
function played(seen) {
  return h(
    "p",
    { class: "kq-seen", "data-holds": String(seen.holds) },
    h("strong", {}, `On the simulator: ${seen.holds ? "holds" : "fails"}. `),
    seen.seen,
  );
}

function verdictOf(state) {
  if (state.ok) return "Right.";
  if (!state.chosen.length) return "Not answered.";
  const hit = state.chosen.filter((i) => state.right.includes(i)).length;
  return hit ? `Not right yet: ${hit} of ${state.right.length} found.` : "Not right yet.";
}

/** What stands under a marked question: the verdict, and where it can be read. */
function reasonsOf(state) {
  const parts = [
    h(
      "p",
      { class: "kq-result", "data-state": state.ok ? "right" : "wrong" },
      mark(state.ok ? CHECK : CROSS),
      verdictOf(state),
    ),
  ];
  if (state.trouble) parts.push(troubleOf(state.trouble));
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
  return parts;
}

function troubleOf(words) {
  return h("p", { class: "kq-trouble", role: "alert" }, icon("alert"), words);
}

/** The key that plays a question on the simulator, and how far it has come. */
function proveButton(item, proof, onclick) {
  const playing = proof?.state === "playing";
  return h(
    "button",
    {
      type: "button",
      class: "kv-button kq-prove",
      "aria-disabled": String(playing),
      onclick: () => playing || onclick(),
    },
    icon("eye"),
    playing
      ? `Playing: ${proof.seen.length} of ${proof.of}`
      : proof
        ? "Prove it again"
        : "Prove it",
  );
}

/** What is said to those who do not see it when a proof has been played. */
function proofSaid(proof) {
  if (proof.state === "playing") return "";
  if (proof.state === "failed") return proof.trouble;
  const held = proof.seen.filter((each) => each.holds).length;
  return `Played: ${held} of ${proof.of} options hold. What was seen is shown below each of them.`;
}

/** Ask Python for a proof; a kernel that stays silent is spoken of. Gives a function to stop. */
function askForProof(model, item, silent) {
  const before = JSON.stringify(model.get("_proofs")[item.id]);
  const timer = setTimeout(() => {
    if (JSON.stringify(model.get("_proofs")[item.id]) === before) {
      silent(
        "The kernel does not answer, so nothing was played. If it is busy, wait; " +
          "if it was restarted, run this cell again.",
      );
    }
  }, PATIENCE);
  model.send({ do: "prove", id: item.id });
  return () => clearTimeout(timer);
}

/** Choose an option by its number, as a click on it does. Gives false where there is none. */
function pick(card, position) {
  const input = card.querySelectorAll("input:not(:disabled)")[position];
  if (!input) return false;
  input.focus();
  input.click();
  return true;
}
