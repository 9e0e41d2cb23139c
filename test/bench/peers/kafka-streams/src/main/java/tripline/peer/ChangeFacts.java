package tripline.peer;

import static tripline.peer.Rules.keepLast;
import static tripline.peer.Rules.orElse;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** packages/rules/reviewed.ts: whether somebody else reviewed what a change brought in. */
final class ChangeFacts {
  private ChangeFacts() {}

  private static final Set<String> TRUSTED = Set.of("OWNER", "MEMBER", "COLLABORATOR");
  private static final long SAME_MOMENT_MS = 5_000;

  static void learn(Kept.Change change, Event event) {
    Event.Data data = event.data;
    change.author = orElse(data.changeAuthor, change.author);
    if (event.is("dev.cdevents.change.reviewed")) {
      learnReview(change, event);
      return;
    }
    String head = data.revision;
    if (event.is("dev.cdevents.change.merged")) {
      change.merged = true;
      change.mergedHead = head;
      change.mergedRevision = data.mergeRevision;
      change.mergedMs = event.timeMs;
      return;
    }
    boolean brings = event.is("dev.cdevents.change.created") || "synchronize".equals(data.changeAction);
    if (!brings || data.user == null) return;
    for (Kept.Head known : change.heads) if (known.revision.equals(head)) return;
    Kept.Head brought = new Kept.Head();
    brought.revision = head;
    brought.pusher = data.user;
    change.heads.add(brought);
    keepLast(change.heads, 20);
  }

  private static void learnReview(Kept.Change change, Event event) {
    Event.Data data = event.data;
    if (data.reviewState.equals("commented") || data.reviewState.equals("pending")) return;
    for (Kept.Review known : change.reviews)
      if (known.id.equals(data.reviewId) && known.state.equals("dismissed")) return;
    Kept.Review review = new Kept.Review();
    review.id = data.reviewId;
    review.author = orElse(data.reviewAuthor, "");
    review.authorType = orElse(data.reviewAuthorType, "");
    review.association = orElse(data.association, "");
    review.state = data.reviewState;
    review.revision = data.reviewRevision;
    boolean submitted = !review.state.equals("dismissed") && data.submittedAt != null;
    review.timeMs = submitted ? Event.ms(data.submittedAt) : event.timeMs;
    change.reviews.removeIf(other -> other.id.equals(review.id));
    change.reviews.add(review);
    change.reviews.sort(
        (a, b) -> a.timeMs != b.timeMs ? Long.compare(a.timeMs, b.timeMs) : a.id.compareTo(b.id));
    keepLast(change.reviews, 50);
  }

  /** Whether `head` counts as reviewed. */
  static boolean approves(Kept.Change change, String head) {
    if (change.reviews.isEmpty()) return false;
    long untilMs = change.merged ? change.mergedMs + SAME_MOMENT_MS : Long.MAX_VALUE;
    String pusher = null;
    for (Kept.Head known : change.heads) if (known.revision.equals(head)) pusher = known.pusher;
    Map<String, Kept.Review> last = new LinkedHashMap<>();
    Map<String, Boolean> approved = new LinkedHashMap<>();
    for (Kept.Review review : change.reviews) {
      boolean late = review.timeMs > untilMs;
      // Dismissed after the merge: at the merge it still stood.
      if (late && !review.state.equals("dismissed")) continue;
      last.put(review.author.toLowerCase(), review);
      approved.put(review.author.toLowerCase(), late || review.state.equals("approved"));
    }
    for (Map.Entry<String, Kept.Review> entry : last.entrySet()) {
      Kept.Review review = entry.getValue();
      if (approved.get(entry.getKey())
          && review.revision.equals(head)
          && !review.author.isEmpty()
          && !review.authorType.equals("Bot")
          && !review.author.endsWith("[bot]")
          && TRUSTED.contains(review.association)
          && !review.author.equalsIgnoreCase(change.author)
          && !review.author.equalsIgnoreCase(pusher)) return true;
    }
    return false;
  }
}
