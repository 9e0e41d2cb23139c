package tripline.peer;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import org.apache.fory.Fory;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * What a rule works with while it judges: state under keys, timers, findings. Values are decoded once and held, so that
 * one key is read and written at most once an event; what changed goes to the stores when the event is done.
 */
final class Desk {
  /** Decoded values held between events; a task that starts anew begins with none. */
  private static final int HELD = 20_000;

  private static final class Slot {
    byte[] bytes;
    Object value;
    boolean touched;
  }

  private final KeyValueStore<String, byte[]> state;
  private final KeyValueStore<String, byte[]> timerStore;
  private final BiConsumer<String, byte[]> forward;
  private final Fory fory = Kept.fory();
  private final LinkedHashMap<Key, Slot> held =
      new LinkedHashMap<>(1024, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, Slot> eldest) {
          return size() > HELD && !eldest.getValue().touched;
        }
      };
  private final HashMap<Key, Slot> touched = new HashMap<>();
  private final TreeSet<Kept.Timer> timers =
      new TreeSet<>(
          Comparator.<Kept.Timer>comparingLong(timer -> timer.dueMs).thenComparing(Kept.Timer::name));
  private final HashMap<String, Kept.Timer> timerByName = new HashMap<>();
  private final HashMap<String, Boolean> timerStored = new HashMap<>();
  private final Set<String> timersChanged = new LinkedHashSet<>();

  final Rules.Settings settings;
  String workspace;
  String rule;
  long nowMs;
  boolean learning;

  Desk(
      KeyValueStore<String, byte[]> state,
      KeyValueStore<String, byte[]> timerStore,
      Rules.Settings settings,
      BiConsumer<String, byte[]> forward) {
    this.state = state;
    this.timerStore = timerStore;
    this.settings = settings;
    this.forward = forward;
    try (var all = timerStore.all()) {
      all.forEachRemaining(
          entry -> {
            Kept.Timer timer = (Kept.Timer) fory.deserialize(entry.value);
            timers.add(timer);
            timerByName.put(entry.key, timer);
            timerStored.put(entry.key, true);
          });
    }
  }

  private Slot slot(Key key) {
    Slot slot = held.get(key);
    if (slot != null) return slot;
    slot = new Slot();
    slot.bytes = state.get(key.stored());
    if (slot.bytes != null) slot.value = fory.deserialize(slot.bytes);
    held.put(key, slot);
    return slot;
  }

  @SuppressWarnings("unchecked")
  private <T> T at(String of, String key) {
    return (T) slot(new Key(workspace, of, key)).value;
  }

  private void keep(String of, String key, Object value) {
    Key at = new Key(workspace, of, key);
    Slot slot = slot(at);
    slot.value = value;
    slot.touched = true;
    touched.put(at, slot);
  }

  /** State of the rule that judges, or null. A value may be changed in place when `set` follows. */
  <T> T get(String key) {
    return at(rule, key);
  }

  <T> T get(String key, Supplier<T> otherwise) {
    T value = get(key);
    return value == null ? otherwise.get() : value;
  }

  void set(String key, Object value) {
    keep(rule, key, value);
  }

  Kept.Facts facts() {
    return at("@workspace", "");
  }

  void setFacts(Kept.Facts facts) {
    keep("@workspace", "", facts);
  }

  boolean tainted(String run) {
    Kept.Mark mark = at("@run", run);
    return mark != null && !mark.names.isEmpty();
  }

  void setTimer(String id, long dueMs, List<String> keys) {
    Kept.Timer timer = new Kept.Timer();
    timer.workspace = workspace;
    timer.rule = rule;
    timer.id = id;
    timer.dueMs = dueMs;
    timer.keys = new ArrayList<>(keys);
    String name = timer.name();
    Kept.Timer before = timerByName.put(name, timer);
    if (before != null) timers.remove(before);
    timers.add(timer);
    timersChanged.add(name);
  }

  void clearTimer(String id) {
    if (!timerByName.isEmpty()) clearNamed(workspace + '\0' + rule + '\0' + id);
  }

  private void clearNamed(String name) {
    Kept.Timer before = timerByName.remove(name);
    if (before == null) return;
    timers.remove(before);
    timersChanged.add(name);
  }

  /** The next timer due by `untilMs`, taken; null when there is none. */
  Kept.Timer takeDue(long untilMs) {
    if (timers.isEmpty()) return null;
    Kept.Timer first = timers.first();
    if (first.dueMs > untilMs) return null;
    clearNamed(first.name());
    return first;
  }

  void find(Rules.Draft draft) {
    if (learning) return;
    String id = idOf(draft.subject(), draft.occasion());
    Kept.Mark known = at("@finding", id);
    if (known != null && !known.withdrawn) return;
    Kept.Mark mark = known == null ? new Kept.Mark() : known;
    mark.withdrawn = false;
    if (known == null) {
      mark.names = new ArrayList<>(draft.runs());
      mark.json = json(id, draft);
    }
    keep("@finding", id, mark);
    for (String run : mark.names) {
      Kept.Mark of = at("@run", run);
      if (of == null) of = new Kept.Mark();
      of.names.add(id);
      keep("@run", run, of);
    }
    forward.accept(id, mark.json.getBytes(StandardCharsets.UTF_8));
  }

  void withdraw(String subject, String occasion, String reason) {
    String id = idOf(subject, occasion);
    Kept.Mark known = at("@finding", id);
    if (known == null || known.withdrawn) return;
    known.withdrawn = true;
    keep("@finding", id, known);
    for (String run : known.names) {
      Kept.Mark of = at("@run", run);
      if (of == null) continue;
      of.names.remove(id);
      keep("@run", run, of);
    }
    Map<String, Object> row = parse(known.json);
    row.put("withdrawn", reason);
    forward.accept(id, write(row));
  }

  private String json(String id, Rules.Draft draft) {
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("id", id);
    row.put("rule", rule);
    row.put("workspace", workspace);
    row.put("subject", draft.subject());
    row.put("occasion", draft.occasion());
    row.put("confidence", draft.confidence());
    row.put("title", draft.title());
    row.put("summary", draft.summary());
    row.put("detectedAt", Instant.ofEpochMilli(nowMs).toString());
    row.put("evidence", draft.evidence());
    row.put("entities", draft.entities());
    return new String(write(row), StandardCharsets.UTF_8);
  }

  private static byte[] write(Object value) {
    try {
      return Event.JSON.writeValueAsBytes(value);
    } catch (java.io.IOException error) {
      throw new IllegalStateException(error);
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> parse(String json) {
    try {
      return Event.JSON.readValue(json, LinkedHashMap.class);
    } catch (java.io.IOException error) {
      throw new IllegalStateException(error);
    }
  }

  private String idOf(String subject, String occasion) {
    try {
      byte[] parts = write(List.of(workspace, rule, subject, occasion));
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(parts));
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }

  /** The event is done: what changed goes to the stores, which go to their changelogs with the next commit. */
  void done() {
    for (Map.Entry<Key, Slot> entry : touched.entrySet()) {
      Slot slot = entry.getValue();
      slot.touched = false;
      byte[] bytes = fory.serialize(slot.value);
      if (Arrays.equals(bytes, slot.bytes)) continue;
      slot.bytes = bytes;
      state.put(entry.getKey().stored(), bytes);
    }
    touched.clear();
    if (timersChanged.isEmpty()) return;
    for (String name : timersChanged) {
      Kept.Timer timer = timerByName.get(name);
      if (timer != null) {
        timerStore.put(name, fory.serialize(timer));
        timerStored.put(name, true);
      } else if (timerStored.remove(name) != null) {
        timerStore.delete(name);
      }
    }
    timersChanged.clear();
  }
}
