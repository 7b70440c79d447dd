"""The register as one readable Markdown page."""

from __future__ import annotations

from collections.abc import Iterator

from kmscourse import facts
from kmscourse.facts import exams, register
from kmscourse.facts.model import Fact, plain

_HEAD = """\
<!-- Made by `python -m kmscourse.facts`. To change it, change kmscourse/facts/data. -->

# The register of facts

Every price, limit and date that the course speaks of, in our own words, with where it was read and
as of when. {count} facts; {doubtful} of them are marked, because they are from memory or because
AWS's own texts disagree. Code takes them from `kmscourse.facts`, so a change here changes the
lessons, the bill and the questions together.

"""


def page() -> str:
    """The whole page, ending in one line break."""
    everything = facts.everything()
    doubtful = sum(fact.confidence != "sourced" for fact in everything)
    parts = [_HEAD.format(count=len(everything), doubtful=doubtful)]
    parts += _lines(_contents())
    parts += _lines(_changed())
    for name, title in facts.topics().items():
        parts.append(f'<a id="{name}"></a>\n\n## {title}\n\n')
        parts += [_entry(fact) for fact in facts.topic(name)]
    parts += _lines(_figures())
    parts += _lines(_exams())
    return "".join(parts).rstrip("\n") + "\n"


def _lines(lines: Iterator[str]) -> list[str]:
    return [f"{line}\n" for line in lines]


def _contents() -> Iterator[str]:
    yield "- [On the exam, and today](#changed)"
    for name, title in facts.topics().items():
        yield f"- [{title}](#{name}) ({len(facts.topic(name))})"
    yield "- [Numbers by name](#figures)"
    yield "- [The exams](#exams)"
    yield ""


def _changed() -> Iterator[str]:
    yield '<a id="changed"></a>\n'
    yield "## On the exam, and today\n"
    yield "Where common study notes are out of date or say only half.\n"
    yield "| Fact | Study notes say | Today | As of |"
    yield "|---|---|---|---|"
    for fact in facts.changed():
        yield (
            f"| [{fact.id}](#{fact.id}) | {_cell(fact.study_notes)} | {_cell(fact.statement)} "
            f"| {_cell(fact.as_of)} |"
        )
    yield ""


def _entry(fact: Fact) -> str:
    lines = [f'<a id="{fact.id}"></a>**{fact.id}** {_safe(fact.statement)}']
    if fact.doubt:
        lines.append(f"⚠ **{fact.doubt}**")
    if fact.value is not None:
        lines.append(f"Value: {_safe(plain(fact.value, fact.unit))}")
    if fact.note:
        lines.append(f"Note: {_safe(fact.note)}")
    if fact.study_notes:
        label = "Study notes, out of date or incomplete" if fact.changed else "Study notes"
        lines.append(f"{label}: {_safe(fact.study_notes)}")
    sources = "; ".join(_source(source) for source in fact.sources) or "none"
    lines.append(f"Source: {sources}. As of: {fact.as_of or 'no date'}")
    return "<br>\n".join(lines) + "\n\n"


def _figures() -> Iterator[str]:
    yield '<a id="figures"></a>\n'
    yield "## Numbers by name\n"
    yield "What `facts.price`, `facts.limit` and `facts.request_quota` give.\n"
    yield "| Name | Value | Fact |"
    yield "|---|---|---|"
    named = [facts.price(name) for name in facts.prices()]
    named += [facts.limit(name) for name in facts.limits()]
    named += [facts.request_quota(name) for name in register.index()["request_quotas"]]
    for figure in named:
        value = plain(figure.value, figure.unit)
        yield f"| `{figure.name}` | {value} | [{figure.id}](#{figure.id}) |"
    yield ""


def _exams() -> Iterator[str]:
    yield '<a id="exams"></a>\n'
    yield "## The exams\n"
    for exam in exams.everything():
        yield f"### {exam.code}: {exam.name}\n"
        guide = f" [Guide]({exam.url})." if exam.url else ""
        yield (
            f"{exam.status} {exam.questions} questions ({exam.scored} scored) in {exam.minutes} "
            f"minutes, passing score {exam.passing_score}. As of {exam.as_of}.{guide}\n"
        )
        if exam.note:
            yield f"⚠ **{exam.note}**\n"
        yield "Domains: " + ", ".join(f"{d.name} {d.weight}%" for d in exam.domains) + ".\n"
        for task in exam.tasks:
            yield f"- **{task.id}** {task.name}." + (f" {task.about}" if task.about else "")
        yield ""


def _source(source: str) -> str:
    if not source.startswith("https://"):
        return _safe(source)
    address, _, rest = source.partition(" ")
    return f"<{address.rstrip(':;,')}>" + (f" {_safe(rest)}" if rest else "")


def _safe(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("*", r"\*")


def _cell(text: str | None) -> str:
    return _safe(text or "").replace("|", r"\|")
