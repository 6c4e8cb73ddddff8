import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Calls what the Admin client can ask of one broker, one call after the other, for each address given, and prints an
 * answer a line: the call, and all that the result tells through its methods without parameters, as JSON. What failed
 * is told by the class of the failure.
 */
public final class AdminCalls {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int DEEPEST = 10;
    private static final Set<String> NOT_TOLD =
            Set.of("toString", "hashCode", "getClass", "notify", "notifyAll", "clone", "documentation", "synonyms");
    private static PrintStream out;

    private final String address;
    private final Admin admin;
    private final TopicPartition first = new TopicPartition("orders", 0);
    private final TopicPartition nowhere = new TopicPartition("nothing", 0);

    private AdminCalls(String address) {
        this.address = address;
        admin = Admin.create(settings(Map.of("default.api.timeout.ms", "20000", "request.timeout.ms", "10000")));
    }

    public static void main(String[] args) throws Exception {
        out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        for (String address : args) {
            AdminCalls calls = new AdminCalls(address);
            calls.topics();
            calls.records();
            calls.configs();
            calls.groups();
            calls.cluster();
            calls.others();
            calls.admin.close(Duration.ZERO);
        }
        System.exit(0);
    }

    private Map<String, Object> settings(Map<String, Object> more) {
        Map<String, Object> settings = new TreeMap<>(more);
        settings.put("bootstrap.servers", address);
        settings.put("retry.backoff.ms", "20");
        return settings;
    }

    private void topics() {
        call("createTopics", () -> admin.createTopics(List.of(
                new NewTopic("orders", 3, (short) 1).configs(Map.of("retention.ms", "3600000")),
                new NewTopic("by-default", Optional.empty(), Optional.empty()),
                new NewTopic("placed", Map.of(0, List.of(1), 1, List.of(1))))));
        call("createTopics wrong", () -> admin.createTopics(List.of(
                new NewTopic("orders", 1, (short) 1),
                new NewTopic("a name with spaces", 1, (short) 1),
                new NewTopic("no-partitions", 0, (short) 1),
                new NewTopic("too-many-replicas", 1, (short) 3),
                new NewTopic("placed-elsewhere", Map.of(0, List.of(77))),
                new NewTopic("unknown-config", 1, (short) 1).configs(Map.of("no.such", "1")),
                new NewTopic("wrong-config", 1, (short) 1).configs(Map.of("retention.ms", "soon")))));
        call("createTopics validateOnly",
                () -> admin.createTopics(List.of(new NewTopic("maybe", 2, (short) 1)), new CreateTopicsOptions().validateOnly(true)));
        call("listTopics", () -> admin.listTopics(new ListTopicsOptions().listInternal(false)));
        call("describeTopics by name", () -> admin.describeTopics(TopicCollection.ofTopicNames(List.of("orders", "placed", "nothing")),
                new DescribeTopicsOptions().includeAuthorizedOperations(true)));
        call("describeTopics by pages", () -> admin.describeTopics(TopicCollection.ofTopicNames(List.of("orders")),
                new DescribeTopicsOptions().partitionSizeLimitPerResponse(1)));
        call("describeTopics by id", () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(idOf("orders")))).topicIdValues().values());
        call("describeTopics by unknown id", () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(new Uuid(7, 7)))).topicIdValues().values());
        call("createPartitions", () -> admin.createPartitions(Map.of(
                "placed", NewPartitions.increaseTo(4),
                "orders", NewPartitions.increaseTo(2),
                "by-default", NewPartitions.increaseTo(2, List.of(List.of(77))),
                "nothing", NewPartitions.increaseTo(2))));
        call("createPartitions validateOnly", () -> admin.createPartitions(Map.of("orders", NewPartitions.increaseTo(9)),
                new CreatePartitionsOptions().validateOnly(true)));
        call("deleteTopics by name", () -> admin.deleteTopics(List.of("by-default", "nothing")));
        call("deleteTopics by id", () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(idOf("placed")))).topicIdValues().values());
        call("deleteTopics by unknown id", () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(new Uuid(7, 7)))).topicIdValues().values());
        call("listPartitionReassignments", () -> admin.listPartitionReassignments());
        call("alterPartitionReassignments", () -> admin.alterPartitionReassignments(Map.of(first, Optional.empty())));
    }

    private Uuid idOf(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).topicNameValues().get(topic).get().topicId();
    }

    private void records() throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings(Map.of()), new StringSerializer(), new StringSerializer())) {
            for (long number = 0; number < 5; number++) {
                producer.send(new ProducerRecord<>("orders", 0, 1_700_000_000_000L + (number == 3 ? 99 : number), "k", "v")).get();
            }
            call("describeProducers", () -> admin.describeProducers(List.of(first)));
        }
        call("describeProducers nowhere", () -> admin.describeProducers(List.of(nowhere), new DescribeProducersOptions().timeoutMs(500)));
        Map<String, OffsetSpec> specs = new TreeMap<>(Map.of(
                "earliest", OffsetSpec.earliest(), "latest", OffsetSpec.latest(), "maxTimestamp", OffsetSpec.maxTimestamp(),
                "earliestLocal", OffsetSpec.earliestLocal(), "latestTiered", OffsetSpec.latestTiered(),
                "earliestPendingUpload", OffsetSpec.earliestPendingUpload(),
                "forTimestamp", OffsetSpec.forTimestamp(1_700_000_000_001L), "too late", OffsetSpec.forTimestamp(1_800_000_000_000L)));
        specs.forEach((name, spec) -> call("listOffsets " + name, () -> admin.listOffsets(Map.of(first, spec))));
        call("listOffsets committed", () -> admin.listOffsets(Map.of(first, OffsetSpec.latest()),
                new ListOffsetsOptions(IsolationLevel.READ_COMMITTED)));
        call("listOffsets nowhere", () -> admin.listOffsets(Map.of(nowhere, OffsetSpec.latest()),
                new ListOffsetsOptions(IsolationLevel.READ_UNCOMMITTED).timeoutMs(500)));
        call("deleteRecords", () -> admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(2))).lowWatermarks());
        call("deleteRecords beyond", () -> admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(50))).lowWatermarks());
        call("describeLogDirs", () -> admin.describeLogDirs(List.of(1)).allDescriptions().get().values().iterator().next().values()
                .stream().map(dir -> dir.replicaInfos().entrySet().stream().filter(entry -> entry.getKey().topic().equals("orders"))
                        .collect(Collectors.toMap(entry -> entry.getKey().toString(), Map.Entry::getValue))).toList());
        call("describeLogDirs of nobody", () -> admin.describeLogDirs(List.of(77), new DescribeLogDirsOptions().timeoutMs(500)));
        TopicPartitionReplica here = new TopicPartitionReplica("orders", 0, 1);
        call("describeReplicaLogDirs", () -> admin.describeReplicaLogDirs(List.of(here, new TopicPartitionReplica("nothing", 0, 1))));
        call("alterReplicaLogDirs", () -> admin.alterReplicaLogDirs(Map.of(here, "/no/such/directory")));
    }

    private void configs() {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "orders");
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        ConfigResource everyBroker = new ConfigResource(ConfigResource.Type.BROKER, "");
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, "some-group");
        ConfigResource metrics = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "some-metrics");
        call("incrementalAlterConfigs", () -> admin.incrementalAlterConfigs(Map.of(
                topic, List.of(set("segment.bytes", "2000000"), remove("retention.ms"), append("cleanup.policy", "compact")),
                everyBroker, List.of(set("log.retention.hours", "99")),
                group, List.of(set("consumer.session.timeout.ms", "46000")),
                metrics, List.of(set("interval.ms", "1000")))));
        call("incrementalAlterConfigs wrong", () -> admin.incrementalAlterConfigs(Map.of(
                topic, List.of(set("segment.bytes", "none")),
                broker, List.of(set("log.dirs", "/elsewhere")),
                group, List.of(set("consumer.session.timeout.ms", "1")),
                metrics, List.of(set("no.such", "1")),
                new ConfigResource(ConfigResource.Type.TOPIC, "nothing"), List.of(set("segment.bytes", "2000000")))));
        call("incrementalAlterConfigs of nobody", () -> admin.incrementalAlterConfigs(
                Map.of(new ConfigResource(ConfigResource.Type.BROKER, "77"), List.of(set("log.retention.hours", "99"))),
                new AlterConfigsOptions().timeoutMs(500)));
        for (ConfigResource resource : List.of(topic, broker, everyBroker, group, metrics)) {
            call("describeConfigs " + resource, () -> entries(resource, new DescribeConfigsOptions()));
        }
        call("describeConfigs synonyms", () -> entries(topic, new DescribeConfigsOptions().includeSynonyms(true)).stream()
                .collect(Collectors.toMap(ConfigEntry::name, entry -> List.copyOf(entry.synonyms()))));
        call("describeConfigs nowhere", () -> admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.TOPIC, "nothing"))));
        call("listConfigResources", () -> admin.listConfigResources());
        call("listConfigResources groups", () -> admin.listConfigResources(Set.of(ConfigResource.Type.GROUP), new ListConfigResourcesOptions()));
        call("incrementalAlterConfigs back", () -> admin.incrementalAlterConfigs(Map.of(
                everyBroker, List.of(remove("log.retention.hours")), group, List.of(remove("consumer.session.timeout.ms")))));
    }

    private Collection<ConfigEntry> entries(ConfigResource resource, DescribeConfigsOptions options) throws Exception {
        return admin.describeConfigs(List.of(resource), options).all().get().get(resource).entries();
    }

    private static AlterConfigOp set(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    }

    private static AlterConfigOp append(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.APPEND);
    }

    private static AlterConfigOp remove(String name) {
        return new AlterConfigOp(new ConfigEntry(name, ""), AlterConfigOp.OpType.DELETE);
    }

    private KafkaConsumer<String, String> member(String group, Map<String, Object> more) {
        Map<String, Object> settings = settings(Map.of("group.id", group, "client.id", "member", "enable.auto.commit", "false",
                "auto.offset.reset", "earliest"));
        settings.putAll(more);
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of("orders"));
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (consumer.assignment().size() < 3 && System.nanoTime() < deadline) {
            consumer.poll(Duration.ofMillis(50));
        }
        consumer.commitSync(Map.of(first, new OffsetAndMetadata(4, "note")));
        return consumer;
    }

    private void groups() {
        Map<TopicPartition, OffsetAndMetadata> three = Map.of(first, new OffsetAndMetadata(3, Optional.of(0), "by hand"));
        call("alterConsumerGroupOffsets", () -> admin.alterConsumerGroupOffsets("empty", three));
        call("alterConsumerGroupOffsets nowhere", () -> admin.alterConsumerGroupOffsets("empty", Map.of(nowhere, new OffsetAndMetadata(1))));
        List<KafkaConsumer<String, String>> members = List.of(
                member("classic", Map.of()),
                member("fixed", Map.of("group.instance.id", "the-one")),
                member("modern", Map.of("group.protocol", "consumer")));
        try {
            List<String> all = List.of("classic", "fixed", "modern", "empty", "nobody");
            call("listGroups", () -> admin.listGroups());
            call("listGroups filtered", () -> admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER))));
            call("listGroups by state", () -> admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))));
            call("describeConsumerGroups", () -> admin.describeConsumerGroups(all, new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true)));
            call("describeClassicGroups", () -> admin.describeClassicGroups(all));
            call("describeShareGroups", () -> admin.describeShareGroups(all));
            call("describeStreamsGroups", () -> admin.describeStreamsGroups(all));
            call("listConsumerGroupOffsets", () -> admin.listConsumerGroupOffsets(Map.of("classic", new ListConsumerGroupOffsetsSpec(),
                    "empty", new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(first, nowhere)),
                    "nobody", new ListConsumerGroupOffsetsSpec())));
            call("alterConsumerGroupOffsets of the living", () -> admin.alterConsumerGroupOffsets("classic", three));
            call("alterConsumerGroupOffsets of the modern", () -> admin.alterConsumerGroupOffsets("modern", three));
            call("deleteConsumerGroupOffsets of the living", () -> admin.deleteConsumerGroupOffsets("classic", Set.of(first)));
            call("deleteConsumerGroupOffsets of the modern", () -> admin.deleteConsumerGroupOffsets("modern", Set.of(first)));
            call("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of("classic", "modern", "nobody")));
            call("removeMembersFromConsumerGroup unknown", () -> admin.removeMembersFromConsumerGroup("fixed",
                    new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("nobody")))));
            call("removeMembersFromConsumerGroup", () -> admin.removeMembersFromConsumerGroup("fixed",
                    new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("the-one")))));
            call("removeMembersFromConsumerGroup all", () -> {
                RemoveMembersFromConsumerGroupOptions everybody = new RemoveMembersFromConsumerGroupOptions();
                everybody.reason("a test");
                return admin.removeMembersFromConsumerGroup("classic", everybody);
            });
        } finally {
            members.forEach(member -> member.close(CloseOptions.timeout(Duration.ofSeconds(1))));
        }
        call("deleteConsumerGroupOffsets", () -> admin.deleteConsumerGroupOffsets("empty", Set.of(first)));
        call("deleteConsumerGroupOffsets of nobody", () -> admin.deleteConsumerGroupOffsets("nobody", Set.of(first)));
        call("deleteConsumerGroups empty", () -> admin.deleteConsumerGroups(List.of("empty", "fixed", "classic", "modern")));
        call("listGroups after", () -> admin.listGroups());
    }

    private void cluster() {
        call("describeCluster", () -> admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true)));
        call("describeFeatures", () -> admin.describeFeatures());
        call("updateFeatures nothing new", () -> admin.updateFeatures(Map.of("metadata.version", new FeatureUpdate((short) 30, FeatureUpdate.UpgradeType.UPGRADE)),
                new UpdateFeaturesOptions()));
        call("updateFeatures dry", () -> admin.updateFeatures(Map.of("group.version", new FeatureUpdate((short) 0, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE)),
                new UpdateFeaturesOptions().validateOnly(true)));
        call("updateFeatures wrong", () -> admin.updateFeatures(Map.of("group.version", new FeatureUpdate((short) 9, FeatureUpdate.UpgradeType.UPGRADE)),
                new UpdateFeaturesOptions()));
        call("updateFeatures unknown", () -> admin.updateFeatures(Map.of("no.such.feature", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)),
                new UpdateFeaturesOptions()));
        call("describeMetadataQuorum", () -> admin.describeMetadataQuorum());
        call("electLeaders", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(first, nowhere)));
        call("electLeaders unclean", () -> admin.electLeaders(ElectionType.UNCLEAN, Set.of(first)));
        call("electLeaders everywhere", () -> admin.electLeaders(ElectionType.PREFERRED, null));
        call("unregisterBroker unknown", () -> admin.unregisterBroker(77));
        call("clientInstanceId", () -> admin.clientInstanceId(Duration.ofMillis(500)));
    }

    private void others() {
        call("describeClientQuotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()));
        call("alterClientQuotas", () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(
                new ClientQuotaEntity(Map.of("user", "u")), List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6))))));
        call("describeUserScramCredentials", () -> admin.describeUserScramCredentials());
        call("describeUserScramCredentials of nobody", () -> admin.describeUserScramCredentials(List.of("nobody")).all());
        call("alterUserScramCredentials", () -> admin.alterUserScramCredentials(
                List.of(new UserScramCredentialDeletion("nobody", ScramMechanism.SCRAM_SHA_256))));
        call("describeAcls", () -> admin.describeAcls(AclBindingFilter.ANY));
        call("deleteAcls", () -> admin.deleteAcls(List.of(AclBindingFilter.ANY)));
        call("describeDelegationToken", () -> admin.describeDelegationToken());
        call("listTransactions", () -> admin.listTransactions());
        call("describeTransactions", () -> admin.describeTransactions(List.of("nobody")));
        call("fenceProducers", () -> admin.fenceProducers(List.of("nobody"), new FenceProducersOptions().timeoutMs(3000)));
    }

    private void call(String name, Callable<Object> question) {
        ObjectNode line = JSON.createObjectNode().put("address", address).put("call", name);
        try {
            line.set("answer", tree(question.call(), 0));
        } catch (Exception failure) {
            line.set("answer", failed(failure));
        }
        out.println(line);
    }

    private static JsonNode failed(Throwable failure) {
        boolean wrapped = failure instanceof ExecutionException || failure instanceof InvocationTargetException;
        return wrapped && failure.getCause() != null ? failed(failure.getCause())
                : JSON.createObjectNode().put("failure", failure.getClass().getSimpleName());
    }

    private static JsonNode tree(Object value, int depth) {
        if (value == null || depth > DEEPEST) {
            return JSON.nullNode();
        }
        if (value instanceof KafkaFuture<?> future) {
            try {
                return tree(future.get(30, TimeUnit.SECONDS), depth);
            } catch (Exception failure) {
                return failed(failure);
            }
        }
        if (value instanceof Throwable failure) {
            return failed(failure);
        }
        if (value instanceof Optional<?> optional) {
            return tree(optional.orElse(null), depth);
        }
        if (value instanceof Map<?, ?> map) {
            ObjectNode object = JSON.createObjectNode();
            new TreeMap<>(map.entrySet().stream().collect(Collectors.toMap(entry -> String.valueOf(entry.getKey()), Map.Entry::getValue)))
                    .forEach((key, one) -> object.set(key, tree(one, depth + 1)));
            return object;
        }
        if (value instanceof Collection<?> collection) {
            return several(collection, depth);
        }
        boolean itself = value instanceof TopicPartition || value instanceof ConfigResource || value instanceof Uuid;
        if (value instanceof Enum<?> || itself || !value.getClass().getName().startsWith("org.apache.kafka")) {
            return plain(value);
        }
        return members(value, depth);
    }

    private static JsonNode plain(Object value) {
        if (value instanceof OptionalInt || value instanceof OptionalLong) {
            return JSON.getNodeFactory().textNode(value.toString());
        }
        boolean simple = value instanceof Number || value instanceof Boolean;
        return simple ? JSON.valueToTree(value) : JSON.getNodeFactory().textNode(value.toString());
    }

    private static ArrayNode several(Collection<?> collection, int depth) {
        List<JsonNode> parts = new ArrayList<>();
        collection.forEach(one -> parts.add(tree(one, depth + 1)));
        Collections.sort(parts, (a, b) -> a.toString().compareTo(b.toString()));
        return JSON.createArrayNode().addAll(parts);
    }

    /** What an object of Kafka's tells by its public methods without parameters. */
    private static ObjectNode members(Object value, int depth) {
        Map<String, JsonNode> told = new TreeMap<>();
        for (Method method : value.getClass().getMethods()) {
            boolean getter = method.getParameterCount() == 0 && method.getReturnType() != void.class
                    && !Modifier.isStatic(method.getModifiers()) && !NOT_TOLD.contains(method.getName());
            if (getter && !method.isAnnotationPresent(Deprecated.class)) {
                told.put(method.getName(), asked(value, method, depth));
            }
        }
        ObjectNode object = JSON.createObjectNode();
        told.forEach(object::set);
        return object;
    }

    private static JsonNode asked(Object value, Method method, int depth) {
        try {
            method.setAccessible(true);
            return tree(method.invoke(value), depth + 1);
        } catch (ReflectiveOperationException failure) {
            return failed(failure);
        }
    }
}
