"""The local platform's certificate authority: certificates of its servers and of their administrators' clients.

All files are PEM, keys PKCS#8, 0600 in a 0700 folder. The authority is created once per folder. Certificates that it
signed are renewed before they expire, and when their names change.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.errors import LabError
from lab.files import write_private
from lab.home import LabHome

_LOCAL = ("localhost", "127.0.0.1", "::1")
_KUBERNETES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.96.0.1",  # first address of the service range, which pods would use
)
_CA_LIFE = datetime.timedelta(days=3650)
_LEAF_LIFE = datetime.timedelta(days=365)
_RENEW_BEFORE = datetime.timedelta(days=30)
_CLOCK_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Paths of a certificate and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class _Authority:
    folder: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Pki:
    """All certificates of the platform. `service_account` signs the tokens of Kubernetes service accounts."""

    ca: Path
    keycloak: KeyPair
    kube_apiserver: KeyPair
    etcd: KeyPair
    etcd_client: KeyPair
    admin: KeyPair
    controller_manager: KeyPair
    controller_manager_server: KeyPair
    service_account: KeyPair


def ensure(home: LabHome) -> Pki:
    """Create what is missing, renew what expires soon, and return all. Raises LabError for unreadable files."""
    folder = home.pki
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        authority = _ensure_authority(home.ca, folder / "ca.key")
        return Pki(
            ca=home.ca,
            keycloak=_server(authority, "keycloak", _LOCAL),
            kube_apiserver=_server(authority, "kube-apiserver", (*_LOCAL, *_KUBERNETES)),
            etcd=_server(authority, "etcd", _LOCAL, also_client=True),  # an etcd member is also a client of itself
            etcd_client=_client(authority, "kube-apiserver-etcd-client"),
            admin=_client(authority, "admin", organization="system:masters"),
            controller_manager=_client(authority, "system:kube-controller-manager"),
            controller_manager_server=_server(authority, "controller-manager-server", _LOCAL),
            service_account=_ensure_service_account(folder),
        )
    except (OSError, ValueError, TypeError) as error:  # TypeError: a key with a password
        raise LabError(
            f"certificates in {folder} cannot be used ({error}): delete them with `usine lab reset`"
        ) from None


def _server(authority: _Authority, name: str, names: Sequence[str], *, also_client: bool = False) -> KeyPair:
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] + ([ExtendedKeyUsageOID.CLIENT_AUTH] if also_client else [])
    return _ensure_leaf(authority, name, _subject(name), names, usages)


def _client(authority: _Authority, name: str, organization: str | None = None) -> KeyPair:
    return _ensure_leaf(authority, name, _subject(name, organization), (), [ExtendedKeyUsageOID.CLIENT_AUTH])


def _subject(name: str, organization: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _ensure_authority(certificate: Path, key: Path) -> _Authority:
    if certificate.exists() and key.exists():
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key.name} is not an elliptic-curve key")
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        if found.public_key() != loaded.public_key():
            raise ValueError(f"{key.name} is not the key of {certificate.name}")
        return _Authority(certificate.parent, found, loaded)
    private = ec.generate_private_key(ec.SECP256R1())
    subject = _subject("Usine local platform CA")
    made = (
        _builder(subject, subject, private.public_key(), _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(private, hashes.SHA256())
    )
    write_private(key, _pem_key(private))
    write_private(certificate, made.public_bytes(serialization.Encoding.PEM))
    return _Authority(certificate.parent, made, private)


def _ensure_leaf(
    authority: _Authority,
    name: str,
    subject: x509.Name,
    names: Sequence[str],
    usages: Sequence[x509.ObjectIdentifier],
) -> KeyPair:
    stem = name.replace(":", "-")
    pair = KeyPair(authority.folder / f"{stem}.pem", authority.folder / f"{stem}.key")
    alternatives = [_alternative(text) for text in names]
    if pair.certificate.exists() and pair.key.exists() and _good(pair, authority, subject, alternatives):
        return pair
    private = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(subject, authority.certificate.subject, private.public_key(), _LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    made = builder.sign(authority.key, hashes.SHA256())
    write_private(pair.key, _pem_key(private))
    write_private(pair.certificate, made.public_bytes(serialization.Encoding.PEM))
    return pair


def _good(pair: KeyPair, authority: _Authority, subject: x509.Name, alternatives: Sequence[x509.GeneralName]) -> bool:
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    if certificate.public_key() != key.public_key():  # a renewal was interrupted between the two files
        return False
    try:
        certificate.verify_directly_issued_by(authority.certificate)
        found = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        found = []
    except (InvalidSignature, ValueError, TypeError):  # signed by another authority, or damaged: renew it
        return False
    left = certificate.not_valid_after_utc - _now()
    return certificate.subject == subject and found == list(alternatives) and left > _RENEW_BEFORE


def _ensure_service_account(folder: Path) -> KeyPair:
    """Return an RSA key pair, because every consumer of such tokens accepts RS256. `certificate` is the public key."""
    pair = KeyPair(folder / "service-account.pub", folder / "service-account.key")
    if not (pair.certificate.exists() and pair.key.exists()):
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_private(pair.key, _pem_key(private))
        write_private(pair.certificate, public)
    return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    now = _now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
