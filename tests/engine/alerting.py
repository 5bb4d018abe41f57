"""The real Prometheus operator, Prometheus and Alertmanager on the fleet's API server, with an exporter and a mailbox.

The operator turns the objects in the API server into configuration. There is no kubelet: this module puts the
configuration where the containers would find it, and starts the programs. Durations are shortened on the way, so that
an alert needs no minute; nothing else is changed.
"""

from __future__ import annotations

import base64
import functools
import gzip
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from lab import kubeconfig, parts, process
from lab.home import LabHome
from lab.process import Command
from lab.sockets import LOOPBACK
from lab.testing.platforms import TestLab
from tests.engine.harness import ROOT
from tests.engine.mailbox import Mailbox

#: A namespace of this module alone: its deletion takes everything along.
NAMESPACE = "usine-alerts"
_GROUP = "monitoring.coreos.com"
_INSTANCES = ("alertmanagers", "prometheuses")
_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_PATIENCE = 60.0
_T = TypeVar("_T")
#: Durations of rules and routes.
_SLOW = re.compile(r"(?m)^(\s*(?:- )?(?:for|group_wait|group_interval): ).+$")
_CONFIGURATION = "/etc/prometheus"
_JOB = "objects"


class Exporter:
    """An exporter of series with the namespaces of the objects that they describe, such as kube-state-metrics."""

    def __init__(self, port: int) -> None:
        self.series: Mapping[str, int] = {}
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = "".join(f"{name} {value}\n" for name, value in exporter.series.items())
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_arguments: object) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True)
class Monitoring:
    """One Prometheus with its Alertmanager, which sends all mail to `mailbox`."""

    name: str
    prometheus: httpx.Client
    configuration: str
    routes: str
    mailbox: Mailbox

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules as Prometheus has them, with the result of their last evaluation."""
        groups = self.prometheus.get("/api/v1/rules").raise_for_status().json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def evaluates(self) -> bool:
        """Return whether every rule was evaluated without an error."""
        return all(rule["health"] == "ok" for rule in self.rules())

    def scrapes(self) -> bool:
        """Return whether the last scrape of the exporter succeeded."""
        found = self.prometheus.get("/api/v1/targets").raise_for_status().json()["data"]["activeTargets"]
        return [target["health"] for target in found if target["scrapePool"] == _JOB] == ["up"]


@dataclass(frozen=True)
class Kind:
    """What a platform sets in its Prometheus and Alertmanager."""

    name: str
    prometheus: Mapping[str, Any]
    alertmanager: Mapping[str, Any]


def documented() -> Kind:
    """Return what docs/observability.md asks a platform for."""
    prometheus, alertmanager, base = _blocks()
    assert (prometheus["kind"], alertmanager["kind"], set(base)) == ("Prometheus", "Alertmanager", {"route", "global"})
    return Kind("documented", prometheus["spec"], alertmanager["spec"])


def unenforced() -> Kind:
    """Return a platform that enforces no namespace, neither in rules nor in routes. Teams have no rules there."""
    prometheus, alertmanager, _ = _blocks()
    left = {key: value for key, value in prometheus["spec"].items() if not key.startswith(("enforced", "excluded"))}
    ours = alertmanager["spec"]["alertmanagerConfigSelector"]
    strategy = {"alertmanagerConfigMatcherStrategy": {"type": "None"}}
    return Kind("unenforced", {**left, "ruleSelector": ours}, {**alertmanager["spec"], **strategy})


def _blocks() -> list[dict[str, Any]]:
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8").partition("must set")[2]
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[:3]]


@contextmanager
def running(lab: TestLab, folder: Path, kinds: Sequence[Kind]) -> Iterator[tuple[Exporter, list[Monitoring]]]:
    """Run the operator and, for each kind, Prometheus and Alertmanager. Nothing of them is left at the end."""
    programs = parts.ensure(["prometheus-operator", "prometheus-operator-server", "prometheus-tools"])
    ports = iter(lab.home.ports.monitoring)
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    own = [f"/api/v1/namespaces/{NAMESPACE}", *(f"{definitions}/{plural}.{_GROUP}" for plural in _INSTANCES)]
    with ExitStack() as ends:
        ends.callback(_delete, lab, own)
        for plural, path in zip(_INSTANCES, own[1:], strict=True):
            _apply(lab, path, (programs["prometheus-operator"] / f"{_GROUP}_{plural}.yaml").read_bytes())
        _apply(lab, own[0], {"apiVersion": "v1", "kind": "Namespace"})
        port = next(ports)
        pki = lab.home.pki
        operator: list[str | Path] = [
            programs["prometheus-operator-server"] / "operator", f"--apiserver={kubeconfig.server(lab.home)}",
            f"--ca-file={lab.home.ca}", f"--cert-file={pki}/admin.pem", f"--key-file={pki}/admin.key",
            f"--web.listen-address={LOOPBACK}:{port}", "--kubelet-endpoints=false",
        ]  # fmt: skip
        exporter = Exporter(next(ports))
        ends.callback(exporter.close)
        made = [_instances(lab, kind, ports, exporter_port=port + 1) for kind in kinds]
        # The operator asks once, at its start, which kinds there are.
        wait(functools.partial(_discovered, lab), "the discovery of the instances")
        _program(ends, lab.home, "operator", operator)
        started = [
            ends.enter_context(_started(lab, folder, programs, kind, ports_of))
            for kind, ports_of in zip(kinds, made, strict=True)
        ]
        yield exporter, started


@dataclass(frozen=True)
class _Ports:
    prometheus: int
    alertmanager: int
    mail: int


def _instances(lab: TestLab, kind: Kind, ports: Iterator[int], exporter_port: int) -> _Ports:
    """Create the Prometheus and the Alertmanager, with what the platform gives them."""
    own = _Ports(next(ports), next(ports), next(ports))
    *_, base = _blocks()
    base["global"] |= {"smtp_smarthost": f"{LOOPBACK}:{own.mail}", "smtp_require_tls": False}
    base["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    base["receivers"] = [{"name": "platform", "email_configs": [{"to": "platform@example.gouv.fr"}]}]
    scrape = {"job_name": _JOB, "honor_labels": True}
    alertmanagers = {"scheme": "http", "api_version": "v2"}
    files = {
        "alertmanager.yaml": base,
        "scrape.yaml": [{**scrape, "static_configs": [{"targets": [f"{LOOPBACK}:{exporter_port}"]}]}],
        "alertmanagers.yaml": [{**alertmanagers, "static_configs": [{"targets": [f"{LOOPBACK}:{own.alertmanager}"]}]}],
    }
    texts = {name: yaml.safe_dump(body) for name, body in files.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": texts}
    _apply(lab, f"/api/v1/namespaces/{NAMESPACE}/secrets/{kind.name}", secret)
    pki = lab.home.pki
    api = {
        "host": kubeconfig.server(lab.home),
        "tlsConfig": {"caFile": f"{lab.home.ca}", "certFile": f"{pki}/admin.pem", "keyFile": f"{pki}/admin.key"},
    }
    prometheus = {
        **kind.prometheus,
        "replicas": 0,
        "scrapeInterval": "1s",
        "evaluationInterval": "1s",
        "apiserverConfig": api,
        "additionalScrapeConfigs": {"name": kind.name, "key": "scrape.yaml"},
        "additionalAlertManagerConfigs": {"name": kind.name, "key": "alertmanagers.yaml"},
    }
    alertmanager = {**kind.alertmanager, "replicas": 0, "configSecret": kind.name}
    for singular, spec in (("Prometheus", prometheus), ("Alertmanager", alertmanager)):
        path = f"/apis/{_GROUP}/v1/namespaces/{NAMESPACE}/{_plural(singular)}/{kind.name}"
        _apply(lab, path, {"apiVersion": f"{_GROUP}/v1", "kind": singular, "spec": spec})
    return own


def _plural(singular: str) -> str:
    return next(plural for plural in _INSTANCES if plural.startswith(singular.lower()))


@contextmanager
def _started(lab: TestLab, folder: Path, programs: Mapping[str, Path], kind: Kind, own: _Ports) -> Iterator[Monitoring]:
    """Start Prometheus and Alertmanager with the configuration that the operator has made."""
    home = folder / kind.name
    rules = wait(lambda: _read(lab, "configmaps", f"prometheus-{kind.name}-rulefiles-0"), "the operator's rules")
    configuration = wait(lambda: _read(lab, "secrets", f"prometheus-{kind.name}"), "Prometheus' configuration")
    routes = wait(lambda: _read(lab, "secrets", f"alertmanager-{kind.name}-generated"), "Alertmanager's configuration")
    texts = {f"rules/prometheus-{kind.name}-rulefiles-0/{name}": text for name, text in rules.items()}
    texts["prometheus.yaml"] = configuration["prometheus.yaml"].replace(_CONFIGURATION, str(home))
    texts["alertmanager.yaml"] = routes["alertmanager.yaml"]
    for name, text in texts.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(_SLOW.sub(r"\g<1>1s", text), encoding="utf-8")
    prometheus: list[str | Path] = [
        programs["prometheus-tools"] / "prometheus", f"--config.file={home}/prometheus.yaml",
        f"--storage.tsdb.path={home}/series", f"--web.listen-address={LOOPBACK}:{own.prometheus}",
    ]  # fmt: skip
    alertmanager: list[str | Path] = [
        programs["prometheus-operator-server"] / "alertmanager", f"--config.file={home}/alertmanager.yaml",
        f"--storage.path={home}/silences", f"--web.listen-address={LOOPBACK}:{own.alertmanager}",
        "--cluster.listen-address=",
    ]  # fmt: skip
    with ExitStack() as ends:
        mailbox = ends.enter_context(Mailbox(own.mail))
        clients = []
        for what, command, port in (
            ("alertmanager", alertmanager, own.alertmanager),
            ("prometheus", prometheus, own.prometheus),
        ):
            name = f"{what}-{kind.name}"
            _program(ends, lab.home, name, command)
            client = ends.enter_context(httpx.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False))
            wait(functools.partial(_ready, lab.home, name, client), name)
            clients.append(client)
        yield Monitoring(kind.name, clients[1], configuration["prometheus.yaml"], routes["alertmanager.yaml"], mailbox)


def _program(ends: ExitStack, home: LabHome, name: str, command: Sequence[str | Path]) -> None:
    ends.callback(process.stop, home, name)
    process.start(home, name, Command(tuple(map(str, command))))


def _ready(home: LabHome, name: str, client: httpx.Client) -> bool:
    assert process.running(home, name) is not None, process.tail(home, name)
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False


def _discovered(lab: TestLab) -> bool:
    listed = lab.kubernetes.get(f"/apis/{_GROUP}/v1").raise_for_status().json()["resources"]
    return {*_INSTANCES} <= {resource["name"] for resource in listed}


def _read(lab: TestLab, kind: str, name: str) -> dict[str, str]:
    """Return the files of a Secret or ConfigMap, unpacked; empty if it does not exist."""
    answer = lab.kubernetes.get(f"/api/v1/namespaces/{NAMESPACE}/{kind}/{name}")
    data: Mapping[str, str] = answer.json().get("data") or {} if answer.is_success else {}
    if kind == "configmaps":
        return dict(data)
    packed = {key.removesuffix(".gz"): value for key, value in data.items() if key.endswith(".gz")}
    return {key: gzip.decompress(base64.b64decode(value)).decode() for key, value in packed.items()}


def _apply(lab: TestLab, path: str, body: Mapping[str, Any] | bytes) -> None:
    if not isinstance(body, bytes):
        body = yaml.safe_dump({**body, "metadata": {"name": path.rpartition("/")[2]}}).encode()
    query = {"fieldManager": "usine-test", "force": "true", "fieldValidation": "Strict"}
    answer = wait(lambda: _sent(lab, path, body, query), path)
    assert answer.is_success, answer.text


def _sent(lab: TestLab, path: str, body: bytes, query: Mapping[str, str]) -> httpx.Response | None:
    """Return the answer; None while the API server does not serve a new kind yet."""
    answer = lab.kubernetes.patch(path, content=body, headers=_APPLY, params=query)
    return None if answer.status_code == httpx.codes.NOT_FOUND else answer


def _delete(lab: TestLab, paths: Sequence[str]) -> None:
    """Delete objects, and wait until none of them is left."""
    for path in paths:
        lab.kubernetes.delete(path)
    for path in paths:
        wait(functools.partial(_gone, lab, path), f"the deletion of {path}")


def _gone(lab: TestLab, path: str) -> bool:
    return lab.kubernetes.get(path).status_code == httpx.codes.NOT_FOUND


def wait(read: Callable[[], _T | None], what: str) -> _T:
    """Return the first result that is true."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        if found := read():
            return found
        assert time.monotonic() < deadline, f"{what}: nothing after {_PATIENCE:.0f} s"
        time.sleep(0.2)
