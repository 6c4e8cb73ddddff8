"""An authority of the tests' own, and certificates by it, in the forms that Java and librdkafka take.

    authority = Authority(folder)
    authority.trust                          its certificate, a file in PEM
    authority.issue("localhost", ...)        Identity: .pem (key and chain), .certificate, .key, .p12(password)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate


class Identity(NamedTuple):
    """A certificate with its key. `pem` holds both, the key in PKCS#8 as Java wants it."""

    folder: Path
    name: str
    leaf: trustme.LeafCert

    @property
    def pem(self) -> Path:
        return self._written("pem", self.key_pem() + self.chain_pem())

    @property
    def certificate(self) -> Path:
        return self._written("crt", self.chain_pem())

    @property
    def key(self) -> Path:
        return self._written("key", self.key_pem())

    def locked(self, password: str) -> Path:
        """As `pem`, the key encrypted."""
        return self._written("locked.pem", self.key_pem(BestAvailableEncryption(password.encode())) + self.chain_pem())

    def p12(self, password: str) -> Path:
        certificates = [load_pem_x509_certificate(blob.bytes()) for blob in self.leaf.cert_chain_pems]
        store = pkcs12.serialize_key_and_certificates(
            b"logctl", self._key(), certificates[0], certificates[1:], BestAvailableEncryption(password.encode())
        )
        return self._written("p12", store)

    def key_pem(self, encryption: KeySerializationEncryption | None = None) -> bytes:
        return self._key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())

    def chain_pem(self) -> bytes:
        return b"".join(blob.bytes() for blob in self.leaf.cert_chain_pems)

    def _key(self) -> pkcs12.PKCS12PrivateKeyTypes:
        return load_pem_private_key(self.leaf.private_key_pem.bytes(), None)  # type: ignore[return-value]

    def _written(self, ending: str, data: bytes) -> Path:
        path = self.folder / f"{self.name}.{ending}"
        path.write_bytes(data)
        path.chmod(0o600)
        return path


class Authority:
    """Signs whatever it is asked to."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._ca = trustme.CA(organization_name=name)
        self.trust = folder / f"{name}.pem"
        self.trust.write_bytes(self._ca.cert_pem.bytes())

    def issue(self, *names: str, expired: bool = False) -> Identity:
        end = datetime.now(UTC) - timedelta(days=1) if expired else None
        begin = datetime.now(UTC) - timedelta(days=2) if expired else None
        leaf = self._ca.issue_cert(*names, common_name=names[0], not_before=begin, not_after=end)
        return Identity(self._folder, names[0] + ("-expired" if expired else ""), leaf)
