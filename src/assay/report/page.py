"""The evidence page: the verdict in a line, then each finding, then how it was made."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, get_args

from assay.evidence.finding import Figure, Finding, Number, Status
from assay.report import figures
from assay.report._words import clean, counted, duration, finite, is_share, measure, plain, prose, words

if TYPE_CHECKING:
    from jinja2 import Template

_EXAMPLES = 5
_SIDE_BY_SIDE = frozenset({"bars", "intervals", "lines", "scatter"})


@dataclass(frozen=True)
class _Headline:
    """The answer to the first question: is the network better than classical machine learning?"""

    verdict: str
    sentence: str
    figure: Figure | None


@dataclass(frozen=True)
class _Section:
    """A finding as the template writes it."""

    anchor: str
    name: str
    status: str
    finding: Finding
    numbers: Sequence[tuple[str, str, str]]  # name, value, interval
    main: str
    further: Sequence[Sequence[str]]  # figures, one or two in a row
    seconds: str


def render(
    summary: Mapping[str, Any],
    findings: Sequence[Finding],
    problems: Sequence[Mapping[str, Any]] = (),
    *,
    title: str,
) -> str:
    """Write the page of a run.

    Args:
        summary: what `assay train --json` prints; also, where known, "plan" (settings by name, may be nested),
            "source", "created" and "notice" (str) and "versions" (by package).
        findings: in the order in which the page shows them.
        problems: what was found in the data: {"kind", "count", "action", "examples": [{"file", "row"}]} each.
        title: the page's title, such as the name of the data.

    Returns:
        One HTML document that loads nothing from elsewhere. Text from outside is inert in it: it is escaped, and the
        page's security policy lets no script run but the page's own.

    Raises:
        ValueError: a finding has a figure of an unknown kind.
    """
    sections = _sections(findings)
    script = _resource("page.js")
    page = _template().render(
        title=title,
        headline=_headline(summary),
        notice=str(summary.get("notice") or ""),
        facts=list(_facts(summary)),
        tally=_tally(sections),
        sections=sections,
        first=[section for section in sections if section.status == "act" and section.finding.next],
        problems=[_problem(problem) for problem in problems],
        made=list(_made(summary)),
        plan=list(_flat(summary.get("plan") or {})),
        versions=list(_flat(summary.get("versions") or {})),
        style=_resource("page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )
    return str(page)


def _resource(name: str) -> str:
    return resources.files("assay.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def tidy(value: object) -> object:
        return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True, finalize=tidy, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["prose"] = lambda sentence: Markup(prose(sentence))
    environment.filters["drawn"] = lambda figure: Markup(figures.draw(figure))
    return environment.from_string(_resource("page.html.j2"))


def _headline(summary: Mapping[str, Any]) -> _Headline:
    metric, baseline = summary["metric"], summary.get("baseline")
    share = is_share(str(metric["name"])) and not metric.get("unit")
    name = words(str(metric["name"]), capital=True)
    ours = _told(metric, metric, share)
    lower = "" if metric.get("higher_is_better", True) else " (lower is better)"
    samples = finite((summary.get("samples") or {}).get("test"))
    if finite(metric.get("value")) is None:
        why = "The test samples do not give its metric." if samples else "No sample was set aside for testing."
        return _Headline("It is not known how good the network is.", why, None)
    unseen = f", on {counted(int(samples), 'test sample')} that neither has seen" if samples else ""
    if baseline is None:
        alone = unseen.replace("neither has seen", "it has not seen")
        sentence = f"{name}{lower} {ours}{alone}. It was not compared with classical machine learning."
        return _Headline(f"The network reaches {ours.split(' [')[0]} {words(str(metric['name']))}.", sentence, None)
    theirs = _told(baseline, metric, share)
    rival = str(baseline["name"])
    verdict, sentence = {
        "network": ("The network is better.", f"{name}{lower} {ours} against {theirs} for {rival}{unseen}."),
        "baseline": (
            "Classical machine learning is better.",
            f"{name}{lower} {theirs} for {rival} against {ours} for the network{unseen}.",
        ),
        "tie": (
            "No difference between network and baseline can be shown.",
            f"{name}{lower} {ours} for the network and {theirs} for {rival}{unseen}: the difference is within chance.",
        ),
    }.get(
        str(summary.get("verdict")) if finite(metric.get("low")) is not None else "",
        ("It is not known which is better.", f"{name}{lower} {ours} for the network and {theirs} for {rival}{unseen}."),
    )
    return _Headline(verdict, sentence, _comparison(metric, baseline, share))


def _told(number: Mapping[str, Any], metric: Mapping[str, Any], share: bool) -> str:
    unit = str(metric.get("unit") or "")
    return " ".join(measure(number.get("value"), number.get("low"), number.get("high"), unit, share=share)).strip()


def _comparison(metric: Mapping[str, Any], baseline: Mapping[str, Any], share: bool) -> Figure:
    """Both values and their intervals on one axis."""
    pairs = (("network", metric), (str(baseline["name"]), baseline))
    rows = [
        {"label": label, "series": series} | {key: one.get(key) for key in ("value", "low", "high")}
        for series, (label, one) in enumerate(pairs)
    ]
    unit = "%" if share else str(metric.get("unit") or "")
    data = {"rows": rows, "x": words(str(metric["name"]), capital=True), "unit": unit}
    return Figure("intervals", "The network and the baseline, with 95 % intervals", data)


def _facts(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the reader wants to know of the run at a glance."""
    known = {
        "application": words(str(summary.get("task") or "").replace("-", " ")),
        "data": summary.get("source"),
        "made": summary.get("created"),
        "took": duration(summary["seconds"]) if "seconds" in summary else None,
    }
    yield from ((name, str(value)) for name, value in known.items() if value)


def _status(status: str) -> str:
    return status if status in get_args(Status) else "unknown"


def _sections(findings: Sequence[Finding]) -> list[_Section]:
    sections: list[_Section] = []
    taken: set[str] = set()
    for place, finding in enumerate(findings):
        anchor = "finding-" + re.sub(r"[^a-z0-9]+", "-", finding.name.lower()).strip("-")
        anchor = f"{anchor}-{place + 1}" if anchor in taken or anchor == "finding-" else anchor
        taken.add(anchor)
        rows = [[figures.draw(figure) for figure in row] for row in _rows(finding.figures)]
        numbers = [(words(name, capital=True), *_measured(name, number)) for name, number in finding.numbers.items()]
        sections.append(
            _Section(
                anchor=anchor,
                name=words(finding.name),
                status=_status(finding.status),
                finding=finding,
                numbers=numbers,
                main="".join(figure for row in rows[:1] for figure in row),
                further=rows[1:],
                seconds=duration(finding.seconds) if finding.seconds else "",
            )
        )
    return sections


def _rows(given: Sequence[Figure]) -> list[list[Figure]]:
    """The main figure by itself, of the others two neighbours that are readable at half the width side by side."""
    rows = [[figure] for figure in given[:1]]
    for figure in given[1:]:
        fits = len(rows) > 1 and len(rows[-1]) == 1 and {figure.kind, rows[-1][0].kind} <= _SIDE_BY_SIDE
        if fits:
            rows[-1].append(figure)
        else:
            rows.append([figure])
    return rows


def _measured(name: str, number: Number) -> tuple[str, str]:
    return measure(number.value, number.low, number.high, number.unit, share=is_share(name))


def _tally(sections: Sequence[_Section]) -> str:
    """How many findings are of each status: "12 findings: 6 good, 4 to watch, 2 to act on"."""
    phrases = {"good": "good", "watch": "to watch", "act": "to act on", "unknown": "unknown"}
    counts = {status: sum(section.status == status for section in sections) for status in phrases}
    told = ", ".join(f"{count} {phrases[status]}" for status, count in counts.items() if count)
    return f"{counted(len(sections), 'finding')}: {told}"


def _problem(problem: Mapping[str, Any]) -> dict[str, Any]:
    given = list(problem.get("examples") or ())
    examples = []
    for example in given[:_EXAMPLES]:
        row = example.get("row")
        parts = [str(example.get("file") or ""), "" if row is None else f"row {row}"]
        examples.append(", ".join(part for part in parts if part))
    count = finite(problem.get("count"))
    return {
        "kind": words(str(problem.get("kind", "")).replace("-", " "), capital=True),
        "count": "" if count is None else plain(count, 0),
        "action": str(problem.get("action", "")),
        "examples": examples,
        "more": max(0, int(count or 0) - len(examples)) if examples else 0,
    }


def _made(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Network, samples and the like, each with its value."""
    network, samples, baseline = (summary.get(key) or {} for key in ("network", "samples", "baseline"))
    if network:
        yield (
            "network",
            f"{network.get('name', '')}, {counted(int(finite(network.get('parameters')) or 0), 'parameter')}",
        )
    if samples:
        yield "samples", ", ".join(f"{plain(count, 0)} {words(str(name))}" for name, count in samples.items())
    if baseline:
        spent = finite(baseline.get("seconds"))
        yield "baseline", str(baseline.get("name", "")) + (f", {duration(spent)}" if spent is not None else "")
    for name, value in (summary.get("metrics") or {}).items():
        yield words(str(name)), measure(value, share=is_share(str(name)))[0]
    for name in ("seed", "run", "source", "created"):
        if summary.get(name) is not None:
            yield name, str(summary[name])


def _flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names with their values."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", "not set" if value is None or value == {} else str(value)
