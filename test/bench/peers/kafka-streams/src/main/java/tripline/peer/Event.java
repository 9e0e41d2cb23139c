package tripline.peer;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.module.blackbird.BlackbirdModule;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;

/** A normalised event as it lies in the topic: the envelope in `ce_*` headers, attributes as JSON in the value. */
final class Event {
  static final JsonMapper JSON =
      JsonMapper.builder()
          .addModule(new BlackbirdModule())
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();
  private static final ObjectReader DATA = JSON.readerFor(Data.class);

  String id;
  String source;
  String type;
  String time;
  String trust;
  String workspace;
  long timeMs;
  Data data;

  static String header(Headers headers, String name) {
    Header header = headers.lastHeader(name);
    return header == null ? null : new String(header.value(), StandardCharsets.UTF_8);
  }

  static Event read(String type, String workspace, Headers headers, byte[] value) {
    try {
      Event event = new Event();
      event.id = header(headers, "ce_id");
      event.source = header(headers, "ce_source");
      event.type = type;
      event.time = header(headers, "ce_time");
      event.timeMs = ms(event.time);
      event.trust = header(headers, "ce_trust");
      event.workspace = workspace;
      event.data = DATA.readValue(value);
      return event;
    } catch (IOException error) {
      throw new IllegalStateException("a record is no event", error);
    }
  }

  /** The form that sources write, 2026-11-23T10:00:00.000Z, is read digit by digit: java.time takes twenty times as long. */
  static long ms(String time) {
    if (time.length() != 24 || time.charAt(23) != 'Z') return Instant.parse(time).toEpochMilli();
    long day = LocalDate.of(digits(time, 0, 4), digits(time, 5, 7), digits(time, 8, 10)).toEpochDay();
    long minute = digits(time, 11, 13) * 60L + digits(time, 14, 16);
    return ((day * 1440 + minute) * 60 + digits(time, 17, 19)) * 1000 + digits(time, 20, 23);
  }

  private static int digits(String text, int from, int to) {
    int number = 0;
    for (int at = from; at < to; at += 1) number = number * 10 + text.charAt(at) - '0';
    return number;
  }

  boolean is(String... types) {
    for (String one : types) if (one.equals(type)) return true;
    return false;
  }

  /** The attributes that some rule reads. */
  @JsonIgnoreProperties(ignoreUnknown = true)
  static final class Data {
    @JsonProperty("vcs.repository.name") public String repository;
    @JsonProperty("vcs.owner.name") public String owner;
    @JsonProperty("tripline.repository.default_branch") public String defaultBranch;
    @JsonProperty("vcs.ref.head.revision") public String revision;
    @JsonProperty("vcs.ref.head.name") public String ref;
    @JsonProperty("vcs.ref.head.type") public String refType;
    @JsonProperty("vcs.ref.base.name") public String base;
    @JsonProperty("tripline.ref.before") public String before;
    @JsonProperty("tripline.ref.deleted") public boolean deleted;
    @JsonProperty("user.name") public String user;
    @JsonProperty("tripline.user.app") public String app;
    @JsonProperty("tripline.user.association") public String association;
    @JsonProperty("tripline.head.fork") public boolean fork;

    @JsonProperty("vcs.change.id") public String change;
    @JsonProperty("tripline.change.author") public String changeAuthor;
    @JsonProperty("tripline.change.action") public String changeAction;
    @JsonProperty("tripline.change.merge_revision") public String mergeRevision;
    @JsonProperty("tripline.change.ids") public List<String> changeIds;
    @JsonProperty("tripline.review.id") public String reviewId;
    @JsonProperty("tripline.review.state") public String reviewState;
    @JsonProperty("tripline.review.revision") public String reviewRevision;
    @JsonProperty("tripline.review.author") public String reviewAuthor;
    @JsonProperty("tripline.review.author_type") public String reviewAuthorType;
    @JsonProperty("tripline.review.submitted_at") public String submittedAt;

    @JsonProperty("tripline.push.pusher") public String pusher;
    @JsonProperty("tripline.push.head_committer") public String headCommitter;
    @JsonProperty("tripline.push.commits") public List<Pushed> commits;

    @JsonProperty("cicd.pipeline.run.id") public String run;
    @JsonProperty("cicd.pipeline.name") public String pipeline;
    @JsonProperty("tripline.pipeline.path") public String path;
    @JsonProperty("tripline.pipeline.trigger") public String trigger;
    @JsonProperty("tripline.pipeline.triggered_by") public String triggeredBy;
    @JsonProperty("tripline.pipeline.run.attempt") public int attempt = 1;
    @JsonProperty("cicd.pipeline.task.run.id") public String task;
    @JsonProperty("cicd.pipeline.task.name") public String taskName;
    @JsonProperty("tripline.task.started_at") public String startedAt;
    @JsonProperty("tripline.task.completed_at") public String completedAt;
    @JsonProperty("deployment.environment.name") public String environment;

    @JsonProperty("cicd.worker.id") public String worker;
    @JsonProperty("cicd.worker.name") public String workerName;
    @JsonProperty("tripline.worker.hosted") public Boolean hosted;
    @JsonProperty("tripline.worker.labels") public List<String> labels;
    @JsonProperty("tripline.worker.group.name") public String groupName;
    @JsonProperty("tripline.worker.group.id") public String groupId;
    @JsonProperty("tripline.runner.registered_by") public String registeredBy;
    @JsonProperty("tripline.runner.registered_at") public String registeredAt;

    @JsonProperty("tripline.credential.secrets") public List<String> secrets;
    @JsonProperty("tripline.credential.token_hash") public String tokenHash;
    @JsonProperty("tripline.credential.id") public String credential;

    @JsonProperty("tripline.grant.kind") public String grantKind;
    @JsonProperty("tripline.grant.grantee") public String grantee;
    @JsonProperty("tripline.grant.target") public String target;
    @JsonProperty("tripline.grant.team") public String team;
    @JsonProperty("tripline.grant.permission") public String permission;
    @JsonProperty("tripline.grant.permission_before") public String permissionBefore;
    @JsonProperty("tripline.grant.permissions") public Map<String, String> permissions;
    @JsonProperty("tripline.grant.id") public String grantId;

    @JsonProperty("tripline.breakglass.id") public String breakGlass;
    @JsonProperty("tripline.breakglass.actor") public String breakGlassActor;
    @JsonProperty("tripline.breakglass.reason") public String breakGlassReason;
    @JsonProperty("tripline.breakglass.expires_at") public String breakGlassExpires;

    @JsonProperty("tripline.inventory.part") public int part;
    @JsonProperty("tripline.inventory.parts") public int parts;
    @JsonProperty("tripline.inventory.heads") public List<Head> heads = List.of();
    @JsonProperty("tripline.inventory.protected") public List<Protected> protectedRefs = List.of();
    @JsonProperty("tripline.inventory.runners") public List<InventoriedRunner> runners = List.of();
    @JsonProperty("tripline.inventory.credential_uses") public List<CredentialUse> uses = List.of();
  }

  static final class Pushed {
    public String revision;
    public List<String> ciPaths = List.of();
  }

  static final class Head {
    public String repository;
    public String branch;
    public String revision;
  }

  static final class Protected {
    public String repository;
    public List<String> patterns = List.of();
  }

  static final class InventoriedRunner {
    public String id;
    public String name;
    public String groupId;
    public String repository;
  }

  static final class CredentialUse {
    public String credential;
    public String runner;
  }
}
