"""A model of the archive in plain Python: who sees which series, and which table and history each has.

An operation is a request with the answer that the model accepts for it. The model of a user's rights is that of
docs/api.md: the owner may change a series, and so may a manager who sees it.
"""

import copy
from dataclasses import dataclass, field

#: The rows that one number stands for.
ROWS = 3

KEYS = ("1", "2")
BATCHES = ("first run", "second run")
USERS = ("anna", "ben", "olga")
MANAGERS = ("ben",)


class ImpossibleError(Exception):
    """The model does not accept the answer."""


def columns(table):
    """The table of some numbers as JSON columns: distinct rows for each number."""
    rows = [part * 10 + row for part in table for row in range(ROWS)]
    return {
        "mjd": [59000.0 + row / 8 for row in rows],
        "flux": [100.0 + row for row in rows],
        "fluxerr": [1.0] * len(rows),
    }


def table_of(data):
    """The numbers of a table in JSON columns."""
    parts = [round((mjd - 59000) * 8) // 10 for mjd in data["mjd"]]
    table = tuple(parts[::ROWS])
    assert columns(table) == data
    return table


@dataclass
class File:
    """A stored file: table, note, and whether an earlier revision can be restored from it."""

    table: tuple[int, ...]
    note: float | None
    state: str = "kept"


@dataclass
class Event:
    """A line of the history; without a file after a delete or a purge.

    ``batch`` is that of the request, and for a purge that of the series; ``label`` is that of the series afterwards.
    """

    action: str
    file: File | None
    batch: str | None
    label: str | None


@dataclass
class Series:
    """A series, also one that was deleted."""

    key: str
    owner: str
    groups: frozenset[str]
    file: File | None
    batch: str | None = None
    events: list[Event] = field(default_factory=list)
    tables: set[tuple[int, ...]] = field(default_factory=set)  # purged ones, too

    @property
    def revision(self):
        return len(self.events)

    def happen(self, action, file, batch=None):
        self.batch = batch or self.batch
        self.events.append(Event(action, file, batch, self.batch))
        self.file = file
        self.tables |= set() if file is None else {file.table}

    def restore(self, event):
        self.batch = event.label
        self.happen("restore", event.file)


class Model:
    """Series by id, and the members of the group ``crew``."""

    def __init__(self):
        self.series = {}
        self.crew = {"anna", "ben"}

    def copy(self):
        return copy.deepcopy(self)

    def sees(self, user, series):
        return user == series.owner or (user in self.crew and "crew" in series.groups)

    def may_change(self, user, series):
        return user == series.owner or (user in MANAGERS and self.sees(user, series))

    def holder(self, key):
        return next(((number, one) for number, one in self.series.items() if one.key == key and one.file), (None, None))

    def visible(self, user):
        return {number: one for number, one in self.series.items() if one.file and self.sees(user, one)}

    def groups_of(self, owner, crew):
        return frozenset({owner, "crew"} if crew else {owner})

    def age(self):
        """Let the grace of every file pass that no row names."""
        for one in self.series.values():
            for event in one.events:
                if event.file is not None and event.file is not one.file and event.file.state == "kept":
                    event.file.state = "expired"

    def sweep(self):
        for one in self.series.values():
            for event in one.events:
                if event.file is not None and event.file is not one.file and event.file.state == "expired":
                    event.file.state = "gone"

    def state(self):
        """What an admin sees of every series: of a deleted one, the history alone."""
        return {
            number: (
                [event.action for event in one.events],
                None
                if one.file is None
                else (one.file.table, one.file.note, one.key, one.owner, one.groups, one.batch),
            )
            for number, one in self.series.items()
        }


@dataclass(frozen=True)
class Answer:
    """The status of an answer, with its data; None if it was lost."""

    status: int
    data: object = None


def require(answer, status, data=None):
    """Refuse an answer that is not this one; a lost one may be any."""
    if answer is not None and (answer.status != status or (data is not None and answer.data != data)):
        raise ImpossibleError(f"{answer} instead of {status} {data}")


@dataclass(frozen=True, eq=False)
class Operation:
    """A request of a user: its path below that of all series, its parameters, and the part of the answer to check."""

    user: str

    method = "GET"

    @property
    def path(self):
        return ""

    @property
    def headers(self):
        return {}

    def parameters(self, name):
        return {}

    def body(self, world, name):
        return None

    def read(self, data, groups):
        return None


@dataclass(frozen=True, eq=False)
class Create(Operation):
    """A new series, by itself or as a line of a bulk upload, with what a bulk upload does if the key is taken."""

    key: str
    table: tuple[int, ...]
    crew: bool
    batch: str | None
    if_exists: str = "error"

    method = "POST"

    def body(self, world, name):
        fields = world.fields(series_name=name, series_obj_id=self.key, data=columns(self.table))
        return fields | {"group_ids": [world.crew] if self.crew else []} | batch_field(name, self.batch)

    def read(self, data, groups):
        return {"id": data["id"], "outcome": data.get("outcome", "created")}

    def apply(self, model, answer, found):
        """Accept the answer, and change the model; ``found`` is the series with the key afterwards."""
        if self.crew and self.user not in model.crew:
            return require(answer, 400)
        number, holder = model.holder(self.key)
        if holder is None:
            number = found if answer is None else answer.data.get("id") if answer.status == 200 else None
            if number is None or number in model.series:
                if answer is None and found is None:
                    raise ImpossibleError("nothing was created")
                raise ImpossibleError(f"{answer}, and the key is free")
            require(answer, 200, {"id": number, "outcome": "created"})
            file = File(self.table, None)
            one = model.series[number] = Series(self.key, self.user, model.groups_of(self.user, self.crew), file)
            return one.happen("create", file, self.batch)
        if self.if_exists == "error" or not model.sees(self.user, holder):
            return require(answer, 409)
        if self.if_exists == "skip":
            return require(answer, 200, {"id": number, "outcome": "skipped"})
        if not model.may_change(self.user, holder):
            return require(answer, 403)
        require(answer, 200, {"id": number, "outcome": "replaced"})
        return change(model, holder, self.table, None, self.crew, self.batch)


def batch_field(name, batch):
    """The field of a request for a batch of a sequence."""
    return {} if batch is None else {"batch": f"{name}, {batch}"}


def change(model, series, table, note, crew, batch):
    """Change a series; None leaves a part as it is. A batch is a change only when nothing else is sent."""
    is_label = table is None and note is None and crew is None and batch not in (None, series.batch)
    file = File(series.file.table if table is None else table, series.file.note if note is None else note)
    groups = series.groups if crew is None else model.groups_of(series.owner, crew)
    if is_label or (file.table, file.note) != (series.file.table, series.file.note):
        series.happen("update", file, batch)
    elif groups != series.groups:
        series.happen("share", series.file)
    series.groups = groups


@dataclass(frozen=True, eq=False)
class Change(Operation):
    """A change of one series, at a revision or at any."""

    number: int
    expected: int | None

    @property
    def path(self):
        return f"/{self.number}"

    @property
    def headers(self):
        return {} if self.expected is None else {"If-Match": f'"{self.number}.{self.expected}.json"'}

    def apply(self, model, answer, found):
        series = model.series[self.number]
        if refusal := self.refusal(model, series):
            return require(answer, refusal)
        return self.happen(model, series, answer)

    def refusal(self, model, series):
        if series.file is None or not model.sees(self.user, series):
            return 404
        if not model.may_change(self.user, series):
            return 403
        return 412 if self.expected not in (None, series.revision) else None

    def happen(self, model, series, answer):
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Append(Change):
    """Rows at the end."""

    table: tuple[int, ...]
    batch: str | None

    method = "POST"

    @property
    def path(self):
        return f"/{self.number}/append"

    def body(self, world, name):
        return {"data": columns(self.table)} | batch_field(name, self.batch)

    def happen(self, model, series, answer):
        require(answer, 200)
        change(model, series, series.file.table + self.table, None, None, self.batch)


@dataclass(frozen=True, eq=False)
class Patch(Change):
    """Another table, note or sharing."""

    table: tuple[int, ...] | None
    note: float | None
    crew: bool | None
    batch: str | None

    method = "PATCH"

    def body(self, world, name):
        fields = batch_field(name, self.batch) | ({} if self.table is None else {"data": columns(self.table)})
        fields |= {} if self.note is None else {"limiting_mag": self.note}
        return fields if self.crew is None else fields | {"group_ids": [world.crew] if self.crew else []}

    def happen(self, model, series, answer):
        if self.crew and self.user not in model.crew:
            return require(answer, 400)
        require(answer, 200)
        return change(model, series, self.table, self.note, self.crew, self.batch)


@dataclass(frozen=True, eq=False)
class Delete(Change):
    """No series any more."""

    method = "DELETE"

    def happen(self, model, series, answer):
        require(answer, 200)
        series.happen("delete", None)


@dataclass(frozen=True, eq=False)
class Purge(Change):
    """No history any more, also of a deleted series."""

    method = "DELETE"

    @property
    def path(self):
        return f"/{self.number}/history"

    def refusal(self, model, series):
        if series.file is None and self.user == series.owner:
            return None
        return super().refusal(model, series)

    def happen(self, model, series, answer):
        require(answer, 200)
        for event in series.events:
            if event.file is not None and event.file is not series.file:
                event.file.state = "gone"
            event.file = None
        if series.file is None:
            series.groups = model.groups_of(series.owner, False)  # the history had the groups of the deleted series
        else:
            series.happen("purge", series.file, series.batch)


@dataclass(frozen=True, eq=False)
class Restore(Change):
    """An earlier revision, or a deleted series; ``revision`` None: the last one with a file."""

    revision: int | None

    method = "POST"

    @property
    def path(self):
        return f"/{self.number}/restore"

    def body(self, world, name):
        return None if self.revision is None else {"revision": self.revision}

    def read(self, data, groups):
        return data

    def refusal(self, model, series):
        if not model.sees(self.user, series):
            return 404
        if not model.may_change(self.user, series):
            return 403
        if self.expected not in (None, series.revision):
            return 412
        return 400 if self.revision is None and series.file is not None else None

    def happen(self, model, series, answer):
        wanted = [
            event
            for number, event in enumerate(series.events, 1)
            if event.action != "delete" and self.revision in (None, number)
        ]
        if not wanted:
            return require(answer, 404)
        event = wanted[-1]
        file = event.file
        if file is None:
            return require(answer, 410)
        if file is not series.file:
            if file.state != "kept":
                return require(answer, 410)
            if series.file is None and model.holder(series.key)[1] is not None:
                return require(answer, 409)
            series.restore(event)
        return require(answer, 200, {"id": self.number, "revision": series.revision})


@dataclass(frozen=True, eq=False)
class Get(Operation):
    """A series with its table."""

    number: int

    @property
    def path(self):
        return f"/{self.number}"

    def parameters(self, name):
        return {"dataFormat": "json"}

    def read(self, data, groups):
        return (
            data["revision"],
            table_of(data["data"]),
            data["limiting_mag"],
            {groups[one] for one in data["group_ids"]},
        )

    def apply(self, model, answer, found):
        one = model.series[self.number]
        if one.file is None or not model.sees(self.user, one):
            return require(answer, 404)
        shown = {group for group in one.groups if group == self.user or (group == "crew" and self.user in model.crew)}
        return require(answer, 200, (one.revision, one.file.table, one.file.note, shown))


@dataclass(frozen=True, eq=False)
class GetRevision(Get):
    """A series as it was."""

    revision: int

    def parameters(self, name):
        return {"dataFormat": "json", "revision": self.revision}

    def read(self, data, groups):
        return (data["revision"], table_of(data["data"]), data.get("limiting_mag"))

    def apply(self, model, answer, found):
        one = model.series[self.number]
        is_owner, is_current = self.user == one.owner, one.file is not None and self.revision == one.revision
        if not is_owner and (one.file is None or not model.sees(self.user, one)):
            return require(answer, 404)
        file = one.events[self.revision - 1].file if self.revision <= one.revision else None
        if file is None:
            return require(answer, 404)
        if not is_current and not is_owner and not model.may_change(self.user, one):
            return require(answer, 403)
        if file.state == "gone" and file is not one.file:
            return require(answer, 404)
        if file.state == "expired" and file is not one.file and answer is not None and answer.status == 404:
            return None
        return require(answer, 200, (self.revision, file.table, file.note))


@dataclass(frozen=True, eq=False)
class Find(Operation):
    """All series."""

    def parameters(self, name):
        return {"seriesName": name, "numPerPage": 500}

    def read(self, data, groups):
        return {one["id"]: (one["revision"], one["num_exp"]) for one in data["series"]}

    def apply(self, model, answer, found):
        expected = {
            number: (one.revision, len(one.file.table) * ROWS) for number, one in model.visible(self.user).items()
        }
        require(answer, 200, expected)


@dataclass(frozen=True, eq=False)
class Undo(Operation):
    """The undo of a batch, for every series whose history a user may read."""

    batch: str
    dry_run: bool

    method = "POST"

    @property
    def path(self):
        return "/undo"

    def body(self, world, name):
        return {"dryRun": self.dry_run, **batch_field(name, self.batch)}

    def read(self, data, groups):
        assert data.pop("next") is None
        return {outcome: ids for outcome, ids in data.items() if ids}

    def apply(self, model, answer, found):
        outcomes = {}
        for number, one in sorted(model.series.items()):
            if self.batch in [event.batch for event in one.events] and self.may_know(model, one):
                outcomes.setdefault(self.undo(model, one), []).append(number)
        return require(answer, 200, outcomes) if outcomes else require(answer, 404)

    def may_know(self, model, series):
        """Whether the user may know that the batch stored the series at some time."""
        is_visible = series.file is not None and model.sees(self.user, series)
        may_know_history = model.may_change(self.user, series) or series.batch == self.batch
        return self.user == series.owner or (is_visible and may_know_history)

    def undo(self, model, series):
        """Undo the last changes of the batch, unless this is a dry run; return the outcome."""
        events = series.events
        stored = [at for at, event in enumerate(events) if event.action not in ("share", "purge")]
        changes = [at for at in stored if events[at].batch == self.batch]
        last = first = changes.pop()
        while changes and all(event.action in ("share", "purge") for event in events[changes[-1] + 1 : first]):
            first = changes.pop()
        before = events[first - 1] if first else None
        if series.file is None:
            return "changed" if before else "deleted"
        if before and before.file is series.file:
            return "restored"
        if events[last].file is not series.file or events[-1].action in ("share", "purge"):
            return "changed"
        if not model.may_change(self.user, series):
            return "forbidden"
        if before and before.file.state != "kept":
            return "expired"
        if not self.dry_run and before:
            series.restore(before)
        elif not self.dry_run:
            series.happen("delete", None)
        return "restored" if before else "deleted"
