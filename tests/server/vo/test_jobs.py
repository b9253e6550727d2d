"""Jobs of TAP: their phases, their owners, and what happens when they are aborted, deleted or abandoned."""

import contextlib
import dataclasses
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
import requests
from sqlalchemy.exc import OperationalError

from photseries.errors import NotFoundError
from photseries.server.catalogue import vo_jobs
from photseries.server.catalogue.vo_queries import Context
from photseries.server.vo import uws
from tests.forked import ForkedService
from tests.server.http.test_series import post
from tests.support import until

QUERY = "SELECT COUNT(*) AS n FROM photseries.series"
#: A query that ends at its time-out, of six seconds here.
LONG = f"SELECT COUNT(*) FROM {', '.join(f'TAP_SCHEMA.columns AS t{number}' for number in range(9))}"


@pytest.fixture(scope="module")
def jobs(service, series):
    return f"{service.url}/vo/tap/async"


def client(token=None):
    session = requests.Session()
    session.headers.update({"Authorization": f"Bearer {token}"} if token else {})
    return session


def make(who, jobs, query=QUERY, **more):
    answer = who.post(jobs, data={"LANG": "ADQL", "QUERY": query, **more}, allow_redirects=False, timeout=60)
    assert answer.status_code == 303, answer.text
    assert re.fullmatch(rf"{jobs}/[0-9a-f]{{24}}", answer.headers["Location"])
    return answer.headers["Location"]


def phase(who, job):
    return who.get(f"{job}/phase", timeout=60).text


def ended(who, job):
    until(lambda: phase(who, job) in ("COMPLETED", "ERROR", "ABORTED"))
    return phase(who, job)


def test_a_token_does_not_see_what_a_system_admin_token_of_its_user_found(jobs, service, world, series):
    with service.client(world.tokens["anna"]) as anna:
        hidden = post(anna, world, series_name="of anna alone")
    admin = client(service.token)
    made = admin.post(f"{service.url}/api/tokens", json={"permissions": []}, timeout=60).json()["data"]
    reader, sql = client(made["token"]), "SELECT COUNT(*) AS n FROM photseries.series"

    def counted(who, job):
        assert ended(who, job) == "COMPLETED"
        return int(who.get(f"{job}/results/result", timeout=60).text.split()[1])

    mine = make(reader, jobs, sql, RESPONSEFORMAT="csv", PHASE="RUN")
    found = make(admin, jobs, sql, RESPONSEFORMAT="csv", PHASE="RUN")
    visible = reader.get(f"{service.url}/api/photometric_series", timeout=60).json()["data"]["totalMatches"]
    everything = admin.get(f"{service.url}/api/photometric_series", timeout=60).json()["data"]["totalMatches"]
    assert visible < everything
    assert (counted(reader, mine), counted(admin, mine), counted(admin, found)) == (visible, visible, everything)
    for part in ("", "/results/result", "/phase"):
        assert reader.get(f"{found}{part}", timeout=60).status_code == 404
    assert reader.delete(found, timeout=60).status_code == 404
    jobs_of = {name: who.get(jobs, timeout=60).text for name, who in (("admin", admin), ("reader", reader))}
    assert {name: [found in text, mine in text] for name, text in jobs_of.items()} == {
        "admin": [True, True],
        "reader": [False, True],
    }
    by_admin = make(reader, jobs, sql, RESPONSEFORMAT="csv")
    assert admin.post(f"{by_admin}/phase", data={"PHASE": "RUN"}, timeout=60).status_code == 200
    assert counted(admin, by_admin) == everything
    assert reader.get(f"{by_admin}/results/result", timeout=60).status_code == 404, "another token ran it"
    for one in (mine, found, by_admin, f"{service.url}/api/photometric_series/{hidden}"):
        assert admin.delete(one, timeout=60).status_code == 200


def test_times_of_jobs_have_any_offset(jobs, world, public):
    anna = client(world.tokens["anna"])
    job = make(anna, jobs)
    seconds = int(time.time()) + 3600
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds + 86_399))
    assert anna.post(f"{job}/destruction", data={"DESTRUCTION": f"{moment}+23:59:59"}, timeout=60).status_code == 200
    expected = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))
    assert anna.get(f"{job}/destruction", timeout=60).text == expected
    for name, path in (("DESTRUCTION", f"{job}/destruction"), ("AFTER", jobs)):
        send = anna.post if name == "DESTRUCTION" else anna.get
        for text in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "soon"):
            answer = send(path, **{"data" if send == anna.post else "params": {name: text}}, timeout=60)
            assert (answer.status_code, name in answer.text) == (400, True), answer.text
    anna.delete(job, timeout=60)


def test_job_passes_through_its_phases(jobs, world, public):
    anna = client(world.tokens["anna"])
    job = make(anna, jobs, RESPONSEFORMAT="csv", RUNID="mine")
    assert phase(anna, job) == "PENDING"
    document = anna.get(job, timeout=60).text
    for text in ("<uws:ownerId>anna</uws:ownerId>", "<uws:runId>mine</uws:runId>", "<uws:executionDuration>600<"):
        assert text in document
    anna.post(f"{job}/parameters", data={"QUERY": "SELECT 42 AS n"}, timeout=60)
    anna.post(f"{job}/executionduration", data={"EXECUTIONDURATION": "100"}, timeout=60)
    anna.post(f"{job}/destruction", data={"DESTRUCTION": "2000-01-01T00:00:00Z"}, timeout=60)
    assert anna.get(job, timeout=60).status_code == 404  # its time is over
    job = make(anna, jobs, RESPONSEFORMAT="csv")
    anna.post(f"{job}/parameters", data={"QUERY": "SELECT 42 AS n"}, timeout=60)
    anna.post(f"{job}/executionduration", data={"EXECUTIONDURATION": "100"}, timeout=60)
    assert anna.get(f"{job}/executionduration", timeout=60).text == "100"
    assert "SELECT 42" in anna.get(f"{job}/parameters", timeout=60).text
    anna.post(f"{job}/phase", data={"PHASE": "RUN"}, timeout=60)
    assert ended(anna, job) == "COMPLETED"
    assert f"{job}/results/result" in anna.get(f"{job}/results", timeout=60).text
    answer = anna.get(f"{job}/results/result", timeout=60)
    assert (answer.text, answer.headers["Content-Type"]) == ("n\n42\n", "text/csv;header=present")
    assert anna.post(f"{job}/phase", data={"PHASE": "RUN"}, timeout=60).status_code == 400
    assert anna.post(f"{job}/parameters", data={"QUERY": "SELECT 1"}, timeout=60).status_code == 400
    assert job.rsplit("/", 1)[1] in anna.get(jobs, params={"PHASE": "COMPLETED"}, timeout=60).text
    assert job.rsplit("/", 1)[1] not in anna.get(jobs, params={"PHASE": "ERROR"}, timeout=60).text
    assert anna.delete(job, allow_redirects=False, timeout=60).status_code == 303
    assert anna.get(job, timeout=60).status_code == 404


def test_concurrent_changes_of_parameters_all_survive(services, principal, monkeypatch):
    jobs = uws.Jobs(services.catalogue, services.config.vo)
    job_id = jobs.create(principal, {"LANG": "ADQL"}, {}, 1)
    together, read = threading.Barrier(2), vo_jobs.get

    def get(*arguments, **options):
        job = read(*arguments, **options)
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(1)  # without a lock both have read the job before one changes it
        return job

    monkeypatch.setattr(vo_jobs, "get", get)
    texts = ({"QUERY": QUERY}, {"RUNID": "mine"})
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: jobs.change(principal, job_id, one), texts))
    assert jobs.get(principal, job_id).parameters == {"LANG": "ADQL", "QUERY": QUERY, "RUNID": "mine"}


def test_a_job_that_starts_while_it_is_aborted_is_cancelled(services, principal, monkeypatch):
    jobs, abort = uws.Jobs(services.catalogue, services.config.vo), vo_jobs.abort
    job_id = jobs.create(principal, {"QUERY": QUERY}, {}, 1)
    jobs.queue(principal, job_id)

    def query():
        with pytest.raises(OperationalError, match="canceling statement"):
            worker.exec_driver_sql("SELECT pg_sleep(6)")
        worker.rollback()

    def late(connection, job_id):
        backend = worker.connection.dbapi_connection.info.backend_pid
        worker.exec_driver_sql("SELECT 1")
        running.append(thread.submit(query))
        with services.catalogue.transaction() as other:
            assert vo_jobs.start(other, job_id, backend, principal)
        abort(connection, job_id)

    monkeypatch.setattr(vo_jobs, "abort", late)
    running = []
    with services.catalogue.engine.connect() as worker, ThreadPoolExecutor(1) as thread:
        jobs.abort(principal, job_id)
        running[0].result()


def test_jobs_of_other_users_are_not_found(jobs, world, service):
    anna, ben, nobody, admin = (
        client(token) for token in (*(world.tokens[one] for one in ("anna", "ben")), None, service.token)
    )
    job, secret = make(anna, jobs, PHASE="RUN"), make(nobody, jobs)
    ended(anna, job)
    for who, one in ((ben, job), (nobody, job), (admin, job), (anna, secret), (ben, secret)):
        for path in ("", "/phase", "/results/result", "/parameters", "/error"):
            assert who.get(one + path, timeout=60).status_code == 404
        assert who.delete(one, timeout=60).status_code == 404
        assert who.post(f"{one}/phase", data={"PHASE": "ABORT"}, timeout=60).status_code == 404
        assert one.rsplit("/", 1)[1] not in who.get(jobs, timeout=60).text
    assert phase(nobody, secret) == "PENDING"
    assert client().get(f"{jobs}/../../etc", timeout=60).status_code == 404


def test_a_job_sees_what_its_owner_does(jobs, world, public, series):
    for name, number in (("ben", len(series)), ("olga", len(public))):
        who = client(world.tokens[name])
        job = make(who, jobs, PHASE="RUN", RESPONSEFORMAT="csv")
        assert ended(who, job) == "COMPLETED"
        assert who.get(f"{job}/results/result", timeout=60).text == f"n\n{number}\n"


def test_job_contains_its_error(jobs):
    who = client()
    for query, more, message in (
        ("SELECT nothing FROM series", {}, "There is no column"),
        ("SELECT 1 / 0", {}, "division by zero"),
        (QUERY, {"LANG": "PQL"}, "LANG"),
        (QUERY, {"RESPONSEFORMAT": "xls"}, "RESPONSEFORMAT"),
    ):
        job = make(who, jobs, query, PHASE="RUN", **more)
        assert ended(who, job) == "ERROR"
        assert message in who.get(job, timeout=60).text
        assert message in who.get(f"{job}/error", timeout=60).text
        assert who.get(f"{job}/results/result", timeout=60).status_code == 404
    assert who.post(f"{make(who, jobs, '')}/phase", data={"PHASE": "RUN"}, timeout=60).status_code == 400
    assert who.post(jobs, data={"QUERY": "SELECT 1" + " " * 200_000}, timeout=60).status_code == 413


def test_abort_cancels_the_query(jobs, database_url):
    who = client()
    job = make(who, jobs, LONG, PHASE="RUN")
    until(lambda: phase(who, job) == "EXECUTING")
    until(lambda: len(queries(database_url)) == 1)
    who.post(f"{job}/phase", data={"PHASE": "ABORT"}, timeout=60)
    assert phase(who, job) == "ABORTED"
    until(lambda: not queries(database_url))
    assert phase(who, job) == "ABORTED"
    job = make(who, jobs, LONG, PHASE="RUN")
    until(lambda: phase(who, job) == "EXECUTING")
    who.post(job, data={"ACTION": "DELETE"}, timeout=60)
    until(lambda: not queries(database_url))
    assert who.get(job, timeout=60).status_code == 404


def test_an_execution_duration_ends_the_query(jobs):
    who = client()
    job = make(who, jobs, LONG)
    who.post(f"{job}/executionduration", data={"EXECUTIONDURATION": "1"}, timeout=60)
    who.post(f"{job}/phase", data={"PHASE": "RUN"}, timeout=60)
    assert ended(who, job) == "ERROR"
    assert "took longer than 1 s" in who.get(job, timeout=60).text


def test_wait_answers_when_the_phase_changes(jobs):
    who = client()
    job = make(who, jobs)
    begun = time.monotonic()
    assert "PENDING" in who.get(job, params={"WAIT": "1"}, timeout=60).text
    assert time.monotonic() - begun >= 1
    who.post(f"{job}/phase", data={"PHASE": "RUN"}, timeout=60)
    text = ""
    while "COMPLETED" not in text:
        text = who.get(job, params={"WAIT": "-1"}, timeout=120).text
    assert who.get(job, params={"WAIT": "x"}, timeout=60).status_code == 400


def test_an_abandoned_job_has_failed(jobs, database_url):
    who = client()
    job = make(who, jobs)
    with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE vo_jobs SET phase = 'EXECUTING', started_at = now(), backend = 1 WHERE id = %s",
            [job.rsplit("/", 1)[1]],
        )
    assert phase(who, job) == "ERROR"
    assert "stopped while the job was running" in who.get(job, timeout=60).text


def test_lists_and_limits_of_jobs_know_the_abandoned_ones(services, principal):
    jobs = services.catalogue
    values = {"owner_id": principal.user_id, "phase": "QUEUED", "parameters": {}, "duration": 1.0}
    values["destruction"] = datetime.now(UTC) + timedelta(days=1)
    for job_id in ("first", "second", "third"):
        with jobs.transaction() as connection:
            vo_jobs.create(connection, {**values, "id": job_id}, {}, 2, 1000)
            vo_jobs.start(connection, job_id, 999_999_999, principal)
    with jobs.transaction() as connection:
        found = vo_jobs.find(connection, principal)
    assert [(job.id, job.phase) for job in found] == [("third", "ERROR"), ("second", "ERROR")]
    assert "stopped while the job was running" in found[0].error


def test_a_queued_job_of_a_process_that_ended_is_taken_over(jobs, database_url):
    who = client()
    job = make(who, jobs, RESPONSEFORMAT="csv")
    with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE vo_jobs SET phase = 'QUEUED' WHERE id = %s", [job.rsplit("/", 1)[1]])
    assert ended(who, job) == "COMPLETED"


def queries(database_url):
    """The queries of jobs that the database works on."""
    with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
            "AND query LIKE 'FETCH %' AND pid <> pg_backend_pid()"
        )
        return cursor.fetchall()


@pytest.fixture(scope="module")
def narrow(database_url, tmp_path_factory, series):
    """The jobs of a service on the same database, in which 2 jobs of a user wait, and 4 and 2 MB are kept."""
    limits = {"vo__jobs_waiting": 2, "vo__jobs_per_user": 4, "vo__job_storage": 2_000_000, "vo__result": 2_000_000}
    public = {"access__anonymous_reads_public": "true", "server__trusted_proxies": '["127.0.0.1"]'}
    directory = tmp_path_factory.mktemp("narrow") / "data"
    directory.mkdir()
    with ForkedService(directory, database__url=database_url, **public, **limits) as one:
        yield f"{one.url}/vo/tap/async"


def visitor(address):
    session = requests.Session()
    session.headers["X-Forwarded-For"] = address
    return session


def refused(who, jobs, status, **more):
    answer = who.post(jobs, data={"LANG": "ADQL", "QUERY": QUERY, **more}, allow_redirects=False, timeout=60)
    assert answer.status_code == status, answer.text
    return answer


def test_jobs_of_one_user_keep_nobody_waiting(jobs, world):
    anna, ben = client(world.tokens["anna"]), client(world.tokens["ben"])
    long = [make(anna, jobs, LONG, PHASE="RUN") for _ in range(4)]
    until(lambda: phase(anna, long[0]) == "EXECUTING")
    assert ended(ben, make(ben, jobs, PHASE="RUN")) == "COMPLETED"
    assert [phase(anna, job) for job in long] == ["EXECUTING", "QUEUED", "QUEUED", "QUEUED"]
    for job in reversed(long):
        anna.delete(job, timeout=60)


def test_a_job_sees_what_its_token_shows_when_it_begins(jobs, world, admin, public, series):
    """Groups and tokens can change while a job waits."""
    token = admin.post("/api/tokens", json={"user_id": world.users["ben"]}).json()["data"]
    ben, again = client(world.tokens["ben"]), client(token["token"])
    group = f"/api/groups/{world.crew}"
    running = make(ben, jobs, LONG, PHASE="RUN")
    until(lambda: phase(ben, running) == "EXECUTING")
    waiting, revoked = make(ben, jobs, PHASE="RUN", RESPONSEFORMAT="csv"), make(again, jobs, PHASE="RUN")
    assert admin.delete(f"/api/tokens/{token['id']}").status_code == 200
    assert admin.patch(group, json={"user_ids": [world.users["anna"]]}).status_code == 200
    ben.delete(running, timeout=60)
    assert ended(ben, waiting) == "COMPLETED"
    assert ben.get(f"{waiting}/results/result", timeout=60).text == f"n\n{len(public)}\n"
    assert ended(ben, revoked) == "ERROR"
    assert admin.patch(group, json={"user_ids": [world.users["anna"], world.users["ben"]]}).status_code == 200
    assert len(public) < len(series)


def test_a_job_that_cannot_wait_is_refused(narrow, world, database_url):
    anna = client(world.tokens["anna"])
    running = make(anna, narrow, LONG, PHASE="RUN")
    until(lambda: phase(anna, running) == "EXECUTING")
    pending, *waiting = make(anna, narrow), *(make(anna, narrow, PHASE="RUN") for _ in range(2))
    answer = refused(anna, narrow, 429, PHASE="RUN")
    assert answer.headers["Retry-After"] == "5"
    assert "maximum of jobs per user: 1 running and 2 waiting" in answer.text
    assert anna.get(narrow, timeout=60).text.count("<uws:jobref") == 4, "no job was created"
    assert anna.post(f"{pending}/phase", data={"PHASE": "RUN"}, timeout=60).status_code == 429
    assert phase(anna, pending) == "PENDING"
    anna.delete(running, timeout=60)
    assert [ended(anna, job) for job in waiting] == ["COMPLETED"] * 2
    anna.post(f"{pending}/phase", data={"PHASE": "RUN"}, timeout=60)
    assert ended(anna, pending) == "COMPLETED"


def test_a_job_that_is_aborted_or_deleted_leaves_its_place(narrow, world):
    anna = client(world.tokens["anna"])
    running = make(anna, narrow, LONG, PHASE="RUN")
    until(lambda: phase(anna, running) == "EXECUTING")
    leave = (
        lambda job: anna.delete(job, timeout=60),
        lambda job: anna.post(job, data={"ACTION": "DELETE"}, timeout=60),
        lambda job: anna.post(f"{job}/phase", data={"PHASE": "ABORT"}, timeout=60),
    )
    for left in leave:
        waiting = [make(anna, narrow, PHASE="RUN") for _ in range(2)]
        refused(anna, narrow, 429, PHASE="RUN")
        for job in waiting:
            left(job)
    last = make(anna, narrow, PHASE="RUN")
    assert [phase(anna, job) for job in (running, last)] == ["EXECUTING", "QUEUED"]
    anna.delete(running, timeout=60)
    assert ended(anna, last) == "COMPLETED"


def test_a_job_that_another_process_aborts_leaves_its_place(narrow, jobs, world):
    anna = client(world.tokens["anna"])
    running = make(anna, narrow, LONG, PHASE="RUN")
    until(lambda: phase(anna, running) == "EXECUTING")
    aborted, deleted = (make(anna, narrow, PHASE="RUN") for _ in range(2))
    refused(anna, narrow, 429, PHASE="RUN")
    anna.post(f"{aborted.replace(narrow, jobs)}/phase", data={"PHASE": "ABORT"}, timeout=60)
    anna.delete(deleted.replace(narrow, jobs), timeout=60)
    waiting = [make(anna, narrow, PHASE="RUN") for _ in range(2)]
    anna.delete(running, timeout=60)
    assert [ended(anna, job) for job in waiting] == ["COMPLETED"] * 2


def test_visitors_have_jobs_of_their_own(narrow):
    first, same, other = visitor("2001:db8:1:2::3"), visitor("2001:db8:1:2:ffff::4"), visitor("2001:db8:1:3::3")
    made = [make(first, narrow) for _ in range(4)]
    refused(same, narrow, 403)
    theirs = make(other, narrow)
    assert phase(same, made[0]) == phase(other, made[0]) == "PENDING", "the id of an anonymous job is its secret"
    for job in (*made, theirs):
        assert other.delete(job, allow_redirects=False, timeout=60).status_code == 303


def stored_bytes(database_url, job):
    with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT sum(length(content)) FROM vo_pieces WHERE job_id = %s", [job.rsplit("/", 1)[1]])
        return cursor.fetchone()[0]


def test_the_oldest_results_make_room_for_new_ones(narrow, world, database_url):
    ben = client(world.tokens["ben"])
    query = f"SELECT '{'x' * 60_000}' AS text FROM TAP_SCHEMA.columns"
    done = [make(ben, narrow, query, PHASE="RUN", MAXREC=15, RESPONSEFORMAT="csv") for _ in range(2)]
    assert [ended(ben, job) for job in done] == ["COMPLETED"] * 2
    assert [stored_bytes(database_url, job) for job in done] == [5 + 15 * 60_001] * 2  # the head, then a line each
    done.append(make(ben, narrow, query, PHASE="RUN", MAXREC=15, RESPONSEFORMAT="csv"))
    assert ended(ben, done[2]) == "COMPLETED"
    assert [ben.get(job, timeout=60).status_code for job in done] == [404, 200, 200]


def test_a_result_that_is_deleted_while_it_is_read_has_no_regular_end(services, principal):
    """The end of another job of the user may delete it; a regular end would make the download look complete."""
    limits = dataclasses.replace(services.config.vo, result=2_000_000, job_storage=3_000_000)
    jobs = uws.Jobs(services.catalogue, limits)

    def completed():
        query = f"SELECT TOP 30 '{'x' * 60_000}' AS text FROM TAP_SCHEMA.columns"
        job_id = jobs.create(principal, {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv"}, {}, 1)
        jobs.queue(principal, job_id)
        context = Context(principal, limits.database_role, "", "", 60, limits.temporary)
        jobs.execute(jobs.get(principal, job_id), lambda: context)
        return jobs.get(principal, job_id)

    first = completed()
    assert sum(map(len, jobs.result(first))) == len("text\n") + 30 * 60_001
    pieces = jobs.result(first)
    next(pieces)
    completed()
    with pytest.raises(NotFoundError, match="deleted"):
        list(pieces)


def test_uploads_count_while_their_job_waits(narrow, world, database_url):
    sam = client(world.tokens["sam"])
    table = b"<VOTABLE><RESOURCE><TABLE/></RESOURCE></VOTABLE>".ljust(900_000)
    given = {"data": {"QUERY": QUERY, "UPLOAD": "t,param:t"}, "files": {"t": table}}
    made = [sam.post(narrow, **given, allow_redirects=False, timeout=60).headers["Location"] for _ in range(2)]
    assert stored_bytes(database_url, made[0]) == 900_000
    answer = sam.post(narrow, **given, allow_redirects=False, timeout=60)
    assert (answer.status_code, "2,000,000 bytes" in answer.text) == (507, True)
    sam.post(f"{made[0]}/phase", data={"PHASE": "ABORT"}, timeout=60)
    assert stored_bytes(database_url, made[0]) is None
    assert sam.post(narrow, **given, allow_redirects=False, timeout=60).status_code == 303
