"""Client properties: what -X, Apache's .properties files and contexts say about how to talk to a cluster.

Apache's names and librdkafka's are taken alike. A file made for Apache's tools works as it is: what means nothing here
but something to another client is passed over, and what means nothing to any client is warned about, because it is a
typing mistake. A flag is typed for this one command, so there it is refused. What was given later wins over what was
given before; the callers' order is file of the context, context, --command-config, -X.

Secrets are read last, and only those that the protocol needs (security/secret_sources). None appears in a message.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from logctl.admin.property_names import ALIASES, KNOWN_ELSEWHERE, USED, is_known, is_secret, near
from logctl.errors import UsageError
from logctl.security import secret_sources
from logctl.security.secret_sources import Ask, expanded, is_reference, resolve
from logctl.security.secrets import HIDDEN, Secret

if TYPE_CHECKING:
    from logctl.admin.channel import Access
    from logctl.security.sasl import Login
    from logctl.security.tls import Store, TlsSettings

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MODULES: Final = {
    "PlainLoginModule": ("PLAIN",),
    "ScramLoginModule": ("SCRAM-SHA-256", "SCRAM-SHA-512"),
}


class Given(NamedTuple):
    """A property and where it was given: 'admin.properties, line 3', 'context prod', '-X'."""

    name: str
    value: str
    origin: str


class ClientProperties(NamedTuple):
    """What the client is told about a cluster; None where nothing was said. `warnings`: sentences for the operator."""

    bootstrap_servers: str | None = None
    client_id: str = "logctl"
    protocol: str = "PLAINTEXT"
    tls: TlsSettings | None = None
    login: Login | None = None
    warnings: tuple[str, ...] = ()

    def access(self) -> Access:
        """How to enter the listeners. Raises UsageError for certificates that cannot be read."""
        from logctl.admin.channel import Access

        access = Access(self.tls, self.login)
        access.prepare()
        return access


class _Values(dict[str, Given]):
    """Apache's name -> what was given last; a later one stands behind the earlier ones."""

    def take(self, given: Given) -> None:
        name = ALIASES.get(given.name, given.name)
        self.pop(name, None)
        self[name] = given

    def text(self, name: str) -> str | None:
        given = self.get(name)
        return None if given is None else expanded(given.value, given.name)

    def secret(self, name: str, ask: Ask) -> Secret | None:
        given = self.get(name)
        return None if given is None else resolve(given.value, given.name, ask)

    def latest(self, *names: str) -> str | None:
        """Which of these was given last, if any was. What is empty was not given."""
        return next((name for name in reversed(self) if name in names and self[name].value), None)


# -- where properties come from ----------------------------------------------------------------------------------------


def from_flags(pairs: Iterable[str]) -> list[Given]:
    """Of -X name=value. Raises UsageError for what would be ignored, and for secrets: others can see a command line."""
    return [_flag(pair) for pair in pairs]


def _flag(pair: str) -> Given:
    name, equals, value = pair.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name:
        raise UsageError("-X: a property has the form name=value")
    _check_flag(name)
    if is_secret(name) and not _refers(name, value):
        raise UsageError(
            f"-X {name}: a secret on the command line can be seen by everybody on this machine",
            f"say where it is: {secret_sources.WAYS}; or put it into a file for --command-config",
        )
    return Given(name, value, "-X")


def _refers(name: str, value: str) -> bool:
    if is_reference(value) or not value:
        return True
    if name != "sasl.jaas.config":
        return False
    from logctl.security import jaas

    return is_reference(jaas.parse(value).options.get("password", ""))


def _check_flag(name: str) -> None:
    if name.endswith("timeout.ms"):
        raise UsageError(f"-X {name}: there is one timeout, for everything a command does", "give it as --timeout")
    if name in KNOWN_ELSEWHERE:
        raise UsageError(f"-X {name}: this property of other clients changes nothing in logctl")
    if name not in USED:
        raise UsageError(f"-X {name}: this is not a client property logctl knows", _guess(name))


def from_file(path: str) -> tuple[list[Given], list[str]]:
    """Of a .properties file, with warnings. Raises UsageError naming file and line of what cannot be read."""
    from logctl.admin import java_properties

    pairs = java_properties.read(path)
    given = [Given(name, value, f"{path}, line {line}") for name, value, line in pairs]
    warnings = unknown_names(given)
    if any(holds_secret(one.name, one.value) for one in given) and _is_open(path):
        warnings.append(f"{path} holds a secret, and others than its owner may read it; run: chmod 600 {path}")
    return given, warnings


def _is_open(path: str) -> bool:
    try:
        return secret_sources.others_may_enter(os.stat(path))
    except OSError:
        return False


def from_mapping(values: Mapping[str, str], origin: str) -> tuple[list[Given], list[str]]:
    """Of a context, with warnings."""
    given = [Given(name, value, origin) for name, value in values.items()]
    return given, unknown_names(given)


def unknown_names(given: Iterable[Given]) -> list[str]:
    return [
        f"{one.origin}: {one.name} is not a property of any client{'; ' + guess if (guess := _guess(one.name)) else ''}"
        for one in given
        if not is_known(one.name)
    ]


def _guess(name: str) -> str:
    candidates = near(name)
    return f"did you mean {' or '.join(candidates)}?" if candidates else ""


def holds_secret(name: str, value: str) -> bool:
    """Is this a secret itself, and not a note of where it is?"""
    return is_secret(name) and bool(value) and not is_reference(value)


def shown(name: str, value: str) -> str:
    """The value as it may be seen: of a secret nothing, of a reference to one where it leads."""
    return HIDDEN if holds_secret(name, value) else value


# -- what they say -----------------------------------------------------------------------------------------------------


def parse_properties(pairs: Iterable[str]) -> ClientProperties:
    """What -X alone says. Raises UsageError."""
    return assemble(from_flags(pairs), _nobody_to_ask)


def _nobody_to_ask(purpose: str) -> str:
    raise UsageError(f"{purpose}: there is nobody to ask for it")


def assemble(given: Iterable[Given], ask: Ask, warnings: Iterable[str] = ()) -> ClientProperties:
    """What all of them say together, later ones over earlier ones. Raises UsageError naming the property."""
    values = _Values()
    for one in given:
        values.take(one)
    protocol = _protocol(values)
    tls, said = _tls(values, ask) if protocol.endswith("SSL") else (None, [])
    return ClientProperties(
        bootstrap_servers=values.text("bootstrap.servers") or None,
        client_id=values.text("client.id") or "logctl",
        protocol=protocol,
        tls=tls,
        login=_login(values, ask) if protocol.startswith("SASL") else None,
        warnings=tuple(dict.fromkeys((*warnings, *said))),
    )


def _protocol(values: _Values) -> str:
    protocol = (values.text("security.protocol") or "PLAINTEXT").upper()
    if protocol not in PROTOCOLS:
        origin = values["security.protocol"].origin
        raise UsageError(f"{origin}: security.protocol is one of {', '.join(PROTOCOLS)}, not {protocol}")
    return protocol


def _tls(values: _Values, ask: Ask) -> tuple[TlsSettings, list[str]]:
    from logctl.security.tls import TlsSettings

    check_host_name, check_certificate = _checks(values)
    versions = (values.text("ssl.enabled.protocols") or "").split(",")
    settings = TlsSettings(
        trust=_store(values, ask, "ssl.truststore.password", "ssl.truststore.location", "ssl.truststore.certificates"),
        identity=_store(
            values, ask, "ssl.keystore.password",
            "ssl.keystore.location", "ssl.certificate.location", "ssl.keystore.certificate.chain",
        ),
        key=_store(values, ask, "", "ssl.key.location", "ssl.keystore.key"),
        key_password=values.secret("ssl.key.password", ask),
        check_host_name=check_host_name,
        check_certificate=check_certificate,
        versions=tuple(name.strip() for name in versions if name.strip()),
    )  # fmt: skip
    return settings, _tls_warnings(settings)


def _checks(values: _Values) -> tuple[bool, bool]:
    algorithm = values.text("ssl.endpoint.identification.algorithm")
    if algorithm is not None and algorithm.lower() not in ("", "none", "https"):
        raise UsageError(f"ssl.endpoint.identification.algorithm is https or empty, not {algorithm}")
    verification = (values.text("enable.ssl.certificate.verification") or "true").lower()
    return algorithm is None or algorithm.lower() == "https", verification != "false"


def _tls_warnings(settings: TlsSettings) -> list[str]:
    if not settings.check_certificate:
        return ["certificates are not checked: whoever stands in between can read and change everything"]
    if not settings.check_host_name:
        return ["host names of certificates are not checked: any trusted certificate passes for that of any broker"]
    return []


def _store(values: _Values, ask: Ask, password: str, *names: str) -> Store | None:
    from logctl.security.tls import Store

    name = values.latest(*names)
    if name is None:
        return None
    given = values[name]
    if name.endswith("location"):
        path = values.text(name)
        return Store(given.name, path=path, password=values.secret(password, ask) if password else None)
    return Store(given.name, text=values.secret(name, ask))


def _login(values: _Values, ask: Ask) -> Login:
    from logctl.security.sasl import Login, check_mechanism

    mechanism = check_mechanism(values.text("sasl.mechanism"))
    options = _jaas_options(values, mechanism, ask)
    user, password = values.text("sasl.username"), values.secret("sasl.password", ask)
    if values.latest("sasl.username", "sasl.jaas.config") == "sasl.jaas.config":
        user = expanded(options.get("username", ""), "sasl.jaas.config: username")
    if values.latest("sasl.password", "sasl.jaas.config") == "sasl.jaas.config" and "password" in options:
        password = resolve(options["password"], "sasl.jaas.config: password", ask)
    if not user:
        raise UsageError(f"{mechanism} needs a name to log in with", "set sasl.username, or sasl.jaas.config")
    if password is None:
        password = Secret(_asked(user, ask))
    return Login(mechanism, user, password)


def _asked(user: str, ask: Ask) -> str:
    try:
        return ask(f"password of {user}")
    except UsageError as error:
        raise UsageError(
            f"no password was given for {user}: {error.message}", f"set sasl.password to {secret_sources.WAYS}"
        ) from None


def _jaas_options(values: _Values, mechanism: str, ask: Ask) -> dict[str, str]:
    from logctl.security import jaas

    given = values.get("sasl.jaas.config")
    if given is None or not given.value:
        return {}
    text = resolve(given.value, given.name, ask).reveal() if is_reference(given.value) else given.value
    module, options = jaas.parse(text)
    if mechanism not in _MODULES.get(module, ()):
        raise UsageError(f"{given.origin}: sasl.jaas.config names {module}, which is not for {mechanism}")
    if options.get("tokenauth", "").lower() == "true":
        raise UsageError(f"{given.origin}: logctl does not log in with delegation tokens")
    return options
