package tripline.peer;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import org.apache.fory.Fory;
import org.apache.fory.config.Language;

/** What is kept under keys. Classes are registered, so that a value bears a number and not a name. */
final class Kept {
  private Kept() {}

  static Fory fory() {
    Fory fory =
        Fory.builder()
            .withLanguage(Language.JAVA)
            .requireClassRegistration(true)
            .withRefTracking(false)
            .withAsyncCompilation(false)
            .build();
    for (Class<?> type :
        List.of(
            Facts.class, Mark.class, Timer.class, Evidence.class, Repository.class, Branch.class, Approved.class,
            Push.class, Run.class, Commit.class, Review.class, Head.class, Change.class, Book.class, Use.class,
            Runner.class, Task.class, RunFacts.class, Grant.class, Job.class, BrokerRun.class, BreakGlass.class,
            Access.class)) {
      fory.register(type);
    }
    return fory;
  }

  /** Of a workspace: when it was first heard of, and when its inventory was whole. */
  public static final class Facts {
    public long firstSeenMs;
    public long inventoryMs = -1;
    public int parts;
    public ArrayList<Integer> come = new ArrayList<>();
  }

  /** Of a finding: whether it is withdrawn, and which runs it names; of a run: how many findings stand on it. */
  public static final class Mark {
    public boolean withdrawn;
    public ArrayList<String> names = new ArrayList<>();
    public String json;
  }

  public static final class Timer {
    public String workspace;
    public String rule;
    public String id;
    public long dueMs;
    public ArrayList<String> keys = new ArrayList<>();

    String name() {
      return workspace + '\0' + rule + '\0' + id;
    }
  }

  public static final class Evidence {
    public String eventId;
    public String eventType;
    public String time;
    public String what;

    public Evidence() {}

    Evidence(Event event, String what) {
      this.eventId = event.id;
      this.eventType = event.type;
      this.time = event.time;
      this.what = what;
    }
  }

  public static final class Repository {
    public ArrayList<String> protectedRefs = new ArrayList<>();
    public ArrayList<String> secretWorkflows = new ArrayList<>();
  }

  public static final class Branch {
    public boolean inventoried;
    /** The earliest push heard of, and the head that it found; null before. */
    public String firstBefore;
    public long firstMs;
    public ArrayList<Approved> approved = new ArrayList<>();
    public ArrayList<String> unheard = new ArrayList<>();
  }

  public static final class Approved {
    public String change;
    public long untilMs;
  }

  public static final class Push {
    public String ref;
    public String type;
    public long timeMs;
    public String pusher;
    public String committer;
    public ArrayList<String> ciPaths = new ArrayList<>();
    public Evidence evidence;
  }

  public static final class Run {
    public String id;
    public int attempt;
    public String name;
    public String ref;
    public String trigger;
    public String path;
    public String actor;
    public boolean fork;
    public boolean protectedRef;
    public ArrayList<String> environments = new ArrayList<>();
    public boolean selfHosted;
    public boolean secrets;
    public boolean knownSecrets;
    public long timeMs;
    public long dueMs;
    public boolean fired;
    public String trust;
    public ArrayList<Evidence> evidence = new ArrayList<>();
  }

  public static final class Commit {
    public String trusted;
    public String coveredBy;
    public ArrayList<Push> pushes = new ArrayList<>();
    public ArrayList<String> carried = new ArrayList<>();
    public LinkedHashMap<String, String> changes = new LinkedHashMap<>();
    public String answer;
    public ArrayList<Run> runs = new ArrayList<>();
  }

  public static final class Review {
    public String id;
    public String author;
    public String authorType;
    public String association;
    public String state;
    public String revision;
    public long timeMs;
  }

  public static final class Head {
    public String revision;
    public String pusher;
  }

  public static final class Change {
    public String author;
    public ArrayList<Head> heads = new ArrayList<>();
    public ArrayList<Review> reviews = new ArrayList<>();
    public boolean merged;
    public String mergedHead;
    public String mergedRevision;
    public long mergedMs;
  }

  public static final class Book {
    public HashMap<String, HashMap<String, Long>> pairs = new HashMap<>();
  }

  public static final class Use {
    public String occasion;
    public String repository;
    public String runId;
    public String runnerName;
    public ArrayList<String> credentials = new ArrayList<>();
    public long timeMs;
    public String eventId;
    public String time;
    public String trust;
    public String groupId;
    public ArrayList<Evidence> evidence = new ArrayList<>();
  }

  public static final class Runner {
    public boolean known;
    public long lastMs;
    public String groupId;
    public String repository;
    public String registeredBy;
    /** Zero: not heard of. */
    public long registeredMs;
    public Evidence registered;
    public ArrayList<Use> found = new ArrayList<>();
  }

  public static final class Task {
    public String runner;
    public Use use;
  }

  public static final class RunFacts {
    public String path;
    public boolean secretWorkflow;
    public Evidence evidence;
    public ArrayList<String> credentials = new ArrayList<>();
    public ArrayList<Task> tasks = new ArrayList<>();
  }

  public static final class Grant {
    public String eventId;
    public String kind;
    public String grantee;
    public String target;
    public String team;
    public String id;
    public String actor;
    public String app;
    public long timeMs;
    public String time;
    public String trust;
    public Evidence evidence;
    public long heardMs;
    public boolean fired;
  }

  public static final class Job {
    public String id;
    public String name;
    public long fromMs;
    /** Negative while its end was not heard of. */
    public long toMs = -1;
    public boolean startSeen;
  }

  public static final class BrokerRun {
    public String id;
    /** 1 a broker's, 0 not, -1 while only its jobs were heard of. */
    public int broker = -1;
    public ArrayList<String> actors = new ArrayList<>();
    public ArrayList<Job> jobs = new ArrayList<>();
  }

  public static final class BreakGlass {
    public String id;
    public String actor;
    public long fromMs;
    public long toMs;
  }

  public static final class Access {
    public ArrayList<BrokerRun> runs = new ArrayList<>();
    public ArrayList<Grant> grants = new ArrayList<>();
    public ArrayList<Grant> removals = new ArrayList<>();
    public ArrayList<Grant> requests = new ArrayList<>();
    public ArrayList<BreakGlass> breakGlass = new ArrayList<>();
  }
}
