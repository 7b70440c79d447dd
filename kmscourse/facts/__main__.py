"""`python -m kmscourse.facts` prints the register as a page; docs/facts.md is what it printed."""

from __future__ import annotations

from kmscourse.facts.page import page

if __name__ == "__main__":
    print(page(), end="")
