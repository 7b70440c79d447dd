"""Prices are seen as prices: between two dollar signs JupyterLab would otherwise read a formula."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.jupyter import Desk
from tests.browser.test_envelope import write_notebook

WORDS = "A key costs $1 a month, a request $3 in a million."
SHOW = f"""
from decimal import Decimal
from IPython.display import HTML, display
from kmscourse import facts
from kmscourse.cloud.pricing import Bill, Line
from kmscourse.lab.panels import Notice
from kmscourse.views.quiz import Choice, Item, Quiz

words = {WORDS!r}
price, cents = Decimal(1), Decimal("0.03")
choices = tuple(Choice(words, n == 1, words) for n in range(2))
display(Notice(words))
display(facts.get("PRI-01"))
display(Bill([Line("Key", price, "month", price, 1, price, ""),
              Line("Requests $1", price, "of $2", cents, 10000, cents, "")]))
display(HTML(Quiz([Item("one", words, "Choose one.", choices)]).html()))
display(HTML("<p>" + words + "</p>"))  # last: once it is set, the others would be too
"""


def test_dollars_are_no_formulas(desk: Desk) -> None:
    desk.open(write_notebook(desk.server.root, "dollars.ipynb", SHOW))
    desk.run_all()
    outputs = desk.page.locator(".jp-OutputArea-output.jp-RenderedHTMLCommon")
    expect(outputs).to_have_count(5)
    notice, fact, bill, quiz, plain = outputs.all()
    expect(plain.locator("mjx-container")).to_have_count(1)
    for each in (notice, fact, bill, quiz):
        expect(each.locator("mjx-container")).to_have_count(0)
    expect(notice).to_contain_text(WORDS)
    expect(fact).to_contain_text("customer managed $1/month, imported $1/month")
    expect(bill).to_contain_text("Requests $11 of $2$0.03 per 10,000")
    expect(quiz).to_contain_text(WORDS)
