// Shared by all views. Joined in front of the view's own script; nothing is fetched.

const SVG_NS = "http://www.w3.org/2000/svg";

/** Make an HTML element: h("div", {class: "a", onclick: f}, child, "text", [more]). */
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG_NS, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined));
  return element;
}

const ICONS = {
  lock: "M5 11h14v10H5z M8 11V7a4 4 0 0 1 8 0v4",
  open: "M5 11h14v10H5z M8 11V7a4 4 0 0 1 7.5-2",
  key: "M7.5 11.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M10.4 12.6L20 3 M16 7l3 3",
  tag: "M3 12V4h8l10 10-8 8z M7.5 8h.01",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  pen: "M4 20l4-1L19 8l-3-3L5 16z M3 22h18",
  shield: "M12 2l8 3v6c0 5-3.5 9-8 11-4.5-2-8-6-8-11V5z",
  refuse: "M12 2l8 3v6c0 5-3.5 9-8 11-4.5-2-8-6-8-11V5z M9 9l6 6 M15 9l-6 6",
  people: "M9 4a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z M2 20c0-4 3-6 7-6s7 2 7 6 M16 4.5a3.5 3.5 0 0 1 0 6 M18 14.5c2.5.8 4 2.6 4 5.5",
  tear: "M13 2l-3 6 4 3-4 4 3 3-2 4",
  alert: "M12 3l10 18H2z M12 10v5 M12 18h.01",
};

/** A line icon that inherits the colour of the text around it; hidden from screen readers. */
function icon(name, size = 16) {
  return s(
    "svg",
    { class: "kv-icon", viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" },
    s("path", { d: ICONS[name] }),
  );
}

/**
 * The outer element of a view. JupyterLab takes arrow keys and letters as its own shortcuts unless
 * the element says that it wants them.
 */
function frame(model, className) {
  return h("section", {
    class: `kms-view ${className}`,
    role: "group",
    "aria-label": `${model.get("title")}. ${model.get("summary")}`,
    "data-lm-suppress-shortcuts": "true",
  });
}

/** A line that screen readers read out when it changes. */
function liveRegion() {
  return h("div", { class: "kv-hidden", role: "status", "aria-live": "polite" });
}

/** Let one of several elements take the focus: one Tab stop, arrow keys do the rest. */
function rove(elements, current) {
  for (const element of elements) element.tabIndex = element === current ? 0 : -1;
}

/** '1 byte', '2 bytes'. */
function plural(count, one) {
  return `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
}

function hex(byte, digits = 2) {
  return byte.toString(16).padStart(digits, "0");
}
