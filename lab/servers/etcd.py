"""Etcd, the store of the Kubernetes API server. Clients need a certificate."""

from __future__ import annotations

import httpx

from lab.home import LabHome
from lab.process import Command
from lab.servers.base import Context, LabServer, probe
from lab.sockets import LOOPBACK


def address(home: LabHome) -> str:
    """URL for clients."""
    return f"https://{LOOPBACK}:{home.ports.etcd}"


class EtcdServer(LabServer):
    """A cluster of one member."""

    name = "etcd"
    parts = ("etcd",)

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """Ports for clients and for peers."""
        return (home.ports.etcd, home.ports.etcd_peer)

    def where(self, home: LabHome) -> str:
        """URL for clients."""
        return address(home)

    def command(self, context: Context) -> Command:
        """Return the command line, with options of etcd 3.4 and later. The data is in `data/etcd`."""
        home, pair, ca = context.home, context.pki.etcd, context.pki.ca
        data = home.data / self.name
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        client, peer = address(home), f"https://{LOOPBACK}:{home.ports.etcd_peer}"
        arguments = (
            str(context.parts["etcd"] / "etcd"),
            "--name=lab",
            f"--data-dir={data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=lab={peer}",
            f"--cert-file={pair.certificate}",
            f"--key-file={pair.key}",
            f"--trusted-ca-file={ca}",
            "--client-cert-auth",
            f"--peer-cert-file={pair.certificate}",
            f"--peer-key-file={pair.key}",
            f"--peer-trusted-ca-file={ca}",
            "--peer-client-cert-auth",
            "--logger=zap",
            "--log-level=warn",
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=10m",
        )
        return Command(arguments, folder=data, watched=(pair.certificate, ca))

    def healthy(self, home: LabHome) -> bool:
        """Whether the cluster has a leader."""
        return probe(home, address(home), "/health", admin=True) == httpx.codes.OK
