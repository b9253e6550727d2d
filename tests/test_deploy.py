"""What stands in deploy/ fits the service: its settings exist, its units and its balancer are valid."""

import ipaddress
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from photseries.server import settings
from photseries.server.http.shared import SharedState
from photseries.server.http.threads import ThreadPool
from photseries.server.http.throttle import client_address
from photseries.server.sandbox import confine
from photseries.server.services import max_connections
from tests.debian import program

DEPLOY = Path(__file__).parent.parent / "deploy"
UNIT = DEPLOY / "photseries.service"
RULES = DEPLOY / "prometheus-rules.yaml"
STATED = {"POSTGRES_PASSWORD": "one", "S3_ACCESS_KEY": "two", "S3_SECRET_KEY": "three"}


def compose():
    text = re.sub(r"\$\{(\w+):\?\}", lambda found: STATED[found[1]], (DEPLOY / "compose.yaml").read_text())
    return yaml.safe_load(text)


def test_the_unit_is_valid(tmp_path):
    verify = program("systemd-analyze", "systemd")
    copy = tmp_path / UNIT.name
    copy.write_text(
        UNIT.read_text().replace("/opt/photseries/bin/photseries", f"{Path(sys.executable).parent}/photseries")
    )
    outcome = subprocess.run([verify, "verify", "--recursive-errors=no", copy], capture_output=True, text=True)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_the_unit_waits_for_requests_in_flight():
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert int(seconds) > settings.ServerSettings().stop_timeout


def test_the_unit_leaves_the_embedded_database_to_its_keeper():
    text = UNIT.read_text()
    assert "\nKillMode=process\n" in text
    assert "\nLimitNOFILE=65536\n" in text


def test_the_documents_name_the_number_of_connections():
    number = max_connections(settings.Config())
    text = (DEPLOY.parent / "docs" / "operation.md").read_text()
    assert f"{number} connections with the defaults" in text
    assert (100 - 10) // number == 3
    assert "enough for 3 processes" in text


@pytest.fixture
def exported(services):
    """The names of the samples that the service exports."""
    threads = ThreadPool(1)
    text = SharedState(services, threads, threads, threads).metrics.text().decode()
    assert 'photseries_refusals_total{code="damaged"} 0.0' in text, "the first one is an increase"
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert len(kinds) > 25
    endings = {"histogram": ("_bucket", "_count", "_sum")}
    return {f"{name}{ending}" for name, kind in kinds.items() for ending in endings.get(kind, ("",))}


def test_each_metric_of_the_dashboard_and_the_alerts_is_exported(exported):
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [variable["query"] for variable in dashboard["templating"]["list"]]
    for rule in alerts().values():
        expressions.append(rule["expr"])
    used = {name for text in expressions for name in re.findall(r"\b(?:photseries|process)_\w+", text)}
    assert len(used) > 20
    assert used <= exported, used - exported
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


def alerts():
    document = yaml.safe_load(RULES.read_text())
    return {rule["alert"]: rule for group in document["groups"] for rule in group["rules"]}


def test_there_is_an_alert_for_each_trouble():
    troubles = {"NotScraped", "Errors", "Queue", "DiskFillsWithinADay", "SweepNotRun", "VerifyFailed", "DatabaseAway"}
    assert {f"Photseries{name}" for name in troubles} <= set(alerts())
    for rule in alerts().values():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]


@pytest.fixture(scope="module")
def promtool():
    return program("promtool", "prometheus")


def test_the_alerts_and_the_dashboard_are_valid(promtool, tmp_path):
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    panels = [{"record": f"panel{number}", "expr": expr} for number, expr in enumerate(expressions)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": panels}]}))
    for rules in (RULES, tmp_path / "panels.yaml"):
        outcome = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True)
        assert outcome.returncode == 0, outcome.stderr


#: What a service without troubles exports for a day, a value each minute.
HEALTHY = {
    "up": "1x1500",
    "photseries_database_up": "1x1500",
    'photseries_requests_total{route="Series",status="200"}': "0+60x1500",
    'photseries_requests_total{route="Ready",status="503"}': "0+60x1500",
    "photseries_threads_waiting": "2x1500",
    "photseries_database_connections_in_use": "3x1500",
    "photseries_database_connections_max": "19x1500",
    "photseries_disk_free_bytes": "900000000000-100000000x1500",
    "photseries_disk_size_bytes": "1000000000000x1500",
    "photseries_sweep_success_timestamp_seconds": "0+60x1500",
    "photseries_verify_timestamp_seconds": "0x1500",
    "photseries_verify_damaged_files": "0x1500",
    'photseries_refusals_total{code="damaged"}': "0x1500",
}
#: What differs when an alert is to fire, which it does after a day.
TROUBLES = {
    "NotScraped": {"up": "1x1400 0x100"},
    "DatabaseAway": {"photseries_database_up": "1x1400 0x100"},
    "Errors": {'photseries_requests_total{route="Series",status="500"}': "0x1400 0+4x100"},
    "Queue": {"photseries_threads_waiting": "2x1400 30x100"},
    "Connections": {"photseries_database_connections_in_use": "3x1400 18x100"},
    "DiskFillsWithinADay": {"photseries_disk_free_bytes": "900000000000-400000000x1500"},
    "SweepNotRun": {"photseries_sweep_success_timestamp_seconds": "0+60x1200 72000x300"},
    "VerifyFailed": {'photseries_refusals_total{code="damaged"}': "0x1410 1x90"},
    "VerifyNotRun": {"photseries_verify_timestamp_seconds": f"{-40 * 86400}x1500"},
}


def test_an_alert_fires_at_its_trouble_alone(promtool, tmp_path):
    assert {f"Photseries{name}" for name in TROUBLES} == set(alerts())
    tests = []
    for trouble in (None, *TROUBLES):
        series = []
        for one, values in (HEALTHY | TROUBLES.get(trouble, {})).items():
            name, _, labels = one.partition("{")
            own = ['job="photseries"', 'instance="one"', *labels.removesuffix("}").split(",")]
            series.append({"series": f"{name}{{{','.join(filter(None, own))}}}", "values": values})
        fired = [] if trouble is None else [{"labels": f'{{alertname="Photseries{trouble}"}}', "value": 1}]
        firing = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "1d", "exp_samples": fired}
        tests.append({"interval": "1m", "input_series": series, "promql_expr_test": [firing]})
    (tmp_path / "tests.yaml").write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": tests})
    )
    outcome = subprocess.run([promtool, "test", "rules", tmp_path / "tests.yaml"], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_balancer_takes_the_longest_body():
    (size,) = re.findall(r"client_max_body_size (\d+)m;", (DEPLOY / "nginx.conf").read_text())
    assert int(size) * 1024 * 1024 == settings.ServerSettings().max_body


@pytest.mark.parametrize("name", ["one", "two", "migrate"])
def test_the_services_of_the_compose_file_start_as_configured(name):
    service = compose()["services"][name]
    loaded = settings.load(None, service["environment"])
    assert loaded.store.url == "s3://photseries/archive"
    assert (loaded.store.access_key, loaded.store.secret_key) == ("two", "three")
    assert loaded.database.url == "postgresql://photseries:one@database/photseries"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]


def test_the_compose_file_fits_together():
    document = compose()
    services = document["services"]
    hosts = re.findall(r"server (\w+):5000", (DEPLOY / "nginx.conf").read_text())
    assert set(hosts) <= set(services)
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in document["volumes"] or (DEPLOY / source).exists(), volume
    for name in re.findall(r"http://(\w+):8333", yaml.safe_dump(document)):
        assert name in services or name == "127"


def test_published_ports_use_tls_or_the_loopback():
    published = [port for service in compose()["services"].values() for port in service.get("ports", ())]
    assert published
    for port in published:
        host, inside = port.rsplit(":", 1)
        assert host.startswith("127.0.0.1:") or inside == "8443", port
    for name in ("Containerfile", "compose.yaml"):
        for port in re.findall(r"-p (\S+)", (DEPLOY / name).read_text()):
            assert port.startswith("127.0.0.1:"), port


@pytest.mark.parametrize("name", ["one", "two"])
def test_the_services_believe_the_balancer_alone(name):
    document = compose()
    (network,) = document["networks"]["default"]["ipam"]["config"]
    subnet, others = ipaddress.ip_network(network["subnet"]), ipaddress.ip_network(network["ip_range"])
    balancer = ipaddress.ip_address(document["services"]["balancer"]["networks"]["default"]["ipv4_address"])
    gateway = next(subnet.hosts())
    assert balancer in subnet
    assert balancer not in others
    assert balancer != gateway
    server = settings.load(None, document["services"][name]["environment"]).server
    assert client_address(str(balancer), "6.6.6.6", server) == "6.6.6.6"
    for peer in (gateway, *others):
        assert client_address(str(peer), "6.6.6.6", server) == str(peer)


def test_the_balancer_hides_what_a_client_says_of_its_address():
    text = (DEPLOY / "nginx.conf").read_text()
    headers = dict(re.findall(r"^\s*proxy_set_header (\S+) (\S+);", text, re.MULTILINE))
    assert {headers[name] for name in ("X-Forwarded-For", "X-Real-IP")} == {"$remote_addr"}
    assert headers["X-Forwarded-Proto"] == "$scheme"


def test_the_sandbox_is_complete_or_the_start_is_refused():
    layers = [name for name, _ in confine.LAYERS]
    for name in ("photseries.service", "Containerfile"):
        (required,) = re.findall(r"PHOTSERIES_SANDBOX__REQUIRE=\S*?(\[.*?\])", (DEPLOY / name).read_text())
        loaded = settings.load(None, {"PHOTSERIES_SANDBOX__REQUIRE": required})
        assert list(loaded.sandbox.require) == layers


def test_the_container_runs_without_rights():
    text = (DEPLOY / "Containerfile").read_text()
    stages = text.split("\nFROM ")
    assert "\nUSER 10001:10001\n" in stages[-1]
    assert "HEALTHCHECK" in stages[-1]
    for name in re.findall(r"PHOTSERIES_(\w+)=", text):
        section, key = name.lower().split("__")
        assert hasattr(getattr(settings.Config(), section), key), name
