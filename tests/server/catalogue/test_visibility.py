"""What is not visible never appears: in no list, count, page, summary or search around positions.

Random people, groups, streams and sharings, held against the rule as it reads in the documentation: a series is visible
to its owner, to the members of its groups and of its streams, and to a System admin.
"""

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photseries import parameters
from photseries.errors import NotFoundError
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import series
from photseries.server.principal import ADMIN, EVERYONE, MANAGE, PERMISSIONS, UPLOAD
from tests.server.catalogue import rows

PEOPLE = ("anna", "ben", "olga")
GROUPS = STREAMS = (101, 102)
PLACES = ((0.0, 90.0), (359.9999, 0.0), (180.0, -45.0))


@dataclass(frozen=True)
class Shared:
    """A series and with whom it is shared, as the model knows it."""

    owner: str
    groups: frozenset
    streams: frozenset
    filter: str
    obj_id: str
    place: int


@dataclass(frozen=True)
class Reader:
    """Somebody who asks, as the model knows them."""

    name: str
    permissions: tuple
    groups: frozenset
    streams: frozenset

    def sees_group(self, number):
        return ADMIN in self.permissions or number in self.groups

    def sees_stream(self, number):
        return ADMIN in self.permissions or number in self.streams

    def sees(self, one):
        mine = one.owner == self.name
        return mine or ADMIN in self.permissions or bool(self.groups & one.groups) or bool(self.streams & one.streams)


class World:
    """An archive with people, of whom each has a token for every set of permissions."""

    def __init__(self, services):
        self.reader, self.accounts, self.catalogue = services.reader, services.accounts, services.catalogue
        self.ids, self.own, self.tokens = {}, {}, {}
        groups, _ = self.accounts.find(OPERATOR, "groups", 1, 10)
        (self.public,) = (group["id"] for group in groups if group["name"] == EVERYONE)
        for number in GROUPS:
            self.accounts.create(OPERATOR, "groups", {"id": number, "name": f"group {number}"})
            self.accounts.create(OPERATOR, "streams", {"id": number, "name": f"stream {number}"})
        for name in PEOPLE:
            user = self.accounts.create(OPERATOR, "users", {"username": name})
            self.ids[name], self.own[name] = user["id"], user["single_user_group_id"]
            for permissions in ((), (UPLOAD,), (MANAGE,), tuple(PERMISSIONS)):
                body = {"user_id": user["id"], "permissions": permissions}
                self.tokens[name, permissions] = self.accounts.create(OPERATOR, "tokens", body)["token"]

    def join(self, kind, members):
        """Replace the members of every group or stream."""
        for number, names in members.items():
            body = {"user_ids": [self.ids[name] for name in names]}
            self.accounts.change(OPERATOR, kind, str(number), body)

    def groups_of(self, one):
        return {*one.groups, self.own[one.owner]}

    def fill(self, several, before):
        """Replace all series; some were shared with others before."""
        with self.catalogue.transaction() as connection:
            rows.clear(connection)
            return {self._insert(connection, one, was): one for one, was in zip(several, before, strict=True)}

    def _insert(self, connection, one, was):
        ra, dec = PLACES[one.place]
        first = was or one
        identity = rows.insert(
            connection,
            owner_id=self.ids[one.owner],
            filter=one.filter,
            obj_id=one.obj_id,
            ra=ra,
            dec=dec,
            group_ids={*first.groups, self.own[one.owner]},
            stream_ids=first.streams,
        )
        if was:
            series.share(connection, identity, sorted(self.groups_of(one)), sorted(one.streams))
        return identity


@pytest.fixture(scope="module")
def world(database_url, tmp_path_factory):
    with rows.emptied(database_url, tmp_path_factory.mktemp("visibility")) as services:
        yield World(services)


def some(values):
    return st.frozensets(st.sampled_from(values))


#: 0 stands for the public group.
SHARED = st.builds(
    Shared,
    owner=st.sampled_from(PEOPLE),
    groups=some([0, *GROUPS]),
    streams=some(STREAMS),
    filter=st.sampled_from(["ztfg", "ztfr"]),
    obj_id=st.sampled_from(["star", "other star"]),
    place=st.sampled_from(range(len(PLACES))),
)
MEMBERS = st.fixed_dictionaries({number: some(PEOPLE) for number in GROUPS})
CRITERIA = st.fixed_dictionaries(
    {},
    optional={
        "filter": st.sampled_from(["ztfg", "ztfr", "ztfg,ztfr"]),
        "objectID": st.sampled_from(["star", "other"]),
        "groupID": st.sampled_from(["101", "102", "101,102"]),
        "streamID": st.sampled_from(["101", "102", "101,102"]),
        "ownerID": st.sampled_from(PEOPLE),
    },
)
ORDERS = st.fixed_dictionaries(
    {
        "sortBy": st.sampled_from(["obj_id", "id", "ra", "magref", "owner_id"]),
        "sortOrder": st.sampled_from(["asc", "desc"]),
    }
)


def matches(one, wanted, reader):
    """Tell whether a series matches criteria, of which those about sharing take only what the reader sees."""
    numbers = {
        name: {int(part) for part in wanted[name].split(",")} for name in ("groupID", "streamID") if name in wanted
    }
    return (
        ("filter" not in wanted or one.filter in wanted["filter"].split(","))
        and wanted.get("objectID", "") in one.obj_id
        and wanted.get("ownerID", one.owner) == one.owner
        and ("groupID" not in wanted or any(reader.sees_group(n) and n in one.groups for n in numbers["groupID"]))
        and ("streamID" not in wanted or any(reader.sees_stream(n) and n in one.streams for n in numbers["streamID"]))
    )


@pytest.mark.slow
@pytest.mark.timeout(400)  # a failure is made small first, for up to 300 s
@settings(max_examples=80)
@given(
    st.lists(st.tuples(SHARED, st.none() | SHARED), max_size=9),
    MEMBERS,
    MEMBERS,
    st.sampled_from(PEOPLE),
    st.sampled_from([(), (UPLOAD,), (MANAGE,), tuple(PERMISSIONS)]),
    CRITERIA,
    ORDERS,
)
def test_only_what_is_visible_appears(world, several, in_groups, in_streams, name, permissions, wanted, order):
    world.join("groups", in_groups)
    world.join("streams", in_streams)
    public = {0: world.public}
    stored = world.fill(
        [_with_public(one, public) for one, _ in several], [was and _with_public(was, public) for _, was in several]
    )
    reader = Reader(
        name,
        permissions,
        frozenset({world.own[name], world.public, *(n for n, names in in_groups.items() if name in names)}),
        frozenset(n for n, names in in_streams.items() if name in names),
    )
    principal = world.accounts.authenticate(world.tokens[name, permissions])
    visible = {number: one for number, one in stored.items() if reader.sees(one)}
    found = {number: one for number, one in visible.items() if matches(one, wanted, reader)}

    arguments = {key: [value] for key, value in wanted.items()}
    if "ownerID" in wanted:
        arguments["ownerID"] = [str(world.ids[wanted["ownerID"]])]
    orders = {key: [value] for key, value in order.items()}

    check_list(world, principal, reader, {**arguments, **orders}, found)
    check_pages(world, principal, {**arguments, **orders}, found)
    check_summary(world, principal, arguments, found)
    check_cones(world, principal, arguments, found)
    check_positions(world, principal, arguments, found)
    check_singles(world, principal, stored, visible)


def _with_public(one, public):
    return Shared(
        one.owner, frozenset(public.get(n, n) for n in one.groups), one.streams, one.filter, one.obj_id, one.place
    )


def check_list(world, principal, reader, arguments, found):
    page, total = world.reader.find(principal, parameters.parse(arguments))
    assert {one.fields["id"] for one in page.records} == set(found)
    assert (len(page.records), total, page.cursor) == (len(found), len(found), None)
    for fields in (one.fields for one in page.records):
        one = found[fields["id"]]
        assert fields["group_ids"] == sorted(filter(reader.sees_group, world.groups_of(one)))
        assert fields["stream_ids"] == sorted(filter(reader.sees_stream, one.streams))


def check_pages(world, principal, arguments, found):
    seen, cursor = [], {}
    while cursor is not None:
        page, total = world.reader.find(principal, parameters.parse({**arguments, "numPerPage": ["2"], **cursor}))
        assert total == len(found)
        seen += [one.fields["id"] for one in page.records]
        cursor = {"cursor": [page.cursor]} if page.cursor else None
    assert sorted(seen) == sorted(found)
    page, total = world.reader.find(principal, parameters.parse({**arguments, "pageNumber": ["2"]}))
    assert (page.records, total) == ([], len(found))


def check_summary(world, principal, arguments, found):
    summary = world.reader.summarize(principal, parameters.parse_criteria(arguments))
    assert (summary["series"], summary["sources"]) == (len(found), len({one.obj_id for one in found.values()}))
    assert (summary["mjd_first"] is None) == (not found)
    for field, counts in (
        ("owner_id", Counter(world.ids[one.owner] for one in found.values())),
        ("filter", Counter(one.filter for one in found.values())),
        ("instrument_id", Counter([7] * len(found))),
    ):
        assert {entry[field]: entry["series"] for entry in summary[field]} == counts
    assert sum(entry["series"] for entry in summary["series_name"]) == len(found)


def check_cones(world, principal, arguments, found):
    for place, (ra, dec) in enumerate(PLACES):
        cone = {"ra": [str(ra)], "dec": [str(dec)], "radius": ["1"], "sortBy": ["separation"]}
        page, total = world.reader.find(principal, parameters.parse({**arguments, **cone}))
        here = {number for number, one in found.items() if one.place == place}
        assert ({one.fields["id"] for one in page.records}, total) == (here, len(here))


def check_positions(world, principal, arguments, found):
    query = parameters.parse({**arguments, "radius": ["0.001"]}, [list(place) for place in (*PLACES, PLACES[0])])
    page, total = world.reader.find(principal, query)
    pairs = sorted((one.fields["position"], one.fields["id"]) for one in page.records)
    twice = [(len(PLACES), number) for number, one in found.items() if one.place == 0]
    assert pairs == sorted([*((one.place, number) for number, one in found.items()), *twice])
    assert total == len(pairs)


def check_singles(world, principal, stored, visible):
    for number in stored:
        if number in visible:
            world.reader.get(principal, number)
        else:
            with pytest.raises(NotFoundError):
                world.reader.get(principal, number)
