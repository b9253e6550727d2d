"""The grammar: sqlglot's without the constructs that ADQL lacks. The translator refuses more."""

from __future__ import annotations

import itertools
import logging
from typing import ClassVar, Final

from sqlglot import exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from photseries.errors import InvalidError
from photseries.text import escape_unprintable

__all__ = ["parse", "refused"]

#: Maximum nesting depth and maximum number of tokens of a query.
MAX_DEPTH: Final = 60
MAX_TOKENS: Final = 20_000

# sqlglot logs the text of unsupported statements, which are refused here anyway.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_OPENS: Final = (TokenType.L_PAREN, TokenType.CASE)
_CLOSES: Final = (TokenType.R_PAREN, TokenType.END)


class ADQL(Dialect):
    """Only CAST and CASE have a special syntax; the translator interprets all other functions."""

    NULL_ORDERING = "nulls_are_large"

    class Tokenizer(tokens.Tokenizer):
        """The tokenizer; comments begin with two hyphens."""

        COMMENTS = ["--"]  # noqa: RUF012  (as sqlglot declares it)
        HEX_STRINGS: ClassVar = [("0x", "")]
        KEYWORDS = {**tokens.Tokenizer.KEYWORDS, "TOP": TokenType.TOP}  # noqa: RUF012

    class Parser(parser.Parser):
        """The parser. TOP belongs to its own SELECT, also in the last one of a UNION."""

        FUNCTIONS: ClassVar = {}
        FUNCTION_PARSERS: ClassVar = {"CAST": lambda self: self._parse_cast(True)}
        NO_PAREN_FUNCTIONS: ClassVar = {}
        SET_OP_MODIFIERS: ClassVar = {"order", "offset"}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {"CASE": lambda self: self._parse_case()}


def refused(message: str) -> InvalidError:
    """Return the error about a query; escape unprintable characters and truncate the text."""
    return InvalidError(escape_unprintable(message)[:290])


def parse(query: str) -> exp.Expr:
    """Parse one query.

    Raises
    ------
    InvalidError
        When it is invalid, too long or too deep.
    """
    if "\0" in query:
        raise refused("The query contains a NUL character.")
    dialect = ADQL()
    try:
        words = dialect.tokenize(query)
        _require_bounds(words)
        trees = dialect.parser().parse(_joined(words), query)
    except SqlglotError as error:
        raise refused(f"This is not ADQL: {_parser_message(error)}") from error
    except RecursionError as error:
        raise refused("The query is nested too deeply.") from error
    if len(trees) != 1 or trees[0] is None:
        raise refused(f"QUERY must be one SELECT statement; it has {len(trees)} statements.")
    return trees[0]


def _require_bounds(words: list[Token]) -> None:
    for word, following in itertools.pairwise(words):  # sqlglot would read 10ra as 10 AS ra
        if (word.token_type, following.token_type, following.start) == (TokenType.NUMBER, TokenType.VAR, word.end + 1):
            raise refused(f"{word.text + following.text!r:.40} is not a number.")
    if len(words) > MAX_TOKENS:
        raise refused(f"The query has {len(words):,} tokens; at most {MAX_TOKENS:,} are accepted.")
    depth = 0
    for word in words:
        depth += (word.token_type in _OPENS) - (word.token_type in _CLOSES)
        if depth > MAX_DEPTH:
            raise refused(f"The query is nested more than {MAX_DEPTH} levels deep.")


def _joined(words: list[Token]) -> list[Token]:
    """Join adjacent texts, which are one in ADQL, and a number with the decimal point after a space before it."""
    joined: list[Token] = []
    for word in words:
        last = joined[-1] if joined else word
        kinds = (last.token_type, word.token_type)
        after_space = len(joined) > 1 and joined[-2].end + 1 < last.start
        if joined and kinds == (TokenType.STRING, TokenType.STRING):
            text = last.text + word.text
        elif kinds == (TokenType.DOT, TokenType.NUMBER) and after_space and last.end + 1 == word.start:
            text = f"0.{word.text}"
        else:
            joined.append(word)
            continue
        joined[-1] = Token(word.token_type, text, last.line, last.col, last.start, word.end)
    return joined


def _parser_message(error: SqlglotError) -> str:
    """Return the message of the parser, without its coloured excerpt of the query."""
    first = (getattr(error, "errors", None) or [{}])[0]
    if "description" not in first:
        return str(error).partition("\n")[0]
    where = f" (line {first.get('line')}, column {first.get('col')}, near {first.get('highlight')!r})"
    description = str(first["description"]).partition("\n")[0].partition(" for <class ")[0]
    return description.rstrip(".") + where + "."
