import type { When } from './io.ts';

/** A moment at which a process may be made to die: right before or after an I/O whose label (io.ts) fits. */
export type Point = { when: When; what: RegExp };

/**
 * Every place in a service's work at which it touches disk, database, network or another program, by the label of that
 * I/O. Each gives two points, `<service>.before-<place>` and `<service>.after-<place>`. `IO_SEEN` (failpoints.ts) says which
 * labels there are.
 */
const places: Readonly<Record<string, RegExp>> = {
  'receiver.append': /^sql log-append$/,
  // The same statement, when it brings what lay in the spool.
  'receiver.drain': /^sql log-append$/,
  'receiver.segment': /^fs create \.spool$/,
  'receiver.segment-folder': /^fs sync folder$/,
  'receiver.write': /^fs write \.spool$/,
  'receiver.sync': /^fs datasync \.spool$/,
  'receiver.unlink': /^fs unlink \.spool$/,
  'receiver.mend': /^fs rename \.new$/,

  'log.write': /^sql log-append$/,
  'log.heartbeat': /^sql SELECT log_heartbeat$/,
  'log.read': /^sql read-log$/,

  'recorder.take': /^sql INSERT positions$/,
  'recorder.head': /^sql SELECT trail_heads$/,
  'recorder.days': /^sql SELECT make_trail_day$/,
  'recorder.begin': /^sql BEGIN$/,
  'recorder.advance': /^sql UPDATE positions/,
  'recorder.bodies': /^sql INSERT trail_bodies$/,
  'recorder.heads': /^sql INSERT trail_heads$/,
  'recorder.commit': /^sql COMMIT UPDATE positions/,

  'detector.read': /^sql read-log$/,
  'detector.fetch': /^sql SELECT state_pages$/,
  'detector.begin': /^sql BEGIN$/,
  'detector.batch': /^sql keep-batch$/,
  'detector.known': /^sql verdicts-known$/,
  'detector.findings': /^sql verdicts-write$/,
  'detector.jobs': /^sql SELECT graphile_worker\.add_job$/,
  'detector.commit': /^sql COMMIT keep-batch$/,
  'detector.merge': /^sql INSERT state_pages$/,
  'detector.drop': /^sql DELETE state_pages$/,

  'notifier.turn': /^sql notification-(?:oldest|newest)$/,
  'notifier.incident': /^sql read-incident$/,
  'notifier.claim': /^sql notification-claim$/,
  'notifier.park': /^sql notification-defer$/,
  'notifier.intent': /^sql notification-intend$/,
  'notifier.post': /^http POST \/chat\.postMessage$/,
  'notifier.update': /^http POST \/chat\.update$/,
  'notifier.page': /^http POST \/v2\/enqueue$/,
  'notifier.record': /^sql notification-sent$/,
  'notifier.skip': /^sql UPDATE told SET version, story$/,
  'notifier.failure': /^sql UPDATE told SET failures, failure$/,
  'notifier.give-up': /^sql UPDATE told SET version, failure$/,
  'notifier.release': /^sql notification-release$/,
  'notifier.job-done': /^sql queue-done$/,
  'notifier.fold': /^sql UPDATE told SET digest, due_at$/,
  'notifier.fold-commit': /^sql COMMIT UPDATE told SET digest, due_at$/,
  'notifier.taking': /^sql queue-claim$/,

  'remediator.read': /^sql SELECT findings$/,
  'remediator.plan': /^sql INSERT remediations$/,
  'remediator.claim': /^sql SELECT r\.leased_until$/,
  'remediator.acting': /^sql COMMIT UPDATE remediations SET (?:begun_at, sent_at|state, verdict)$/,
  'remediator.token': /^http POST \/app\/installations\/N\/access_tokens$/,
  'remediator.revoking-token': /^http DELETE \/installation\/token$/,
  'remediator.asking': /^http GET .*\/(?:runners|keys)\/N$/,
  'remediator.gate': /^sql UPDATE remediations SET sent_at$/,
  'remediator.act': /^http DELETE .*\/(?:runners|keys)\/N$/,
  'remediator.postpone': /^sql UPDATE remediations SET reason, said$/,
  'remediator.settle': /^sql UPDATE remediations SET state, verdict$/,
  'remediator.outbox': /^sql add-to-outbox$/,
  'remediator.taking': /^sql queue-claim$/,
  'remediator.job-done': /^sql queue-done$/,

  'broker.keys': /^http GET \/\.well-known\/jwks$/,
  'broker.spend': /^sql access-spend$/,
  'broker.gather': /^sql known-run$/,
  'broker.intend': /^sql access-intend$/,
  'broker.kill-switch': /^sql access-meanwhile$/,
  'broker.mint': /^http POST \/app\/installations\/N\/access_tokens$/,
  'broker.touched': /^sql access-touched$/,
  'broker.record': /^sql access-record$/,
  // What was given, and what was revoked.
  'broker.append': /^sql log-append$/,
  'broker.read': /^sql read-log$/,
  'broker.hear': /^sql INSERT access_ends$/,
  'broker.end': /^sql UPDATE access_grants SET ending_at, ending_why$/,
  'broker.ending': /^sql UPDATE access_credentials SET state, due_at$/,
  'broker.heard': /^sql COMMIT UPDATE positions SET next, log_time_ms$/,
  'broker.claim': /^sql access-claim-revocations$/,
  'broker.revoke': /^http DELETE \/installation\/token$/,
  'broker.dead': /^sql UPDATE access_credentials SET state, dead_at$/,

  // Where its log lies in Kafka.
  'kafka.join': /^kafka (?:JoinGroup|SyncGroup)$/,
  'kafka.heartbeat': /^kafka Heartbeat$/,
  'kafka.offsets': /^kafka ListOffsets$/,
  'kafka.read': /^kafka Fetch$/,
  'kafka.append': /^kafka Produce$/,

  'gate.read': /^sql read-log$/,
  'gate.note': /^sql INSERT access_gates$/,
  'gate.noted': /^sql COMMIT UPDATE positions SET next, log_time_ms$/,
  'gate.claim': /^sql access-claim-gates$/,
  'gate.kill-switch': /^sql remediation-stopped$/,
  'gate.known': /^sql known-run$/,
  'gate.token': /^http POST \/app\/installations\/N\/access_tokens$/,
  // The token, and what was decided.
  'gate.append': /^sql log-append$/,
  'gate.run': /^http GET .*\/runs\/N$/,
  'gate.waits': /^http GET .*\/pending_deployments$/,
  'gate.held': /^sql SELECT access_gates$/,
  'gate.decide': /^sql UPDATE access_gates SET decision, attempt$/,
  'gate.say': /^http POST .*\/deployment_protection_rule$/,
  'gate.comment': /^sql UPDATE access_gates SET attempt, commented_at$/,
  'gate.close': /^sql UPDATE access_gates SET state, answered_at$/,
  'gate.postpone': /^sql UPDATE access_gates SET due_at, last_fault$/,
  'gate.revoke-token': /^http DELETE \/installation\/token$/,

  'outbox.publish': /^sql COMMIT DELETE outbox$/,

  'embedded.launch': /^run postgres$/,
  'embedded.initdb': /^run initdb$/,
  'embedded.initdb-end': /^run initdb to its end$/,
  'embedded.placing': /^fs rename cluster$/,
};

export const points: Readonly<Record<string, Point>> = Object.fromEntries(
  Object.entries(places).flatMap(([place, what]) => {
    const [service, name] = place.split('.') as [string, string];
    return (['before', 'after'] as const).map((when) => [`${service}.${when}-${name}`, { when, what }]);
  }),
);

/** Names of the points of `services`, in order. */
export const pointsOf = (...services: readonly string[]): string[] =>
  Object.keys(points)
    .filter((name) => services.includes(name.split('.')[0]!))
    .sort();
