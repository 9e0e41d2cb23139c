package tripline.peer;

import static tripline.peer.Rules.hasLogin;
import static tripline.peer.Rules.keepLast;
import static tripline.peer.Rules.orElse;

import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** packages/rules/job-windows.ts and grants.ts: grants, and the jobs in which they may be made. */
final class AccessFacts {
  private AccessFacts() {}

  static final String ADDED = "dev.cdeventsx.tripline-grant.added";
  static final String CHANGED = "dev.cdeventsx.tripline-grant.changed";
  static final String REMOVED = "dev.cdeventsx.tripline-grant.removed";
  static final String REQUESTED = "dev.cdeventsx.tripline-credential.requested";
  static final String BREAK_GLASS = "dev.cdeventsx.tripline-breakglass.opened";
  private static final long LATEST_MS = 72 * 3_600_000L;
  private static final long INVITATION_MS = 8 * Rules.DAY;
  private static final Set<String> READING = Set.of("read", "pull", "triage");

  record Window(String run, Kept.Job job, long closedMs, boolean ended) {}

  /** Grants and records always, runs and jobs only in a repository of a broker. */
  static boolean concerns(Event event, Rules.WindowSettings settings) {
    if (!Rules.isPipelineRun(event.type) && !Rules.isTaskRun(event.type)) return true;
    for (String broker : settings.brokers) if (broker.startsWith(event.data.repository + "/")) return true;
    return false;
  }

  static void learn(Kept.Access access, Event event, Rules.WindowSettings settings, long nowMs) {
    if (Rules.isPipelineRun(event.type) || Rules.isTaskRun(event.type)) {
      changeRun(access, event, settings);
      return;
    }
    if (event.is(BREAK_GLASS)) {
      if (!"high".equals(event.trust)) return;
      Kept.BreakGlass record = new Kept.BreakGlass();
      record.id = event.data.breakGlass;
      record.actor = event.data.breakGlassActor;
      record.fromMs = event.timeMs;
      record.toMs = Event.ms(event.data.breakGlassExpires);
      access.breakGlass.removeIf(known -> known.id.equals(record.id));
      access.breakGlass.add(record);
      keepLast(access.breakGlass, 50);
      return;
    }
    Kept.Grant grant = grantOf(event);
    if (grant == null) return;
    if (event.is(REMOVED)) {
      access.removals.removeIf(known -> known.timeMs <= nowMs - INVITATION_MS);
      access.removals.add(grant);
      keepLast(access.removals, 200);
    } else if (event.is(REQUESTED)) {
      access.requests.add(grant);
      keepLast(access.requests, 50);
    } else {
      access.grants.removeIf(
          known ->
              known.heardMs <= nowMs - (known.kind.equals("org-invitation") ? INVITATION_MS : 2 * LATEST_MS));
      grant.heardMs = nowMs;
      access.grants.add(grant);
    }
  }

  private static void changeRun(Kept.Access access, Event event, Rules.WindowSettings settings) {
    Event.Data data = event.data;
    String id = data.repository + "#" + data.run;
    Kept.BrokerRun run = null;
    for (Kept.BrokerRun known : access.runs) if (known.id.equals(id)) run = known;
    if (run == null) {
      run = new Kept.BrokerRun();
      run.id = id;
    } else {
      access.runs.remove(run);
    }
    access.runs.add(run);
    if (Rules.isPipelineRun(event.type)) {
      boolean onDefault = data.ref != null && data.ref.equals(data.defaultBranch) && !data.fork;
      boolean broker = onDefault && settings.brokers.contains(data.repository + "/" + data.path);
      run.broker = broker ? 1 : 0;
      if (broker) withLogins(run, data.triggeredBy, data.user);
      else run.actors.clear();
      if (!broker) run.jobs.clear();
    } else if (run.broker != 0) {
      learnJob(run, event);
    }
    if (access.runs.size() <= 200) return;
    // Runs that open no window go first.
    int out = 0;
    for (int at = access.runs.size() - 1; at >= 0; at -= 1) if (access.runs.get(at).broker != 1) out = at;
    access.runs.remove(out);
  }

  private static void learnJob(Kept.BrokerRun run, Event event) {
    Event.Data data = event.data;
    boolean finished = event.is(Rules.TASK_FINISHED);
    Kept.Job job = null;
    for (Kept.Job known : run.jobs) if (known.id.equals(data.task)) job = known;
    boolean first = job == null;
    if (first) {
      job = new Kept.Job();
      job.id = data.task;
      job.fromMs = event.timeMs;
    } else {
      run.jobs.remove(job);
    }
    run.jobs.add(job);
    keepLast(run.jobs, 20);
    job.name = orElse(data.taskName, data.task);
    if (data.startedAt != null) job.fromMs = Event.ms(data.startedAt);
    else if (!finished) job.fromMs = event.timeMs;
    if (finished) job.toMs = data.completedAt == null ? event.timeMs : Event.ms(data.completedAt);
    job.startSeen |= !finished;
    withLogins(run, data.user);
  }

  private static void withLogins(Kept.BrokerRun run, String... logins) {
    for (String login : logins) if (login != null && !hasLogin(run.actors, login)) run.actors.add(login);
    run.actors.sort(null);
    while (run.actors.size() > 5) run.actors.remove(5);
  }

  /** The window in which `grant` was made: one that has ended before one that has not, the last to close first. */
  static Window windowOf(Kept.Access access, Kept.Grant grant, Rules.WindowSettings settings) {
    Window best = null;
    for (Kept.BrokerRun run : access.runs) {
      if (run.broker != 1 || run.jobs.isEmpty()) continue;
      boolean acted =
          hasLogin(run.actors, grant.actor)
              || hasLogin(run.actors, grant.app)
              || hasLogin(settings.brokerActors, grant.actor)
              || hasLogin(settings.brokerActors, grant.app);
      if (!acted) continue;
      for (Kept.Job job : run.jobs) {
        boolean ended = job.toMs >= 0;
        long closedMs = ended ? job.toMs : job.fromMs + settings.maxJobMs;
        if (grant.timeMs < job.fromMs - settings.skewMs || grant.timeMs > closedMs + settings.graceMs) continue;
        boolean better =
            best == null || (ended && !best.ended) || (ended == best.ended && closedMs > best.closedMs);
        if (better) best = new Window(run.id, job, closedMs, ended);
      }
    }
    return best;
  }

  private static Kept.Grant grantOf(Event event) {
    Event.Data data = event.data;
    if (data.grantKind == null || isBlank(data.grantee) || isBlank(data.target)) return null;
    if (!event.is(REMOVED) && !isPrivilege(data, event.is(CHANGED))) return null;
    Kept.Grant grant = new Kept.Grant();
    grant.eventId = event.id;
    grant.kind = data.grantKind;
    grant.grantee = data.grantee;
    grant.target = data.target;
    grant.team = data.team;
    grant.id = data.grantKind.equals("personal-access-token") ? orElse(data.credential, data.grantId) : data.grantId;
    grant.actor = orElse(data.user, "somebody unnamed");
    grant.app = isBlank(data.app) ? null : data.app + "[bot]";
    grant.timeMs = event.timeMs;
    grant.time = event.time;
    grant.trust = event.trust;
    String did = event.is(REMOVED) ? " took back " : event.is(REQUESTED) ? " asked for " : " granted ";
    grant.evidence =
        new Kept.Evidence(event, grant.actor + did + grant.kind + " of " + grant.target + " for " + grant.grantee);
    return grant;
  }

  private static boolean isBlank(String text) {
    return text == null || text.isEmpty();
  }

  private static int rankOf(String permission) {
    String name = permission.toLowerCase(Locale.ROOT);
    if (name.equals("none")) return 0;
    if (READING.contains(name)) return 1;
    return name.equals("admin") ? 3 : 2;
  }

  private static boolean isPrivilege(Event.Data data, boolean isChange) {
    switch (data.grantKind) {
      case "org-invitation":
      case "org-member":
      case "team-member":
        return true;
      case "collaborator":
      case "team-repository":
      case "deploy-key":
        if (data.permission == null) return true;
        return rankOf(data.permission) >= 2
            && !(isChange
                && data.permissionBefore != null
                && rankOf(data.permissionBefore) >= rankOf(data.permission));
      case "app-installation":
      case "app-repositories":
      case "personal-access-token":
        Collection<String> rights = data.permissions == null ? List.of() : data.permissions.values();
        return rights.isEmpty()
            ? data.grantKind.equals("personal-access-token")
            : rights.stream().anyMatch(right -> rankOf(right) >= 2);
      default:
        return false;
    }
  }

  private static String kindOf(Kept.Grant grant) {
    return grant.kind.equals("org-invitation") ? "org-member" : grant.kind;
  }

  static boolean same(Kept.Grant a, Kept.Grant b) {
    return kindOf(a).equals(kindOf(b))
        && a.grantee.equalsIgnoreCase(b.grantee)
        && a.target.equalsIgnoreCase(b.target)
        && orElse(a.team, "").equals(orElse(b.team, ""));
  }

  static String subjectOf(Kept.Grant grant) {
    return grant.kind + ":" + grant.grantee + "@" + grant.target;
  }
}
