"""The alerts of every environment, as plain values. docs/alertes.md has a section for each.

The series are those of kube-state-metrics, cAdvisor, ingress-nginx, cert-manager and Argo CD, under the names of their
documentation. The first four have the label `namespace` of the object that they describe.
"""

from __future__ import annotations

import datetime

from components.observability.rules import AlertRule, RuleGroup, RuleSubject
from model.lifecycle import syncs
from model.naming import REGISTRY_SECRET, names_of
from model.settings import CREDENTIAL_NOTICE, Credential

#: How long before its end a certificate or a stored credential is reported.
_NOTICE_DAYS = CREDENTIAL_NOTICE.days
_NOTICE_SECONDS = int(CREDENTIAL_NOTICE.total_seconds())


def workloads(subject: RuleSubject) -> RuleGroup:
    """Return the alerts on containers, jobs, the quota and certificates."""
    own = subject.scope
    memory = f'container_memory_working_set_bytes{{{own}, container!="", container!="POD"}}'
    limit = f'kube_pod_container_resource_limits{{{own}, resource="memory"}}'
    by_container = "max by (namespace, pod, container)"
    return RuleGroup(
        "workloads",
        (
            AlertRule(
                "ContainerRestarts",
                f"sum by (namespace, pod, container) "
                f"(increase(kube_pod_container_status_restarts_total{{{own}}}[15m])) > 3",
                "5m",
                "warning",
                "a container restarts again and again",
                "Container {{ $labels.container }} of pod {{ $labels.pod }} restarted more than 3 times in 15 minutes.",
            ),
            AlertRule(
                "ContainerMemoryHigh",
                f"{by_container} ({memory}) / {by_container} ({limit}) > 0.9",
                "15m",
                "warning",
                "a container is close to its memory limit",
                "Container {{ $labels.container }} of pod {{ $labels.pod }} uses more than 90 % of its memory limit.",
            ),
            AlertRule(
                "PodNotReady",
                f'sum by (namespace, pod) (kube_pod_status_phase{{{own}, phase=~"Pending|Unknown"}}) > 0',
                "15m",
                "warning",
                "a pod does not start",
                "Pod {{ $labels.pod }} has been pending or unknown for 15 minutes.",
            ),
            AlertRule(
                "JobFailed",
                f"max by (namespace, job_name) (kube_job_status_failed{{{own}}}) > 0",
                "1m",
                "warning",
                "a job failed",
                "Job {{ $labels.job_name }} has failed pods.",
            ),
            AlertRule(
                "QuotaUsedUp",
                f'max by (namespace, resource) (kube_resourcequota{{{own}, type="used"}}) / '
                f'(max by (namespace, resource) (kube_resourcequota{{{own}, type="hard"}}) > 0) > 0.9',
                "15m",
                "warning",
                "the quota is nearly used up",
                "More than 90 % of the quota of {{ $labels.resource }} is used.",
            ),
            AlertRule(
                "CertificateExpires",
                f"min by (namespace, name) (certmanager_certificate_expiration_timestamp_seconds{{{own}}}) - time() "
                f"< {_NOTICE_SECONDS}",
                "1h",
                "critical",
                "a certificate expires",
                f"Certificate {{{{ $labels.name }}}} expires in less than {_NOTICE_DAYS} days.",
            ),
        ),
    )


def credentials(subject: RuleSubject, generation: Credential) -> RuleGroup:
    """Return the alert on the generation of stored credentials that is handed out, if it has an end."""
    if generation.until is None:
        return RuleGroup("credentials", ())
    end = datetime.datetime.combine(generation.until, datetime.time(), datetime.UTC) + datetime.timedelta(days=1)
    warn = int(end.timestamp()) - _NOTICE_SECONDS
    secret = f'kube_secret_created{{{subject.scope}, secret="{REGISTRY_SECRET}"}}'
    return RuleGroup(
        "credentials",
        (
            AlertRule(
                "CredentialsExpire",
                # The series says that the namespace has credentials; the file says until when they are good.
                f"max by (namespace, secret) ({secret}) * 0 + time() > {warn}",
                "1h",
                "critical",
                "the stored credentials expire",
                f"The credentials of generation {generation.name} are good until {generation.until.isoformat()}. "
                "The platform team renews them.",
            ),
        ),
    )


def golden_signals(subject: RuleSubject) -> RuleGroup:
    """Return the alerts on traffic, errors and latency at the ingress, for an environment with a host."""
    if not subject.environment.all_hosts:
        return RuleGroup("ingress", ())
    own = subject.scope
    requests = "nginx_ingress_controller_requests"
    buckets = "nginx_ingress_controller_request_duration_seconds_bucket"
    total = f"sum by (namespace, ingress) (rate({requests}{{{own}}}[10m]))"
    return RuleGroup(
        "ingress",
        (
            AlertRule(
                "ErrorRateHigh",
                f'sum by (namespace, ingress) (rate({requests}{{{own}, status=~"5.."}}[10m])) / {total} > 0.05 '
                f"and {total} > 0.1",
                "10m",
                "critical",
                "many requests fail",
                "More than 5 % of the requests to ingress {{ $labels.ingress }} are answered with a server error.",
            ),
            AlertRule(
                "LatencyHigh",
                f"histogram_quantile(0.95, sum by (namespace, ingress, le) (rate({buckets}{{{own}}}[10m]))) > 2.5 "
                f"and {total} > 0.1",
                "15m",
                "warning",
                "requests are slow",
                "5 % of the requests to ingress {{ $labels.ingress }} take longer than 2.5 seconds.",
            ),
            AlertRule(
                "TrafficStopped",
                f"sum by (namespace, ingress) (rate({requests}{{{own}}}[15m])) == 0 and "
                f"sum by (namespace, ingress) (rate({requests}{{{own}}}[1h] offset 1h)) > 0.1",
                "15m",
                "warning",
                "no request arrives",
                "Ingress {{ $labels.ingress }} had traffic one hour ago and has none now.",
            ),
        ),
    )


def deployments(subject: RuleSubject) -> RuleGroup:
    """Return the alerts on the environment's applications; the subject's namespace is Argo CD's.

    Argo CD's series have the namespace of the application, which is Argo CD's own. A rule in the tenant's namespace
    cannot read them, and on another cluster than Argo CD's they do not exist.
    """
    project = names_of(subject.tenant).argocd_project(subject.environment.name)
    bound = f'{subject.scope}, project="{project}"'
    automatic = syncs(subject.tenant, subject.environment)
    return RuleGroup(
        f"deployments-{subject.environment.name}",
        (
            AlertRule(
                "ApplicationOutOfSync",
                f'max by (namespace, name) (argocd_app_info{{{bound}, sync_status!="Synced"}}) > 0',
                "30m" if automatic else "24h",
                "warning" if automatic else "info",
                "a deployment is out of sync",
                "Application {{ $labels.name }} is not what its repository says.",
            ),
            AlertRule(
                "ApplicationUnhealthy",
                f'max by (namespace, name) (argocd_app_info{{{bound}, health_status=~"Degraded|Missing"}}) > 0',
                "15m",
                "warning",
                "a deployment is unhealthy",
                "Argo CD reports application {{ $labels.name }} as degraded or missing.",
            ),
        ),
    )
