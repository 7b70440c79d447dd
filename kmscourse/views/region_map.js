// The Region map, drawn in the browser: a column a Region, a row a call. Moving about asks nobody.

const OUTCOMES = { ok: ["shield", "answered"], refused: ["refuse", "refused"], unanswered: ["alert", "no answer"] };

function render({ model, el }) {
  const view = new RegionMapView(model);
  el.replaceChildren(view.root);
  const changed = () => view.build();
  model.on("change:_shown", changed);
  return () => model.off("change:_shown", changed);
}

class RegionMapView {
  constructor(model) {
    this.model = model;
    this.root = frame(model, "map");
    this.build();
  }

  build() {
    const { places, calls, leftOut } = this.model.get("_shown");
    this.places = places;
    this.calls = calls;
    this.root.style.setProperty("--map-regions", places.length);
    this.live = liveRegion();
    this.cards = places.map((place) => this.card(place));
    this.detail = h("div", { class: "map-detail" });
    this.rows = calls.map((call, index) => this.row(call, index));
    this.root.replaceChildren(
      h("div", { class: "map-title", role: "heading", "aria-level": "3" }, this.model.get("title")),
      h("div", { class: "map-scroll" }, h("div", { class: "map-lanes" }, h("div", { class: "map-cards" }, this.cards, this.shared()), this.table(leftOut))),
      calls.length ? this.detail : "",
      this.live,
    );
    if (calls.length) this.choose(calls.length - 1, false);
  }

  // ------------------------------------------------------------------ Regions

  card(place) {
    const head = h(
      "div",
      { class: "map-head" },
      h("strong", {}, place.region),
      h("span", { class: "map-where" }, place.where),
      place.answers ? null : h("span", { class: "map-off" }, icon("alert", 14), "switched off"),
    );
    const keys = place.keys.map((key) =>
      h(
        "div",
        { class: `map-key ${key.state === "Enabled" ? "" : "map-unusable"}` },
        h("div", { class: "map-key-name" }, icon("key"), h("strong", {}, key.name), h("span", { class: "map-kind" }, key.kind)),
        h("div", { class: "map-id" }, key.id),
        h("div", { class: "map-state" }, icon(key.state === "Enabled" ? "shield" : "refuse", 14), key.state),
        key.materials.length
          ? h("div", { class: "map-materials" }, "Key material ", key.materials.map((name) => h("span", { class: "map-chip" }, name)))
          : null,
        h("dl", { class: "map-own" }, key.own.map(([what, value]) => [h("dt", {}, what), h("dd", {}, value)])),
      ),
    );
    const empty = place.answers ? "None of these keys." : "It does not answer, so what it holds cannot be seen.";
    return h(
      "section",
      { class: `map-card ${place.answers ? "" : "map-dark"}`, "aria-label": `Region ${place.region}${place.answers ? "" : ", switched off"}` },
      head,
      keys.length ? keys : h("p", { class: "map-empty" }, empty),
    );
  }

  /** What related keys have in common, said across the Regions. */
  shared() {
    const sets = new Map();
    for (const place of this.places) {
      for (const key of place.keys) {
        if (key.kind !== "single-Region") sets.set(key.name, [...(sets.get(key.name) || []), key]);
      }
    }
    return [...sets]
      .filter(([, keys]) => keys.length > 1)
      .map(([name, keys]) => {
        const same = keys.every((key) => key.id === keys[0].id && key.materials.join() === keys[0].materials.join());
        return h(
          "p",
          { class: "map-shared" },
          icon("key", 14),
          ` ${name}: ${same ? "the same key id and the same key material in" : "not the same in"} ${keys.length} Regions. What stands in the boxes below the material is each Region's own.`,
        );
      });
  }

  // ------------------------------------------------------------------ calls

  table(leftOut) {
    if (!this.calls.length) return h("p", { class: "map-empty" }, "No calls yet.");
    const heads = this.places.map(({ region }) => h("th", { scope: "col" }, region));
    return h(
      "table",
      { class: "map-calls" },
      h("caption", {}, leftOut ? `The last ${this.calls.length} calls, in their order` : "The calls, in their order"),
      h("thead", {}, h("tr", {}, heads)),
      h("tbody", { onkeydown: (event) => this.onKey(event) }, this.rows.map(({ row }) => row)),
    );
  }

  row(call, index) {
    const [sign, word] = OUTCOMES[call.outcome];
    const service = call.service === "kms" ? "" : `${call.service} `;
    const button = h(
      "button",
      {
        type: "button",
        class: `map-call map-${call.outcome}`,
        "aria-label": `Call ${index + 1}: ${call.who} to ${call.region}, ${service}${call.operation}, ${word}${call.outcome === "refused" ? ` with ${call.error}` : ""}`,
        onclick: () => this.choose(index, true),
        onfocus: () => this.choose(index, false),
      },
      h("span", { class: "map-number" }, index + 1),
      icon(sign, 14),
      h("span", { class: "map-operation" }, `${service}${call.operation}`),
      h("span", { class: "map-who" }, call.who),
    );
    const row = h(
      "tr",
      {},
      this.places.map(({ region }) => h("td", { class: region === call.region ? "map-hit" : "map-miss" }, region === call.region ? button : "")),
    );
    return { row, button, call };
  }

  choose(index, focus) {
    this.chosen = index;
    const { call, button } = this.rows[index];
    rove(this.rows.map((each) => each.button), button);
    this.rows.forEach((each, at) => each.row.classList.toggle("map-chosen", at === index));
    this.places.forEach(({ region }, at) => this.cards[at].classList.toggle("map-here", region === call.region));
    if (focus) button.focus();
    const [sign, word] = OUTCOMES[call.outcome];
    const through = call.through ? ` through ${call.through}` : "";
    const said = {
      ok: `${call.region} answered${call.key ? `, with its own key "${call.key}"` : ""}.`,
      refused: `${call.region} refused: ${call.error}.`,
      unanswered: `${call.region} is switched off: nobody answered, and no trail has this call.`,
    }[call.outcome];
    this.detail.className = `map-detail map-is-${call.outcome}`;
    this.detail.replaceChildren(
      icon(sign, 18),
      h(
        "p",
        {},
        h("strong", {}, `${index + 1} of ${this.calls.length} · ${call.time} · ${call.operation} (${word})`),
        h("br"),
        `${call.who}${through} called ${call.service} in ${call.region}. ${said}`,
      ),
      h("span", { class: "kv-keys" }, h("kbd", {}, "↑"), h("kbd", {}, "↓"), " from call to call"),
    );
  }

  onKey(event) {
    const steps = { ArrowUp: this.chosen - 1, ArrowDown: this.chosen + 1, Home: 0, End: this.calls.length - 1 };
    const next = steps[event.key];
    if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (next < 0 || next >= this.calls.length) return;
    this.choose(next, true);
    this.live.textContent = this.detail.querySelector("p").textContent;
  }
}

export default { render };
