"""The kill table: which requests a service is killed in, and where."""

from dataclasses import dataclass

from tests.support import columns

PATH = "/api/photometric_series"

WRITING = (
    "store: partial file made",
    "store: partial file written",
    "store: partial file synchronized",
    "store: folders made",
    "store: blob linked",
    "store: folders synchronized",
    "store: partial file removed",
    "write: blob stored",
    "write: transaction begun",
)
ENDING = ("write: before COMMIT", "write: committed")
REMOVING = ("store: blob removed", "store: folders pruned")
UPDATE = ("update: row changed", "update: sharing replaced", "update: old blob noted", "update: history noted")
RESTORE = ("restore: record deleted", "restore: row written", "restore: history noted", "restore: committed")
MARKING = ("mark: turn announced", "mark: mark replaced")

POINTS = {
    "create": (*WRITING, "create: row inserted", *ENDING),
    "bulk": (
        "store: partial file made", "store: partial file written", "store: files synchronized", *WRITING[3:],
        "bulk: rows inserted", *ENDING,
    ),
    "duplicate": ("write: discarding", *REMOVING),
    "update": (*WRITING, *UPDATE, *ENDING),
    "share": ("share: row changed", "share: history noted", "share: committed"),
    "delete": ("delete: row removed", "delete: history noted", "delete: committed"),
    **dict.fromkeys(("restore", "undelete"), RESTORE),
    "purge": ("purge: history cleared", "purge: committed", "sweep: looked up", "sweep: blob swept"),
    "update, no grace": (*REMOVING, "sweep: blob swept"),
    "delete, no grace": (*REMOVING, "sweep: blob swept"),
    "update, surplus": ("sweep: looked up", *REMOVING, "sweep: blob swept", "sweep: notes dropped"),
    "sweep": (
        "sweep: elected", *MARKING, "sweep: looked up", *REMOVING, "sweep: blob swept", "sweep: notes dropped",
    ),
    "adopt": ("mark: row written",),
    "migrate": ("migrate: locked", "migrate: upgraded", "migrate: committed"),
}  # fmt: skip

_SHARED = {verb: POINTS[verb] for verb in ("share", "delete", "purge")}
PUTTING = ("store: object put", *WRITING[-2:])
#: The same verbs with the files in object storage, where fewer steps make a file.
OBJECT_POINTS = {
    "create": (*PUTTING, "create: row inserted", *ENDING),
    "duplicate": ("write: discarding", "store: object removed"),
    "update": (*PUTTING, *UPDATE, *ENDING),
    **_SHARED,
    "update, no grace": ("store: object removed", "sweep: blob swept"),
    "delete, no grace": ("store: object removed", "sweep: blob swept"),
    "update, surplus": ("sweep: looked up", "store: object removed", "sweep: blob swept", "sweep: notes dropped"),
    "sweep": (
        "sweep: elected",
        *MARKING,
        "store: object removed",
        "sweep: looked up",
        "sweep: blob swept",
        "sweep: notes dropped",
    ),
}

#: What `make test` runs: between blob, row, COMMIT and answer.
SAMPLE = {
    ("create", "store: blob linked"),
    ("create", "write: before COMMIT"),
    ("create", "write: committed"),
    ("bulk", "store: blob linked"),
    ("bulk", "bulk: rows inserted"),
    ("bulk", "write: committed"),
    ("update", "write: committed"),
    ("delete", "delete: committed"),
    ("restore", "restore: row written"),
    ("undelete", "restore: history noted"),
    ("update, no grace", "sweep: blob swept"),
    ("update, surplus", "sweep: blob swept"),
    ("purge", "purge: committed"),
    ("sweep", "mark: turn announced"),
    ("sweep", "mark: mark replaced"),
    ("sweep", "sweep: blob swept"),
    ("migrate", "migrate: upgraded"),
}
OBJECT_SAMPLE = {("create", "store: object put"), ("update", "write: committed"), ("sweep", "sweep: blob swept")}


#: The settings of the service whose change removes files, too.
SETTINGS = {
    "update, no grace": {"store__grace": 0},
    "delete, no grace": {"store__grace": 0},
    "update, surplus": {"store__revisions": 2},
}


@dataclass(frozen=True)
class Case:
    """A verb, and the point at which the process that works on it is killed."""

    verb: str
    point: str

    @property
    def committed(self):
        """Whether what the verb asked for is there when the process dies."""
        return self.point.endswith(": committed") or self.verb in SETTINGS or self.point.startswith("sweep: ")

    def __str__(self):
        return f"{self.verb} @ {self.point}"


CASES = [Case(verb, point) for verb, points in POINTS.items() for point in points]
OBJECT_CASES = [Case(verb, point) for verb, points in OBJECT_POINTS.items() for point in points]


class Create:
    """A new series."""

    def __init__(self, client, world, label):
        self.body = world.fields(series_name="kills", series_obj_id=label, data=columns(30, seed=1))

    def send(self, client):
        return client.post(PATH, json=self.body)

    def check(self, client, done):
        """Exactly the state before or after is there, metadata and table."""
        found = client.get(PATH, params={"seriesObjID": self.body["series_obj_id"]}).json()["data"]["series"]
        assert len(found) == done
        for series in found:
            self.series = series["id"]
            check_shown(client, series["id"], self.body)

    def repeat(self, client, done):
        """The client sends its request again, knowing nothing."""
        answer = self.send(client)
        assert answer.status_code == (409 if done else 200), answer.text
        if done:
            assert answer.json()["data"]["id"] == self.series
            assert answer.json()["data"]["key"]["series_obj_id"] == self.body["series_obj_id"]


class Stored:
    """A series that is there already; a verb changes it."""

    def send(self, client):
        raise NotImplementedError

    def __init__(self, client, world, label):
        self.old = world.fields(series_name="kills", series_obj_id=label, data=columns(30, seed=1), channel="old")
        self.new = self.old
        self.series = client.post(PATH, json=self.old).json()["data"]["id"]
        self.path = f"{PATH}/{self.series}"

    def check(self, client, done):
        check_shown(client, self.series, self.new if done else self.old)

    def repeat(self, client, done):
        assert self.send(client).status_code == 200


class Duplicate(Stored):
    """A new series whose key is taken."""

    def send(self, client):
        return client.post(PATH, json={**self.old, "data": columns(20, seed=2)})

    def repeat(self, client, done):
        answer = self.send(client)
        assert (answer.status_code, answer.json()["data"]["id"]) == (409, self.series)


class Update(Stored):
    """New metadata, sharing and table at once."""

    def __init__(self, client, world, label):
        super().__init__(client, world, label)
        self.change = {"channel": "new", "group_ids": [world.crew], "data": columns(40, seed=3)}
        self.new = {**self.old, **self.change}

    def send(self, client):
        return client.patch(self.path, json=self.change)


class Surplus(Update):
    """A change of a series that was changed before more often than files are kept."""

    def __init__(self, client, world, label):
        super().__init__(client, world, label)
        for number in range(4):
            assert client.patch(self.path, json={"origin": f"{number}"}).status_code == 200
        self.old, self.new = {**self.old, "origin": "3"}, {**self.new, "origin": "3"}


class Purge(Stored):
    """A change, whose history is purged."""

    def __init__(self, client, world, label):
        super().__init__(client, world, label)
        assert client.patch(self.path, json={"origin": "secret"}).status_code == 200
        assert client.patch(self.path, json={"origin": "open"}).status_code == 200
        self.old = self.new = {**self.old, "origin": "open"}

    def send(self, client):
        return client.delete(f"{self.path}/history")

    def check(self, client, done):
        super().check(client, done)
        assert ("secret" in client.get(f"{self.path}/history").text) is not done


class Share(Update):
    """New sharing alone."""

    def __init__(self, client, world, label):
        super().__init__(client, world, label)
        self.change = {"group_ids": [world.crew]}
        self.new = {**self.old, **self.change}


class Delete(Stored):
    """No series any more."""

    def send(self, client):
        return client.delete(self.path)

    def check(self, client, done):
        if done:
            assert client.get(self.path).status_code == 404
        else:
            super().check(client, done)

    def repeat(self, client, done):
        assert self.send(client).status_code == (404 if done else 200)


class Restore(Stored):
    """The first revision again, of a series that was changed."""

    def __init__(self, client, world, label):
        super().__init__(client, world, label)
        self.old = {**self.new, "channel": "new", "data": columns(40, seed=3)}
        assert client.patch(self.path, json={"channel": "new", "data": self.old["data"]}).status_code == 200

    def send(self, client):
        return client.post(f"{self.path}/restore", json={"revision": 1})


class Undelete(Delete):
    """A deleted series again."""

    def __init__(self, client, world, label):
        super().__init__(client, world, label)
        assert client.delete(self.path).status_code == 200

    def send(self, client):
        return client.post(f"{self.path}/restore")

    def check(self, client, done):
        super().check(client, not done)

    def repeat(self, client, done):
        assert self.send(client).status_code == (400 if done else 200)


RESTORES: dict[str, type[Stored]] = {"restore": Restore, "undelete": Undelete}

VERBS: dict[str, type[Create | Stored]] = {
    "create": Create, "duplicate": Duplicate, "update": Update, "share": Share, "delete": Delete,
    "update, no grace": Update, "delete, no grace": Delete, "update, surplus": Surplus, "purge": Purge,
}  # fmt: skip


def check_shown(client, series, body):
    """A series is what a body said, in its row and in its file."""
    shown = client.get(f"{PATH}/{series}", params={"dataFormat": "json"}).json()["data"]
    groups = set(shown["group_ids"])
    assert groups >= set(body.get("group_ids", ()))
    assert len(groups) == 1 + len(body.get("group_ids", ())), "the owner's own group, and what was asked for"
    expected = {name: value for name, value in body.items() if name != "group_ids"}
    assert {name: shown[name] for name in expected} == expected
