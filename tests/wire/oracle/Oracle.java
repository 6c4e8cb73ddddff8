import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.apache.kafka.common.message.ApiMessageType.ListenerType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;

/**
 * Reads messages with Apache Kafka's own classes and writes them again.
 *
 * <pre>
 * question: UTF class name, int16 version, int32 size, bytes
 * answer:   int8 0, int32 size, the message written again, int32 size, its values as JSON,
 *           int16 type or API key, int16 lowest version, int16 highest version
 *           int8 1, int32 size, what went wrong
 * </pre>
 *
 * A class name that begins with "frame:" asks {@link Frames} to do the same with a stored record.
 *
 * With the argument "apis" it prints one line per API instead: key, name, lowest and highest advertised version, first
 * version with a flexible header in the request and in the response (-1 for none), whether brokers serve it.
 */
public final class Oracle {
    private static final String FRAME = "frame:";

    private final Map<String, Class<?>> classes = new HashMap<>();

    public static void main(String[] arguments) throws IOException {
        if (arguments.length == 1 && arguments[0].equals("apis")) {
            printApis();
            return;
        }
        Oracle oracle = new Oracle();
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
                DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out))) {
            while (oracle.answerNext(in, out)) {
                // until the questions end
            }
        }
    }

    private boolean answerNext(DataInputStream in, DataOutputStream out) throws IOException {
        String name;
        try {
            name = in.readUTF();
        } catch (EOFException end) {
            return false;
        }
        short version = in.readShort();
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        try {
            if (name.startsWith(FRAME)) {
                answerFrame(Frames.rewrite(name.substring(FRAME.length()), bytes), out);
            } else {
                answerMessage(name, read(name, version, bytes), version, out);
            }
        } catch (InvocationTargetException failure) {
            refuse(out, failure.getCause());
        } catch (ReflectiveOperationException | RuntimeException failure) {
            refuse(out, failure);
        }
        return true;
    }

    private void answerMessage(String name, Message message, short version, DataOutputStream out)
            throws IOException, ReflectiveOperationException {
        byte[] again = write(message, version);
        byte[] values = json(name, message, version);
        out.writeByte(0);
        send(out, again);
        send(out, values);
        out.writeShort(message instanceof ApiMessage known ? known.apiKey() : -1);
        out.writeShort(message.lowestSupportedVersion());
        out.writeShort(message.highestSupportedVersion());
    }

    private static void answerFrame(byte[] again, DataOutputStream out) throws IOException {
        out.writeByte(0);
        send(out, again);
        send(out, "null".getBytes(StandardCharsets.UTF_8));
        out.write(new byte[6]);
    }

    private Message read(String name, short version, byte[] bytes) throws ReflectiveOperationException {
        ByteBufferAccessor accessor = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
        Object message = load(name).getConstructor(Readable.class, short.class).newInstance(accessor, version);
        if (accessor.remaining() != 0) {
            throw new IllegalStateException(accessor.remaining() + " bytes were not read");
        }
        return (Message) message;
    }

    private static byte[] write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer.array();
    }

    private byte[] json(String name, Message message, short version) throws ReflectiveOperationException {
        Method convert = load(name + "JsonConverter").getMethod("write", load(name), short.class, boolean.class);
        return convert.invoke(null, message, version, false).toString().getBytes(StandardCharsets.UTF_8);
    }

    private Class<?> load(String name) throws ClassNotFoundException {
        Class<?> found = classes.get(name);
        if (found == null) {
            found = Class.forName(name);
            classes.put(name, found);
        }
        return found;
    }

    private static void printApis() {
        for (ApiKeys api : ApiKeys.values()) {
            if (!api.hasValidVersion()) {
                continue;
            }
            boolean onBrokers = api.inScope(ListenerType.BROKER);
            ListenerType listener = onBrokers ? ListenerType.BROKER : ListenerType.CONTROLLER;
            var advertised = api.toApiVersionForApiResponse(false, listener).orElseThrow();
            int request = first(api, version -> api.requestHeaderVersion(version) >= 2);
            int response = first(api, version -> api.responseHeaderVersion(version) >= 1);
            System.out.println(String.join(" ", String.valueOf(api.id), api.messageType.name,
                String.valueOf(advertised.minVersion()), String.valueOf(advertised.maxVersion()),
                String.valueOf(request), String.valueOf(response), String.valueOf(onBrokers)));
        }
    }

    private static int first(ApiKeys api, Predicate<Short> condition) {
        for (short version = api.oldestVersion(); version <= api.latestVersion(); version++) {
            if (condition.test(version)) {
                return version;
            }
        }
        return -1;
    }

    private static void refuse(DataOutputStream out, Throwable failure) throws IOException {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        out.writeByte(1);
        send(out, text.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static void send(DataOutputStream out, byte[] bytes) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }
}
