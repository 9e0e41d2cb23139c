package tripline.peer;

import static tripline.peer.Rules.fits;
import static tripline.peer.Rules.hasLogin;
import static tripline.peer.Rules.keepLast;
import static tripline.peer.Rules.noSurerThan;
import static tripline.peer.Rules.orElse;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** packages/rules/commit-facts.ts and unreviewed-draft.ts: what is known of one commit, and what follows from it. */
final class CommitFacts {
  private CommitFacts() {}

  static final int RUNS = 20;

  private static String shortSha(String revision) {
    return revision.substring(0, Math.min(12, revision.length()));
  }

  static void learnPush(Kept.Commit commit, Event event) {
    Event.Data data = event.data;
    Kept.Push push = new Kept.Push();
    push.ref = data.ref;
    push.type = data.refType;
    push.timeMs = event.timeMs;
    push.pusher = orElse(orElse(data.pusher, data.user), "somebody unnamed");
    push.committer = orElse(data.headCommitter, "");
    List<Event.Pushed> commits = data.commits == null ? List.of() : data.commits;
    for (Event.Pushed pushed : commits) {
      for (String path : pushed.ciPaths)
        if (push.ciPaths.size() < 20 && !push.ciPaths.contains(path)) push.ciPaths.add(path);
      if (pushed.revision.equals(data.revision) || commit.carried.contains(pushed.revision)) continue;
      if (commit.carried.size() < 50) commit.carried.add(pushed.revision);
    }
    push.evidence =
        new Kept.Evidence(
            event, push.pusher + " pushed " + shortSha(data.revision) + " to " + data.refType + " " + data.ref);
    commit.pushes.removeIf(known -> known.evidence.eventId.equals(event.id));
    commit.pushes.add(push);
    commit.pushes.sort((a, b) -> Long.compare(a.timeMs, b.timeMs));
    keepLast(commit.pushes, 8);
  }

  static void learnRun(
      Kept.Commit commit, Event event, boolean protectedRef, boolean secretWorkflow, long dueMs) {
    Event.Data data = event.data;
    Kept.Run run = null;
    for (Kept.Run known : commit.runs)
      if (known.id.equals(data.run) && known.attempt == data.attempt) run = known;
    boolean first = run == null;
    boolean isRun = Rules.isPipelineRun(event.type);
    boolean selfHosted = Boolean.FALSE.equals(data.hosted);
    boolean secrets = data.secrets != null && !data.secrets.isEmpty();
    boolean newEnvironment = data.environment != null && (first || !run.environments.contains(data.environment));
    boolean tellsMore =
        first
            || (isRun && run.trigger == null)
            || newEnvironment
            || (selfHosted && !run.selfHosted)
            || (secrets && !run.secrets);
    if (first) {
      run = new Kept.Run();
      run.id = data.run;
      run.attempt = data.attempt;
      run.name = orElse(orElse(data.pipeline, data.path), "unnamed workflow");
      run.ref = orElse(data.ref, "");
      run.timeMs = event.timeMs;
      run.dueMs = dueMs;
      run.trust = event.trust;
    } else {
      commit.runs.remove(run);
    }
    commit.runs.add(run);
    run.fork |= data.fork;
    run.protectedRef |= protectedRef;
    run.selfHosted |= selfHosted;
    run.secrets |= secrets;
    run.knownSecrets |= secretWorkflow;
    run.timeMs = Math.min(run.timeMs, event.timeMs);
    if (newEnvironment) {
      run.environments.add(data.environment);
      Collections.sort(run.environments);
      while (run.environments.size() > 10) run.environments.remove(run.environments.size() - 1);
    }
    if (tellsMore) {
      run.evidence.add(new Kept.Evidence(event, line(data, isRun)));
      keepLast(run.evidence, 6);
    }
    run.trigger = orElse(data.trigger, run.trigger);
    run.path = orElse(data.path, run.path);
    run.actor = orElse(orElse(isRun ? data.triggeredBy : null, run.actor), data.user);
  }

  private static String line(Event.Data data, boolean isRun) {
    if (isRun)
      return "Run of " + data.pipeline + " on " + data.ref + " by " + data.trigger + ", set off by " + data.triggeredBy;
    String environment = data.environment == null ? "" : " for environment " + data.environment;
    String worker = Boolean.FALSE.equals(data.hosted) ? " on self-hosted runner " + data.workerName : "";
    return "Job " + data.taskName + " of the run" + environment + worker;
  }

  private static boolean isPullRequest(Kept.Run run) {
    return run.trigger != null && run.trigger.startsWith("pull_request");
  }

  /** Why a run on an unreviewed commit matters; null when it does not. */
  static String reasonOf(Kept.Commit commit, Kept.Run run, Rules.BuildSettings settings) {
    if (fits(settings.exemptRefs, run.ref)) return null;
    boolean deploys = false;
    for (String environment : run.environments) deploys |= !fits(settings.exemptEnvironments, environment);
    if (isPullRequest(run)) {
      List<String> may = settings.pullRequestsMay;
      boolean handed =
          run.secrets || ("pull_request_target".equals(run.trigger) && run.fork && run.knownSecrets);
      if (handed && !may.contains("secrets")) return "a pull request run that was given secrets";
      if (deploys && !may.contains("environment")) return "a pull request run that deployed";
      if (run.selfHosted && !may.contains("self-hosted")) return "a pull request run on a self-hosted runner";
      return null;
    }
    if (deploys) return "a deployment to " + String.join(", ", run.environments);
    if (run.secrets) return "a run that was given secrets";
    if (run.protectedRef && !run.fork) return "a build of protected ref " + run.ref;
    for (Kept.Push push : commit.pushes)
      if (push.type.equals("tag") && push.ref.equals(run.ref)) return "a build of tag " + run.ref;
    if (run.knownSecrets)
      for (Kept.Push push : commit.pushes)
        if (push.ref.equals(run.ref) && !push.ciPaths.isEmpty())
          return "a run with secrets whose workflow was changed in the same push to " + run.ref;
    return null;
  }

  /** Why the commit counts as reviewed for `run`; null when it does not. */
  static String reviewedBy(Kept.Commit commit, Kept.Run run) {
    if (commit.trusted != null) return commit.trusted;
    if (commit.coveredBy != null) return "it came in with the reviewed merge " + shortSha(commit.coveredBy);
    for (Map.Entry<String, String> change : commit.changes.entrySet())
      if (change.getValue().equals("merged"))
        return "change #" + change.getKey() + " was approved by somebody else before it was merged";
    if (isPullRequest(run) || "merge_group".equals(run.trigger))
      for (Map.Entry<String, String> change : commit.changes.entrySet())
        if (change.getValue().equals("approved"))
          return "change #" + change.getKey() + " is approved by somebody else";
    return null;
  }

  static boolean isExempt(Kept.Commit commit, Kept.Run run, Rules.BuildSettings settings) {
    String pusher = null;
    for (Kept.Push push : commit.pushes) if (pusher == null && push.ref.equals(run.ref)) pusher = push.pusher;
    return hasLogin(settings.exemptActors, orElse(pusher, run.actor));
  }

  /** A push to the run's own ref that the provider did not make itself, and that no merged change may explain. */
  static boolean knownUnreviewed(Kept.Commit commit, Kept.Run run) {
    if (isPullRequest(run)) return true;
    for (Kept.Push push : commit.pushes)
      if (push.type.equals("branch") && push.ref.equals(run.ref))
        return !push.committer.equals("web-flow") && commit.changes.isEmpty();
    return false;
  }

  static Rules.Draft draftOf(
      String repository, String revision, Kept.Commit commit, Kept.Run run, String why, boolean unheard) {
    Kept.Push push = null;
    for (Kept.Push known : commit.pushes) if (push == null && known.ref.equals(run.ref)) push = known;
    if (push == null && !commit.pushes.isEmpty()) push = commit.pushes.get(0);
    String sha = shortSha(revision);
    String story =
        push != null
            ? push.pusher + " pushed " + sha + " to " + push.ref + " of " + repository
            : "Nothing was ever heard of how " + sha + " came into " + repository;
    String missing =
        commit.changes.isEmpty()
            ? "no merged change with an approval by somebody else brought it in"
            : "a change brought it in without a live approval of its last commit by somebody else";
    String confidence = push != null && knownUnreviewed(commit, run) ? "high" : unheard ? "low" : "medium";
    List<Kept.Evidence> evidence = new ArrayList<>();
    for (Kept.Push known : commit.pushes) evidence.add(known.evidence);
    evidence.addAll(run.evidence);
    List<String> entities = new ArrayList<>();
    entities.add("commit " + repository + "@" + revision);
    entities.add("repository " + repository);
    String pusher = push != null ? push.pusher : run.actor;
    if (pusher != null) entities.add("user " + pusher);
    return new Rules.Draft(
        repository + "@" + revision,
        run.id + "/" + run.attempt,
        run.name + " ran on " + repository + " at " + sha + ", which nobody else reviewed",
        story + ", and " + missing + ". Run " + run.id + " (attempt " + run.attempt + ") is " + why + ".",
        noSurerThan(confidence, run.trust),
        Rules.inOrder(evidence),
        List.of(repository + "#" + run.id),
        entities);
  }
}
