package stackmotion;

import br.com.autonomiccs.apacheCloudStack.client.ApacheCloudStackClient;
import br.com.autonomiccs.apacheCloudStack.client.ApacheCloudStackRequest;
import br.com.autonomiccs.apacheCloudStack.client.beans.ApacheCloudStackUser;
import br.com.autonomiccs.apacheCloudStack.exceptions.ApacheCloudStackClientRequestRuntimeException;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.StreamSupport;

/**
 * Drives the Java client against the gateway of the demonstration. Prints a line per check.
 *
 * <p>The client gives the text of the answer only: reading it and waiting for jobs are its caller's work, here as well.
 */
public final class JavaClientCheck {
    private static final String UNKNOWN_ID = "00000000-0000-4000-8000-000000000000";
    /** No migration of the demonstration takes nearly as long. */
    private static final long JOB_MILLIS = 60_000;
    private static final long POLL_MILLIS = 200;

    private final ApacheCloudStackClient client;
    private final String title;
    private boolean failed;

    private JavaClientCheck(String title, String secret, boolean expires) {
        this.title = title;
        ApacheCloudStackUser user = new ApacheCloudStackUser(secret, env("GATEWAY_KEY"));
        client = new ApacheCloudStackClient(env("GATEWAY_URL"), user);
        client.setShouldRequestsExpire(expires);
    }

    /** A check passes when it ends without an exception. */
    private interface Check {
        void run() throws Exception;
    }

    /** Disk and the pool that it is to go to. */
    private record Pair(String volume, String pool) {}

    public static void main(String[] arguments) {
        boolean failed = false;
        for (boolean expires : new boolean[] {true, false}) {
            String title = "java with" + (expires ? "" : "out") + " an expiry";
            failed |= new JavaClientCheck(title, env("GATEWAY_SECRET"), expires).runAll();
        }
        System.exit(failed ? 1 : 0);
    }

    private boolean runAll() {
        check("lists", this::lists);
        check("migrateVolume of a running VM", this::migrateVolume);
        check("migrateVirtualMachineWithVolume with a map", this::migrateVmWithVolumes);
        check("an unknown id is refused", this::unknownIds);
        check("a job that fails says why", this::failingJobs);
        check("a wrong secret is refused", this::wrongSecret);
        return failed;
    }

    private void lists() {
        same("zones", Set.of("demo"), names("listZones", "zone"));
        same("missing hosts", Set.of(), missing(Set.of("c1-h1", "c2-h3"), names("listHosts", "host")));
        Set<String> pools = names("listStoragePools", "storagepool");
        same("missing pools", Set.of(), missing(Set.of("c1-p1", "c2-p2", "c1-h1-local"), pools));
        Set<String> vms = names("listVirtualMachines", "virtualmachine");
        same("missing VMs", Set.of(), missing(Set.of("db", "web", "mail", "archive"), vms));
        Set<String> volumes = names("listVolumes", "volume");
        same("missing volumes", Set.of(), missing(Set.of("ROOT-db", "ROOT-web", "DATA-web"), volumes));
    }

    private void migrateVolume() throws InterruptedException {
        JsonObject volume = one("listVolumes", "volume", "ROOT-files");
        String now = text(volume, "storage");
        String other = now.substring(0, 4) + (now.endsWith("1") ? "2" : "1");
        String pool = text(one("listStoragePools", "storagepool", other), "id");
        Map<String, String> parameters =
                Map.of("volumeid", text(volume, "id"), "storageid", pool, "livemigrate", "true");
        JsonObject job = ended(call("migrateVolume", parameters));
        same("status", 1, job.get("jobstatus").getAsInt());
        same("pool", pool, text(job.getAsJsonObject("jobresult").getAsJsonObject("volume"), "storageid"));
        expectPairs(List.of(new Pair(text(volume, "id"), pool)));
    }

    private void migrateVmWithVolumes() throws InterruptedException {
        JsonObject vm = one("listVirtualMachines", "virtualmachine", "build");
        String host = text(one("listHosts", "host", across(text(vm, "hostname"))), "id");
        List<Pair> pairs = new ArrayList<>();
        for (JsonObject volume : list("listVolumes", "volume", Map.of("virtualmachineid", text(vm, "id")))) {
            String pool = across(text(volume, "storage"));
            pairs.add(new Pair(text(volume, "id"), text(one("listStoragePools", "storagepool", pool), "id")));
        }
        JsonObject job = ended(call("migrateVirtualMachineWithVolume", mapped(text(vm, "id"), host, pairs)));
        same("status", 1, job.get("jobstatus").getAsInt());
        same("host", host, text(job.getAsJsonObject("jobresult").getAsJsonObject("virtualmachine"), "hostid"));
        expectPairs(pairs);
    }

    private void unknownIds() {
        refused(431, UNKNOWN_ID, () -> call("queryAsyncJobResult", Map.of("jobid", UNKNOWN_ID)));
        Map<String, String> unknown = Map.of("volumeid", UNKNOWN_ID, "storageid", UNKNOWN_ID);
        refused(431, UNKNOWN_ID, () -> call("migrateVolume", unknown));
    }

    private void failingJobs() throws InterruptedException {
        JsonObject volume = one("listVolumes", "volume", "ROOT-db");
        String pool = text(volume, "storageid");
        Map<String, String> inPlace = Map.of("volumeid", text(volume, "id"), "storageid", pool, "livemigrate", "true");
        failed(ended(call("migrateVolume", inPlace)), 431, "already on the destination");
        JsonObject vm = one("listVirtualMachines", "virtualmachine", "db");
        String host = text(one("listHosts", "host", across(text(vm, "hostname"))), "id");
        List<Pair> outOfReach = List.of(new Pair(text(volume, "id"), pool));
        JsonObject job = ended(call("migrateVirtualMachineWithVolume", mapped(text(vm, "id"), host, outOfReach)));
        failed(job, 530, "does not have access to the storage pool");
    }

    private void wrongSecret() {
        JavaClientCheck stranger = new JavaClientCheck(title, "wrong", false);
        refused(401, "unable to verify user credentials", () -> stranger.call("listZones", Map.of()));
    }

    private void check(String what, Check check) {
        try {
            check.run();
            System.out.println("ok " + title + ": " + what);
        } catch (Exception exception) {
            failed = true;
            exception.printStackTrace();
            System.out.println("FAIL " + title + ": " + what + ": " + String.valueOf(exception).replaceAll("\\s+", " "));
        }
    }

    /** The unwrapped answer; it must be the only member, called as CloudStack calls it. */
    private JsonObject call(String command, Map<String, String> parameters) {
        ApacheCloudStackRequest request = new ApacheCloudStackRequest(command);
        request.addParameter("response", "json");
        parameters.forEach(request::addParameter);
        JsonObject answer = JsonParser.parseString(client.executeRequest(request)).getAsJsonObject();
        String envelope = command.toLowerCase(Locale.ROOT) + "response";
        same("envelope", Set.of(envelope), answer.keySet());
        return answer.getAsJsonObject(envelope);
    }

    /** The job that was submitted, when it has ended. */
    private JsonObject ended(JsonObject submitted) throws InterruptedException {
        long deadline = System.currentTimeMillis() + JOB_MILLIS;
        while (System.currentTimeMillis() < deadline) {
            JsonObject job = call("queryAsyncJobResult", Map.of("jobid", text(submitted, "jobid")));
            if (job.get("jobstatus").getAsInt() != 0) {
                return job;
            }
            Thread.sleep(POLL_MILLIS);
        }
        throw new IllegalStateException("the job did not end: " + submitted);
    }

    private static void failed(JsonObject job, int code, String part) {
        JsonObject result = job.getAsJsonObject("jobresult");
        same("status of the job", 2, job.get("jobstatus").getAsInt());
        same("code of the job", code, job.get("jobresultcode").getAsInt());
        same("code in the result", code, result.get("errorcode").getAsInt());
        holds(text(result, "errortext"), part);
    }

    private static void refused(int status, String part, Runnable action) {
        try {
            action.run();
        } catch (ApacheCloudStackClientRequestRuntimeException exception) {
            same("HTTP status", status, exception.getStatusCode());
            holds(exception.getResponse(), part);
            return;
        }
        throw new IllegalStateException("no error");
    }

    private void expectPairs(List<Pair> pairs) {
        for (Pair pair : pairs) {
            JsonObject volume = list("listVolumes", "volume", Map.of("id", pair.volume())).get(0);
            same("pool", pair.pool(), text(volume, "storageid"));
            same("state", "Ready", text(volume, "state"));
        }
    }

    private List<JsonObject> list(String command, String kind, Map<String, String> parameters) {
        JsonElement found = call(command, parameters).get(kind);
        if (found == null) {
            return List.of();
        }
        return StreamSupport.stream(found.getAsJsonArray().spliterator(), false)
                .map(JsonElement::getAsJsonObject)
                .toList();
    }

    private JsonObject one(String command, String kind, String name) {
        List<JsonObject> found = list(command, kind, Map.of("name", name)).stream()
                .filter(thing -> text(thing, "name").equals(name))
                .toList();
        same(kind + "s called " + name, 1, found.size());
        return found.get(0);
    }

    private Set<String> names(String command, String kind) {
        Set<String> names = new HashSet<>();
        list(command, kind, Map.of()).forEach(thing -> names.add(text(thing, "name")));
        return names;
    }

    private static Set<String> missing(Set<String> expected, Set<String> seen) {
        Set<String> missing = new HashSet<>(expected);
        missing.removeAll(seen);
        return missing;
    }

    private static Map<String, String> mapped(String vm, String host, List<Pair> pairs) {
        Map<String, String> parameters = new HashMap<>(Map.of("virtualmachineid", vm, "hostid", host));
        for (int at = 0; at < pairs.size(); at++) {
            parameters.put("migrateto[" + at + "].volume", pairs.get(at).volume());
            parameters.put("migrateto[" + at + "].pool", pairs.get(at).pool());
        }
        return parameters;
    }

    /** The same place in the other cluster: c1-h2 is c2-h2, c2-p1 is c1-p1. */
    private static String across(String name) {
        return (name.startsWith("c1") ? "c2" : "c1") + name.substring(2);
    }

    private static String text(JsonObject object, String name) {
        JsonElement value = object.get(name);
        if (value == null) {
            throw new IllegalStateException("no " + name + " in " + object);
        }
        return value.getAsString();
    }

    private static void same(String what, Object expected, Object seen) {
        if (!Objects.equals(expected, seen)) {
            throw new IllegalStateException(what + ": " + seen + " instead of " + expected);
        }
    }

    private static void holds(String text, String part) {
        if (!text.contains(part)) {
            throw new IllegalStateException("'" + part + "' is not in '" + text + "'");
        }
    }

    private static String env(String name) {
        return Objects.requireNonNull(System.getenv(name), name + " is not set");
    }
}
