import java.nio.ByteBuffer;
import java.util.Map;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.ControlRecordUtils;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.share.ShareCoordinatorRecordSerde;
import org.apache.kafka.coordinator.transaction.TransactionCoordinatorRecordSerde;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/**
 * Reads stored records in their frames with Apache Kafka's own serdes and writes them again.
 *
 * A record with a key is given and returned as int32 size of the key, key, value.
 */
final class Frames {
    private static final Map<String, CoordinatorRecordSerde> COORDINATORS = Map.of(
        "groups", new GroupCoordinatorRecordSerde(),
        "transactions", new TransactionCoordinatorRecordSerde(),
        "share", new ShareCoordinatorRecordSerde());

    private Frames() { }

    static byte[] rewrite(String frame, byte[] bytes) {
        if (frame.equals("metadata")) {
            return metadata(bytes);
        }
        ByteBuffer given = ByteBuffer.wrap(bytes);
        byte[] key = new byte[given.getInt()];
        given.get(key);
        byte[] value = new byte[given.remaining()];
        given.get(value);
        return frame.equals("control") ? control(key, value) : coordinator(COORDINATORS.get(frame), key, value);
    }

    private static byte[] metadata(byte[] bytes) {
        MetadataRecordSerde serde = MetadataRecordSerde.INSTANCE;
        ByteBufferAccessor given = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
        ApiMessageAndVersion record = serde.read(given, bytes.length);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer again = ByteBuffer.allocate(serde.recordSize(record, cache));
        serde.write(record, cache, new ByteBufferAccessor(again));
        return again.array();
    }

    private static byte[] coordinator(CoordinatorRecordSerde serde, byte[] key, byte[] value) {
        CoordinatorRecord record = serde.deserialize(ByteBuffer.wrap(key), ByteBuffer.wrap(value));
        return joined(serde.serializeKey(record), serde.serializeValue(record));
    }

    private static byte[] control(byte[] key, byte[] value) {
        ControlRecordType kind = ControlRecordType.parse(ByteBuffer.wrap(key));
        ByteBuffer data = ByteBuffer.wrap(value);
        ByteBuffer again = switch (kind) {
            case ABORT, COMMIT -> new EndTransactionMarker(kind, data.getInt(2)).serializeValue();
            case LEADER_CHANGE -> plain(ControlRecordUtils.deserializeLeaderChangeMessage(data));
            case SNAPSHOT_HEADER -> plain(ControlRecordUtils.deserializeSnapshotHeaderRecord(data));
            case SNAPSHOT_FOOTER -> plain(ControlRecordUtils.deserializeSnapshotFooterRecord(data));
            case KRAFT_VERSION -> plain(ControlRecordUtils.deserializeKRaftVersionRecord(data));
            case KRAFT_VOTERS -> plain(ControlRecordUtils.deserializeVotersRecord(data));
            case UNKNOWN -> throw new IllegalArgumentException("unknown kind of control record");
        };
        return joined(bytesOf(kind.recordKey()), bytesOf(again));
    }

    private static ByteBuffer plain(Message message) {
        return MessageUtil.toByteBufferAccessor(message, (short) 0).buffer();
    }

    private static byte[] bytesOf(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    private static byte[] joined(byte[] key, byte[] value) {
        return ByteBuffer.allocate(4 + key.length + value.length).putInt(key.length).put(key).put(value).array();
    }
}
