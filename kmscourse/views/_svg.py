"""Small pictures for where no widget runs: GitHub, print, screen readers.

Colours are fixed and the ground is drawn, since such places have no theme to follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

# Contrast on PAPER and on WHITE is at least 4.5 : 1 (WCAG AA), which a test reckons.
INK = "#1f2933"
MUTED = "#52606d"
LINE = "#b9b2a1"
PAPER = "#faf7f0"
WHITE = "#ffffff"
ACCENT = "#1d5c8f"
KEY = "#7a4b00"
SEAL = "#9b2c2c"

SANS = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, Menlo, Consolas, monospace"
# Average width of a character as a part of the font size, to wrap text without a browser.
_WIDTH = {SANS: 0.54, MONO: 0.61}

LOCK = "M5 11h14v10H5z M8 11V7a4 4 0 0 1 8 0v4"
KEY_ICON = "M7.5 11.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M10.4 12.6L20 3 M16 7l3 3"
TAG_ICON = "M3 12V4h8l10 10-8 8z M7.5 8h.01"
PEN_ICON = "M4 20l4-1L19 8l-3-3L5 16z M3 22h18"


def wrap(text: str, width: float, size: float, family: str = SANS) -> list[str]:
    """Break text into lines that fit ``width`` pixels at a font size in pixels."""
    room = max(8, int(width / (size * _WIDTH[family])))
    lines: list[str] = []
    line = ""
    for word in text.split():
        while len(word) > room:
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:room])
            word = word[room:]
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


@dataclass
class Picture:
    """An SVG that is drawn from top to bottom."""

    width: int
    title: str
    description: str
    parts: list[str] = field(default_factory=list)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = WHITE,
        line: str = LINE,
        dashed: bool = False,
        radius: float = 8,
    ) -> None:
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
            f'fill="{fill}" stroke="{line}"{dash}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 13,
        fill: str = INK,
        bold: bool = False,
        family: str = SANS,
        anchor: str = "start",
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-family="{family}" font-size="{size:g}"{weight} '
            f'fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def lines(
        self, x: float, y: float, width: float, words: str, *, size: float = 13, fill: str = MUTED
    ) -> float:
        """Wrapped text; returns the y of the line after it."""
        for line in wrap(words, width, size):
            self.text(x, y, line, size=size, fill=fill)
            y += size * 1.4
        return y

    def icon(self, x: float, y: float, path: str, *, size: float = 18, line: str = INK) -> None:
        self.parts.append(
            f'<g transform="translate({x:g} {y:g}) scale({size / 24:g})" fill="none" '
            f'stroke="{line}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">'
            f'<path d="{path}"/></g>'
        )

    def path(self, d: str, *, line: str = LINE, fill: str = "none") -> None:
        self.parts.append(f'<path d="{d}" fill="{fill}" stroke="{line}"/>')

    def circle(self, x: float, y: float, radius: float, *, fill: str) -> None:
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"/>')

    def render(self, height: float) -> str:
        """The whole SVG, with its name and description for screen readers."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height:g}" '
            f'width="{self.width}" height="{height:g}" role="img" '
            f'aria-label="{escape(self.title + ": " + self.description)}">'
            f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
            f'<rect width="{self.width}" height="{height:g}" fill="{WHITE}"/>'
            + "".join(self.parts)
            + "</svg>"
        )
