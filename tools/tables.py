"""Write the tables of the documents, and the keywords of the client, from the code; with `--check`, only compare."""

import re
import sys
import textwrap
from pathlib import Path

from photseries import errors
from photseries.client.queries import KEYWORDS
from photseries.fields import ANSWERED, FEATURES, FIELDS, PERIOD, SETTABLE, STATISTICS
from photseries.formats import EXPORTS, READERS, TIME_FORMATS, WRITERS
from photseries.parameters import APPEND, CONTROLS, CRITERIA, ENVELOPE, FOLDED, PERIODOGRAM, PLOT, UPLOAD, snake_case
from photseries.server.accounts import RESOURCES
from photseries.server.http import server
from photseries.server.http.exports import EXPORT
from photseries.server.http.files import FILE
from photseries.server.http.openapi.document import path_of, verbs_of
from photseries.server.importers.reasons import REASONS, UNEXPLAINED
from photseries.server.principal import PERMISSIONS
from photseries.server.schemas.registries import CHANGES, CREATIONS
from photseries.server.vo import conesearch
from photseries.server.vo.examples import EXAMPLES
from photseries.server.vo.observations import COLUMNS
from photseries.surveys import ground, space

ROOT = Path(__file__).parent.parent


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def routes():
    rows = {}
    for path, handler, options in server.API:
        kind = options.get("kind")
        shown = path_of(path if kind is None else path.replace(f"/{kind}", "/KIND", 1)).template
        shown = shown.replace("{id}", "ID").replace("{extension}", "EXTENSION")
        for verb, _, what in verbs_of(handler):
            requirement = handler.needs[verb]
            needs = "no token" if requirement is None else requirement.words
            if kind is not None and rows.get((verb, shown), [needs])[-1] != needs:
                special = shown.replace("KIND", kind)
                rows[verb, special] = [f"`{verb} {special}`", what, needs]
            else:
                rows[verb, shown] = [f"`{verb} {shown}`", what, needs]
    return table(["route", "does", "needs"], rows.values())


def registries():
    rows = []
    for kind in RESOURCES:
        schema = CREATIONS[kind]
        fields = [f"`{name}`" + ("" if field.required else "?") for name, field in schema.fields.items()]
        changes = [f"`{name}`" for name in CHANGES[kind].fields] if kind in CHANGES else []
        rows.append([f"`{kind}`", ", ".join(fields), ", ".join(changes), type(schema).__doc__.split("\n")[0]])
    return table(["KIND", "fields (? may be left out)", "PATCH changes", "what"], rows)


def permissions():
    return table(["permission", "allows to"], [[f"`{name}`", text] for name, text in PERMISSIONS.items()])


def metadata():
    rows = []
    for field in (FIELDS[name] for name in SETTABLE):
        values = f": {', '.join(field.values)}" if field.values else ""
        need = "required" if field.required else f"default {field.default}" if field.default else ""
        rows.append([f"`{field.name}`", field.description + values, field.units, need])
    return table(["field", "what", "unit", ""], rows)


def parameters(listed=(*CRITERIA, *CONTROLS)):
    rows = []
    for parameter in listed:
        names = ", ".join(f"`{name}`" for name in parameter.spellings)
        default = "" if parameter.default is None else f" Default: {parameter.default}."
        rows.append([names, parameter.kind.name, parameter.sentence + default])
    return table(["parameter", "value", "meaning"], rows)


def formats():
    rows = []
    for writer in WRITERS.values():
        kept = [writer.writer.types, writer.writer.units, writer.writer.metadata, writer.writer.loses]
        rows.append(
            [f"`{writer.name}`", f"`.{writer.extension}`", f"`{writer.media_type}`", writer.package or "", *kept]
        )
    head = ["format", "extension", "media type", "needs", "types kept", "units kept", "metadata", "what is lost"]
    return table(head, rows)


def readers():
    rows = [
        [file_format.name, " ".join(file_format.suffixes), file_format.reader.sentence]
        for file_format in READERS.values()
    ]
    return table(["format", "names", "what"], rows)


def time_formats():
    rows = [[name, time_format.sentence] for name, time_format in TIME_FORMATS.items()]
    return table(["time_format", "what"], rows)


def exports():
    rows = [
        [
            f"`{export.name}`",
            f"`.{export.extension}`",
            f"`{export.media_type}`",
            export.package or "",
            export.export.holds,
            export.export.readers,
        ]
        for export in EXPORTS.values()
    ]
    return table(["format", "extension", "media type", "needs", "holds", "read by"], rows)


def fields():
    return ", ".join(f"`{name}`" for name in ANSWERED) + ", and `data`."


def statistics(names=STATISTICS):
    rows = [[f"`{name}`", FIELDS[name].description, FIELDS[name].units] for name in names]
    return table(["statistic", "what", "unit"], rows)


def failures():
    rows, waiting = [], [errors.PhotseriesError]
    while waiting:
        kind = waiting.pop(0)
        waiting = kind.__subclasses__() + waiting
        if kind.code not in ("altered", "start", "unreachable") and kind.__module__ == errors.__name__:
            rows.append([str(kind.status), f"`{kind.code}`", kind.__doc__.split("\n")[0]])
    return table(["status", "code", "meaning"], rows)


def reasons():
    rows = [[reason.name, reason.sentence, ", ".join(f"`{field}`" for field in reason.fields)] for reason in REASONS]
    return table(["reason", "what is different", "of these fields"], [*rows, [*UNEXPLAINED, "any"]])


def observations():
    rows = [
        [f"`{column.name}`", str(verbosity), column.unit or "", column.ucd, column.utype or "", column.description]
        for column, verbosity in ((entry.column, entry.verbosity) for entry in COLUMNS)
    ]
    return table(["column", "VERB", "unit", "UCD", "utype", "what"], rows)


def adql_examples():
    return "\n\n".join(f"{example.title}:\n\n```sql\n{example.query}\n```" for example in EXAMPLES)


def surveys():
    rows = [
        [
            survey.name,
            recognised(survey),
            f"`{survey.line}`" if survey.line else "",
            ", ".join(survey.flux) or survey.mag or "",
            survey.source,
        ]
        for survey in (*ground.SURVEYS, *space.SURVEYS)
    ]
    return table(["survey", "recognised by", "options", "brightness, the best first", "defined by"], rows)


def recognised(survey):
    keywords = [f"{keyword} = {value}" for keyword, value in survey.header.items()]
    return "; ".join([*keywords, *([", ".join(survey.columns)] if survey.columns else [])])


#: The tables of the generated pages (tools/reference.py).
API = {
    "routes": routes,
    "registries": registries,
    "permissions": permissions,
    "metadata": metadata,
    "parameters": parameters,
    "export": lambda: parameters(tuple(known for known in EXPORT if known not in CRITERIA)),
    "file": lambda: parameters(FILE),
    "upload": lambda: parameters(UPLOAD),
    "append": lambda: parameters(APPEND),
    "periodogram": lambda: parameters(PERIODOGRAM),
    "folded": lambda: parameters(FOLDED),
    "envelope": lambda: parameters(ENVELOPE),
    "picture": lambda: parameters(PLOT),
    "fields": fields,
    "statistics": statistics,
    "errors": failures,
}

DOCUMENTS = {
    "docs/readers.md": {"surveys": surveys},
    "docs/variability.md": {"features": lambda: statistics(FEATURES), "period": lambda: statistics(PERIOD)},
    "docs/vo.md": {
        "scs": lambda: parameters(conesearch.PARAMETERS),
        "columns": observations,
        "examples": adql_examples,
    },
    "photseries/client/criteria.py": {"criteria": lambda: criteria(False), "cone": lambda: criteria(True)},
}


def criteria(is_cone):
    """Return the keys of a TypedDict of search criteria, each with its sentence as a docstring."""
    accepted = [accepted for accepted in (*CRITERIA, *CONTROLS) if accepted.name in KEYWORDS.values()]
    lines = []
    for criterion in accepted:
        if (criterion.name in ("ra", "dec", "radius")) is is_cone:
            sentence = "\n    ".join(textwrap.wrap(f'"""{criterion.sentence}"""', 116))
            lines.append(
                f"{snake_case(criterion.name)}: {annotation(criterion.kind.schema, criterion.repeatable)} | None\n"
                f"    {sentence}"
            )
    return "    " + "\n    ".join(lines)


def annotation(schema, repeatable=False):
    """Return the Python type of a parameter's values."""
    if "anyOf" in schema:
        return "Moment"
    if schema["type"] == "array":
        return annotation(schema["items"], repeatable=True)
    name = {"integer": "int", "number": "float", "boolean": "bool", "string": "str"}[schema["type"]]
    return f"{name} | Sequence[{name}]" if repeatable else name


def written(text, tables):
    """Regenerate every table of a page."""
    for name, make in tables.items():
        pattern = rf"((?:<!--|#) {name}(?: -->)?\n).*?((?:<!--|    #) end\b)"
        text, count = re.subn(pattern, lambda match, make=make: f"{match[1]}{make()}\n{match[2]}", text, flags=re.S)
        assert count == 1, name
    return text


if __name__ == "__main__":
    for name, tables in DOCUMENTS.items():
        page = (ROOT / name).read_text("utf-8")
        if "--check" not in sys.argv[1:]:
            (ROOT / name).write_text(written(page, tables), "utf-8")
        elif written(page, tables) != page:
            sys.exit(f"{name} is not up to date: run `python tools/tables.py`")
