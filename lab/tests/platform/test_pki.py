"""Certificates of the platform: kept while they are valid, otherwise renewed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lab import pki
from lab.errors import LabError
from lab.home import LabHome
from lab.pki import KeyPair


def belong_together(pair: KeyPair) -> bool:
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    return certificate.public_key() == serialization.load_pem_private_key(pair.key.read_bytes(), None).public_key()


def test_valid_certificates_are_kept(tmp_path: Path) -> None:
    home = LabHome.open(tmp_path / "lab")
    pki.ensure(home)
    before = {path: path.read_bytes() for path in home.pki.iterdir()}
    pki.ensure(home)
    assert {path: path.read_bytes() for path in home.pki.iterdir()} == before


def test_a_certificate_with_another_key_is_renewed(tmp_path: Path) -> None:
    home = LabHome.open(tmp_path / "lab")
    made = pki.ensure(home)
    untouched = made.admin.certificate.read_bytes()
    shutil.copyfile(made.keycloak.key, made.etcd.key)  # as after a renewal that was killed between the two files
    assert not belong_together(made.etcd)
    made = pki.ensure(home)
    assert belong_together(made.etcd)
    assert made.etcd.key.read_bytes() != made.keycloak.key.read_bytes()
    assert made.admin.certificate.read_bytes() == untouched


def test_an_authority_with_another_key_is_reported(tmp_path: Path) -> None:
    home = LabHome.open(tmp_path / "lab")
    made = pki.ensure(home)
    shutil.copyfile(made.etcd.key, home.pki / "ca.key")
    with pytest.raises(LabError, match=r"ca\.key is not the key of .*reset"):
        pki.ensure(home)
