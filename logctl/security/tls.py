"""TLS, the client's side: whom to trust and who to be, from files as Java's and librdkafka's clients take them.

A store is known by its content, not by its name or its declared type: PEM by its armour, JKS by its magic number,
anything else is taken for PKCS#12. The standard library speaks TLS and reads PEM; PKCS#12 is taken apart by
`cryptography`, imported only then. JKS is refused with the line that converts it: it is a format of Java's own, with
a cipher of Java's own around the keys, that Java itself calls outdated.

Private keys never touch a disk here: what did not come from a PEM file is handed to OpenSSL, which wants a file name,
in memory where the system can do that (Linux), and otherwise in a file of mode 0600 that exists while it is read.
"""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from logctl.errors import UsageError
from logctl.security.secrets import Secret

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_JKS: Final = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
_VERSIONS: Final = {"TLSV1.2": ssl.TLSVersion.TLSv1_2, "TLSV1.3": ssl.TLSVersion.TLSv1_3}


class Store(NamedTuple):
    """Certificates, perhaps with a key: from a file, or as PEM text. `name`: of the property, for what goes wrong."""

    name: str
    path: str | None = None
    text: Secret | None = None
    password: Secret | None = None


class TlsSettings(NamedTuple):
    """`trust`: whose signature counts, the system's authorities when None. `identity`: our own certificate, with its
    key in the same store or in `key`."""

    trust: Store | None = None
    identity: Store | None = None
    key: Store | None = None
    key_password: Secret | None = None
    check_host_name: bool = True
    check_certificate: bool = True
    versions: tuple[str, ...] = ()


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of every connection to the cluster. Raises UsageError for what cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = settings.check_host_name and settings.check_certificate
    context.verify_mode = ssl.CERT_REQUIRED if settings.check_certificate else ssl.CERT_NONE
    _limit_versions(context, settings.versions)
    _trust(context, settings.trust)
    if settings.identity is not None:
        _identify(context, settings, settings.identity)
    return context


def _limit_versions(context: ssl.SSLContext, names: tuple[str, ...]) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not names:
        return
    known = sorted(_VERSIONS[name.upper()] for name in names if name.upper() in _VERSIONS)
    if not known:
        raise UsageError(f"ssl.enabled.protocols: none of {', '.join(names)} is offered", "use TLSv1.2 or TLSv1.3")
    context.minimum_version, context.maximum_version = known[0], known[-1]


# -- whom to trust -----------------------------------------------------------------------------------------------------


def _trust(context: ssl.SSLContext, store: Store | None) -> None:
    if store is None:
        context.load_default_certs()
        return
    if store.path is not None and os.path.isdir(store.path):
        context.load_verify_locations(capath=store.path)
        return
    data = _content(store)
    pem = _blocks(data, "CERTIFICATE") if _is_pem(data) else _unpacked(store, data).certificates
    if not pem:
        raise UsageError(f"{_where(store)}: there is no certificate in it")
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise UsageError(f"{_where(store)}: its certificates cannot be read ({_reason(error)})") from None


# -- who to be ---------------------------------------------------------------------------------------------------------


def _identify(context: ssl.SSLContext, settings: TlsSettings, store: Store) -> None:
    password = settings.key_password or store.password
    data = _content(store)
    if _is_pem(data):
        chain, key = _blocks(data, "CERTIFICATE"), _blocks(_content(settings.key or store), "PRIVATE KEY")
    else:
        chain, key = _unpacked(store, data)
    if not chain or not key:
        lacking = "certificate" if not chain else "private key"
        raise UsageError(f"{_where(store)}: there is no {lacking} in it", _HOW_TO_IDENTIFY)

    def reveal() -> str:
        if password is None:
            raise UsageError(f"{_where(settings.key or store)}: the private key is encrypted", "set ssl.key.password")
        return password.reveal()

    try:
        with _as_file(chain) as chain_path, _as_file(key) as key_path:
            context.load_cert_chain(chain_path, key_path, reveal)
    except ssl.SSLError as error:
        hint = "the certificate and the key must belong together, and ssl.key.password must fit"
        raise UsageError(f"{_where(store)}: its key cannot be loaded ({_reason(error)})", hint) from None


_HOW_TO_IDENTIFY: Final = (
    "a keystore in PEM holds the private key and the certificate chain; with librdkafka's names the key may stand "
    "in a file of its own, ssl.key.location"
)


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, data)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.name


# -- stores ------------------------------------------------------------------------------------------------------------


class _Unpacked(NamedTuple):
    """Both in PEM; the key is not encrypted, and empty where there is none."""

    certificates: bytes
    key: bytes


def _content(store: Store) -> bytes:
    if store.text is not None:
        data = store.text.reveal().encode()
        if not _is_pem(data):
            raise UsageError(f"{store.name} is not in PEM form", "it begins with -----BEGIN")
        return data
    assert store.path is not None
    try:
        with open(os.path.expanduser(store.path), "rb") as file:
            data = file.read()
    except OSError as error:
        raise UsageError(f"{_where(store)} cannot be read: {(error.strerror or str(error)).lower()}") from None
    if data.startswith(_JKS):
        path = store.path
        raise UsageError(
            f"{_where(store)} is in JKS, Java's own format, which only Java reads",
            f"convert it: keytool -importkeystore -srckeystore {path} -destkeystore {path}.p12 -deststoretype PKCS12",
        )
    return data


def _where(store: Store) -> str:
    return store.name if store.path is None else f"{store.name}: {store.path}"


def _is_pem(data: bytes) -> bool:
    return b"-----BEGIN " in data


def _blocks(data: bytes, kind: str) -> bytes:
    """The blocks whose label ends in `kind`, laid out as OpenSSL wants them: in .properties files the line breaks are
    usually gone."""
    found = []
    for match in _PEM.finditer(data):
        label, body = match[1], match[2]
        if not label.decode().endswith(kind):
            continue
        if b":" in body:  # headers of a key encrypted in the old way, whose lines matter
            found.append(match[0])
            continue
        packed = b"".join(body.split())
        lines = [packed[at : at + 64] for at in range(0, len(packed), 64)]
        found.append(b"\n".join((b"-----BEGIN " + label + b"-----", *lines, b"-----END " + label + b"-----")))
    return b"\n".join((*found, b"")) if found else b""


def _unpacked(store: Store, data: bytes) -> _Unpacked:
    try:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
    except ImportError:
        raise UsageError(
            f"{_where(store)}: PKCS#12 needs the package cryptography, which is not installed",
            "run: pip install cryptography, or give the certificates in PEM",
        ) from None
    password = store.password.reveal().encode() if store.password is not None else None
    try:
        held = pkcs12.load_pkcs12(data, password)
    except ValueError:
        raise UsageError(
            f"{_where(store)} cannot be opened: it is neither PEM nor PKCS#12, or its password is another",
            f"set {'ssl.truststore' if 'trust' in store.name or '.ca.' in store.name else 'ssl.keystore'}.password",
        ) from None
    every = ([held.cert] if held.cert else []) + list(held.additional_certs)
    chain = b"".join(one.certificate.public_bytes(Encoding.PEM) for one in every)
    key = b"" if held.key is None else held.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _Unpacked(chain, key)


def _reason(error: Exception) -> str:
    said = getattr(error, "reason", None) or str(error)
    return str(said).lower().replace("_", " ")
