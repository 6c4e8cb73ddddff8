import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A member of a group that polls in a thread of its own, notes what happens to it and, when told so, commits what it
 * was handed after each poll that handed it something. The consumer is touched by that thread alone; what the story
 * wants of it waits in {@code orders}.
 */
final class GroupMember implements Runnable, ConsumerRebalanceListener {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ByteArrayDeserializer BYTES = new ByteArrayDeserializer();
    private static final Duration POLL = Duration.ofMillis(100);

    private final Map<String, Object> settings;
    private final String topic;
    private final boolean commits;
    private final List<Object[]> events = Collections.synchronizedList(new ArrayList<>());
    private final Queue<FutureTask<Object>> orders = new ConcurrentLinkedQueue<>();
    private final Map<Integer, Long> positions = new HashMap<>();
    private final Set<Integer> held = new HashSet<>();
    private final Thread thread = new Thread(this);
    private KafkaConsumer<byte[], byte[]> consumer;
    private volatile boolean leaving = false;
    private volatile Throwable failure = null;

    GroupMember(Map<String, Object> settings, String topic) {
        this.settings = settings;
        this.topic = topic;
        commits = Boolean.parseBoolean((String) settings.remove("commits"));
        thread.setDaemon(true);
        thread.start();
    }

    void answer(JsonNode question, ObjectNode answer) throws Exception {
        switch (question.get("wants").asText()) {
            case "events" -> {}
            case "commit" -> answer.set("committed", JSON.valueToTree(order(this::commit)));
            case "seek" -> order(() -> seek(question.get("partition").asInt(), question.get("offset").asLong()));
            case "leave" -> {
                leaving = true;
                thread.join();
            }
            default -> throw new IllegalArgumentException("unknown question " + question);
        }
        if (failure != null) {
            throw new IllegalStateException("the member failed", failure);
        }
        int from = question.get("from").asInt();
        List<?> soFar = new ArrayList<>(events);
        answer.set("events", JSON.valueToTree(soFar.subList(from, soFar.size())));
    }

    @Override
    public void run() {
        try (KafkaConsumer<byte[], byte[]> mine = new KafkaConsumer<>(settings, BYTES, BYTES)) {
            consumer = mine;
            consumer.subscribe(List.of(topic), this);
            while (!leaving) {
                turn();
            }
        } catch (RuntimeException died) {
            failure = died;
        }
    }

    private void turn() {
        for (FutureTask<Object> order = orders.poll(); order != null; order = orders.poll()) {
            order.run();
        }
        ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
        for (ConsumerRecord<byte[], byte[]> record : records) {
            positions.put(record.partition(), record.offset() + 1);
            note("read", Map.of(record.partition(), record.offset()), new String(record.value(), StandardCharsets.UTF_8));
        }
        if (commits && !records.isEmpty()) {
            try {
                commit();
            } catch (KafkaException refused) {
                note("failed", Map.of(), refused.toString());
            }
        }
    }

    private Map<Integer, Long> commit() {
        Map<Integer, Long> told = new HashMap<>(positions);
        told.keySet().retainAll(held);
        if (!told.isEmpty()) {
            Map<TopicPartition, OffsetAndMetadata> wanted = new HashMap<>();
            told.forEach((partition, offset) -> wanted.put(new TopicPartition(topic, partition), new OffsetAndMetadata(offset)));
            consumer.commitSync(wanted, Duration.ofSeconds(30));
            note("committed", told, "");
        }
        return told;
    }

    private Object seek(int partition, long offset) {
        consumer.seek(new TopicPartition(topic, partition), offset);
        return positions.put(partition, offset);
    }

    private Object order(Callable<Object> order) throws Exception {
        FutureTask<Object> task = new FutureTask<>(order);
        orders.add(task);
        return task.get(60, TimeUnit.SECONDS);
    }

    private void note(String what, Map<Integer, Long> offsets, String value) {
        events.add(new Object[] {System.nanoTime(), what, offsets, value});
    }

    private void noteRebalance(String what, Collection<TopicPartition> partitions) {
        Map<Integer, Long> named = new HashMap<>();
        for (TopicPartition partition : partitions) {
            named.put(partition.partition(), 0L);
            positions.remove(partition.partition());
        }
        note(what, named, "");
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        partitions.forEach(partition -> held.add(partition.partition()));
        noteRebalance("assigned", partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        partitions.forEach(partition -> held.remove(partition.partition()));
        noteRebalance("revoked", partitions);
    }
}
