package tripline.peer;

import static tripline.peer.Rules.hasLogin;
import static tripline.peer.Rules.noSurerThan;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** packages/rules/privilege-grant-outside-job.ts. */
final class GrantOutsideJob implements Rules.Rule {
  static final String ID = "privilege-grant-outside-job";
  private static final String KEY = "access";
  private static final long LATEST_MS = 72 * 3_600_000L;

  /** Why a grant is in order, and from when on nothing that may still be heard of its job can unsay it. */
  private record Excuse(String reason, long firmFromMs) {}

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
        AccessFacts.ADDED, AccessFacts.CHANGED, AccessFacts.REMOVED, AccessFacts.REQUESTED, AccessFacts.BREAK_GLASS,
        "dev.cdevents.pipelinerun.queued", "dev.cdevents.pipelinerun.started", "dev.cdevents.pipelinerun.finished",
        Rules.TASK_STARTED, Rules.TASK_FINISHED);
  }

  @Override
  public void judge(Event event, Desk desk) {
    if (!AccessFacts.concerns(event, desk.settings.window)) return;
    Kept.Access access = desk.get(KEY, Kept.Access::new);
    AccessFacts.learn(access, event, desk.settings.window, desk.nowMs);
    review(access, desk);
  }

  @Override
  public void due(Kept.Timer timer, Desk desk) {
    Kept.Access access = desk.get(KEY);
    if (access != null) review(access, desk);
  }

  private static Excuse excuseOf(Kept.Access access, Kept.Grant grant, Rules.WindowSettings settings) {
    if (hasLogin(settings.exemptActors, grant.actor) || hasLogin(settings.exemptActors, grant.app))
      return new Excuse(grant.actor + " is exempt", 0);
    for (Kept.BreakGlass record : access.breakGlass)
      if (record.actor.equalsIgnoreCase(grant.actor)
          && grant.timeMs >= record.fromMs
          && grant.timeMs <= record.toMs) return new Excuse("break-glass record " + record.id, 0);
    AccessFacts.Window window = AccessFacts.windowOf(access, grant, settings);
    if (window != null)
      return new Excuse(
          "job " + window.job().name + " of " + window.run() + " was running",
          window.ended() ? 0 : window.closedMs() + LATEST_MS);
    if (!grant.kind.equals("org-member")) return null;
    for (Kept.Grant other : access.grants)
      if (other.kind.equals("org-invitation")
          && AccessFacts.same(other, grant)
          && other.timeMs <= grant.timeMs + settings.skewMs) return excuseOf(access, other, settings);
    return null;
  }

  private void review(Kept.Access access, Desk desk) {
    Rules.WindowSettings settings = desk.settings.window;
    for (Kept.Grant grant : access.grants) {
      String timer = "held:" + grant.eventId;
      Excuse excuse = excuseOf(access, grant, settings);
      if (excuse != null) {
        if (!grant.fired) desk.clearTimer(timer);
        else if (desk.nowMs >= excuse.firmFromMs)
          desk.withdraw(AccessFacts.subjectOf(grant), grant.eventId, excuse.reason);
        else desk.setTimer(timer, excuse.firmFromMs, List.of(KEY));
        continue;
      }
      if (grant.fired) continue;
      long dueMs = settings.brokers.isEmpty() ? grant.heardMs : grant.heardMs + settings.latenessMs;
      if (desk.nowMs < dueMs) {
        desk.setTimer(timer, dueMs, List.of(KEY));
        continue;
      }
      desk.find(draftOf(access, grant, settings));
      grant.fired = true;
    }
    while (access.grants.size() > 100) {
      Kept.Grant grant = access.grants.remove(0);
      desk.clearTimer("held:" + grant.eventId);
      if (!grant.fired && excuseOf(access, grant, settings) == null) desk.find(draftOf(access, grant, settings));
    }
    desk.set(KEY, access);
  }

  private static Rules.Draft draftOf(Kept.Access access, Kept.Grant grant, Rules.WindowSettings settings) {
    List<Kept.Evidence> evidence = new ArrayList<>(List.of(grant.evidence));
    for (Kept.Grant request : access.requests)
      if (request.id != null && request.id.equals(grant.id)) evidence.add(request.evidence);
    for (Kept.Grant removal : access.removals)
      if (AccessFacts.same(removal, grant) && removal.timeMs >= grant.timeMs) evidence.add(removal.evidence);
    String why =
        settings.brokers.isEmpty()
            ? "No workflow is configured as an access broker and no break-glass record names them."
            : "No job of an access broker was running for them at that time, and no break-glass record names them.";
    String what = grant.kind + " of " + grant.target + " for " + grant.grantee;
    return new Rules.Draft(
        AccessFacts.subjectOf(grant),
        grant.eventId,
        grant.actor + " granted " + what + " outside any authorised job",
        "At " + grant.time + " " + grant.actor + " granted " + what + ". " + why,
        noSurerThan(settings.brokers.isEmpty() ? "medium" : "high", grant.trust),
        Rules.inOrder(evidence),
        List.of(),
        List.of("user " + grant.actor, "user " + grant.grantee, "grant " + AccessFacts.subjectOf(grant)));
  }
}
