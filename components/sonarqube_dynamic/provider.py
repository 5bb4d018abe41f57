"""Every state has a line that imports this module and calls `provider_of`: do not move or rename them."""

from components.sonarqube.dynamic.provider import provider_of

__all__ = ["provider_of"]
