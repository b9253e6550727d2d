"""Known surveys and products, each a declaration of how its files are recognised and read.

A package adds surveys with an entry point of the group ``photseries.surveys``, which names a :class:`Survey` or a
sequence of surveys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import entry_points

from photseries.surveys import ground, space
from photseries.surveys.survey import Mission, Survey, first_of

__all__ = ["GROUP", "Mission", "Survey", "first_of", "known_surveys", "recognise"]

#: The group of entry points that add surveys.
GROUP = "photseries.surveys"


@lru_cache(maxsize=1)
def known_surveys() -> tuple[Survey, ...]:
    """Return all declarations: those of installed packages first, then the ones of photseries."""
    added: list[Survey] = []
    for entry in entry_points(group=GROUP):
        loaded = entry.load()
        added.extend([loaded] if isinstance(loaded, Survey) else loaded)
    return (*added, *ground.SURVEYS, *space.SURVEYS)


def recognise(header: Mapping[str, object], columns: Iterable[str], brightness: str = "") -> Survey | None:
    """Return the most specific survey that a file matches, or None.

    Parameters
    ----------
    header : mapping
        Keywords of the file.
    brightness : str, optional
        The column to read; surveys that declare it take precedence, because each band may have its own times.
    """
    names = list(columns)
    return max(
        (survey for survey in known_surveys() if survey.matches(header, names)),
        key=lambda survey: (brightness in (survey.mag, *survey.flux), survey.weight),
        default=None,
    )
