"""Slides in a real browser, off a disk and without a network: the keys move, nothing is fetched."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from kmscourse import course
from kmscourse.workshop import slides


def test_a_lesson_is_shown_key_by_key(chromium: Browser, tmp_path: Path) -> None:
    file = slides.write(course.lesson("05-envelopes"), tmp_path / "slides.html")
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", name="Envelopes: encrypt on the client")).to_be_visible()

    for _ in range(60):  # down to the first prediction, and no further
        if page.locator(
            "section.present:not(.stack)", has_text="What does the administrator get?"
        ).count():
            break
        page.keyboard.press("Space")
    answer = page.locator("section.present:not(.stack) .fragment", has_text="get_object")
    expect(answer).not_to_have_class("visible")
    page.keyboard.press("Space")
    expect(answer).to_be_visible()
    expect(
        page.locator("section.present:not(.stack)", has_text="type 2 diabetes").first
    ).to_be_visible()

    context.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
