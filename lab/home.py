"""The folder of one local platform, which contains everything that the platform writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.ports import DEFAULT_BASE, Ports

#: The checkout that contains this module.
CHECKOUT = Path(__file__).resolve().parents[1]
_PORT_BASE_FILE = "port-base"


@dataclass(frozen=True, slots=True)
class LabHome:
    """Paths and ports of one platform. Only files below `root` are written."""

    root: Path
    port_base: int = DEFAULT_BASE

    @classmethod
    def open(cls, path: Path | None = None, port_base: int | None = None) -> LabHome:
        """Open or create the folder (0700), and store its port base there.

        By default, the folder is USINE_LAB_HOME, else `.lab` in the checkout; the port base is the one stored in the
        folder, else USINE_LAB_PORT_BASE, else 18000. Raises LabError for a folder or a base that cannot be used.
        """
        root = (path or Path(os.environ.get("USINE_LAB_HOME") or CHECKOUT / ".lab")).expanduser().absolute()
        memory = root / _PORT_BASE_FILE
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            root.chmod(0o700)
            remembered = memory.read_text(encoding="ascii").strip() if memory.exists() else None
            wanted = str(port_base) if port_base is not None else remembered
            base = _base(wanted or os.environ.get("USINE_LAB_PORT_BASE") or str(DEFAULT_BASE))
            if remembered != str(base):
                if remembered is not None and any((root / "run").glob("*.json")):
                    raise LabError(
                        f"{root} has servers started on port base {remembered}: "
                        f"stop them (`usine lab down`) before changing it to {base}"
                    )
                memory.write_text(f"{base}\n", encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise LabError(f"{root} cannot be used as the local platform's folder: {error}") from None
        return cls(root, base)

    @property
    def ports(self) -> Ports:
        """Ports of the servers."""
        return Ports(self.port_base)

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def ca(self) -> Path:
        """Certificate of the platform's certificate authority."""
        return self.pki / "ca.pem"

    @property
    def secrets(self) -> Path:
        """JSON file of passwords and tokens, 0600."""
        return self.root / "secrets.json"

    @property
    def data(self) -> Path:
        """Data of the servers, one folder each."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """Logs of the servers, one file each."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Records of running processes, one file each."""
        return self.root / "run"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME of the platform."""
        return self.root / "pulumi"

    @property
    def bin(self) -> Path:
        """Folder of executables, first on the PATH."""
        return self.root / "bin"

    @property
    def state(self) -> Path:
        """State of the stacks (file backend)."""
        return self.root / "state"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig, contexts `nonprod-1` and `prod-1`."""
        return self.root / "kubeconfig"

    @property
    def settings(self) -> Path:
        """Settings file of the stack, with the ports and paths of this platform."""
        return self.root / "Pulumi.lab.yaml"


def _base(text: str) -> int:
    try:
        return Ports(int(text)).base
    except ValueError:
        raise LabError(f"port base {text!r} is not a whole number between 1024 and 64000") from None
