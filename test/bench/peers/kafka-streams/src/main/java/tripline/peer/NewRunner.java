package tripline.peer;

import static tripline.peer.Rules.DAY;
import static tripline.peer.Rules.INVENTORY;
import static tripline.peer.Rules.hasLogin;
import static tripline.peer.Rules.keepLast;
import static tripline.peer.Rules.noSurerThan;
import static tripline.peer.Rules.orElse;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToLongFunction;

/** packages/rules/credential-new-runner.ts. */
final class NewRunner implements Rules.Rule {
  static final String ID = "credential-new-runner";
  private static final String REGISTERED = "dev.cdeventsx.tripline-runner.registered";
  private static final String REMOVED = "dev.cdeventsx.tripline-runner.removed";

  @Override
  public String id() {
    return ID;
  }

  @Override
  public boolean learns() {
    return true;
  }

  @Override
  public Set<String> reads() {
    return Set.of(
        INVENTORY, REGISTERED, REMOVED, Rules.CREDENTIAL_USED, Rules.TASK_STARTED, Rules.TASK_FINISHED,
        "dev.cdevents.pipelinerun.queued", "dev.cdevents.pipelinerun.started", "dev.cdevents.pipelinerun.finished");
  }

  private record Named(String identity, boolean hosted, String name) {}

  private static String selfHosted(String id, String name) {
    return "self-hosted:" + id + ":" + name;
  }

  private static Named runnerOf(Event.Data data) {
    if (Boolean.TRUE.equals(data.hosted)) {
      List<String> sorted = new ArrayList<>(data.labels == null ? List.of() : data.labels);
      Collections.sort(sorted);
      String labels = String.join(",", sorted);
      return new Named(
          "hosted:" + orElse(data.groupName, "hosted") + ":" + labels, true, "a hosted runner (" + labels + ")");
    }
    if (data.worker == null || data.workerName == null) return null;
    return new Named(selfHosted(data.worker, data.workerName), false, data.workerName);
  }

  private static String workflowCredential(String repository, String path) {
    return "workflow:" + repository + "/" + path;
  }

  /** Credentials of a repository share a page. */
  private static String bookKeyOf(String credential) {
    int colon = credential.indexOf(':');
    String kind = credential.substring(0, Math.max(0, colon));
    if (kind.equals("workflow") || kind.equals("environment") || kind.equals("secret")) {
      int owner = credential.indexOf('/', colon);
      int name = owner < 0 ? -1 : credential.indexOf('/', owner + 1);
      if (name > 0) return "book:" + credential.substring(colon + 1, name);
    }
    return "book:" + credential;
  }

  private static String runnerKey(String identity) {
    return "runner:" + identity;
  }

  private static long dayOf(long timeMs) {
    return Math.floorDiv(timeMs, DAY) * DAY;
  }

  @Override
  public void judge(Event event, Desk desk) {
    Event.Data data = event.data;
    if (event.is(INVENTORY)) learnInventory(data, desk);
    else if (event.is(REGISTERED)) learnRegistered(event, desk);
    else if (event.is(REMOVED)) return;
    else if (Rules.isPipelineRun(event.type)) learnRun(event, desk);
    else {
      Named named = runnerOf(data);
      if (named == null) return;
      if (event.is(Rules.CREDENTIAL_USED)) judgeUse(event, named, desk);
      else judgeTask(event, named, desk);
    }
  }

  private void learnInventory(Event.Data data, Desk desk) {
    for (Event.InventoriedRunner inventoried : data.runners) {
      String key = runnerKey(selfHosted(inventoried.id, inventoried.name));
      Kept.Runner runner = desk.get(key, Kept.Runner::new);
      runner.known = true;
      runner.lastMs = dayOf(desk.nowMs);
      runner.groupId = inventoried.groupId;
      if (inventoried.repository != null) runner.repository = inventoried.repository;
      settle(desk, key, runner);
    }
    for (Event.CredentialUse use : data.uses) {
      String key = bookKeyOf(use.credential);
      Kept.Book book = desk.get(key, Kept.Book::new);
      enter(book, use.credential, use.runner, desk.nowMs);
      desk.set(key, book);
    }
  }

  private void learnRegistered(Event event, Desk desk) {
    Event.Data data = event.data;
    Named named = runnerOf(data);
    if (named == null) return;
    String key = runnerKey(named.identity);
    Kept.Runner runner = desk.get(key, Kept.Runner::new);
    runner.registeredBy = orElse(data.registeredBy, data.user);
    runner.registeredMs = data.registeredAt == null ? event.timeMs : Event.ms(data.registeredAt);
    runner.registered =
        new Kept.Evidence(event, orElse(runner.registeredBy, "Somebody") + " registered runner " + named.name);
    settle(desk, key, runner);
  }

  /** Keeps a runner, and takes back what was found on it when nothing speaks against it any more. */
  private void settle(Desk desk, String key, Kept.Runner runner) {
    runner.found.removeIf(
        use -> {
          if (suspicionOf(runner, use.timeMs, use.groupId, desk.settings.runner) != null) return false;
          desk.withdraw(
              key.substring("runner:".length()), use.occasion, "runner " + use.runnerName + " turned out to be known");
          return true;
        });
    desk.set(key, runner);
  }

  private void learnRun(Event event, Desk desk) {
    Event.Data data = event.data;
    if (data.path == null || data.repository == null) return;
    String credential = workflowCredential(data.repository, data.path);
    Kept.Book book = desk.get("book:" + data.repository);
    boolean known =
        (!desk.settings.runner.secretWorkflows.isEmpty()
                && desk.settings.runner.secretWorkflows.contains(data.repository + "/" + data.path))
            || (book != null && book.pairs.containsKey(credential));
    if (!known) return;
    String key = "run:" + data.repository + "#" + data.run;
    Kept.RunFacts run = desk.get(key, Kept.RunFacts::new);
    if (run.path != null) return;
    run.path = data.path;
    run.secretWorkflow = true;
    String by = orElse(orElse(data.triggeredBy, data.user), "somebody unnamed");
    run.evidence = new Kept.Evidence(event, by + " set off " + orElse(data.pipeline, data.path) + ", which uses secrets");
    desk.set(key, run);
    for (Kept.Task task : run.tasks)
      desk.setTimer(
          "join " + task.runner + " " + task.use.occasion,
          desk.nowMs,
          List.of(key, task.runner, "book:" + data.repository));
  }

  private void judgeTask(Event event, Named named, Desk desk) {
    Event.Data data = event.data;
    String key = "run:" + data.repository + "#" + data.run;
    Kept.RunFacts run = desk.get(key, Kept.RunFacts::new);
    ArrayList<String> credentials = new ArrayList<>();
    if (data.environment != null) credentials.add("environment:" + data.repository + "/" + data.environment);
    if (run.secretWorkflow) credentials.add(workflowCredential(data.repository, run.path));
    boolean finished = event.is(Rules.TASK_FINISHED);
    // Of a machine of the provider's that was given nothing that we know of, only the end is learned.
    if (named.hosted && !finished) return;
    Kept.Use use = useOf(event, named.name, credentials);
    String for_ = data.environment == null ? "" : ", for environment " + data.environment;
    use.evidence.add(
        new Kept.Evidence(event, "Job " + orElse(data.taskName, data.task) + " ran on " + named.name + for_));
    if (run.evidence != null) use.evidence.add(0, run.evidence);
    if (!named.hosted) {
      String at = runnerKey(named.identity);
      if (!credentials.isEmpty()) {
        judgeOn(desk, at, use, data.groupId);
      } else if (run.tasks.size() < 10 && run.tasks.stream().noneMatch(known -> known.runner.equals(at))) {
        if (suspicionOf(desk.get(at, Kept.Runner::new), use.timeMs, use.groupId, desk.settings.runner) != null) {
          Kept.Task task = new Kept.Task();
          task.runner = at;
          task.use = use;
          run.tasks.add(task);
          desk.set(key, run);
        }
      }
    }
    if (!finished) return;
    List<String> all = new ArrayList<>(credentials);
    all.addAll(run.credentials);
    learnUses(desk, named, all, use.timeMs, data.repository + "#" + data.run);
  }

  private void judgeUse(Event event, Named named, Desk desk) {
    Event.Data data = event.data;
    List<String> credentials = credentialsOf(data);
    Kept.Use use = useOf(event, named.name, credentials);
    use.evidence.add(new Kept.Evidence(event, String.join(", ", credentials) + " used from " + named.name));
    judgeOn(desk, runnerKey(named.identity), use, data.groupId);
    if (data.repository == null || data.run == null) {
      learnUses(desk, named, credentials, use.timeMs, null);
      return;
    }
    String key = "run:" + data.repository + "#" + data.run;
    Kept.RunFacts run = desk.get(key, Kept.RunFacts::new);
    List<String> others = new ArrayList<>();
    for (String credential : credentials) {
      if (!bookKeyOf(credential).equals("book:" + data.repository)) others.add(credential);
      else if (!run.credentials.contains(credential)) run.credentials.add(credential);
    }
    keepLast(run.credentials, 100);
    desk.set(key, run);
    learnUses(desk, named, others, use.timeMs, data.repository + "#" + data.run);
  }

  private static List<String> credentialsOf(Event.Data data) {
    if (data.tokenHash != null) return List.of("token:" + data.tokenHash);
    if (data.secrets != null && !data.secrets.isEmpty() && data.repository != null)
      return data.secrets.stream().sorted().limit(100).map(name -> "secret:" + data.repository + "/" + name).toList();
    return data.credential == null ? List.of() : List.of("id:" + data.credential);
  }

  private static boolean isUsual(
      Kept.Book book, String credential, String runner, long timeMs, Rules.RunnerSettings settings) {
    Map<String, Long> runners = book == null ? null : book.pairs.get(credential);
    Long lastMs = runners == null ? null : runners.get(runner);
    return lastMs != null && timeMs - lastMs < settings.expireMs;
  }

  private static void enter(Kept.Book book, String credential, String runner, long timeMs) {
    HashMap<String, Long> runners = book.pairs.computeIfAbsent(credential, of -> new HashMap<>());
    runners.merge(runner, dayOf(timeMs), Math::max);
    keepLatest(runners, 50, Long::longValue);
    keepLatest(book.pairs, 300, by -> Collections.max(by.values()));
  }

  private static <V> void keepLatest(HashMap<String, V> entries, int count, ToLongFunction<V> order) {
    while (entries.size() > count)
      entries.remove(
          Collections.min(entries.entrySet(), Comparator.comparingLong(entry -> order.applyAsLong(entry.getValue())))
              .getKey());
  }

  private void learnUses(Desk desk, Named named, List<String> credentials, long timeMs, String run) {
    if (run != null && desk.tainted(run)) return;
    for (String credential : credentials) {
      String key = bookKeyOf(credential);
      Kept.Book book = desk.get(key, Kept.Book::new);
      if (!desk.learning && !isUsual(book, credential, named.identity, timeMs, desk.settings.runner)) continue;
      enter(book, credential, named.identity, timeMs);
      desk.set(key, book);
    }
    String key = runnerKey(named.identity);
    Kept.Runner runner = desk.get(key, Kept.Runner::new);
    if (!desk.learning && !runner.known) return;
    runner.known = true;
    runner.lastMs = Math.max(runner.lastMs, dayOf(timeMs));
    desk.set(key, runner);
  }

  private void judgeOn(Desk desk, String key, Kept.Use use, String groupId) {
    Kept.Runner runner = desk.get(key, Kept.Runner::new);
    String identity = key.substring("runner:".length());
    ArrayList<String> fresh = new ArrayList<>();
    for (String credential : use.credentials)
      if (!isUsual(desk.get(bookKeyOf(credential)), credential, identity, use.timeMs, desk.settings.runner))
        fresh.add(credential);
    String suspicion = suspicionOf(runner, use.timeMs, groupId, desk.settings.runner);
    if (fresh.isEmpty() || suspicion == null || desk.learning) return;
    use.credentials = fresh;
    desk.find(draftOf(runner, identity, use, suspicion));
    if (runner.found.stream().anyMatch(known -> known.occasion.equals(use.occasion))) return;
    runner.found.add(use);
    keepLast(runner.found, 30);
    desk.set(key, runner);
  }

  @Override
  public void due(Kept.Timer timer, Desk desk) {
    Kept.RunFacts run = desk.get(timer.keys.get(0), Kept.RunFacts::new);
    for (Kept.Task task : run.tasks) {
      if (!task.runner.equals(timer.keys.get(1)) || run.path == null) continue;
      task.use.credentials = new ArrayList<>(List.of(workflowCredential(task.use.repository, run.path)));
      judgeOn(desk, task.runner, task.use, null);
    }
  }

  /** What speaks against a runner at the time of a use; null when nothing does. */
  private static String suspicionOf(Kept.Runner runner, long timeMs, String groupId, Rules.RunnerSettings settings) {
    boolean heard = runner.registered != null;
    boolean allowed = heard && hasLogin(settings.registrars, runner.registeredBy);
    if (heard && !settings.registrars.isEmpty() && !allowed)
      return "it was registered by " + runner.registeredBy + ", who is no registrar";
    if (heard && timeMs - runner.registeredMs < settings.youngMs) return "it was registered only lately";
    if (runner.known && timeMs - runner.lastMs < settings.expireMs) {
      boolean moved = runner.groupId != null && groupId != null && !groupId.equals(runner.groupId);
      return moved ? "it is in runner group " + groupId + ", and the inventory has it in " + runner.groupId : null;
    }
    return allowed ? null : "it is not in the inventory of runners";
  }

  private static Kept.Use useOf(Event event, String runnerName, List<String> credentials) {
    Event.Data data = event.data;
    Kept.Use use = new Kept.Use();
    use.occasion = data.run == null ? event.id : data.repository + "#" + data.run + "/" + data.attempt;
    use.repository = orElse(data.repository, "");
    use.runId = data.run;
    use.runnerName = runnerName;
    use.credentials = new ArrayList<>(credentials);
    use.timeMs = event.timeMs;
    use.eventId = event.id;
    use.time = event.time;
    use.trust = event.trust;
    return use;
  }

  private static Rules.Draft draftOf(Kept.Runner runner, String identity, Kept.Use use, String suspicion) {
    boolean hosted = identity.startsWith("hosted:");
    boolean certain =
        use.credentials.stream().anyMatch(one -> one.startsWith("token:") || one.startsWith("id:") || one.startsWith("secret:"));
    boolean environment = use.credentials.stream().anyMatch(one -> one.startsWith("environment:"));
    String confidence = hosted ? "low" : certain ? "high" : environment ? "medium" : "low";
    String named = String.join(", ", use.credentials);
    List<Kept.Evidence> evidence = new ArrayList<>(use.evidence);
    evidence.add(runner.registered);
    List<String> entities = new ArrayList<>(List.of("runner " + identity));
    for (String credential : use.credentials) entities.add("credential " + credential);
    return new Rules.Draft(
        identity,
        use.occasion,
        "Unknown runner " + use.runnerName + " was given " + named,
        use.runnerName + " took a job of " + use.repository + " that has " + named
            + ". It never had that before, and " + suspicion
            + ". Whoever runs that machine now holds what the job was given.",
        noSurerThan(confidence, use.trust),
        Rules.inOrder(evidence),
        use.runId == null ? List.of() : List.of(use.repository + "#" + use.runId),
        entities);
  }
}
