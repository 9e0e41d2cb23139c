package tripline.peer;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Passes over what no rule reads and what came within 72 hours already, and lets each rule judge the rest in order. */
final class Judge implements Processor<String, byte[], String, byte[]> {
  private static final long REMEMBER_MS = 72 * 3_600_000L;

  private final Rules.Settings settings;
  private final long learningMs;
  private final Progress progress;
  private final List<Rules.Rule> rules = List.of(new UnreviewedBuild(), new NewRunner(), new GrantOutsideJob());
  private final HashMap<String, List<Rules.Rule>> readers = new HashMap<>();
  private KeyValueStore<String, byte[]> seen;
  private Desk desk;
  private long logMs;
  private long lastRecordAtMs;

  Judge(Rules.Settings settings, long learningMs, Progress progress) {
    this.settings = settings;
    this.learningMs = learningMs;
    this.progress = progress;
    for (Rules.Rule rule : rules)
      for (String type : rule.reads()) readers.computeIfAbsent(type, of -> new ArrayList<>()).add(rule);
  }

  @Override
  public void init(ProcessorContext<String, byte[]> context) {
    seen = context.getStateStore("seen");
    progress.taskIsReady();
    desk =
        new Desk(
            context.getStateStore("state"),
            context.getStateStore("timers"),
            settings,
            (id, json) -> {
              progress.found.incrementAndGet();
              context.forward(new Record<>(id, json, logMs));
            });
    // A quiet partition is moved on by the wall clock, less the skew that ours allows for.
    context.schedule(
        Duration.ofMillis(250),
        PunctuationType.WALL_CLOCK_TIME,
        now -> {
          if (now - lastRecordAtMs < 2_000) return;
          fireTimers(now - 2_000);
          desk.done();
        });
    context.schedule(Duration.ofHours(1), PunctuationType.WALL_CLOCK_TIME, now -> forget());
  }

  @Override
  public void process(Record<String, byte[]> record) {
    progress.began();
    logMs = Math.max(logMs, record.timestamp());
    lastRecordAtMs = record.timestamp();
    String type = Event.header(record.headers(), "ce_type");
    List<Rules.Rule> reading = type == null ? null : readers.get(type);
    String workspace = Event.header(record.headers(), "ce_workspace");
    if (reading != null && isNew(record)) {
      fireTimers(logMs);
      Event event = Event.read(type, workspace, record.headers(), record.value());
      Kept.Facts facts = observe(event);
      for (Rules.Rule rule : reading) {
        take(workspace, rule, facts);
        rule.judge(event, desk);
      }
      fireTimers(logMs);
      desk.done();
    }
    progress.judged.incrementAndGet();
  }

  private boolean isNew(Record<String, byte[]> record) {
    String key = Event.header(record.headers(), "ce_source") + '\0' + Event.header(record.headers(), "ce_id");
    byte[] before = seen.get(key);
    if (before != null && ByteBuffer.wrap(before).getLong() > logMs - REMEMBER_MS) return false;
    seen.put(key, ByteBuffer.allocate(8).putLong(logMs).array());
    return true;
  }

  private void forget() {
    List<String> old = new ArrayList<>();
    try (var all = seen.all()) {
      all.forEachRemaining(
          entry -> {
            if (ByteBuffer.wrap(entry.value).getLong() <= logMs - REMEMBER_MS) old.add(entry.key);
          });
    }
    for (String key : old) seen.delete(key);
  }

  private Kept.Facts observe(Event event) {
    desk.workspace = event.workspace;
    Kept.Facts facts = desk.facts();
    if (facts == null) {
      facts = new Kept.Facts();
      facts.firstSeenMs = logMs;
      desk.setFacts(facts);
    }
    if (!event.is(Rules.INVENTORY)) return facts;
    if (facts.parts != event.data.parts) facts.come.clear();
    facts.parts = event.data.parts;
    if (!facts.come.contains(event.data.part)) facts.come.add(event.data.part);
    if (facts.inventoryMs < 0 && facts.come.size() >= facts.parts) facts.inventoryMs = logMs;
    desk.setFacts(facts);
    return facts;
  }

  private void take(String workspace, Rules.Rule rule, Kept.Facts facts) {
    desk.workspace = workspace;
    desk.rule = rule.id();
    desk.nowMs = logMs;
    desk.learning = rule.learns() && facts.inventoryMs < 0 && logMs < facts.firstSeenMs + learningMs;
  }

  private void fireTimers(long untilMs) {
    for (Kept.Timer timer; (timer = desk.takeDue(untilMs)) != null; ) {
      logMs = Math.max(logMs, timer.dueMs);
      for (Rules.Rule rule : rules) {
        if (!rule.id().equals(timer.rule)) continue;
        desk.workspace = timer.workspace;
        take(timer.workspace, rule, desk.facts());
        rule.due(timer, desk);
      }
    }
  }
}
