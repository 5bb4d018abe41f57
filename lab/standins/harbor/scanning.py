"""Scans of artifacts, and the gate that prevents pulls of vulnerable images.

Nothing is really scanned: an artifact has the findings that `/-/lab/reports` set for its digest, by default none.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from lab.standins.harbor import accessories, artifacts, errors
from lab.standins.harbor.site import HarborSite, now, timestamp
from lab.standins.store import Document

MIME: Final = "application/vnd.security.vulnerability.report; version=1.1"
SEVERITIES: Final = ("None", "Unknown", "Negligible", "Low", "Medium", "High", "Critical")
_SCANNER: Final = {"name": "Trivy", "vendor": "Aqua Security", "version": "stand-in"}
_HELP: Final = "To continue with pull, please contact your project administrator"


def severity(text: str) -> str:
    """Return the severity with this name, ignoring case; Unknown if there is none."""
    return next((name for name in SEVERITIES if name.lower() == text.lower()), "Unknown")


def _worst(vulnerabilities: list[dict[str, Any]]) -> str:
    return max((item["severity"] for item in vulnerabilities), key=SEVERITIES.index, default="None")


def scan(site: HarborSite, artifact: Document) -> None:
    """Scan an artifact and store the report."""
    finding = site.store.first("finding", digest=artifact["digest"]) or {"vulnerabilities": []}
    report = {"id": str(uuid.uuid4()), "time": now(), "vulnerabilities": finding["vulnerabilities"]}
    current = site.store.get("artifact", artifact["id"])
    if current is not None:
        site.store.put("artifact", {**current, "report": report})


def overview(artifact: Document) -> dict[str, Any]:
    """Return `scan_overview` of an artifact; empty if it was never scanned."""
    report = artifact.get("report")
    if report is None:
        return {}
    found = report["vulnerabilities"]
    counts = {name: sum(item["severity"] == name for item in found) for name in SEVERITIES}
    summary = {"total": len(found), "fixable": sum(bool(item.get("fix_version")) for item in found),
               "summary": {name: number for name, number in counts.items() if number}}  # fmt: skip
    return {
        MIME: {
            "report_id": report["id"], "scan_status": "Success", "severity": _worst(found), "duration": 0,
            "summary": summary, "start_time": report["time"], "end_time": report["time"], "complete_percent": 100,
            "scanner": _SCANNER,
        }
    }  # fmt: skip


def details(artifact: Document) -> dict[str, Any]:
    """Return the whole report of an artifact. Raises `HarborError` 404 if it was never scanned."""
    report = artifact.get("report")
    if report is None:
        raise errors.not_found("report")
    found = report["vulnerabilities"]
    return {MIME: {"generated_at": report["time"], "scanner": _SCANNER, "severity": _worst(found),
                   "vulnerabilities": found}}  # fmt: skip


def scannable(artifact: Document) -> bool:
    """Whether the scanner takes such an artifact: images only, and no signature or attestation."""
    return bool(artifact["type"] == "IMAGE")


def gate(site: HarborSite, project: Document, artifact: Document) -> None:
    """Raise `HarborError` if the project's deployment security forbids to pull the artifact.

    It never forbids signatures, nor what cannot be scanned (`SkipPolicyChecking` and `IsScannable` in Harbor).
    """
    metadata = project["metadata"]
    if metadata.get("prevent_vul") != "true" or artifact["manifest_media_type"] in artifacts.INDEXES:
        return
    if accessories.kind(site, artifact) == accessories.SIGNATURE:
        return
    if artifact.get("report") is None and not scannable(artifact):
        return
    limit = severity(metadata.get("severity") or "none")
    policy = (
        f"""configured policy in 'Prevent images with vulnerability severity of "{limit}" or higher from running.' """
    )
    report = artifact.get("report")
    if report is None:
        raise errors.policy_violation(
            f"current image without vulnerability scanning cannot be pulled due to {policy}{_HELP} for help."
        )
    exempt = _exempt(project)
    left = [item for item in report["vulnerabilities"] if item["id"] not in exempt]
    if left and SEVERITIES.index(_worst(left)) >= SEVERITIES.index(limit):
        thing = "vulnerability" if len(left) == 1 else "vulnerabilities"
        raise errors.policy_violation(
            f"current image with {len(left)} {thing} cannot be pulled due to {policy}{_HELP} "
            "to exempt matched vulnerabilities through configuring the CVE allowlist."
        )


def _exempt(project: Document) -> set[str]:
    if project["metadata"].get("reuse_sys_cve_allowlist") == "true":
        return set()  # the system allowlist is empty
    allowlist = project["cve_allowlist"]
    expires = allowlist.get("expires_at")
    if expires and expires <= timestamp():
        return set()
    return {item["cve_id"] for item in allowlist["items"]}
