"""Check documents, docstrings, comments and messages for constructions that do not read as plain English."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: A construction, and what to write instead.
BANNED = {
    r"\b(?:is|are|was) (?:said|told|given|asked|known) by\b": "the active voice",
    r"\bwhoever\b": "a noun: the owner, the caller",
    r"\bwho asks\b": "the caller, the client",
    r"\bof which\b": "two sentences, or 'whose'",
    r"\bsuch as have\b": "'that have'",
    r"\bnone that\b": "'not one that', or 'unknown'",
    r"\bis none of\b": "'is not one of'",
    r"\bwhat there is\b": "the noun",
    r"\ball the same\b": "'anyway', or nothing",
    r"\bthere already\b": "'exists already'",
    r"\bthan th(?:at|ose) of\b": "the noun",
    r"\bas (?:it|they) (?:came|stands?)\b": "'unchanged'",
    r"\bin the end\b": "'finally', 'at exit'",
    r"\bno place for\b": "'cannot represent'",
    r"\bgo(?:es|ing)? on\b": "'continue', 'run'",
    r"\bto be had\b": "'available'",
    r"\bdoing it twice\b": "'idempotent'",
    r"\bmade of (?:it|them)\b": "the noun",
    r"\bone's own\b": "a noun: the user's, the caller's",
    r"\btakes? back\b": "'remove', 'reclaim', 'undo'",
    r"\bin the making\b": "'partial'",
    r"\bthe (?:first|last|latest) (?:one )?first\b": "'oldest first', 'newest first'",
    r"[;,] (?:tell|say) whether\b": "'return whether'",
    r"\b(?:told|tells?|telling) apart\b": "'distinguish', 'separate'",
    r"\b(?:brought|brings?|bring) to (?:ICRS|AB|uJy|mJy|TDB)\b": "'convert to'",
    r"\bwhere it may\b": "the condition",
    r"\basked for\b": "'requested'",
    r"\bstands? for (?:none|no)\b": "'means'",
}
_FIRST_WORDS = re.compile(r'^\s*"""(Give|Tell|Say|Gives|Tells|Says)\b', re.MULTILINE)


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file with their first line numbers."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)):
                yield token.start[0], token.string
    else:
        yield 1, re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), text, flags=re.S | re.M)


def problems_of(path: Path) -> Iterator[str]:
    """Yield a line for each banned construction in a file."""
    for first, text in texts_of(path):
        matches = [
            (match, better) for pattern, better in BANNED.items() for match in re.finditer(pattern, text, re.IGNORECASE)
        ]
        if path.suffix == ".py" and (word := _FIRST_WORDS.match(text)):
            matches.append((word, "Return, Yield, Compute, ..."))
        for match, better in matches:
            line = first + text.count("\n", 0, match.start())
            yield f"{path.relative_to(ROOT)}:{line}: {match[0].strip()!r}: write {better}"


def main(paths: list[str]) -> None:
    """Print the problems of the given files, or of all; exit with status 1 if there are any."""
    names = ("photseries/**/*.py", "migrations/**/*.py", "bench/*.py", "docs/*.md", "docs/tutorials/*.md", "*.md")
    names += ("Makefile", "tools/*.sh")
    files = [Path(path).resolve() for path in paths] or [path for name in names for path in sorted(ROOT.glob(name))]
    problems = [line for path in files if path.name != "CHANGELOG.md" for line in problems_of(path)]
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
