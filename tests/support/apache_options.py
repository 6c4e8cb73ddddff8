"""What Apache Kafka 4.3 has: the scripts of its bin folder, and the options that each of them takes."""

from __future__ import annotations

from typing import Final

EVERYWHERE: Final = frozenset({
    "help", "version", "bootstrap-server", "bootstrap-controller", "command-config", "timeout",
    "dry-run", "execute", "force",
})  # fmt: skip
"""Options of many scripts."""

OPTIONS: Final = {
    "kafka-acls": (
        "add allow-host allow-principal cluster consumer delegation-token deny-host deny-principal group "
        "idempotent list operation principal producer remove resource-pattern-type topic transactional-id "
        "user-principal"
    ),
    "kafka-client-metrics": "alter delete describe generate-name interval list match metrics name",
    "kafka-cluster": "config id include-fenced-brokers",
    "kafka-configs": (
        "add-config add-config-file all alter broker broker-defaults broker-logger client client-defaults "
        "client-metrics delete-config describe entity-default entity-name entity-type group ip ip-defaults topic "
        "user user-defaults"
    ),
    "kafka-console-consumer": (
        "command-property consumer-property consumer.config enable-systest-events formatter formatter-config "
        "formatter-property from-beginning group include isolation-level key-deserializer max-messages offset "
        "partition property skip-message-on-error timeout-ms topic value-deserializer"
    ),
    "kafka-console-producer": (
        "batch-size command-property compression-codec line-reader max-block-ms max-memory-bytes "
        "max-partition-memory-bytes message-send-max-retries metadata-expiry-ms producer-property producer.config "
        "property reader-config reader-property request-required-acks request-timeout-ms retry-backoff-ms "
        "socket-buffer-size sync topic"
    ),
    "kafka-console-share-consumer": (
        "command-property consumer-config consumer-property enable-systest-events formatter formatter-config "
        "formatter-property group key-deserializer max-messages property reject reject-message-on-error release "
        "timeout-ms topic value-deserializer"
    ),
    "kafka-consumer-groups": (
        "all-groups all-topics by-duration delete delete-offsets describe export from-file group list members "
        "offsets reset-offsets shift-by state to-current to-datetime to-earliest to-latest to-offset topic type "
        "validate-regex verbose"
    ),
    "kafka-consumer-perf-test": (
        "command-property consumer.config date-format fetch-size from-latest group hide-header include messages "
        "num-records print-metrics reporting-interval show-detailed-stats socket-buffer-size topic"
    ),
    "kafka-delegation-tokens": (
        "create describe expire expiry-time-period hmac max-life-time-period owner-principal renew "
        "renew-time-period renewer-principal"
    ),
    "kafka-delete-records": "offset-json-file",
    "kafka-dump-log": (
        "cluster-metadata-decoder deep-iteration files index-sanity-check key-decoder-class max-bytes "
        "max-message-size offsets-decoder print-data-log remote-log-metadata-decoder share-group-state-decoder "
        "skip-record-metadata transaction-log-decoder value-decoder-class verify-index-only"
    ),
    "kafka-features": "feature metadata node-id release-version unsafe",
    "kafka-get-offsets": "exclude-internal-topics partitions time topic topic-partitions",
    "kafka-groups": "consumer group-type list protocol share streams",
    "kafka-jmx": (
        "attributes date-format jmx-auth-prop jmx-ssl-enable jmx-url object-name one-time report-format "
        "reporting-interval wait"
    ),
    "kafka-leader-election": "admin.config all-topic-partitions election-type partition path-to-json-file topic",
    "kafka-log-dirs": "broker-list describe topic-list",
    "kafka-metadata-quorum": "controller-directory-id controller-id human-readable replication status",
    "kafka-producer-perf-test": (
        "command-property num-records payload-delimiter payload-file payload-monotonic print-metrics "
        "producer-props producer.config record-size reporting-interval throughput topic transaction-duration-ms "
        "transactional-id warmup-records"
    ),
    "kafka-reassign-partitions": (
        "additional broker-list cancel disable-rack-aware disallow-replication-factor-change generate list "
        "preserve-throttles reassignment-json-file replica-alter-log-dirs-throttle throttle "
        "topics-to-move-json-file verify"
    ),
    "kafka-replica-verification": "broker-list fetch-size max-wait-ms report-interval-ms time topics-include",
    "kafka-server-start": "override",
    "kafka-server-stop": "node-id process-role",
    "kafka-share-consumer-perf-test": (
        "command-property consumer.config date-format fetch-size group hide-header messages num-records "
        "print-metrics reporting-interval show-consumer-stats show-detailed-stats socket-buffer-size threads "
        "topic"
    ),
    "kafka-share-groups": (
        "all-groups all-topics delete delete-offsets describe group list members offsets reset-offsets state "
        "to-datetime to-earliest to-latest topic verbose"
    ),
    "kafka-storage": (
        "add-scram cluster-id config feature ignore-formatted initial-controllers no-initial-controllers "
        "release-version standalone"
    ),
    "kafka-streams-application-reset": (
        "application-id by-duration config-file from-file input-topics intermediate-topics internal-topics "
        "shift-by to-datetime to-earliest to-latest to-offset"
    ),
    "kafka-streams-groups": (
        "all-groups all-input-topics by-duration delete delete-all-internal-topics delete-internal-topic "
        "delete-offsets describe export from-file group input-topic list members offsets reset-offsets shift-by "
        "state to-current to-datetime to-earliest to-latest to-offset verbose"
    ),
    "kafka-topics": (
        "alter at-min-isr-partitions config create delete delete-config describe exclude-internal if-exists "
        "if-not-exists list partition-size-limit-per-response partitions replica-assignment replication-factor "
        "topic topic-id topics-with-overrides unavailable-partitions under-min-isr-partitions "
        "under-replicated-partitions"
    ),
    "kafka-transactions": (
        "broker-id coordinator-epoch duration-filter max-transaction-timeout partition producer-epoch producer-id "
        "start-offset topic transactional-id transactional-id-pattern"
    ),
    "kafka-verifiable-consumer": (
        "assignment-strategy consumer.config enable-autocommit group-id group-instance-id group-protocol "
        "group-remote-assignor max-messages reset-policy session-timeout topic verbose"
    ),
    "kafka-verifiable-producer": (
        "acks max-messages message-create-time producer.config repeating-keys throughput topic value-prefix"
    ),
    "kafka-verifiable-share-consumer": "acknowledgement-mode group-id max-messages offset-reset-strategy topic verbose",
}
"""Script -> its options, without those of EVERYWHERE; those of its subcommands together."""

SCRIPTS: Final = (
    *OPTIONS,
    *["kafka-broker-api-versions", "kafka-e2e-latency", "kafka-metadata-shell", "kafka-run-class", "trogdor"],
    *["connect-distributed", "connect-mirror-maker", "connect-plugin-path", "connect-standalone"],
)
"""Every script of the distribution."""
