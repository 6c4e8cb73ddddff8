import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Supplier;
import org.apache.kafka.common.message.DescribeProducersResponseData.ProducerState;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.FileRecords.TimestampAndOffset;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.common.OffsetAndEpoch;
import org.apache.kafka.server.common.RequestLocal;
import org.apache.kafka.server.common.TransactionVersion;
import org.apache.kafka.server.util.Scheduler;
import org.apache.kafka.storage.internals.log.AbortedTxn;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogAppendInfo;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.RecordValidationException;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.log.VerificationGuard;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/** One log of Apache Kafka, without a broker: the tests tell it what to append and when. JSON lines in and out. */
public final class ApacheLog {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Clock CLOCK = new Clock();
    private static UnifiedLog log;

    private ApacheLog() {}

    public static void main(String[] args) throws IOException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                JsonNode question = JSON.readTree(line);
                CLOCK.now = question.path("now").asLong(CLOCK.now);
                answer(question, answer);
            } catch (RecordValidationException failure) {
                answer.put("error", Errors.forException(failure.invalidException()).name());
                answer.put("records", failure.recordErrors().size());
                answer.put("message", failure.toString());
            } catch (Exception failure) {
                answer.put("error", Errors.forException(failure).name());
                answer.put("message", failure.toString());
            }
            out.println(answer);
        }
    }

    private static void answer(JsonNode question, ObjectNode answer) throws Exception {
        switch (question.get("do").asText()) {
            case "open" -> open(question);
            case "append" -> append(question, answer);
            case "find" -> find(question, answer);
            case "epoch" -> epoch(question, answer);
            case "state" -> state(answer);
            case "watermark" -> log.updateHighWatermark(question.get("offset").asLong());
            case "truncate" -> log.truncateTo(question.get("offset").asLong());
            case "roll" -> log.roll();
            case "close" -> close();
            default -> throw new IllegalArgumentException(question.toString());
        }
    }

    private static void open(JsonNode question) throws IOException {
        Properties settings = new Properties();
        for (Map.Entry<String, JsonNode> setting : question.get("config").properties()) {
            settings.setProperty(setting.getKey(), setting.getValue().asText());
        }
        log = UnifiedLog.create(
            new File(question.get("directory").asText()), new LogConfig(settings), 0L,
            question.path("recovery_point").asLong(0L), new NoScheduler(), new BrokerTopicStats(), CLOCK, 900_000,
            new ProducerStateManagerConfig(86_400_000, false), 600_000, new LogDirFailureChannel(1),
            question.path("clean").asBoolean(true), Optional.empty());
    }

    private static void append(JsonNode question, ObjectNode answer) throws IOException {
        ByteBuffer batches = ByteBuffer.wrap(HexFormat.of().parseHex(question.get("hex").asText()));
        AppendOrigin origin = AppendOrigin.valueOf(question.path("origin").asText("CLIENT"));
        LogAppendInfo info = log.appendAsLeader(
            MemoryRecords.readableRecords(batches), question.get("epoch").asInt(), origin,
            RequestLocal.noCaching(), VerificationGuard.SENTINEL, TransactionVersion.TV_0.featureLevel());
        answer.put("first", info.firstOffset());
        answer.put("last", info.lastOffset());
        answer.put("time", info.logAppendTime());
    }

    private static void find(JsonNode question, ObjectNode answer) {
        Optional<TimestampAndOffset> found =
            log.fetchOffsetByTimestamp(question.get("timestamp").asLong(), Optional.empty()).timestampAndOffsetOpt();
        found.ifPresent(place -> {
            answer.put("offset", place.offset);
            answer.put("timestamp", place.timestamp);
            answer.put("epoch", place.leaderEpoch.orElse(-1));
        });
    }

    private static void epoch(JsonNode question, ObjectNode answer) {
        Optional<OffsetAndEpoch> found = log.endOffsetForEpoch(question.get("epoch").asInt());
        answer.put("epoch", found.map(OffsetAndEpoch::epoch).orElse(-1));
        answer.put("offset", found.map(OffsetAndEpoch::offset).orElse(-1L));
    }

    private static void state(ObjectNode answer) throws IOException {
        answer.put("end", log.logEndOffset());
        answer.put("unstable", log.firstUnstableOffset().orElse(-1L));
        ObjectNode producers = answer.putObject("producers");
        for (ProducerState each : log.activeProducers()) {
            producers.putArray(Long.toString(each.producerId()))
                .add(each.producerEpoch()).add(each.lastSequence()).add(each.lastTimestamp())
                .add(each.coordinatorEpoch()).add(each.currentTxnStartOffset());
        }
        var aborted = answer.putArray("aborted");
        for (AbortedTxn each : log.collectAbortedTransactions(0L, log.logEndOffset())) {
            aborted.addArray().add(each.producerId()).add(each.firstOffset()).add(each.lastOffset())
                .add(each.lastStableOffset());
        }
    }

    private static void close() throws IOException {
        log.flush(true);
        log.takeProducerSnapshot();
        log.close();
    }

    private static final class Clock implements Time {
        private long now;

        @Override public long milliseconds() { return now; }
        @Override public long nanoseconds() { return now * 1_000_000; }
        @Override public void sleep(long ms) { now += ms; }
        @Override public void waitObject(Object object, Supplier<Boolean> condition, long deadline) { }
        @Override public <T> T waitForFuture(java.util.concurrent.Future<T> future, long deadline) {
            throw new UnsupportedOperationException();
        }
    }

    /** Nothing runs in the background: whatever the log would do later, it does not do. */
    private static final class NoScheduler implements Scheduler {
        @Override public void startup() { }
        @Override public void shutdown() { }
        @Override public void resizeThreadPool(int size) { }
        @Override public ScheduledFuture<?> schedule(String name, Runnable task, long delayMs, long periodMs) {
            if (delayMs <= 0 && periodMs < 0) {
                task.run();
            }
            return null;
        }
    }
}
