import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The Java producer and consumer, driven by the tests: one JSON question a line on standard input, one answer a line
 * on standard output. Bytes travel as base64. The questions are the methods named in {@link #answer}.
 */
public final class Clients {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<Integer, Reader> READERS = new HashMap<>();
    private static final Map<Integer, Stream> STREAMS = new HashMap<>();
    private static final Map<Integer, GroupMember> MEMBERS = new HashMap<>();
    private static int handles = 0;

    private Clients() {}

    public static void main(String[] args) throws IOException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // the logging facade must not talk into the answers
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                answer(JSON.readTree(line), answer);
            } catch (Exception failure) {
                answer.put("error", failure + (failure.getCause() == null ? "" : ", because: " + failure.getCause()));
            }
            out.println(answer);
        }
        System.exit(0);
    }

    private static void answer(JsonNode question, ObjectNode answer) throws Exception {
        switch (question.get("do").asText()) {
            case "send" -> send(question, answer);
            case "open" -> READERS.put(++handles, new Reader(question));
            case "next" -> READERS.get(question.get("handle").asInt()).next(question.get("timeout_ms").asLong(), answer);
            case "close" -> READERS.remove(question.get("handle").asInt()).close();
            case "offset_at" -> offsetAt(question, answer);
            case "stream" -> STREAMS.put(++handles, new Stream(question));
            case "acknowledged" -> answer.put("count", STREAMS.get(question.get("handle").asInt()).acknowledged.get());
            case "join" -> MEMBERS.put(++handles, new GroupMember(settings(question), question.get("topic").asText()));
            case "member" -> MEMBERS.get(question.get("handle").asInt()).answer(question, answer);
            case "stop" -> STREAMS.remove(question.get("handle").asInt()).stop(answer);
            default -> throw new IllegalArgumentException("unknown question " + question);
        }
        answer.put("handle", handles);
    }

    private static Map<String, Object> settings(JsonNode question) {
        Map<String, Object> settings = new HashMap<>();
        question.get("settings").properties().forEach(entry -> settings.put(entry.getKey(), entry.getValue().asText()));
        return settings;
    }

    private static KafkaProducer<byte[], byte[]> producer(JsonNode question) {
        return new KafkaProducer<>(settings(question), new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static KafkaConsumer<byte[], byte[]> consumer(JsonNode question) {
        return new KafkaConsumer<>(settings(question), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static byte[] bytes(JsonNode node) throws IOException {
        return node == null || node.isNull() ? null : node.binaryValue();
    }

    /** What a failure is called on the wire, or the client's own words when no broker said it. */
    private static String named(Throwable failure) {
        Errors error = Errors.forException(failure);
        return error == Errors.UNKNOWN_SERVER_ERROR ? failure.toString() : error.name();
    }

    private static void send(JsonNode question, ObjectNode answer) throws Exception {
        List<Future<RecordMetadata>> futures = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(question)) {
            for (JsonNode message : question.get("messages")) {
                futures.add(producer.send(record(message)));
            }
        }
        ArrayNode results = answer.putArray("results");
        for (Future<RecordMetadata> future : futures) {
            try {
                RecordMetadata metadata = future.get();
                results.addObject().put("offset", metadata.offset());
            } catch (ExecutionException failure) {
                results.addObject().put("error", named(failure.getCause()));
            }
        }
    }

    private static ProducerRecord<byte[], byte[]> record(JsonNode message) throws IOException {
        Integer partition = message.get("partition").isNull() ? null : message.get("partition").asInt();
        Long timestamp = message.get("timestamp_ms").isNull() ? null : message.get("timestamp_ms").asLong();
        List<Header> headers = new ArrayList<>();
        for (JsonNode header : message.get("headers")) {
            headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
        }
        String topic = message.get("topic").asText();
        byte[] key = bytes(message.get("key"));
        return new ProducerRecord<>(topic, partition, timestamp, key, bytes(message.get("value")), headers);
    }

    private static void offsetAt(JsonNode question, ObjectNode answer) {
        TopicPartition where = new TopicPartition(question.get("topic").asText(), question.get("partition").asInt());
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(question)) {
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(where, question.get("timestamp_ms").asLong())).get(where);
            answer.put("offset", found == null ? null : (Long) found.offset());
        }
    }

    /** A consumer of one assigned partition, handing out record by record. */
    private static final class Reader {
        final KafkaConsumer<byte[], byte[]> consumer;
        private final Queue<ConsumerRecord<byte[], byte[]>> waiting = new ArrayDeque<>();

        Reader(JsonNode question) {
            consumer = consumer(question);
            TopicPartition where = new TopicPartition(question.get("topic").asText(), question.get("partition").asInt());
            consumer.assign(List.of(where));
            switch (question.get("start").asText()) {
                case "beginning" -> consumer.seekToBeginning(List.of(where));
                case "end" -> consumer.seekToEnd(List.of(where));
                default -> consumer.seek(where, question.get("start").asLong());
            }
            consumer.position(where); // seeking is lazy: settle it now
        }

        /** Without waiting for the fetch that is parked at the broker. */
        void close() {
            consumer.close(CloseOptions.timeout(Duration.ofMillis(50)));
        }

        void next(long timeoutMs, ObjectNode answer) {
            if (waiting.isEmpty()) {
                consumer.poll(Duration.ofMillis(timeoutMs)).forEach(waiting::add);
            }
            ConsumerRecord<byte[], byte[]> record = waiting.poll();
            if (record == null) {
                return;
            }
            ObjectNode said = answer.putObject("record");
            said.put("offset", record.offset()).put("timestamp_ms", record.timestamp());
            said.put("key", record.key()).put("value", record.value());
            ArrayNode headers = said.putArray("headers");
            record.headers().forEach(header -> headers.addArray().add(header.key()).add(header.value()));
        }
    }

    /** Sends numbers, a window of them on their way at any time, and keeps the history until it is asked to stop. */
    private static final class Stream implements Runnable {
        final AtomicLong acknowledged = new AtomicLong();
        private final KafkaProducer<byte[], byte[]> producer;
        private final String topic;
        private final int partitions;
        private final long first;
        private final long pauseMs;
        private final Semaphore room = new Semaphore(100);
        private final List<Object[]> sends = Collections.synchronizedList(new ArrayList<>());
        private final Thread thread = new Thread(this);
        private volatile boolean stopping = false;

        Stream(JsonNode question) {
            producer = producer(question);
            topic = question.get("topic").asText();
            partitions = question.get("partitions").asInt();
            first = question.get("first").asLong();
            pauseMs = question.get("pause_ms").asLong();
            thread.start();
        }

        @Override
        public void run() {
            try (producer) {
                for (long value = first; !stopping; value++) {
                    room.acquire();
                    sendOne(value);
                    if (pauseMs > 0) {
                        Thread.sleep(pauseMs);
                    }
                }
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        }

        private void sendOne(long value) {
            int partition = (int) (value % partitions);
            byte[] text = Long.toString(value).getBytes(StandardCharsets.US_ASCII);
            Object[] send = {partition, value, System.nanoTime(), null, null, null};
            sends.add(send);
            producer.send(new ProducerRecord<>(topic, partition, text, text), (metadata, failure) -> {
                send[3] = System.nanoTime();
                send[4] = failure == null ? metadata.offset() : null;
                send[5] = failure == null ? null : named(failure);
                if (failure == null) {
                    acknowledged.incrementAndGet();
                }
                room.release();
            });
        }

        void stop(ObjectNode answer) throws InterruptedException {
            stopping = true;
            thread.join();
            answer.set("sends", JSON.valueToTree(sends));
        }
    }
}
