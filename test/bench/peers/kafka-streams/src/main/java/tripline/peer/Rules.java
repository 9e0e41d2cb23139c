package tripline.peer;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The three rules, their settings with our defaults, and small words that they share. */
final class Rules {
  private Rules() {}

  static final long DAY = 86_400_000;
  static final String INVENTORY = "dev.cdeventsx.tripline-inventory.observed";
  static final String PUSHED = "dev.cdeventsx.tripline-ref.pushed";
  static final String MERGE_GROUP = "dev.cdeventsx.tripline-mergegroup.requested";
  static final String TASK_STARTED = "dev.cdevents.taskrun.started";
  static final String TASK_FINISHED = "dev.cdevents.taskrun.finished";
  static final String CREDENTIAL_USED = "dev.cdeventsx.tripline-credential.used";

  interface Rule {
    String id();

    boolean learns();

    Set<String> reads();

    void judge(Event event, Desk desk);

    void due(Kept.Timer timer, Desk desk);
  }

  @JsonIgnoreProperties(ignoreUnknown = true)
  static final class Settings {
    @JsonProperty("build-from-unreviewed-commit") public BuildSettings build = new BuildSettings();
    @JsonProperty("credential-new-runner") public RunnerSettings runner = new RunnerSettings();
    @JsonProperty("privilege-grant-outside-job") public WindowSettings window = new WindowSettings();
  }

  static final class BuildSettings {
    public List<String> exemptActors = List.of();
    public List<String> exemptRefs = List.of();
    public List<String> exemptEnvironments = List.of();
    public List<String> secretWorkflows = List.of();
    public List<String> pullRequestsMay = List.of();
    public long holdMs = 10_000;
  }

  static final class RunnerSettings {
    public List<String> registrars = List.of();
    public long youngMs = DAY;
    public long expireMs = 90 * DAY;
    public List<String> secretWorkflows = List.of();
  }

  static final class WindowSettings {
    public List<String> brokers = List.of();
    public List<String> brokerActors = List.of();
    public List<String> exemptActors = List.of();
    public long skewMs = 5_000;
    public long graceMs = 60_000;
    public long latenessMs = 120_000;
    public long maxJobMs = 6 * 3_600_000;
  }

  /** What a rule reports. */
  record Draft(
      String subject,
      String occasion,
      String title,
      String summary,
      String confidence,
      List<Kept.Evidence> evidence,
      List<String> runs,
      List<String> entities) {}

  static boolean isPipelineRun(String type) {
    return type.startsWith("dev.cdevents.pipelinerun.");
  }

  static boolean isTaskRun(String type) {
    return type.startsWith("dev.cdevents.taskrun.") || type.equals("dev.cdeventsx.tripline-taskrun.queued");
  }

  static boolean hasLogin(List<String> list, String login) {
    if (login == null) return false;
    for (String one : list) if (one.equalsIgnoreCase(login)) return true;
    return false;
  }

  static String orElse(String first, String other) {
    return first == null ? other : first;
  }

  static String noSurerThan(String confidence, String feed) {
    List<String> order = List.of("low", "medium", "high");
    return order.get(Math.min(order.indexOf(confidence), order.indexOf(feed)));
  }

  static List<Kept.Evidence> inOrder(List<Kept.Evidence> lines) {
    List<Kept.Evidence> sorted = new ArrayList<>();
    for (Kept.Evidence line : lines)
      if (line != null && sorted.stream().noneMatch(other -> other.eventId.equals(line.eventId))) sorted.add(line);
    sorted.sort(
        (a, b) -> {
          int byTime = Long.compare(Event.ms(a.time), Event.ms(b.time));
          return byTime == 0 ? a.eventId.compareTo(b.eventId) : byTime;
        });
    return sorted;
  }

  /** The last `count` of a list that only grows at its end. */
  static <T> void keepLast(ArrayList<T> list, int count) {
    if (list.size() > count) list.subList(0, list.size() - count).clear();
  }

  /** `*` stands for any run of characters. */
  static boolean fits(List<String> patterns, String name) {
    for (String pattern : patterns) {
      if (pattern.indexOf('*') < 0) {
        if (pattern.equals(name)) return true;
        continue;
      }
      String[] parts = pattern.split("\\*+", -1);
      if (!name.startsWith(parts[0])) continue;
      int from = parts[0].length();
      boolean fits = true;
      for (int part = 1; part < parts.length - 1 && fits; part += 1) {
        int at = name.indexOf(parts[part], from);
        fits = at >= 0;
        from = at + parts[part].length();
      }
      String end = parts[parts.length - 1];
      if (fits && name.length() - end.length() >= from && name.endsWith(end)) return true;
    }
    return false;
  }
}
