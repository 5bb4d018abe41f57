"""The SDK's gRPC stubs without the SDK: `import pulumi` takes 0.3 s that the engine would wait for at every run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2
else:
    # The generated modules import each other relatively, so they load as a package of any name.
    _folder = Path(importlib.util.find_spec("pulumi").origin).parent / "runtime" / "proto"
    _package = ModuleType("pulumi_stubs")
    _package.__path__ = [str(_folder)]
    sys.modules["pulumi_stubs"] = _package
    from pulumi_stubs import language_pb2, language_pb2_grpc, plugin_pb2

__all__ = ["language_pb2", "language_pb2_grpc", "plugin_pb2"]
