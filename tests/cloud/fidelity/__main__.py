"""``python -m tests.cloud.fidelity`` tries every behaviour and writes docs/fidelity.md."""

from __future__ import annotations

from tests.cloud.fidelity.page import PAGE, page, rows

if __name__ == "__main__":
    PAGE.write_text(page(rows()), encoding="utf-8")
    print(f"Wrote docs/{PAGE.name}")
