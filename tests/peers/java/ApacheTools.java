import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * The classes behind Apache Kafka's scripts, one after the other in one JVM: one question a line on standard input,
 * {"main": class, "args": [...], "stdin": text}, one answer a line, {"code": exit code, "out": text, "err": text}.
 *
 * Each run loads the tools' own classes anew, so that none finds what another left in static fields. Where a tool would
 * end the JVM, the run ends; what it wants done at the end of the JVM is done at the end of the run.
 */
public final class ApacheTools {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Current OUT = new Current();
    private static final Current ERR = new Current();
    private static final List<Runnable> AT_THE_END = new ArrayList<>();
    private static Integer exitCode;

    private ApacheTools() {}

    public static void main(String[] args) throws IOException {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((code, message) -> {
            exitCode = exitCode == null ? Integer.valueOf(code) : exitCode;
            throw new Ended();
        });
        Exit.setShutdownHookAdder((name, hook) -> AT_THE_END.add(hook));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            answers.println(run(JSON.readTree(line)));
        }
        Runtime.getRuntime().halt(0);
    }

    private static ObjectNode run(JsonNode question) {
        exitCode = null;
        AT_THE_END.clear();
        OUT.begin();
        ERR.begin();
        String[] args = JSON.convertValue(question.get("args"), String[].class);
        System.setIn(new ByteArrayInputStream(question.get("stdin").asText("").getBytes(StandardCharsets.UTF_8)));
        try (Anew tools = new Anew()) {
            Thread.currentThread().setContextClassLoader(tools);
            runMain(tools.loadClass(question.get("main").asText()), args);
            AT_THE_END.forEach(Runnable::run);
        } catch (ReflectiveOperationException | IOException broken) {
            failed(broken);
        }
        return JSON.createObjectNode().put("code", exitCode == null ? 0 : exitCode).put("out", OUT.said()).put("err", ERR.said());
    }

    private static void runMain(Class<?> tool, String[] args) throws ReflectiveOperationException {
        try {
            tool.getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException ended) {
            failed(ended.getCause());
        }
    }

    private static void failed(Throwable failure) {
        if (!(failure instanceof Ended)) {
            failure.printStackTrace();
            exitCode = exitCode == null ? Integer.valueOf(1) : exitCode;
        }
    }

    /** Where a tool asked for the end of the JVM. */
    private static final class Ended extends Error {
        private static final long serialVersionUID = 1L;

        /** Without a stack trace: tools that catch everything print what they caught. */
        Ended() {
            super("the end", null, false, false);
        }
    }

    /** What is said during one run, also by those who hold on to System.out. */
    private static final class Current extends OutputStream {
        private ByteArrayOutputStream said = new ByteArrayOutputStream();

        synchronized void begin() {
            said = new ByteArrayOutputStream();
        }

        synchronized String said() {
            return said.toString(StandardCharsets.UTF_8);
        }

        @Override
        public synchronized void write(int one) {
            said.write(one);
        }

        @Override
        public synchronized void write(byte[] several, int from, int length) {
            said.write(several, from, length);
        }
    }

    /** Loads the tools' classes itself and leaves all others to the JVM's own loader. */
    private static final class Anew extends URLClassLoader {
        Anew() {
            super(jars(), ApacheTools.class.getClassLoader());
        }

        private static URL[] jars() {
            return Arrays.stream(System.getProperty("java.class.path").split(java.io.File.pathSeparator))
                    .filter(path -> path.contains("kafka-tools-") || path.contains("kafka_2.13-"))
                    .map(ApacheTools::url).toArray(URL[]::new);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            boolean own = name.startsWith("org.apache.kafka.tools.") || name.startsWith("kafka.admin.");
            synchronized (getClassLoadingLock(name)) {
                Class<?> found = own ? findLoadedClass(name) : super.loadClass(name, resolve);
                return found == null ? findClass(name) : found;
            }
        }
    }

    private static URL url(String path) {
        try {
            return Path.of(path).toUri().toURL();
        } catch (IOException wrong) {
            throw new IllegalStateException(wrong);
        }
    }
}
