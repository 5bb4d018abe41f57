"""`usine-ci dast`: only declared targets, ZAP's plan, the reports of both scanners, and the threshold."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from usine_ci import cli
from usine_ci.commands import dast as command
from usine_ci.dast import settings, wapiti, zap
from usine_ci.dast.settings import Target, read
from usine_ci.problems import RefusedError

from components.gitlab.variables import dast_variables
from model.tenant import Dast, DastScan, ImageSeverity, Quality, State
from tests import factories
from tests.ci_tool.sample_site import site

MARKER = "marker-of-the-password"
DEV = Target("dev", "https://dev.example.fr/app")


def variable(**changed: object) -> str:
    values: dict[str, object] = {
        "targets": {"dev": DEV.url, "test": "https://test.example.fr"},
        "scan": "baseline",
        "openapi": "",
        "threshold": "high",
        "exclusions": ["/logout*"],
    }
    return json.dumps({**values, **changed})


def zap_report(*, risk: int = 3, uri: str = "https://dev.example.fr/app/hello?name=x") -> dict[str, Any]:
    instance = {"uri": uri, "method": "GET", "param": "name", "attack": "<script>", "evidence": MARKER}
    alert = {
        "pluginid": "40012",
        "name": "Cross Site Scripting (Reflected)",
        "riskcode": str(risk),
        "cweid": "79",
        "solution": "<p>Escape it</p>",
        "instances": [instance],
    }
    return {"site": [{"@name": "https://dev.example.fr", "alerts": [alert]}]}


def test_the_platform_writes_what_the_command_reads() -> None:
    dast = Dast(("dev",), "0 3 * * 1", DastScan.API, "/openapi.json", "dast/account", ImageSeverity.LOW, ("/logout*",))
    tenant = factories.tenant(quality=Quality("platform", 30, ImageSeverity.HIGH, dast))
    (text,) = dast_variables(tenant).values()
    found = read(text)
    assert found.targets == (Target("dev", "https://dev.example.gouv.fr"),)
    assert (found.scan, found.openapi, found.threshold) == ("api", "/openapi.json", "low")
    assert found.exclusions == ("/logout*",)
    assert "dast/account" not in text
    assert dast_variables(factories.tenant(quality=tenant.quality, state=State.SUSPENDED)) == {}
    assert dast_variables(factories.tenant()) == {}


def test_no_variable_of_ci_is_expanded_in_an_address() -> None:
    environments = tuple(
        type(each)(
            **{**{name: getattr(each, name) for name in each.__slots__}, "url": "https://x.example.fr/$CI_JOB_TOKEN"}
        )
        for each in factories.tenant().environments
    )
    quality = Quality("platform", 30, ImageSeverity.HIGH, Dast((environments[0].name,), "0 3 * * 1"))
    (text,) = dast_variables(factories.tenant(quality=quality, environments=environments)).values()
    assert "$" not in text
    assert read(text).targets[0].url == "https://x.example.fr/$CI_JOB_TOKEN"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "USINE_DAST is not set: the tenant file has no quality.dast"),
        ("{", "USINE_DAST is no JSON"),
        (variable(scan="ful"), "scan: did you mean full?"),
        (variable(threshold="hihg"), "threshold: did you mean high?"),
        (variable(scan="api"), "openapi: a path such as /openapi.json, with scan api and only with it"),
        (variable(openapi="/x"), "openapi: a path such as /openapi.json, with scan api and only with it"),
        (variable(targets={"dev": "file:///etc/passwd"}), "targets: dev: no http or https address"),
        (variable(targets={"dev": "https://me:secret@dev.example.fr"}), "targets: dev: no http or https address"),
        (variable(targets={}), "targets: addresses by environment"),
        (variable(exclusions=["logout"]), "exclusions: a list of paths that begin with /"),
        (variable(target="https://other.example.fr"), "no such key: target; did you mean targets?"),
    ],
)
def test_a_wrong_variable_is_refused(text: str, line: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read(text)
    assert line in str(refused.value)


def test_a_job_can_only_choose_among_the_declared_environments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(settings.VARIABLE, variable())
    monkeypatch.setenv("DAST_ENVIRONMENTS", "https://other.example.fr")
    assert cli.main(["dast-plan", "--folder", str(tmp_path)]) == cli.REFUSED
    assert "https://other.example.fr is not analysed; allowed: dev, test" in capsys.readouterr().err
    assert cli.main(["dast-plan", "--environments", "tset", "--folder", str(tmp_path)]) == cli.REFUSED
    assert "did you mean test?" in capsys.readouterr().err
    assert cli.main(["dast-plan", "--environments", "test", "--folder", str(tmp_path)]) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["plan-test.yaml"]


@pytest.mark.parametrize("scan", settings.SCANS)
def test_the_plan_of_zap(scan: str, tmp_path: Path) -> None:
    openapi = "/openapi.json" if scan == "api" else ""
    dast = read(variable(scan=scan, openapi=openapi))
    found = yaml.safe_load(zap.plan(dast, DEV, tmp_path))
    (context,) = found["env"]["contexts"]
    assert context["urls"] == [DEV.url]
    assert context["includePaths"] == [r"https://dev\.example\.fr/app(?:/.*)?"]
    assert context["excludePaths"] == [r"https://dev\.example\.fr/logout.*"]
    assert found["env"]["parameters"]["failOnError"] is True
    jobs = [job["type"] for job in found["jobs"]]
    first = "openapi" if scan == "api" else "spider"
    active = [] if scan == "baseline" else ["activeScan", "passiveScan-wait"]
    assert jobs == [first, "passiveScan-wait", *active, "report"]
    if scan == "api":
        assert found["jobs"][0]["parameters"]["apiUrl"] == "https://dev.example.fr/openapi.json"


def test_every_key_of_the_plan_is_one_that_zap_documents(tmp_path: Path) -> None:
    """`zap_keys.json` has the keys of the templates in ZAP's add-ons; docs/pipelines.md says which."""
    known = json.loads((Path(__file__).parent / "zap_keys.json").read_text(encoding="utf-8"))
    for scan in settings.SCANS:
        dast = read(variable(scan=scan, openapi="/openapi.json" if scan == "api" else ""))
        found = yaml.safe_load(zap.plan(dast, DEV, tmp_path))
        assert set(found) == {"env", "jobs"}
        assert set(found["env"]) <= set(known["env"])
        assert set(found["env"]["parameters"]) <= set(known["env.parameters"])
        assert set(found["env"]["contexts"][0]) <= set(known["env.contexts"])
        for job in found["jobs"]:
            assert set(job) == {"type", "parameters"}
            assert set(job["parameters"]) <= set(known[job["type"]]), job["type"]


def test_the_password_is_in_no_plan_and_sent_to_the_target_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dast = read(variable())
    monkeypatch.setenv("DAST_USERNAME", "robot")
    monkeypatch.setenv("DAST_PASSWORD", MARKER)
    authorization = command._authorization()
    environment = zap.environment(DEV, authorization)
    assert environment["ZAP_AUTH_HEADER_SITE"] == "dev.example.fr"
    assert "DAST_PASSWORD" not in environment
    assert authorization not in zap.plan(dast, DEV, tmp_path)
    assert authorization not in " ".join(zap.command(tmp_path / "plan.yaml", tmp_path))
    monkeypatch.setenv("DAST_USERNAME", "robot")
    with pytest.raises(RefusedError, match="both fields"):
        command._authorization()


def test_alerts_of_zap_about_other_hosts_and_information_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "zap.json"
    file.write_text(json.dumps(zap_report()))
    (alert,) = zap.read(file, DEV)
    assert (alert.rule, alert.severity.word, alert.cwe, alert.parameter) == ("40012", "high", 79, "name")
    file.write_text(json.dumps(zap_report(risk=0)))
    assert zap.read(file, DEV) == ()
    file.write_text(json.dumps(zap_report(uri="https://other.example.fr/")))
    assert zap.read(file, DEV) == ()
    file.write_text("[]")
    with pytest.raises(RefusedError, match="cannot be read"):
        zap.read(file, DEV)


def test_a_scan_that_saw_no_page_is_no_success(tmp_path: Path) -> None:
    file = tmp_path / "wapiti.json"
    file.write_text(json.dumps({"infos": {"crawled_pages_nbr": 0}, "vulnerabilities": {}, "anomalies": {}}))
    with pytest.raises(RefusedError, match="saw no page"):
        wapiti.read(file, DEV)


#: In place of ZAP: checks that it got a plan, and leaves a report as its template does.
_ZAP = """#!{python}
import json, os, pathlib, sys, yaml
plan = yaml.safe_load(pathlib.Path(sys.argv[sys.argv.index("-autorun") + 1]).read_text())
report = plan["jobs"][-1]["parameters"]
pathlib.Path({seen!r}).write_text(json.dumps([sys.argv, dict(os.environ)]))
if {code} != 1:
    url = plan["env"]["contexts"][0]["urls"][0]
    text = pathlib.Path({report!r}).read_text().replace("https://dev.example.fr/app", url)
    (pathlib.Path(report["reportDir"]) / report["reportFile"]).write_text(text)
sys.exit({code})
"""


@pytest.mark.parametrize(
    ("threshold", "code", "expected"), [("high", 0, 1), ("critical", 2, 0), ("none", 0, 0), ("high", 1, cli.REFUSED)]
)
def test_the_job_with_zap(
    threshold: str,
    code: int,
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, seen, report = tmp_path / "zap.sh", tmp_path / "seen.json", tmp_path / "report.json"
    report.write_text(json.dumps(zap_report()))
    program.write_text(_ZAP.format(python=sys.executable, seen=str(seen), report=str(report), code=code))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DAST_USERNAME", "robot")
    monkeypatch.setenv("DAST_PASSWORD", MARKER)
    output = tmp_path / "gl-dast-report.json"
    with site(flawed=True) as served:
        monkeypatch.setenv(settings.VARIABLE, variable(targets={"dev": served.url}, threshold=threshold))
        assert cli.main(["dast", "--report", str(output)]) == expected
    arguments, environment = json.loads(seen.read_text())
    assert "Basic " not in " ".join(arguments)
    assert environment["ZAP_AUTH_HEADER_VALUE"].startswith("Basic ")
    printed = capsys.readouterr()
    assert MARKER not in printed.out + printed.err
    if expected == cli.REFUSED:
        assert "ZAP ended with exit code 1" in printed.err
        assert not output.exists()
        return
    (found,) = json.loads(output.read_text())["vulnerabilities"]
    assert found["severity"] == "High"
    assert found["location"] == {"hostname": served.url, "method": "GET", "param": "name", "path": "/hello"}
    assert MARKER not in output.read_text()


def test_a_target_that_does_not_answer_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(settings.VARIABLE, variable(targets={"dev": "http://127.0.0.1:1"}))
    assert cli.main(["dast"]) == cli.REFUSED
    assert "dev: http://127.0.0.1:1 does not answer" in capsys.readouterr().err


def test_an_image_without_scanner_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with site(flawed=False) as served:
        monkeypatch.setenv(settings.VARIABLE, variable(targets={"dev": served.url}))
        assert cli.main(["dast"]) == cli.REFUSED
    assert "neither zap.sh nor wapiti" in capsys.readouterr().err
