"""Portions of names: however many sources have them, every page is the one that comparing each series gives."""

import itertools

import pytest

from photseries import parameters
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import name_search
from tests.server.catalogue import rows

#: Sources with "a" in their names, each with two series but one with none.
NAMES = ("star", "other star", "a_b", "axb", "back\\slash", "sla/sh")
WITHOUT = "other star"


@pytest.fixture(scope="module")
def services(database_url, tmp_path_factory):
    with rows.emptied(database_url, tmp_path_factory.mktemp("portions")) as services:
        with services.catalogue.transaction() as connection:
            for name, number in itertools.product((*NAMES, "100%"), range(2)):
                if name != WITHOUT:
                    rows.insert(connection, obj_id=name, filter="ztfg" if number else "ztfr")
        yield services


def walked(services, **arguments):
    """Give the names page after page, how many match, and how often the catalogue was asked."""
    found, totals, cursor = [], set(), {}
    while cursor is not None:
        query = parameters.parse({name: [str(value)] for name, value in (arguments | cursor).items()})
        page, total = services.reader.find(OPERATOR, query)
        found += [one.fields["obj_id"] for one in page.records]
        totals.add(total)
        cursor = {"cursor": page.cursor} if page.cursor else None
    return found, totals


@pytest.mark.parametrize("most", [1, 2, 3, 5, 6, 100])
@pytest.mark.parametrize("per_page", [1, 3, 100])
@pytest.mark.parametrize("order", [{}, {"sortOrder": "desc"}, {"sortBy": "mjd_last"}], ids=str)
def test_pages_do_not_depend_on_how_many_names_a_statement_takes(services, monkeypatch, most, per_page, order):
    monkeypatch.setattr(name_search, "MAX_NAMES", most)
    found, totals = walked(services, objectID="a", numPerPage=per_page, **order)
    expected = sorted(name for name in NAMES * 2 if name != WITHOUT)
    if "sortBy" in order:
        assert sorted(found) == expected
    else:
        assert found == (expected[::-1] if order else expected)
    assert totals == {len(expected)}


def test_a_later_page_by_number_and_other_criteria(services, monkeypatch):
    monkeypatch.setattr(name_search, "MAX_NAMES", 2)
    pages = [walked_page(services, number) for number in (1, 2, 3)]
    assert list(itertools.chain(*pages)) == sorted(name for name in NAMES if name != WITHOUT)
    summary = services.reader.summarize(OPERATOR, parameters.parse_criteria({"objectID": ["a"]}))
    assert (summary["series"], summary["sources"]) == (10, 5)


def walked_page(services, number):
    arguments = {"objectID": "a", "filter": "ztfg", "numPerPage": "2", "pageNumber": str(number)}
    page, _ = services.reader.find(OPERATOR, parameters.parse({name: [value] for name, value in arguments.items()}))
    return [one.fields["obj_id"] for one in page.records]
