package tripline.peer;

import static tripline.peer.Rules.DAY;
import static tripline.peer.Rules.INVENTORY;
import static tripline.peer.Rules.MERGE_GROUP;
import static tripline.peer.Rules.PUSHED;
import static tripline.peer.Rules.fits;
import static tripline.peer.Rules.hasLogin;
import static tripline.peer.Rules.isPipelineRun;
import static tripline.peer.Rules.isTaskRun;
import static tripline.peer.Rules.keepLast;
import static tripline.peer.Rules.orElse;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * packages/rules/build-from-unreviewed-commit.ts. Answers to look-ups are left out: no corpus has one, and what is not
 * answered is decided when its hold is over, as in ours.
 */
final class UnreviewedBuild implements Rules.Rule {
  static final String ID = "build-from-unreviewed-commit";

  @Override
  public String id() {
    return ID;
  }

  @Override
  public boolean learns() {
    return false;
  }

  @Override
  public Set<String> reads() {
    return Set.of(
        INVENTORY, PUSHED, MERGE_GROUP,
        "dev.cdevents.pipelinerun.queued", "dev.cdevents.pipelinerun.started", "dev.cdevents.pipelinerun.finished",
        "dev.cdeventsx.tripline-taskrun.queued", Rules.TASK_STARTED, Rules.TASK_FINISHED,
        "dev.cdevents.change.created", "dev.cdevents.change.updated", "dev.cdevents.change.reviewed",
        "dev.cdevents.change.merged", "dev.cdevents.change.abandoned");
  }

  private static String repositoryKey(String repository) {
    return "repository:" + repository;
  }

  private static String branchKey(String repository, String branch) {
    return "branch:" + repository + "@" + branch;
  }

  private static String commitKey(String repository, String revision) {
    return "commit:" + repository + "@" + revision;
  }

  private static String changeKey(String repository, String change) {
    return "change:" + repository + "#" + change;
  }

  private static String repositoryOf(String commitKey) {
    return commitKey.substring("commit:".length(), commitKey.lastIndexOf('@'));
  }

  private static String revisionOf(String commitKey) {
    return commitKey.substring(commitKey.lastIndexOf('@') + 1);
  }

  private static boolean isZero(String revision) {
    for (int at = 0; at < revision.length(); at += 1) if (revision.charAt(at) != '0') return false;
    return !revision.isEmpty();
  }

  private static Kept.Commit commitAt(Desk desk, String key) {
    return desk.get(key, Kept.Commit::new);
  }

  private static Kept.Branch branchAt(Desk desk, String key) {
    return desk.get(key, Kept.Branch::new);
  }

  @Override
  public void judge(Event event, Desk desk) {
    Event.Data data = event.data;
    if (event.is(INVENTORY)) {
      learnInventory(data, desk);
      return;
    }
    String repository = data.repository;
    if (repository == null) return;
    if (isPipelineRun(event.type) || isTaskRun(event.type)) {
      if (data.revision != null) judgeRun(event, repository, desk);
    } else if (event.is(PUSHED)) {
      if (!data.deleted && !isZero(data.revision)) judgePush(event, repository, desk);
    } else if (event.is(MERGE_GROUP)) {
      judgeMergeGroup(data, repository, desk);
    } else {
      judgeChange(event, repository, desk);
    }
  }

  private void learnInventory(Event.Data data, Desk desk) {
    for (Event.Head head : data.heads) {
      String key = branchKey(head.repository, head.branch);
      Kept.Branch branch = branchAt(desk, key);
      branch.inventoried = true;
      desk.set(key, branch);
      String at = commitKey(head.repository, head.revision);
      Kept.Commit commit = commitAt(desk, at);
      commit.trusted = "it was the head of a protected branch on day one";
      review(desk, at, commit);
    }
    for (Event.Protected named : data.protectedRefs) {
      Kept.Repository state = desk.get(repositoryKey(named.repository), Kept.Repository::new);
      state.protectedRefs = new ArrayList<>(named.patterns.subList(0, Math.min(100, named.patterns.size())));
      desk.set(repositoryKey(named.repository), state);
    }
    for (Event.CredentialUse use : data.uses) {
      if (!use.credential.startsWith("workflow:")) continue;
      String[] parts = use.credential.substring("workflow:".length()).split("/", 3);
      if (parts.length < 3) continue;
      String repository = parts[0] + "/" + parts[1];
      Kept.Repository state = desk.get(repositoryKey(repository), Kept.Repository::new);
      if (!state.secretWorkflows.contains(parts[2])) state.secretWorkflows.add(parts[2]);
      keepLast(state.secretWorkflows, 100);
      desk.set(repositoryKey(repository), state);
    }
  }

  private static boolean isProtected(Kept.Repository known, Event.Data data) {
    if (data.ref == null) return false;
    return data.ref.equals(data.defaultBranch) || (known != null && fits(known.protectedRefs, data.ref));
  }

  private void judgeRun(Event event, String repository, Desk desk) {
    Event.Data data = event.data;
    Kept.Repository known = desk.get(repositoryKey(repository));
    String path = orElse(data.path, "");
    boolean secretWorkflow =
        (known != null && known.secretWorkflows.contains(path))
            || (!desk.settings.build.secretWorkflows.isEmpty()
                && desk.settings.build.secretWorkflows.contains(repository + "/" + path));
    String key = commitKey(repository, data.revision);
    Kept.Commit commit = commitAt(desk, key);
    CommitFacts.learnRun(
        commit, event, isProtected(known, data), secretWorkflow, desk.nowMs + desk.settings.build.holdMs);
    review(desk, key, commit);
  }

  private void judgePush(Event event, String repository, Desk desk) {
    Event.Data data = event.data;
    Kept.Repository known = desk.get(repositoryKey(repository));
    if ("branch".equals(data.refType) && isProtected(known, data) && data.before != null) {
      String at = branchKey(repository, data.ref);
      Kept.Branch branch = branchAt(desk, at);
      if (!branch.inventoried && (branch.firstBefore == null || event.timeMs < branch.firstMs)) {
        if (branch.firstBefore != null) askAgain(desk, "untrust", List.of(commitKey(repository, branch.firstBefore)));
        if (!isZero(data.before)) {
          String old = commitKey(repository, data.before);
          Kept.Commit commit = commitAt(desk, old);
          commit.trusted = "it was the head when the branch was first heard of";
          review(desk, old, commit);
        }
        for (String revision : branch.unheard) askAgain(desk, "again", List.of(commitKey(repository, revision), at));
        branch.firstMs = event.timeMs;
        branch.firstBefore = data.before;
        branch.unheard.clear();
        desk.set(at, branch);
      }
    }
    String key = commitKey(repository, data.revision);
    Kept.Commit commit = commitAt(desk, key);
    CommitFacts.learnPush(commit, event);
    cover(desk, repository, key, commit);
    review(desk, key, commit);
  }

  private void judgeMergeGroup(Event.Data data, String repository, Desk desk) {
    String key = commitKey(repository, data.revision);
    Kept.Commit commit = commitAt(desk, key);
    List<String> ids = data.changeIds == null ? List.of() : data.changeIds;
    for (String id : ids.subList(0, Math.min(16, ids.size()))) {
      Kept.Change change = desk.get(changeKey(repository, id), Kept.Change::new);
      String head =
          !change.heads.isEmpty()
              ? change.heads.get(change.heads.size() - 1).revision
              : change.reviews.isEmpty() ? null : change.reviews.get(change.reviews.size() - 1).revision;
      if (head != null && !"merged".equals(commit.changes.get(id)) && ChangeFacts.approves(change, head))
        commit.changes.put(id, "approved");
    }
    review(desk, key, commit);
  }

  private void judgeChange(Event event, String repository, Desk desk) {
    Event.Data data = event.data;
    String id = data.change;
    String key = changeKey(repository, id);
    Kept.Change change = desk.get(key, Kept.Change::new);
    ChangeFacts.learn(change, event);
    desk.set(key, change);

    String head = orElse(data.reviewRevision, data.revision);
    String base = branchKey(repository, orElse(data.base, ""));
    Kept.Branch branch = branchAt(desk, base);
    boolean lapsed =
        branch.approved.removeIf(known -> known.change.equals(id) || known.untilMs <= desk.nowMs);
    boolean open = !change.merged && !event.is("dev.cdevents.change.abandoned");
    boolean approved = open && ChangeFacts.approves(change, head);
    if (approved) {
      Kept.Approved entry = new Kept.Approved();
      entry.change = id;
      entry.untilMs = desk.nowMs + 7 * DAY;
      branch.approved.add(entry);
      keepLast(branch.approved, 50);
    }
    if (approved || lapsed) desk.set(base, branch);

    Set<String> revisions = new HashSet<>();
    revisions.add(head);
    if (change.merged) {
      revisions.add(change.mergedHead);
      revisions.add(change.mergedRevision);
    }
    for (String revision : revisions)
      if (revision != null) follow(desk, commitKey(repository, revision), id, change);
  }

  /** Writes what a change says of one commit that it brought in. */
  private void follow(Desk desk, String key, String id, Kept.Change change) {
    String revision = revisionOf(key);
    Kept.Commit commit = commitAt(desk, key);
    boolean brought =
        change.merged && (revision.equals(change.mergedHead) || revision.equals(change.mergedRevision));
    boolean approved = ChangeFacts.approves(change, brought ? change.mergedHead : revision);
    String state = brought ? (approved ? "merged" : "unapproved") : approved ? "approved" : null;
    commit.changes.remove(id);
    if (state != null) commit.changes.put(id, state);
    while (commit.changes.size() > 16) commit.changes.remove(commit.changes.keySet().iterator().next());
    cover(desk, repositoryOf(key), key, commit);
    review(desk, key, commit);
  }

  /** A rebased change comes as several commits: those of the push that ends in its merge are reviewed with it. */
  private void cover(Desk desk, String repository, String key, Kept.Commit commit) {
    if (commit.carried.isEmpty() || commit.changes.values().stream().allMatch("approved"::equals)) return;
    List<String> keys = new ArrayList<>(List.of(key));
    for (String revision : commit.carried) keys.add(commitKey(repository, revision));
    askAgain(desk, "cover", keys);
  }

  private static void askAgain(Desk desk, String what, List<String> keys) {
    desk.setTimer(what + " " + String.join(" ", keys.subList(0, Math.min(2, keys.size()))), desk.nowMs, keys);
  }

  @Override
  public void due(Kept.Timer timer, Desk desk) {
    String key = timer.keys.get(0);
    String what = timer.id.substring(0, timer.id.indexOf(' '));
    Kept.Commit commit = commitAt(desk, key);
    if (what.equals("cover")) {
      boolean merged = commit.changes.containsValue("merged");
      for (String carried : timer.keys.subList(1, timer.keys.size())) {
        Kept.Commit other = commitAt(desk, carried);
        other.coveredBy = merged ? revisionOf(key) : null;
        review(desk, carried, other);
      }
      return;
    }
    if (what.equals("untrust")) commit.trusted = null;
    review(desk, key, commit);
  }

  /** Decides all runs of a commit by what is now known of it, and keeps it. */
  private void review(Desk desk, String key, Kept.Commit commit) {
    int excess = commit.runs.size() - CommitFacts.RUNS;
    ArrayList<Kept.Run> runs = new ArrayList<>(commit.runs.size());
    for (int place = 0; place < commit.runs.size(); place += 1) {
      Kept.Run run = commit.runs.get(place);
      if (decide(desk, key, commit, run, place < excess)) runs.add(run);
    }
    keepLast(runs, CommitFacts.RUNS);
    commit.runs = runs;
    desk.set(key, commit);
  }

  /** Whether the run is still of interest. */
  private boolean decide(Desk desk, String key, Kept.Commit commit, Kept.Run run, boolean last) {
    Rules.BuildSettings settings = desk.settings.build;
    String repository = repositoryOf(key);
    String revision = revisionOf(key);
    String subject = repository + "@" + revision;
    String occasion = run.id + "/" + run.attempt;
    String timer = "hold " + occasion;
    String why = CommitFacts.reasonOf(commit, run, settings);
    String fine =
        why == null ? "the run is none that needs a review" : CommitFacts.reviewedBy(commit, run);
    if (fine == null && CommitFacts.isExempt(commit, run, settings)) fine = "its pusher is exempt";
    if (fine != null) {
      boolean fired = run.fired;
      if (fired) desk.withdraw(subject, occasion, fine);
      else desk.clearTimer(timer);
      run.fired = false;
      boolean mayMatter =
          commit.pushes.isEmpty() || (run.trigger == null ? run.selfHosted : run.trigger.startsWith("pull_request"));
      return why != null || fired || mayMatter;
    }
    if (run.fired) return true;
    String at = branchKey(repository, run.ref);
    Kept.Branch branch = branchAt(desk, at);
    boolean merging = branch.approved.stream().anyMatch(change -> change.untilMs > desk.nowMs);
    boolean positive = CommitFacts.knownUnreviewed(commit, run);
    if (!last && desk.nowMs < run.dueMs && (merging || !positive)) {
      desk.setTimer(timer, run.dueMs, List.of(key, at));
      return true;
    }
    boolean past = branch.inventoried || (branch.firstBefore != null && branch.firstMs < run.timeMs);
    boolean unheard = commit.pushes.isEmpty() && commit.changes.isEmpty() && !positive;
    if (unheard && run.protectedRef && !past) {
      if (!branch.unheard.contains(revision)) {
        branch.unheard.add(revision);
        keepLast(branch.unheard, 16);
        desk.set(at, branch);
      }
      return true;
    }
    desk.clearTimer(timer);
    desk.find(CommitFacts.draftOf(repository, revision, commit, run, why, unheard));
    run.fired = true;
    return true;
  }
}
