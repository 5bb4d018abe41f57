"""The check of the key `observability.dashboards`: whether the platform and the tenant have what they show."""

from __future__ import annotations

from collections.abc import Collection

from model.problems import KeyPath
from model.reading.promotions import Note
from model.reading.schema import TenantSection
from model.settings import Settings, System
from model.tenant import Dashboard, Panel, PanelKind, PanelUnit


def to_dashboards(
    file: TenantSection, settings: Settings, wrong: Collection[KeyPath], note: Note
) -> tuple[Dashboard, ...] | None:
    """Return the dashboards of the tenant; report what is wrong to `note`."""
    stated = file.observability.dashboards
    if stated is None:
        return None
    path: KeyPath = ("observability", "dashboards")
    grafana = settings.observability.grafana
    if settings.on(System.OBSERVABILITY):
        if grafana is None:
            note(path, "observability.dashboards: the platform has no Grafana for tenants", at_key=True)
        elif not file.environments and ("environments",) not in wrong:
            note(path, "observability.dashboards: the tenant has no environment to show", at_key=True)
    for name, dashboard in stated.items():
        where = f"observability.dashboards.{name}"
        hidden = {(*path, name, "panels"), (*path, name, "model")} & set(wrong)
        if bool(dashboard.panels) == (dashboard.model is not None) and not hidden:
            note((*path, name), f"{where}: state either panels or model", at_key=True)
        for index, panel in enumerate(dashboard.panels):
            if panel.kind != PanelKind.LOGS:
                continue
            its: KeyPath = (*path, name, "panels", index)
            if grafana is not None and grafana.logs is None:
                note((*its, "kind"), f"{where}.panels[{index}].kind: the platform shows no logs in Grafana")
            if panel.unit != PanelUnit.NONE or panel.legend:
                key = "unit" if panel.unit != PanelUnit.NONE else "legend"
                note((*its, key), f"{where}.panels[{index}].{key}: a panel of logs has none", at_key=True)
    return tuple(
        Dashboard(
            name,
            dashboard.title,
            tuple(
                Panel(panel.title, panel.query, PanelKind(panel.kind), PanelUnit(panel.unit), panel.legend)
                for panel in dashboard.panels
            ),
            dashboard.model,
        )
        for name, dashboard in stated.items()
    )
