"""Who gets the alerts of a tenant: specifications of AlertmanagerConfig, as plain values.

The platform's Alertmanager must add the matcher of the namespace (OnNamespace). The specifications have their own as
well, so that another strategy gives no alert of another tenant. They have no inhibition rule: Alertmanager would then
also hide the inhibited alert from the platform.
"""

from __future__ import annotations

from collections.abc import Sequence

from components.observability.rules import SEVERITIES
from model.tenant import Alert

#: The receiver of alerts that no receiver of the tenant asks for.
_NOBODY = "nobody"
_TOKEN_KEY = "token"  # noqa: S105 - a key of a Secret


def receivers_spec(alerts: Sequence[Alert], **matching: str) -> dict[str, object]:
    """Return the specification: every receiver gets the alerts of its severity and of higher ones.

    `matching` are the labels that an alert must have, with their values.
    """
    return {
        "route": {
            "receiver": _NOBODY,
            "groupBy": ["alertname", "environment"],
            "groupWait": "30s",
            "groupInterval": "5m",
            "repeatInterval": "12h",
            "matchers": [{"name": name, "value": value, "matchType": "="} for name, value in matching.items()],
            "routes": [
                {
                    "receiver": _name(index),
                    "matchers": [{"name": "severity", "value": _from(alert.severity), "matchType": "=~"}],
                    "continue": True,
                }
                for index, alert in enumerate(alerts, 1)
            ],
        },
        "receivers": [{"name": _NOBODY}, *(_receiver(index, alert) for index, alert in enumerate(alerts, 1))],
    }


def _name(index: int) -> str:
    return f"receiver-{index}"


def _from(severity: str) -> str:
    return "|".join(SEVERITIES[SEVERITIES.index(severity) :])


def _receiver(index: int, alert: Alert) -> dict[str, object]:
    if alert.webhook is None:
        # Sender, server and its credential are those of the platform's Alertmanager.
        return {"name": _name(index), "emailConfigs": [{"to": alert.to, "sendResolved": True}]}
    http: dict[str, object] = {"followRedirects": False}
    if alert.credentials is not None:
        http["authorization"] = {"type": "Bearer", "credentials": {"name": alert.credentials, "key": _TOKEN_KEY}}
    return {
        "name": _name(index),
        "webhookConfigs": [{"url": alert.webhook, "sendResolved": True, "httpConfig": http}],
    }
