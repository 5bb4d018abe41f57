"""HTTP clients of the systems: one module for each, and what they share.

`Connections` makes them from the settings' addresses and the environment's credentials. Every request raises
`ClientError`, whose text is one line without a credential.
"""

from __future__ import annotations

from usine.clients.connections import Connections
from usine.clients.errors import AbsentError, ClientError, NoAnswerError

__all__ = ["AbsentError", "ClientError", "Connections", "NoAnswerError"]
