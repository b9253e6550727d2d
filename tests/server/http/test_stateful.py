"""Any sequence of requests, also of concurrent ones, has the effect that a model in plain Python predicts."""

import contextlib
import io
import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from photseries.server.principal import MANAGE, UPLOAD
from tests.crash.place import Place
from tests.forked import ForkedService
from tests.server.http import model
from tests.server.http.model import BATCHES, KEYS, USERS, Answer, ImpossibleError, Model
from tests.server.http.test_bulk import send

pytestmark = pytest.mark.slow

PATH = "/api/photometric_series"
STATUSES = {"duplicate": 409, "forbidden": 403, "invalid": 400}

#: The number of sequences, and the steps of each; STATEFUL=1000 tests for hours.
EXAMPLES = int(os.environ.get("STATEFUL", "4"))
STEPS = 25

#: A failure is not shrunk, because the order of concurrent requests is not repeatable.
SEQUENCES = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, phases=[Phase.generate], database=None
)

#: The kinds of operations, frequent ones twice.
CHANGES = ("append", "patch", "patch", "delete", "restore", "restore", "purge")
KINDS = ("create", "bulk", *CHANGES, "get", "revision", "find")

_names = itertools.count()

#: Operations regardless of the state, which differs between runs because concurrent requests do.
DRAFTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "user": st.sampled_from((None, None, *USERS)),
        "series": st.integers(0, 11),
        "key": st.sampled_from(KEYS),
        "table": st.sampled_from((None, None, (1,), (2,))),
        "crew": st.booleans(),
        "batch": st.sampled_from((None, *BATCHES)),
        "if_exists": st.sampled_from(("error", "skip", "replace")),
        "before": st.sampled_from((None, None, None, 0, 1)),
        "shares": st.booleans(),
        "replaces": st.booleans(),
        "note": st.sampled_from((None, 19.0, 20.0)),
        "revision": st.none() | st.integers(1, 6),
    }
)


class Archive:
    """A service, and its users' clients."""

    def __init__(self, service, directory, database_url, world):
        self.service, self.directory, self.database_url, self.world = service, directory, database_url, world
        self.place = Place(directory, database_url)
        self.tokens = {name: world.token(name, UPLOAD, *([MANAGE] if name in model.MANAGERS else [])) for name in USERS}
        self.connect()
        self.groups = {one["id"]: one["name"] for one in self.admin.get("/api/groups").json()["data"]["groups"]}
        self.users = {number: name for name, number in world.users.items()}

    def connect(self):
        self.admin = self.service.client()
        self.clients = {name: self.service.client(token) for name, token in self.tokens.items()}

    def disconnect(self):
        for client in (self.admin, *self.clients.values()):
            client.close()

    def restart(self):
        self.disconnect()
        self.service = ForkedService(self.directory, database__url=self.database_url)
        self.connect()

    def close(self):
        self.disconnect()
        self.place.close()
        if self.service.process.poll() is None:
            self.service.stop()


def flattened(operations):
    """The operations, a bulk upload as its lines."""
    return [line for one in operations for line in (one if isinstance(one, tuple) else (one,))]


class Requests(RuleBasedStateMachine):
    """The state machine; inherit, and supply ``archive``, and ``kills``: whether it kills the service."""

    archive: Archive
    kills: bool

    @initialize()
    def begin(self):
        self.name = f"sequence {next(_names)}"
        self.model = Model()
        self.fresh = itertools.count(10)
        self.tags = {}
        self.set_crew(self.model.crew)

    def set_crew(self, names):
        members = {"user_ids": [self.archive.world.users[name] for name in names]}
        assert self.archive.admin.patch(f"/api/groups/{self.archive.world.crew}", json=members).status_code == 200

    # Requests.

    def send(self, operation):
        """Send a request; return the answers by operation: for a bulk upload, those of its lines."""
        if isinstance(operation, tuple):
            return dict(zip(operation, self.send_bulk(operation), strict=True))
        answer = self.archive.clients[operation.user].request(
            operation.method,
            PATH + operation.path,
            params=operation.parameters(self.name),
            headers=operation.headers,
            json=operation.body(self.archive.world, self.name),
        )
        assert answer.status_code < 500, answer.text
        is_found = answer.status_code == 200
        data = operation.read(answer.json()["data"], self.archive.groups) if is_found else None
        return {operation: Answer(answer.status_code, data)}

    def send_bulk(self, operations):
        rows = [one.body(self.archive.world, self.name) for one in operations]
        table = pa.Table.from_pylist([{**row.pop("data"), **row} for row in rows])
        client, query = self.archive.clients[operations[0].user], {"ifExists": operations[0].if_exists}
        lines, last = send(client, table, **query)
        assert last["status"] == "success"
        for operation, line in zip(operations, lines, strict=True):
            if line["status"] == "success":
                yield Answer(200, operation.read(line["data"], self.archive.groups))
            else:
                yield Answer(STATUSES[line["data"]["code"]])

    # What is checked.

    def snapshot(self):
        """What an admin sees of the series of this sequence and of those that the model knows."""
        query = {"seriesName": self.name, "numPerPage": 500}
        numbers = {one["id"] for one in self.archive.admin.get(PATH, params=query).json()["data"]["series"]}
        found = {}
        for number in numbers | self.model.series.keys():
            history = self.archive.admin.get(f"{PATH}/{number}/history").json()["data"]["history"]
            now = None
            if number in numbers:
                data = self.archive.admin.get(f"{PATH}/{number}", params={"dataFormat": "json"}).json()["data"]
                assert [event["revision"] for event in history] == [*range(1, data["revision"] + 1)]
                groups = frozenset(self.archive.groups[group] for group in data["group_ids"])
                owner = self.archive.users[data["owner_id"]]
                table, note = model.table_of(data["data"]), data.get("limiting_mag")
                batch = data["batch"] and data["batch"].removeprefix(f"{self.name}, ")
                now = (table, note, data["series_obj_id"], owner, groups, batch)
            found[number] = ([event["action"] for event in history], now)
        return found

    def settle(self, answers):
        """Find an order of operations in which the model accepts all answers and the state that is there now.

        A lost answer also allows that the operation did not happen.
        """
        state = self.snapshot()
        found = {now[2]: number for number, (_, now) in state.items() if now is not None}
        reasons = []
        lost = [one for one, answer in answers.items() if answer is None]
        for missing in itertools.chain.from_iterable(
            itertools.combinations(lost, size) for size in range(len(lost) + 1)
        ):
            for order in itertools.permutations([one for one in answers if one not in missing]):
                candidate = self.model.copy()
                try:
                    for operation in order:
                        operation.apply(candidate, answers[operation], found.get(getattr(operation, "key", None)))
                    if candidate.state() == state:
                        self.model = candidate
                        return
                    reasons.append((order, f"leaves {candidate.state()}"))
                except ImpossibleError as error:
                    reasons.append((order, str(error)))
        text = "\n".join(map(str, reasons))
        raise AssertionError(f"{answers}\nleave {state}\nafter {self.model.state()}:\n{text}")

    # Rules.

    @rule(draft=DRAFTS)
    def one(self, draft):
        """One request."""
        self.settle(self.send(self.operation(draft)))

    @rule(
        drafts=st.lists(DRAFTS, min_size=2, max_size=3),
        reader=st.sampled_from(USERS),
        kill=st.none() | st.floats(0, 0.06),
    )
    def concurrent(self, drafts, reader, kill):
        """Several requests at once, during an export or with a kill of the service at a random moment."""
        self.settle_all([self.operation(draft) for draft in drafts], reader, kill if self.kills else None)

    def settle_all(self, operations, reader, kill):
        """Send concurrent requests, and settle their answers; kill the service after some time [s], or read."""
        before = self.model
        with ThreadPoolExecutor(1) as thread:
            reading = None if self.kills else thread.submit(self.read_all, reader)
            self.settle(self.send_all(operations, kill))
        if reading is not None:
            self.check_reads(reader, reading.result(), before, flattened(operations))

    def send_all(self, operations, kill):
        answers, errors = {}, []
        together = threading.Barrier(len(operations) + 1)

        def work(operation):
            together.wait()
            try:
                answers.update(self.send(operation))
            except httpx.TransportError:
                answers.update(dict.fromkeys(flattened([operation])))
                if kill is None:
                    errors.append(operation)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(one,)) for one in operations]
        for thread in threads:
            thread.start()
        together.wait()
        if kill is not None:
            time.sleep(kill)
            self.archive.service.kill()
        for thread in threads:
            thread.join()
        if kill is not None:
            self.archive.restart()
        assert not errors, errors
        return answers

    @rule(user=st.sampled_from((None, None, *USERS)), series=st.integers(0, 11), dry_run=st.booleans())
    def undo(self, user, series, dry_run):
        """The undo of the last batch of some series, alone: each series is a transaction of its own."""
        batches = {
            number: event.batch
            for number, one in self.model.series.items()
            for event in one.events
            if event.batch is not None
        }
        if batches:
            number = sorted(batches)[series % len(batches)]
            user = user or self.model.series[number].owner
            self.settle(self.send(model.Undo(user, batches[number], dry_run)))

    @rule(user=st.sampled_from(USERS))
    def read(self, user):
        """Exports, pages and queries have exactly the visible series."""
        self.check_reads(user, self.read_all(user), self.model, [])

    def read_all(self, user):
        """Return the tables by series in an export, and the numbers of rows in a list, page by page, and in a query."""
        client, query = self.archive.clients[user], {"seriesName": self.name}
        answer = client.get(f"{PATH}/export", params={**query, "format": "parquet"})
        assert answer.status_code == 200, answer.text
        frame = pq.read_table(io.BytesIO(answer.content)).to_pandas()
        columns = ["mjd", "flux", "fluxerr"]
        exported = {
            number: model.table_of(rows[columns].to_dict("list")) for number, rows in frame.groupby("series_id")
        }
        listed, query = {}, {**query, "numPerPage": "1"}
        while query.setdefault("cursor", "") is not None:
            given = {name: value for name, value in query.items() if value != ""}
            page = client.get(PATH, params=given).json()["data"]
            assert not any(one["id"] in listed for one in page["series"])
            listed |= {one["id"]: one["num_exp"] for one in page["series"]}
            query["cursor"] = page["cursor"]
        adql = f"SELECT id, num_exp FROM photseries.series WHERE series_name = '{self.name}'"
        answer = client.get("/vo/tap/sync", params={"LANG": "ADQL", "QUERY": adql, "RESPONSEFORMAT": "csv"})
        assert answer.status_code == 200, answer.text
        lines = (line.split(",") for line in answer.text.split()[1:])
        queried = {int(number): int(rows) for number, rows in lines}
        return exported, listed, queried

    def check_reads(self, user, found, before, operations):
        """Check what a user has read during operations that lead from a model to the present one."""
        seen = before.visible(user), self.model.visible(user)
        unchanged = {
            number
            for number, one in seen[1].items()
            if number in seen[0] and before.series[number].revision == one.revision
        }
        is_shared = any(getattr(one, "crew", False) for one in operations)
        allowed = self.model.series.keys() if is_shared else seen[0].keys() | seen[1].keys()
        for mapping in found:
            assert unchanged <= mapping.keys() <= allowed
            for number, value in mapping.items():
                one = self.model.series[number]
                tables = {one.file.table} if number in unchanged else one.tables
                assert value in tables | {len(table) * model.ROWS for table in tables}

    @rule(user=st.sampled_from(USERS), number=st.integers(0, 5))
    def revalidate(self, user, number):
        """An ETag is confirmed exactly while what it stands for is the same."""
        if not self.model.series:
            return
        number = sorted(self.model.series)[number % len(self.model.series)]
        tag, before = self.tags.get((user, number), (None, None))
        headers = {} if tag is None else {"If-None-Match": tag}
        answer = self.archive.clients[user].get(f"{PATH}/{number}", params={"dataFormat": "json"}, headers=headers)
        if number not in self.model.visible(user):
            assert answer.status_code == 404
            return
        one = self.model.series[number]
        shows_crew = "crew" in one.groups and user in self.model.crew  # users see the names of their own groups
        now = (one.revision, one.file.table, one.file.note, one.groups, shows_crew)
        if answer.status_code == 304:
            assert now == before
        else:
            assert answer.json()["data"]["revision"] == one.revision
            assert answer.headers["ETag"] != tag
            self.tags[user, number] = (answer.headers["ETag"], now)

    @rule(name=st.sampled_from(("anna", "ben")))
    def join_or_leave(self, name):
        """A user joins or leaves the group."""
        self.model.crew ^= {name}
        self.set_crew(self.model.crew)

    @rule(drafts=st.lists(DRAFTS, max_size=2), reader=st.sampled_from(USERS), kill=st.none() | st.floats(0, 0.06))
    def sweep(self, drafts, reader, kill):
        """A sweep after the grace, during requests; it leaves every file that a row names."""
        self.archive.place.age()
        self.model.age()
        operations = [self.operation(draft) for draft in drafts]
        with ThreadPoolExecutor(1) as thread:
            sweeping = thread.submit(self.archive.place.upkeep.sweep)
            self.settle_all(operations, reader, kill if self.kills and operations else None)
        assert sweeping.result() is not None
        assert self.archive.place.upkeep.sweep() is not None
        self.model.sweep()
        self.archive.place.check_invariant()

    def operation(self, draft):
        """Return the operation of a draft, in the present state."""
        if not self.model.series:
            number, series = None, None
        else:
            number = sorted(self.model.series)[draft["series"] % len(self.model.series)]
            series = self.model.series[number]
        user = draft["user"] or (series.owner if series else USERS[0])
        table = draft["table"] or (next(self.fresh),)
        if series is None or draft["kind"] == "create":
            return model.Create(user, draft["key"], table, draft["crew"], draft["batch"])
        if draft["kind"] == "bulk":
            what = (table, draft["crew"], draft["batch"], draft["if_exists"])
            return tuple(model.Create(user, key, *what) for key in KEYS)
        before = draft["before"]
        one = (user, number, None if before is None else series.revision - before)
        crew = draft["crew"] if draft["shares"] else None
        return {
            "append": lambda: model.Append(*one, (next(self.fresh),), draft["batch"]),
            "patch": lambda: model.Patch(
                *one, table if draft["replaces"] else None, draft["note"], crew, draft["batch"]
            ),
            "delete": lambda: model.Delete(*one),
            "purge": lambda: model.Purge(*one),
            "restore": lambda: model.Restore(*one, draft["revision"]),
            "get": lambda: model.Get(user, number),
            "revision": lambda: model.GetRevision(user, number, draft["revision"] or 1),
            "find": lambda: model.Find(user),
        }[draft["kind"]]()


@pytest.fixture(scope="module")
def archive(service, directory, database_url, world):
    with contextlib.closing(Archive(service, directory, database_url, world)) as made:
        yield made


def run_machine(archive, **options):
    machine = type("Machine", (Requests,), {"archive": archive, **options})
    run_state_machine_as_test(machine, settings=SEQUENCES)


def test_requests_do_what_the_model_says(archive):
    run_machine(archive, kills=False)


def test_a_killed_service_has_made_each_change_or_not(archive):
    run_machine(archive, kills=True)
