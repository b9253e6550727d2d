"""Write the generated pages of the documentation, docs/reference/*.md, from the tables of the code.

Sphinx calls it before a build (docs/conf.py); the repository does not contain the output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import httpx
import orjson

from photseries import errors
from photseries.cli import main
from photseries.fields import FEATURES, STATISTICS
from photseries.lightcurve.bandpasses import BANDPASSES
from photseries.server.http.openapi.handlers import Documents
from photseries.server.http.openapi.page import Operation, groups_of, kind_of
from photseries.server.http.server import API
from photseries.testing import run_service
from tools import tables

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/reference"

#: The sections of the Python reference: title, and the names of modules or objects.
PYTHON = {
    "Client": (
        "photseries.Client",
        "photseries.client.Series",
        "photseries.client.Uploaded",
        "photseries.client.Outcome",
    ),
    "Criteria of a search": ("photseries.client.criteria.ConeCriteria", "photseries.client.criteria.Criteria"),
    "Reading files": ("photseries.formats.ReadOptions", "photseries.formats.read", "photseries.formats.Reading"),
    "Testing": ("photseries.testing", "photseries.pytest_plugin"),
    "Science": tuple(
        f"photseries.lightcurve.{name}"
        for name in ("photometry", "detection", "statistics", "features", "binning", "folding", "periodogram", "sky")
    ),
    "Exceptions": ("photseries.errors",),
}


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", *parts]) + "\n"


def section(title: str, text: str, level: int = 2) -> str:
    return f"{'#' * level} {title}\n\n{text}"


def fields() -> str:
    return page(
        "Fields",
        "The answer for a series has these fields.",
        section("Metadata that clients set", tables.metadata()),
        section("Statistics", tables.statistics(STATISTICS)),
        section("Features", f"[Variability](../variability.md) explains them.\n\n{tables.statistics(FEATURES)}"),
        section("All fields of an answer", tables.fields()),
        section("Filters", ", ".join(f"`{name}`" for name in BANDPASSES) + "."),
    )


def query() -> str:
    return page(
        "Query parameters",
        "Python spells `minMedianSNR` as `min_median_snr`, the command line as `--min-median-snr`.",
        section("Searches", tables.parameters()),
        *(
            section(title, tables.API[name]())
            for title, name in {
                "A file, or a part of a table": "file",
                "Many series in one file": "export",
                "Uploads": "upload",
                "Appended rows": "append",
                "Periodogram": "periodogram",
                "Folded light curve": "folded",
                "Light curve for a plot": "envelope",
                "Picture": "picture",
            }.items()
        ),
    )


def formats() -> str:
    return page(
        "Formats",
        "[How to choose one](../formats.md).",
        section("One series", tables.formats()),
        section("Many series", tables.exports()),
        section("Files that are read", tables.readers()),
        section("Formats of times", tables.time_formats()),
        section("Surveys whose files are recognized", tables.surveys()),
    ).replace("](#", "](../formats.md#")


def failures() -> str:
    kinds = sorted(_tree(errors.PhotseriesError), key=lambda kind: (kind.status, kind.code))
    sections = []
    for kind in kinds:
        status = "in the client alone" if kind in _CLIENT_ONLY else str(kind.status)
        cause = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
        cause = "An unexpected failure of the service." if kind is errors.PhotseriesError else cause
        text = f"HTTP {status}, `photseries.errors.{kind.__name__}`.\n\n**Cause.** {cause}\n\n**Remedy.** {kind.remedy}"
        sections.append(f"({kind.code})=\n{section(f'`{kind.code}`', text)}")
    return page(
        "Errors",
        "The `Link` header of an error leads here; the title of each section is `data.code` in the body of the error.",
        *sections,
    )


_CLIENT_ONLY = (errors.UnreachableError, errors.AlteredError, errors.StartError)


def _tree(root: type[errors.PhotseriesError]) -> Iterator[type[errors.PhotseriesError]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from _tree(kind)


def permissions() -> str:
    return page(
        "Permissions",
        tables.permissions(),
        section("Routes and what they need", tables.routes()),
        section("Registries", tables.registries()),
    )


def metrics() -> str:
    with run_service() as running:
        text = httpx.get(f"{running.url}/metrics", headers={"Authorization": f"token {running.token}"}).text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    rows = [[f"`{name}`", kinds[name], what] for name, what in re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE)]
    return page(
        "Metrics",
        "`GET /metrics` returns these in Prometheus format ([operation](../operation.md)).",
        tables.table(["metric", "type", "meaning"], rows),
    )


def configuration() -> str:
    """Read the comments of config.yaml, which is complete."""
    sections: dict[str, list[list[str]]] = {}
    for line in (ROOT / "config.yaml").read_text("utf-8").splitlines():
        if head := re.fullmatch(r"(\w+):\s*(?:# .*)?", line):
            sections[head[1]] = []
        elif setting := re.fullmatch(r"  (\w+):(.*?)(?:\s# (.*))?", line):
            key, default, meaning = setting[1], setting[2].strip(), setting[3] or ""
            name = list(sections)[-1]
            variable = f"`PHOTSERIES_{name.upper()}__{key.upper()}`"
            sections[name].append([f"`{key}`", f"`{default}`" if default else "a list", meaning, variable])
    return page(
        "Configuration",
        "`photseries serve --config FILE` reads YAML; environment variables override it. Every setting is optional.",
        *(
            section(f"`{name}`", tables.table(["setting", "default", "meaning", "variable"], rows))
            for name, rows in sections.items()
        ),
    )


def commands() -> str:
    """Describe every command with its arguments and options."""
    parts = []
    for title, names in main.sections().items():
        parts.append(f"## {title}")
        for name in names:
            command = main.get_command(click.Context(main), name)
            parts.extend(_command(command, f"photseries {name}", 3))
    return page("Commands", "`photseries COMMAND --help` prints the same.", *parts)


def _command(command: click.Command, name: str, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    arguments = " ".join(command.collect_usage_pieces(context))
    text = " ".join((command.help or command.short_help or "").split())
    yield f"{'#' * level} `{name}`\n\n`{name} {arguments}`\n\n{_escape_markdown(text)}"
    records = (
        param.get_help_record(context) for param in command.get_params(context) if isinstance(param, click.Option)
    )
    rows = [
        [f"`{record[0]}`", _escape_markdown(record[1])] for record in records if record and "--help" not in record[0]
    ]
    if rows:
        yield tables.table(["option", "meaning"], rows)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(command.get_command(context, inner), f"{name} {inner}", level + 1)


def _escape_markdown(text: str) -> str:
    """Escape Markdown markup."""
    return re.sub(r"([<>*_\[\]])", r"\\\1", text)


def interface() -> str:
    document = orjson.loads(Documents(API, BANDPASSES).json)
    parts = [
        'Also for programs: <a href="/api/openapi.json">openapi.json</a> (OpenAPI 3.1), and as '
        '<a href="/docs/http">one page</a> of the service. '
        "[The HTTP API](../api.md) explains envelope and rules, with examples."
    ]
    for group in groups_of(document):
        parts.append(f"## {group.name}\n\n{group.description}")
        parts.extend(_operation(operation) for operation in group.operations)
    return page("HTTP", *parts)


def _operation(operation: Operation) -> str:
    parts = [f"### {operation.verb.upper()} `{operation.path}`", f"{operation.summary} {operation.description}"]
    if operation.parameters:
        rows = [
            [
                f"`{parameter['name']}`",
                parameter["in"],
                _strip_tags(kind_of(parameter["schema"])),
                parameter.get("description", ""),
            ]
            for parameter in operation.parameters
        ]
        few = rows if len(rows) <= 12 else [row for row in rows if row[1] != "query"]
        more = "" if few is rows else "The [query parameters](query.md) are the same everywhere."
        parts += [tables.table(["parameter", "in", "value", "meaning"], few) if few else "", more]
    rows = [[status, answer["description"]] for status, answer in operation.answers]
    parts += [
        tables.table(["status", "answer"], rows),
        _fenced("sh", operation.command),
        _fenced("python", operation.python),
    ]
    return "\n\n".join(part for part in parts if part)


def _strip_tags(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html).replace("*", "\\*")


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def python() -> str:
    parts = []
    for title, names in PYTHON.items():
        lines = []
        for name in names:
            lines += [*_directive(name), ""]
        parts.append(section(title, _fenced("{eval-rst}", "\n".join(lines))))
    return page("Python", *parts)


def _directive(name: str) -> list[str]:
    last = name.rsplit(".", 1)[-1]
    kind = (
        "automodule"
        if name.startswith(("photseries.lightcurve", "photseries.testing", "photseries.errors", "photseries.pytest"))
        else "autoclass"
        if last[0].isupper()
        else "autofunction"
    )
    return [f".. {kind}:: {name}", *([] if kind == "autofunction" else ["   :members:"])]


def reasons() -> str:
    return page(
        "Differences after an import",
        "The report of an [import from SkyPortal](../import.md) contains these.",
        tables.reasons(),
    )


def copied(name: str) -> str:
    """Return a page at the top of the repository with its links rewritten for docs/reference."""
    text = (ROOT / name).read_text("utf-8")
    return re.sub(r"\]\((?!https?:)(?:docs/)?", lambda link: "](../" if "docs/" in link[0] else "](../../", text)


PAGES: Mapping[str, Callable[[], str]] = {
    "python": python,
    "commands": commands,
    "http": interface,
    "query": query,
    "fields": fields,
    "formats": formats,
    "errors": failures,
    "permissions": permissions,
    "configuration": configuration,
    "metrics": metrics,
    "import": reasons,
    "architecture": lambda: copied("ARCHITECTURE.md"),
    "changelog": lambda: copied("CHANGELOG.md"),
}


def write(folder: Path = FOLDER) -> None:
    """Write every page that has changed."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        file, text = folder / f"{name}.md", make()
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


if __name__ == "__main__":
    write()
