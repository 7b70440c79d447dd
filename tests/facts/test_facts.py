"""The register: every fact readable, sourced, and the same wherever it is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscourse import facts
from kmscourse.facts import exams, register
from kmscourse.facts.page import page

ROOT = Path(__file__).parents[2]

PRICES = {
    "kms.key.month": "1.00",
    "kms.key.rotation.first": "1.00",
    "kms.key.rotation.second": "1.00",
    "kms.key.rotation.later": "0.00",
    "kms.request.symmetric": "0.03",
    "kms.request.rsa-2048": "0.03",
    "kms.request.asymmetric": "0.15",
    "kms.request.data-key-pair.ecc": "0.10",
    "kms.request.data-key-pair.rsa": "12.00",
    "secretsmanager.secret.month": "0.40",
    "secretsmanager.request": "0.05",
    "ssm.advanced-parameter.month": "0.05",
    "ssm.advanced-parameter.interaction": "0.05",
}

LIMITS = {
    "kms.free-tier.requests": 20_000,
    "kms.encrypt.bytes": 4096,
    "kms.rotation.days.min": 90,
    "kms.rotation.days.max": 2560,
    "kms.rotation.days.default": 365,
    "kms.rotation.on-demand": 25,
    "kms.deletion.days.min": 7,
    "kms.deletion.days.max": 30,
    "kms.deletion.days.default": 30,
    "kms.keys": 100_000,
    "kms.aliases-per-key": 50,
    "kms.grants-per-key": 50_000,
}


@pytest.mark.parametrize(("name", "expected"), PRICES.items())
def test_a_price_is_exact(name: str, expected: str) -> None:
    assert facts.price(name).value == Decimal(expected)


@pytest.mark.parametrize(("name", "expected"), LIMITS.items())
def test_a_limit_is_a_whole_number(name: str, expected: int) -> None:
    assert int(facts.limit(name)) == expected


def test_every_named_number_is_a_number() -> None:
    for name in facts.prices():
        assert facts.price(name).value >= 0
    for name in facts.limits():
        assert int(facts.limit(name)) > 0
    for name in register.index()["request_quotas"]:
        assert int(facts.request_quota(name)) > 0


def test_cost_is_reckoned_without_rounding() -> None:
    assert facts.price("kms.request.symmetric").cost(1) == Decimal("0.000003")
    assert facts.price("kms.request.symmetric").cost(1_000_000) == 3
    assert facts.price("kms.key.month").cost(7) == 7


def test_the_symmetric_quota_depends_on_the_region() -> None:
    assert int(facts.request_quota("symmetric", "eu-west-1")) == 100_000
    assert int(facts.request_quota("symmetric", "eu-central-1")) == 20_000
    assert int(facts.request_quota("symmetric", "eu-north-1")) == 10_000
    assert int(facts.request_quota("symmetric")) == 10_000
    assert int(facts.request_quota("CreateKey")) == 5


def test_what_does_not_exist_says_what_does() -> None:
    with pytest.raises(facts.FactError, match=r"kms\.key\.month"):
        facts.price("kms.key.year")
    with pytest.raises(facts.FactError, match="python -m kmscourse"):
        facts.get("ROT-99")
    with pytest.raises(facts.FactError, match="rotation"):
        facts.topic("rotations")
    with pytest.raises(facts.FactError, match="without a value"):
        facts.value("ROT-03")
    with pytest.raises(facts.FactError, match="no number"):
        facts.request_quota("Dance")
    with pytest.raises(facts.FactError, match="whole number"):
        int(facts.price("kms.request.symmetric"))


def test_all_facts_are_there_once_and_found_by_id() -> None:
    everything = facts.everything()
    ids = [fact.id for fact in everything]
    assert len(set(ids)) == len(ids)
    # 244 were gathered first; lessons add to them
    assert len(ids) > 244
    for fact in everything:
        assert re.fullmatch(r"[A-Z0-9]{3}-\d{2}", fact.id)
        assert facts.get(fact.id) is fact
        assert fact in facts.topic(fact.topic)
    assert set(facts.topics()) == {fact.topic for fact in everything}


def test_every_fact_is_a_sentence_with_a_source_that_can_be_found() -> None:
    source = re.compile(
        r"https://\S+\.\S+|botocore \d|[a-z-]+-sdk \d|amazon-s3-|AWS price list|Zenn"
    )
    for fact in facts.everything():
        assert fact.statement.endswith("."), fact
        assert "  " not in fact.statement
        assert fact.confidence == "recall" or (fact.sources and fact.as_of), fact
        for each in fact.sources:
            assert source.match(each), each


def test_a_doubtful_fact_says_so_wherever_it_is_shown() -> None:
    doubtful = {fact.id: fact for fact in facts.everything() if fact.confidence != "sourced"}
    assert {"RDS-09", "OPS-08", "ROT-07", "IMP-02", "PRI-07"} <= doubtful.keys()
    for fact in doubtful.values():
        shown = fact._repr_mimebundle_()
        assert fact.confidence in repr(fact)
        assert fact.doubt in shown["text/plain"]
        assert fact.doubt.replace("'", "&#x27;") in shown["text/html"]
    free = facts.limit("kms.free-tier.requests")
    assert isinstance(facts.value("PRI-07"), Mapping)
    assert int(free) == 20_000
    assert "partly-recall" in repr(free)


def test_on_the_exam_and_today() -> None:
    changed = {fact.id: fact for fact in facts.changed()}
    assert {"ROT-01", "ROT-06", "IMP-01", "PRI-04", "KEY-17"} <= changed.keys()
    for fact in changed.values():
        assert fact.study_notes
        assert "out of date" in str(fact)


def test_a_fact_is_shown_the_same_every_time() -> None:
    fact = facts.get("ROT-05")
    assert repr(fact) == "<Fact ROT-05 = 25 rotations per key>"
    assert repr(facts.limit("kms.encrypt.bytes")) == (
        "<Figure kms.encrypt.bytes = 4,096 bytes (OPS-01)>"
    )
    bundle = fact._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html"}
    for part in ("25 rotations per key", fact.as_of or "", "RotateKeyOnDemand"):
        assert part in bundle["text/plain"]
        assert part in bundle["text/html"]


def test_html_is_escaped_and_an_address_is_a_link() -> None:
    fact = facts.Fact(
        "XXX-01", "t", "a < b & c", sources=("https://aws.amazon.com/x: <here>",), as_of="2026"
    )
    html = fact._repr_mimebundle_()["text/html"]
    assert "a &lt; b &amp; c" in html
    assert '<a href="https://aws.amazon.com/x">' in html
    assert "&lt;here&gt;" in html


GOOD = "{id: AAA-01, statement: It is so., sources: [x], as_of: '2026'}"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{statement: No id.}", "fact 1 needs an id"),
        ("{id: AAA-01}", r"\(AAA-01\) needs a statement"),
        ("{id: AAA-01, statement: s}", "needs sources and as_of"),
        ("{id: AAA-01, statement: s, confidence: sure}", "confidence is 'sure'"),
        ("{id: AAA-01, statement: s, colour: red}", "unknown fields: colour"),
        (
            "{id: AAA-01, statement: s, sources: [x], as_of: y, confidence: conflicting}",
            "say in a note",
        ),
        ("{id: AAA-01, statement: s, sources: [x], as_of: y, changed: true}", "study notes claim"),
        ("{id: AAA-01, statement: s, sources: [x], as_of: y, value: true}", "a value is a number"),
        (f"{GOOD}\n  - {GOOD}", "AAA-01 is there twice"),
        ("[", "not valid YAML"),
    ],
)
def test_a_mistake_in_the_register_is_named_with_its_place(entry: str, message: str) -> None:
    with pytest.raises(facts.FactError, match=message) as caught:
        register.parse(f"topic: t\ntitle: T\nfacts:\n  - {entry}\n", "some/file.yaml")
    assert str(caught.value).startswith("some/file.yaml")


def test_a_file_without_its_three_keys_is_refused() -> None:
    with pytest.raises(facts.FactError, match="topic, title and facts"):
        register.parse("[1, 2]", "f.yaml")


@given(st.decimals(min_value=0, max_value=10**12, places=4))
def test_numbers_are_read_exactly(number: Decimal) -> None:
    text = (
        f"topic: t\ntitle: T\nfacts:\n  - {{id: AAA-01, statement: s., value: {number:f}, "
        "sources: [x], as_of: y}"
    )
    assert register.parse(text, "f")[1][0].value == number


def test_the_page_in_docs_is_what_the_register_says() -> None:
    committed = (ROOT / "docs" / "facts.md").read_text("utf-8")
    assert committed == page(), "Run: python -m kmscourse.facts > docs/facts.md"


def test_no_exam_is_out_of_joint() -> None:
    for exam in exams.everything():
        assert sum(domain.weight for domain in exam.domains) == 100, exam.code
        assert [domain.number for domain in exam.domains] == list(range(1, len(exam.domains) + 1))
        for task in exam.tasks:
            assert exam.domain(task.id) in exam.domains
        assert exam.confidence == "sourced" or exam.note
    assert [exam.code for exam in exams.current()] == [
        "SAA-C03", "SCS-C03", "DVA-C02", "SOA-C03", "SAP-C02",
    ]  # fmt: skip
    assert exams.get("SAA-C03").minutes == 130
    assert exams.get("SAP-C02").questions == 75
    assert exams.get("SCS-C03").domain("5.3").name == "Data Protection"


def test_an_unknown_exam_or_task_says_what_there_is() -> None:
    with pytest.raises(facts.FactError, match="SAA-C03"):
        exams.get("SAA-C04")
    with pytest.raises(facts.FactError, match=r"1\.3"):
        exams.get("SAA-C03").task("9.9")
