"""The names of client properties: those that say something to an admin client, and those that other clients know.

A file made for Apache's tools, or for a client built on librdkafka, holds names that mean nothing here (of producers
and consumers, of buffers, of timeouts). They are told from names that mean nothing anywhere: typing mistakes.
"""

from __future__ import annotations

from typing import Final

_USED: Final = """
bootstrap.servers metadata.broker.list client.id security.protocol sasl.mechanism sasl.mechanisms sasl.username
sasl.password sasl.jaas.config ssl.truststore.type ssl.truststore.location ssl.truststore.password
ssl.truststore.certificates ssl.ca.location ssl.ca.pem ssl.keystore.type ssl.keystore.location ssl.keystore.password
ssl.keystore.certificate.chain ssl.keystore.key ssl.key.password ssl.certificate.location ssl.certificate.pem
ssl.key.location ssl.key.pem ssl.endpoint.identification.algorithm enable.ssl.certificate.verification
ssl.enabled.protocols
"""
USED: Final = frozenset(_USED.split())
"""What logctl itself acts on."""

_KNOWN_ELSEWHERE: Final = """
acks allow.auto.create.topics api.version.fallback.ms api.version.request api.version.request.timeout.ms
auto.commit.enable auto.commit.interval.ms auto.offset.reset background_event_cb batch.num.messages batch.size
bootstrap.controllers broker.address.family broker.address.ttl broker.version.fallback buffer.memory
builtin.features check.crcs client.dns.lookup client.rack closesocket_cb compression.codec compression.gzip.level
compression.level compression.lz4.level compression.type compression.zstd.level config.providers connect_cb
connections.max.idle.ms consume.callback.max.messages consume_cb coordinator.query.interval.ms debug
default.api.timeout.ms default_topic_conf delivery.report.only.error delivery.timeout.ms dr_cb dr_msg_cb
enable.auto.commit enable.auto.offset.store enable.gapless.guarantee enable.idempotence enable.metrics.push
enable.partition.eof enable.random.seed enable.sasl.oauthbearer.unsecure.jwt enabled_events error_cb
exclude.internal.topics fetch.error.backoff.ms fetch.max.bytes fetch.max.wait.ms fetch.message.max.bytes
fetch.min.bytes fetch.queue.backoff.ms fetch.wait.max.ms group.id group.instance.id group.protocol
group.protocol.type group.remote.assignor heartbeat.interval.ms https.ca.location https.ca.pem interceptor.classes
interceptors internal.termination.signal internal.throw.on.fetch.stable.offset.unsupported isolation.level
key.deserializer key.serializer linger.ms log.connection.close log.queue log.thread.name log_cb log_level
max.block.ms max.in.flight max.in.flight.requests.per.connection max.partition.fetch.bytes max.poll.interval.ms
max.poll.records max.request.size message.copy.max.bytes message.max.bytes message.send.max.retries
message.timeout.ms metadata.max.age.ms metadata.max.idle.ms metadata.recovery.rebootstrap.trigger.ms
metadata.recovery.strategy metric.reporters metrics.num.samples metrics.recording.level metrics.sample.window.ms
msg_order_cmp oauthbearer_token_refresh_cb offset.store.method offset.store.path offset.store.sync.interval.ms
offset_commit_cb opaque open_cb partition.assignment.strategy partitioner partitioner.adaptive.partitioning.enable
partitioner.availability.timeout.ms partitioner.class partitioner.ignore.keys partitioner_cb plugin.library.paths
produce.offset.report queue.buffering.backpressure.threshold queue.buffering.max.kbytes queue.buffering.max.messages
queue.buffering.max.ms queued.max.messages.kbytes queued.min.messages queuing.strategy rebalance_cb
receive.buffer.bytes receive.message.max.bytes reconnect.backoff.jitter.ms reconnect.backoff.max.ms
reconnect.backoff.ms request.required.acks request.timeout.ms resolve_cb retries retry.backoff.max.ms
retry.backoff.ms sasl.client.callback.handler.class sasl.kerberos.keytab sasl.kerberos.kinit.cmd
sasl.kerberos.min.time.before.relogin sasl.kerberos.principal sasl.kerberos.service.name
sasl.kerberos.ticket.renew.jitter sasl.kerberos.ticket.renew.window.factor sasl.login.callback.handler.class
sasl.login.class sasl.login.connect.timeout.ms sasl.login.read.timeout.ms sasl.login.refresh.buffer.seconds
sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor sasl.login.refresh.window.jitter
sasl.login.retry.backoff.max.ms sasl.login.retry.backoff.ms sasl.oauthbearer.assertion.algorithm
sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds
sasl.oauthbearer.assertion.claim.iss sasl.oauthbearer.assertion.claim.jti.include
sasl.oauthbearer.assertion.claim.nbf.seconds sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file
sasl.oauthbearer.assertion.jwt.template.file sasl.oauthbearer.assertion.private.key.file
sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.private.key.pem
sasl.oauthbearer.assertion.template.file sasl.oauthbearer.client.credentials.client.id
sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.client.id sasl.oauthbearer.client.secret
sasl.oauthbearer.clock.skew.seconds sasl.oauthbearer.config sasl.oauthbearer.expected.audience
sasl.oauthbearer.expected.issuer sasl.oauthbearer.extensions sasl.oauthbearer.grant.type
sasl.oauthbearer.header.urlencode sasl.oauthbearer.jwks.endpoint.refresh.ms
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms sasl.oauthbearer.jwks.endpoint.retry.backoff.ms
sasl.oauthbearer.jwks.endpoint.url sasl.oauthbearer.jwt.retriever.class sasl.oauthbearer.jwt.validator.class
sasl.oauthbearer.metadata.authentication.type sasl.oauthbearer.method sasl.oauthbearer.scope
sasl.oauthbearer.scope.claim.name sasl.oauthbearer.sub.claim.name sasl.oauthbearer.token.endpoint.url
security.providers send.buffer.bytes session.timeout.ms share.acknowledgement.mode share.acquire.mode
socket.blocking.max.ms socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms
socket.keepalive.enable socket.max.fails socket.nagle.disable socket.receive.buffer.bytes socket.send.buffer.bytes
socket.timeout.ms socket_cb ssl.ca.certificate.stores ssl.certificate.verify_cb ssl.cipher.suites ssl.crl.location
ssl.curves.list ssl.engine.factory.class ssl.engine.id ssl.engine.location ssl.keymanager.algorithm ssl.protocol
ssl.provider ssl.providers ssl.secure.random.implementation ssl.sigalgs.list ssl.trustmanager.algorithm ssl_ca
ssl_certificate ssl_engine_callback_data ssl_key statistics.interval.ms stats_cb sticky.partitioning.linger.ms
throttle_cb topic.blacklist topic.metadata.propagation.max.ms topic.metadata.refresh.fast.cnt
topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.interval.ms topic.metadata.refresh.sparse
transaction.timeout.ms transaction.two.phase.commit.enable transactional.id value.deserializer value.serializer
"""
KNOWN_ELSEWHERE: Final = frozenset(_KNOWN_ELSEWHERE.split())
"""What the Java clients of Apache Kafka 4.3 and librdkafka 2 take besides."""

ALIASES: Final = {
    "metadata.broker.list": "bootstrap.servers",
    "sasl.mechanisms": "sasl.mechanism",
    "ssl.ca.location": "ssl.truststore.location",
    "ssl.ca.pem": "ssl.truststore.certificates",
    "ssl.certificate.pem": "ssl.keystore.certificate.chain",
    "ssl.key.pem": "ssl.keystore.key",
}
"""librdkafka's name -> Apache's name of the same thing."""

_SECRET_ENDINGS: Final = ("password", "secret", "private.key.passphrase")
_SECRET_NAMES: Final = frozenset(("sasl.jaas.config", "ssl.keystore.key", "ssl.key.pem", "sasl.oauthbearer.config"))
_PREFIXES_OF_PLUGINS: Final = ("config.providers.", "interceptor.", "metrics.", "schema.registry.", "basic.auth.")


def is_secret(name: str) -> bool:
    """Does the value of this property let somebody in?"""
    return name in _SECRET_NAMES or name.endswith(_SECRET_ENDINGS)


def is_known(name: str) -> bool:
    """Is this the name of a property of some client?"""
    return name in USED or name in KNOWN_ELSEWHERE or name.startswith(_PREFIXES_OF_PLUGINS)


def near(name: str) -> list[str]:
    """Known names that look like `name`, the likeliest first."""
    import difflib

    return difflib.get_close_matches(name, USED, 3, 0.75) or difflib.get_close_matches(name, KNOWN_ELSEWHERE, 3, 0.8)
