"""Puts every case to a running service and says what went wrong."""

import base64
import json
import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from tests.hostile import attacks, bodies, damage, pickles, structures, valid
from tests.hostile.cases import ACCEPT, CANARY, REJECT
from tests.support import recipe_read

#: The deadline of a reader in these trials, and what an answer may take beside it [s].
DEADLINE = 20.0
SLACK = 20.0
AT_ONCE = 6

_PYTABLES = threading.Lock()  # is not thread-safe, in the tests as little as elsewhere


@dataclass
class Outcome:
    """What came of one case; no ``faults`` means that it was right."""

    case: object
    status: int
    seconds: float
    text: str
    faults: list = field(default_factory=list)


def every_case():
    """Give all cases, the seeds of earlier failures included."""
    found = [case for module in (pickles, structures, valid, bodies, damage, attacks) for case in module.cases()]
    twice = [name for name, count in Counter(case.name for case in found).items() if count > 1]
    assert not twice, twice
    return found


def run(service, world, traps, cases, seed=0):
    """Post all cases, several at once and in a random order, and look for damage afterwards."""
    order = list(enumerate(cases))
    random.Random(seed).shuffle(order)  # noqa: S311
    with service.client(world.tokens["anna"]) as client:
        place = _place(service, world, _stored(client, world, "attacked", 10))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(lambda numbered: _tried(client, world, traps, place, *numbered), order))
        long = _stored(client, world, "unread", 200_000)
        whole = len(client.get(long, headers={"Accept-Encoding": "identity"}).content)
        unread = list(attacks.unread(place, long, whole, lambda: _held(client)))
        if client.get(place.series).status_code != 200:
            unread.append("the series that was attacked is not there afterwards")
        if client.get("/healthz").status_code != 200 or client.get("/readyz").status_code != 200:
            outcomes[-1].faults.append("the service does not answer afterwards")
    return outcomes, unread + _traces(service, traps)


def _stored(client, world, name, rows):
    """Store a table; give the path of the series."""
    numbers = np.arange(rows) / 7
    body = world.fields(series_name=name, data={"mjd": (59000 + numbers).tolist(), "flux": numbers.tolist()})
    answer = client.post(attacks.PATH, json=body)
    assert answer.status_code == 200, answer.text
    return f"{attacks.PATH}/{answer.json()['data']['id']}"


def _place(service, world, path):
    address = urlsplit(service.url)
    return attacks.Place((address.hostname, address.port), world.tokens["anna"], path)


def _held(client):
    """Give the number of other requests that the service is working on, and the bytes that it holds for clients."""
    text = client.get("/metrics").text
    requests, unsent = (
        float(re.search(rf"^photseries_{name} (\S+)", text, re.MULTILINE)[1]) for name in ("in_flight", "unsent_bytes")
    )
    return requests - 1, unsent


def _tried(client, world, traps, place, number, case):
    if not isinstance(case, attacks.Attack):
        return _post(client, world, traps, number, case)
    begin = time.perf_counter()
    status, received = case.answer(place)
    outcome = Outcome(case, status, time.perf_counter() - begin, received[:300].decode("latin1"))
    outcome.faults += case.faults(status, received)
    return outcome


def _post(client, world, traps, number, case):
    with _PYTABLES:
        body = case.body(traps, world.fields(series_name=f"case {number}"))
    answer, seconds = _answered(client, body)
    outcome = Outcome(case, answer.status_code, seconds, answer.text[:300])
    outcome.faults += _faults(case, answer, seconds)
    if answer.status_code == 200 and not outcome.faults:
        outcome.faults += _read_back(client, answer.json()["data"]["id"], case.frame)
    return outcome


def _answered(client, body):
    """Post, again for as long as the service says that it is busy, as a polite client does."""
    headers = {"Content-Type": "application/json"}
    for _ in range(20):
        begin = time.perf_counter()
        answer = client.post("/api/photometric_series", content=body, headers=headers)
        seconds = time.perf_counter() - begin
        if answer.status_code != 503:
            break
        time.sleep(int(answer.headers["Retry-After"]))
    return answer, seconds


def _faults(case, answer, seconds):
    if answer.status_code not in (200, 400, 413):
        yield f"answered {answer.status_code}"
    if case.verdict == REJECT and answer.status_code == 200:
        yield "accepted"
    if case.verdict == ACCEPT and answer.status_code != 200:
        yield "refused"
    if seconds > DEADLINE + SLACK:
        yield f"took {seconds:.1f} s"
    if CANARY in answer.content:
        yield "the canary is in the answer"
    if answer.status_code != 200:
        body = json.loads(answer.content)
        if body["status"] != "error" or not body["message"] or "Traceback" in answer.text:
            yield "not an error body"


def _read_back(client, number, frame):
    answer = client.get(f"/api/photometric_series/{number}", params={"dataFormat": "hdf5"})
    content = base64.b64decode(answer.json()["data"]["data"])
    if CANARY in content:
        yield "the canary is in the stored file"
    with _PYTABLES:
        found, _ = recipe_read(content)
    if frame is not None and (difference := differs(found, frame)):
        yield f"read back other than written: {difference}"


def differs(found, frame):
    """Say in what a frame that was read differs from the one that was written; nothing when in nothing.

    Times may be in another unit, text in another type: older pandas knows neither of pandas 3's.
    """
    if list(found.columns) != list(frame.columns):
        return f"columns {list(found.columns)[:5]}"
    pairs = [(name, found[name], frame[name]) for name in frame]
    pairs.append(("index", found.index.to_series(), frame.index.to_series()))
    for name, one, other in pairs:
        if not _equal(one, other):
            return f"{name}: {one.dtype} {one.tolist()[:3]} for {other.dtype} {other.tolist()[:3]}"
    return ""


def _equal(one, other):
    kind = other.dtype.kind if isinstance(other.dtype, np.dtype) else "O"
    if kind in "mM":
        return one.dtype.kind == kind and np.array_equal(one.astype(f"{kind}8[ns]"), other.astype(f"{kind}8[ns]"))
    if kind == "O":
        texts = [[None if pd.isna(value) else value for value in series.tolist()] for series in (one, other)]
        return texts[0] == texts[1]
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=kind == "f")


def _traces(service, traps):
    """Look for what an attack that worked would have left."""
    found = ["an upload made the marker file"] if traps.marker.exists() else []
    for path in service.directory.rglob("*"):
        if path.is_file() and "store" in path.parts and CANARY in path.read_bytes():
            found.append("the canary is in the store")
    if CANARY in service.log.read_bytes():
        found.append("the canary is in the log")
    if any(b"client=" in line and attacks.FORGED in line for line in service.log.read_bytes().splitlines()):
        found.append("a forged address is in the log")
    return found


def report(outcomes, traces):
    """Print what ``make hostile`` shows; give the exit status."""
    wrong = [outcome for outcome in outcomes if outcome.faults]
    for outcome in wrong:
        print(f"WRONG {outcome.case.name}: {'; '.join(outcome.faults)}: {outcome.status} {outcome.text}")
    for trace in traces:
        print(f"WRONG {trace}")
    verdicts = Counter(outcome.case.verdict for outcome in outcomes)
    print(", ".join(f"{count} to {verdict}" for verdict, count in sorted(verdicts.items())))
    for outcome in sorted(outcomes, key=lambda outcome: outcome.seconds)[-5:]:
        print(f"  {outcome.seconds:6.2f} s  {outcome.status}  {outcome.case.name}")
    slowest = max(outcome.seconds for outcome in outcomes)
    count = len(wrong) + len(traces)
    print(f"tried {len(outcomes)}, right {len(outcomes) - len(wrong)}, wrong = {count}, slowest {slowest:.2f} s")
    return 1 if count else 0
