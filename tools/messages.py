"""List the messages that users meet: the texts of raised errors and of warnings, found in the code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT = Path(__file__).parent.parent

#: Functions with a message argument, besides the classes whose names end in Error.
FUNCTIONS: Final = frozenset({"invalid", "_invalid", "UsageError", "BadParameter", "ClickException"})
#: Errors that never reach a user, because they report wrong calls of functions.
INTERNAL: Final = frozenset(
    {"ValueError", "TypeError", "RuntimeError", "KeyError", "AssertionError", "NotImplementedError", "AttributeError"}
)


class Message(NamedTuple):
    """A message, with ``{...}`` for values known only at run time."""

    path: Path
    line: int
    raised: str
    text: str


def messages() -> Iterator[Message]:
    """Yield all messages of the package."""
    for path in sorted((ROOT / "photseries").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                is_error = name.endswith("Error") and name not in INTERNAL
                text = _literal_text(node.args[0]) if is_error or name in FUNCTIONS else ""
                if text.strip("{.} "):
                    yield Message(path.relative_to(ROOT), node.lineno, name, text)


def _literal_text(node: ast.expr) -> str:
    """Return a text in the code, with ``{...}`` for expressions."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_literal_text(value) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _literal_text(left) + _literal_text(right)
    return "{...}"


def main() -> None:
    """Print every message with its location."""
    for message in messages():
        sys.stdout.write(f"{message.path}:{message.line}: {message.raised}: {message.text}\n")


if __name__ == "__main__":
    main()
