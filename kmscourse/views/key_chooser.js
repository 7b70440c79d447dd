// Which key for which need. Every combination of answers was decided in Python; this looks it up.

let choosers = 0;

function render({ model, el }) {
  const questions = model.get("_questions");
  const table = model.get("_table");
  const unique = `kv-chooser-${++choosers}`;

  const root = frame(model, "kv-chooser");
  const status = liveRegion();
  const result = h("div", { class: "kc-result" });
  const form = h(
    "div",
    { class: "kc-questions" },
    questions.map((question) =>
      h(
        "fieldset",
        { class: "kc-question" },
        h("legend", {}, question.asks),
        question.options.map(([name, words]) =>
          h(
            "label",
            { class: "kc-option" },
            h("input", {
              type: "radio",
              name: `${unique}-${question.name}`,
              value: name,
              "data-question": question.name,
              "data-lm-suppress-shortcuts": "true",
              onchange: () => answer(question.name, name),
            }),
            h("span", {}, words),
          ),
        ),
      ),
    ),
  );
  root.append(
    h("h3", { class: "kc-title" }, icon("key"), model.get("title")),
    h("div", { class: "kc-columns" }, form, result),
    status,
  );
  el.append(root);

  function answer(question, name) {
    model.set("_answers", { ...model.get("_answers"), [question]: name });
    model.save_changes();
  }

  function draw() {
    const answers = model.get("_answers");
    for (const input of form.querySelectorAll("input")) {
      input.checked = answers[input.dataset.question] === input.value;
    }
    const found = table.places[questions.map((question) => answers[question.name]).join(" ")];
    const price = found.month === null ? null : `${found.month} a month, and requests`;
    result.dataset.fits = String(found.fits);
    result.replaceChildren(
      h("p", { class: "kc-name" }, icon(found.fits ? "key" : "refuse"), found.name),
      ...(found.parameters.length
        ? [h("pre", { class: "kc-code" }, `create_key(\n${found.parameters.map((each) => `    ${each},\n`).join("")})`)]
        : []),
      ...(found.use ? [h("p", {}, found.use)] : []),
      ...(price ? [h("p", { class: "kc-price" }, price)] : []),
      h("p", { class: "kc-because" }, found.fits ? "What decided" : "What rules it out"),
      h(
        "ul",
        { class: "kc-reasons" },
        found.reasons
          .map((place) => table.reasons[place])
          .map((reason) =>
            h(
              "li",
              {},
              reason.words,
              " ",
              h(
                "details",
                {},
                h("summary", { "aria-label": `Fact ${reason.fact}` }, reason.fact),
                h("p", {}, reason.says),
              ),
            ),
          ),
      ),
    );
    return found;
  }

  function changed() {
    const found = draw();
    status.textContent = `${found.name}. ${found.use}`;
  }

  model.on("change:_answers", changed);
  draw();
  return () => model.off("change:_answers", changed);
}

export default { render };
