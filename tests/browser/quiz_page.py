"""A page with a view that asks questions alone, whose other side is the real one in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Request

from kmscourse.views._asked import Asked

TRAITS = {
    "title",
    "summary",
    "_items",
    "_marked",
    "_proofs",
    "_more",
    "_state",
    "_result",
    "_rules",
}

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Quiz</title>
<style>%(base)s</style><style>%(css)s</style>
<body data-jp-theme-light="%(light)s"><main id="here"></main></body></html>"""

# Stands in for the model of anywidget: traits are pushed in, messages go out.
_MODEL = """
globalThis.startQuiz = async (source, state) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const view = (await import(url)).default;
  const listeners = {};
  globalThis.quizState = state;
  globalThis.pushQuiz = (name, value) => {
    state[name] = value;
    for (const f of listeners["change:" + name] ?? []) f();
  };
  const model = {
    get: (name) => state[name],
    on: (event, f) => (listeners[event] ??= []).push(f),
    off: (event, f) => (listeners[event] = (listeners[event] ?? []).filter((g) => g !== f)),
    send: (content) => globalThis.toPython(content),
  };
  document.getElementById("here").replaceChildren();
  view.render({ model, el: document.getElementById("here") });
};
"""


def open_quiz(
    page: Page, quiz: Asked, *, light: bool = True, deaf: Callable[[], bool] = lambda: False
) -> list[str]:
    """Show `quiz` on `page`. While `deaf()` is true its Python side does not answer.

    Returns a list that fills with the page's errors and with every request off the page.
    """
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda m: trouble.append(m.text) if m.type == "error" else None)

    def off_page(request: Request) -> None:
        if request.url.startswith(("http:", "https:", "ws:")):
            trouble.append(request.url)

    page.on("request", off_page)

    def to_python(content: dict[str, Any]) -> None:
        if deaf():
            return
        quiz._from_browser(None, content, None)

    def push(change: dict[str, Any]) -> None:
        page.evaluate("([name, value]) => pushQuiz(name, value)", [change["name"], change["new"]])

    names = sorted(TRAITS & set(quiz.trait_names(sync=True)))
    page.expose_function("toPython", to_python)
    ground = "#ffffff" if light else "#111111"
    base = f"body {{ background: {ground}; margin: 16px; --jp-layout-color1: {ground}; }}"
    page.set_content(
        _PAGE % {"base": base, "css": quiz._css, "light": "true" if light else "false"}
    )
    page.add_script_tag(content=_MODEL)
    state = {name: getattr(quiz, name) for name in names}
    page.evaluate("([source, state]) => startQuiz(source, state)", [str(quiz._esm), state])
    quiz.observe(push, names)
    return trouble
