"""Jobs of TAP: their phases, their owners, and what happens when they are aborted, deleted or abandoned."""

import re
import time

import psycopg2
import pytest
import requests

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
