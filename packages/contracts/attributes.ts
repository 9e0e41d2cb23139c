import { z } from 'zod';
import { resolutions } from './incident.ts';

/**
 * Every attribute that a normalised event may carry, by its one name.
 *
 * Names follow OpenTelemetry's `cicd.*`, `vcs.*`, `deployment.*` and `user.*` semantic conventions where those have a
 * word; what they have no word for stands under `tripline.*`. Keys are flat, as OpenTelemetry writes them. Ids are
 * always strings, whatever type the provider sent. Times are RFC 3339 in UTC. An attribute that the provider did not
 * send is absent, never null.
 */
const text = z.string().max(4096);
const longText = z.string().max(65_536);
/** An id, or what is made of ids. */
export const id = z.string().min(1).max(512);
const time = z.iso.datetime({ offset: true });

/** A commit as the provider's API tells it. */
const lookedUpCommit = z.object({
  revision: id,
  parents: z.array(id),
  author: text,
  authorId: id.optional(),
  authorType: text.optional(),
  committer: text,
  verified: z.boolean(),
});

export const attributes = {
  // Who did it. For GitHub this is the delivery's `sender`.
  'user.id': id,
  'user.name': text,
  /** `User`, `Bot`, `Organization`, `Mannequin`: the provider's own word. */
  'user.type': text,
  /** GitHub's `author_association` of the author or reviewer: OWNER, MEMBER, COLLABORATOR, CONTRIBUTOR, NONE … */
  'tripline.user.association': text,
  /** Login of the app that acted for the user (`performed_via_github_app.slug`). */
  'tripline.user.app': text,

  // Which act it is.
  /**
   * Which act it reports, where the provider reports one act by several events: `fact:<kind of act>:<whom and
   * what>@<minute>`, or `#<id>` where the act has an id of its own at the provider. The engine numbers them: the nth
   * report from one webhook event and the nth from another are the same act.
   */
  'tripline.fact.id': id,
  /** The reporter: the name of the webhook's event, or of another feed. */
  'tripline.fact.teller': id,
  /** The provider sent no time: the event's is when it was received, so an equal body says nothing of when it was made. */
  'tripline.time.received': z.literal(true),

  // From where, as an audit log tells it.
  /** Address of who did it, IPv4 or IPv6; for GitHub present only where the organisation has its disclosure switched on. */
  'client.address': z.string().min(1).max(256),
  /** The client that it was done with, in its own words: whoever sends it chooses them. */
  'user_agent.original': text,

  // Where.
  'vcs.provider.name': z.enum(['github', 'gitlab', 'gitea', 'bitbucket', 'other']),
  /** Host of the provider's instance, where it is another than the provider's own: an Enterprise Server's. */
  'tripline.provider.instance': id,
  'vcs.owner.name': text,
  /** The provider's id of the organisation or user that owns the repository: it stays when the name changes. */
  'vcs.owner.id': id,
  /** The repository's full name, `owner/name`. */
  'vcs.repository.name': text,
  'vcs.repository.id': id,
  'vcs.repository.url.full': text,
  'tripline.repository.visibility': z.enum(['public', 'private', 'internal']),
  'tripline.repository.default_branch': text,
  'tripline.repository.description': text,
  /** Whether the repository may be forked, where it is private or internal. */
  'tripline.repository.forking_allowed': z.boolean(),

  // Refs, commits, changes (pull requests).
  'vcs.ref.head.name': text,
  'vcs.ref.head.revision': id,
  'vcs.ref.head.type': z.enum(['branch', 'tag']),
  'vcs.ref.base.name': text,
  'vcs.ref.base.revision': id,
  /** The ref's commit before the push; forty zeros when the push created the ref. */
  'tripline.ref.before': id,
  'tripline.ref.created': z.boolean(),
  'tripline.ref.deleted': z.boolean(),
  'tripline.ref.forced': z.boolean(),
  'vcs.change.id': id,
  'vcs.change.title': text,
  'vcs.change.state': z.enum(['open', 'wip', 'closed', 'merged']),
  /** The commit that the merge put on the base branch (`merge_commit_sha`); only on a merged change. */
  'tripline.change.merge_revision': id,
  'tripline.change.author': text,
  'tripline.change.author_id': id,
  /** How many commits it consists of. */
  'tripline.change.commit_count': z.int().nonnegative(),
  /** What happened to the change, in the provider's word: synchronize, edited, labeled, review_requested … */
  'tripline.change.action': text,
  'tripline.change.merged_by': text,
  'tripline.change.merged_by_id': id,
  /** Numbers of the changes that the provider says a run belongs to. */
  'tripline.change.ids': z.array(id),
  'tripline.head.repository': text,
  'tripline.head.repository_id': id,
  /** The head lies in another repository than the base. */
  'tripline.head.fork': z.boolean(),

  // A review of a change.
  'tripline.review.id': id,
  /** What the review says now, in lower case: approved, changes_requested, commented, dismissed. */
  'tripline.review.state': z.enum(['approved', 'changes_requested', 'commented', 'dismissed', 'pending']),
  /** The commit that the reviewer saw (`review.commit_id`). */
  'tripline.review.revision': id,
  'tripline.review.author': text,
  'tripline.review.author_id': id,
  'tripline.review.author_type': text,
  'tripline.review.submitted_at': time,

  // A push.
  /** The pushed commits, oldest first, as far as the provider lists them. */
  'tripline.push.commits': z.array(
    z.object({
      revision: id,
      author: text,
      /** The account's id, where the author's address bears one. The pusher chooses the address. */
      authorId: id.optional(),
      /** The author's address: the pusher chooses it. */
      authorEmail: text.optional(),
      committer: text,
      message: text,
      /** Paths added, modified or removed that configure CI, such as `.github/workflows/**`; the rest is only counted. */
      ciPaths: z.array(text),
      /** Whether one of `ciPaths` was not there before; absent where the feed does not tell, and in what former versions wrote. */
      ciAdded: z.boolean().optional(),
      pathCount: z.int().nonnegative(),
    }),
  ),
  'tripline.push.commit_count': z.int().nonnegative(),
  'tripline.push.pusher': text,
  /** The account under which it was pushed: that of the event's sender. */
  'tripline.push.pusher_id': id,
  /** The commit that the ref names now: an annotated tag's own hash (`vcs.ref.head.revision`) is none. */
  'tripline.push.head_revision': id,
  'tripline.push.head_committer': text,
  'tripline.push.head_message': text,

  // A pipeline run (GitHub: workflow_run).
  'cicd.pipeline.name': text,
  'cicd.pipeline.run.id': id,
  'cicd.pipeline.run.url.full': text,
  'cicd.pipeline.run.state': z.enum(['pending', 'executing', 'finalizing']),
  'cicd.pipeline.result': z.enum(['success', 'failure', 'error', 'timeout', 'cancellation', 'skip']),
  'tripline.pipeline.run.attempt': z.int().positive(),
  /** Path of the pipeline's definition in its repository, without `@ref`. */
  'tripline.pipeline.path': text,
  /** What set the run off, in the provider's word: push, pull_request, pull_request_target, workflow_dispatch … */
  'tripline.pipeline.trigger': text,
  /** Login of who (re-)triggered this attempt. */
  'tripline.pipeline.triggered_by': text,
  'tripline.pipeline.triggered_by_id': id,
  'tripline.pipeline.referenced': z.array(text),

  // A task run (GitHub: workflow_job) and its worker (runner).
  'cicd.pipeline.task.name': text,
  'cicd.pipeline.task.run.id': id,
  'cicd.pipeline.task.run.url.full': text,
  /** By which a job's id token names it (`check_run_id`). Absent where that is the task run's id, as it is at GitHub by now. */
  'cicd.pipeline.task.check_run.id': id,
  'cicd.pipeline.task.run.result': z.enum(['success', 'failure', 'error', 'timeout', 'cancellation', 'skip']),
  'tripline.task.created_at': time,
  'tripline.task.started_at': time,
  'tripline.task.completed_at': time,
  /** Names of the task's steps, in order, as far as the provider tells them: whoever writes the pipeline chooses them. */
  'tripline.task.steps': z.array(text),
  'cicd.worker.id': id,
  'cicd.worker.name': text,
  'tripline.worker.group.id': id,
  'tripline.worker.group.name': text,
  'tripline.worker.labels': z.array(text),
  /** True for the provider's own machines, false for self-hosted ones; absent while no runner is assigned. */
  'tripline.worker.hosted': z.boolean(),
  'tripline.worker.os': text,

  // Deployments.
  'deployment.id': id,
  'deployment.environment.name': text,
  /** All environments that one decision speaks of, where there are several. */
  'tripline.deployment.environments': z.array(text),
  'deployment.status': z.enum([
    'pending',
    'queued',
    'in_progress',
    'success',
    'failure',
    'error',
    'inactive',
    'waiting',
  ]),
  'tripline.deployment.production': z.boolean(),
  /** Logins that approved or rejected the deployment. */
  'tripline.deployment.reviewers': z.array(text),
  'tripline.deployment.decision': z.enum(['approved', 'rejected', 'requested']),
  /** Of what asks an app and not people whether it may go on: id of the app's installation, which alone can answer. */
  'tripline.deployment.gate': id,
  /** Of the answer to such a question: id of the event that asked. */
  'tripline.deployment.question': id,

  // Grants: a privilege that somebody or something now has, or has no longer.
  'tripline.grant.kind': z.enum([
    'collaborator',
    'org-member',
    'org-invitation',
    'team-member',
    'team-repository',
    'team',
    'deploy-key',
    'app-installation',
    'app-repositories',
    'personal-access-token',
    'user-authorization',
    'ssh-key',
    'oauth-app',
    'org-role',
    'enterprise-admin',
  ]),
  /** The grant's id at the provider: invitation id, deploy key id, installation id, PAT request id. */
  'tripline.grant.id': id,
  /** Of a key, by which the audit log knows it: `SHA256:` and the hash of its public half in Base64. */
  'tripline.grant.fingerprint': id,
  /** To whom: a login, team slug, key title or app slug. */
  'tripline.grant.grantee': text,
  'tripline.grant.grantee_id': id,
  /** On what: `owner/name`, an organisation login, or `org/team-slug`. */
  'tripline.grant.target': text,
  /** The target's id at the provider: the repository's, the organisation's or the team's. */
  'tripline.grant.target_id': id,
  /** The permission or role that is granted, in the provider's word: admin, write, maintain, member, owner, read … */
  'tripline.grant.permission': text,
  /** Permission or role before the change, where the provider says it. */
  'tripline.grant.permission_before': text,
  /** Permissions by name for apps and tokens, such as `{ contents: 'write' }`. */
  'tripline.grant.permissions': z.record(z.string(), z.string()),
  /** Full names; `*` alone stands for all that the owner has or will have. */
  'tripline.grant.repositories': z.array(text),
  'tripline.grant.expires_at': time,
  /** The team's slug, for the team kinds. */
  'tripline.grant.team': text,
  /** The team under which a team was put, and whose rights it has from then on. */
  'tripline.grant.parent': text,
  'tripline.grant.parent_id': id,
  /** Under which it was before; empty where under none, absent where that is not told. */
  'tripline.grant.parent_before': text,

  // Credentials, as identities only: never a value. Tokens are named by the base64 SHA-256 of their value, as GitHub does.
  'tripline.credential.id': id,
  'tripline.credential.kind': text,
  /** Names of the secrets that a task received (`secrets_passed` of the audit stream). */
  'tripline.credential.secrets': z.array(text),
  'tripline.credential.token_hash': id,
  /** What it may do, in the provider's words. */
  'tripline.credential.scopes': z.array(text),
  'tripline.credential.expires_at': time,
  /** How it came to be dead: `denied` where it still signs and nothing lets it in any more. */
  'tripline.credential.dead_by': z.enum(['revoked', 'denied', 'dead-already', 'expired']),

  // Access that the broker gives (packages/access, services/broker).
  /** Id of the grant: one request of a job or person that was answered with access. */
  'tripline.access.grant': id,
  'tripline.access.decision': z.enum(['granted', 'denied', 'pending']),
  /** Name of the policy that was asked for. */
  'tripline.access.policy': text,
  /** Hex SHA-256 of the file of policies, and the commit that it was read at; the latter absent where it is a local file. */
  'tripline.access.policy_sha256': id,
  'tripline.access.policy_revision': id,
  /** Hex SHA-256 of the policy itself as it was read: the same while nothing of it changes, whatever else of the file does. */
  'tripline.access.entry_sha256': id,
  'tripline.access.tier': text,
  /** Every condition that spoke against it, as packages/access/reason.ts has them. */
  'tripline.access.reasons': z.array(z.object({ condition: text, state: text, wanted: text, found: text })),
  /** Whose id token proved who asks, and hex SHA-256 of what makes that token one. */
  'tripline.access.issuer': text,
  'tripline.access.token_sha256': id,
  /** The workflow whose job asks, with its ref, and the commit of its repository that the job is of: another than the run's where it is called from elsewhere. */
  'tripline.access.workflow': text,
  'tripline.access.workflow_revision': id,
  /** Of a dry run: nothing was given, whatever the decision. */
  'tripline.access.dry_run': z.literal(true),
  /** Why it ended. */
  'tripline.access.end': z.enum([
    'job-ended',
    'run-ended',
    'longest',
    'given-back',
    'asked-again',
    'incident',
    'by-hand',
    'policy',
    'not-recorded',
    'lost',
    'not-given',
  ]),
  'tripline.access.took_ms': z.int().nonnegative(),
  /** What people say for what they need it, or why they decide so. */
  'tripline.access.reason': text,

  // A change of the policies of access.
  'tripline.policy.outcome': z.enum(['in-force', 'refused']),
  /** Against the former ones: whether they give anything more. */
  'tripline.policy.change': z.enum(['first', 'wider', 'other', 'narrower', 'none']),
  /**
   * Of an environment: those in one of which a commit must have run before, by the policies for its repository. Empty: some policy lets
   * it in without. Absent where no policy is for it any more.
   */
  'tripline.policy.promoted_from': z.array(text),

  // A privilege that stands by itself.
  'tripline.standing.kind': text,
  /** By which it is the same at the next look. */
  'tripline.standing.id': id,
  'tripline.standing.created_at': time,
  'tripline.standing.last_used_at': time,
  /** As people call it, and what it may do, in the provider's words. */
  'tripline.standing.name': text,
  'tripline.standing.scopes': z.array(text),
  /** Whose it is or who made it, by login. */
  'tripline.standing.owner': text,
  /** Since when nobody has used it: its last use or, where the provider says that there was none, when it was made. Absent where nobody knows. */
  'tripline.standing.idle_since': time,
  /** It was there at the last look, and is no more. */
  'tripline.standing.gone': z.literal(true),
  /** The policy of access that gives the same for the length of a job. */
  'tripline.standing.covered_by': text,
  /** What it is shared by, where tiers share it. */
  'tripline.standing.tiers': z.array(text),

  // A proof of who somebody is: a sign-in, a second factor, a key that was registered or removed.
  /** Whether a second factor was given: `unknown` where the provider does not tell. */
  'tripline.identity.mfa': z.enum(['yes', 'no', 'unknown']),
  /** By which means, in the provider's word: password, passkey, totp, saml … */
  'tripline.identity.method': text,
  /** For whom or what a token was issued, such as the reference of a called workflow. */
  'tripline.identity.subject': text,
  /** Whether the second factor cannot be phished: bound to the address at which it was given. */
  'tripline.identity.phishing_resistant': z.boolean(),

  // A second factor for one run (services/broker).
  /** Who was asked: whoever set the run off, or the policy’s owners. */
  'tripline.stepup.asked': z.enum(['trigger', 'owners']),
  /** Whether it is the first by which this account proves who it is; `changed`: it was somebody else’s, or they another’s. */
  'tripline.stepup.link': z.enum(['first', 'another', 'changed']),
  /** Who confirmed that it is theirs. */
  'tripline.stepup.confirmed_by': text,
  'tripline.stepup.confirmed_by_id': id,

  // What an audit log says.
  /** The provider's own word for the act, such as `repo.access`; on each event that is made of an audit record. */
  'tripline.audit.action': id,
  /** The record's own id at the provider (GitHub: `_document_id`), by which people find it there again. */
  'tripline.audit.id': id,
  /**
   * The record's own fields, flat and under the provider's names, nested ones by a dotted path: what rules written for other
   * tools read. Bounded: the first 100 fields, values clipped, anything like a credential redacted.
   */
  'tripline.audit.record': z.record(
    z.string().max(200),
    z.union([text, z.number(), z.boolean(), z.null(), z.array(text).max(100)]),
  ),

  // Controls: a protection, ruleset, setting, hook, visibility or alert that changed.
  'tripline.control.kind': z.enum([
    'branch-protection',
    'branch-protection-switch',
    'ruleset',
    'repository',
    'visibility',
    'hook',
    'security-alert',
    'secret-scanning',
    'security-setting',
    'organization',
    'environment-gate',
    'custom-property',
    'block',
    'exemption',
    'audit-stream',
    'two-factor',
    'single-sign-on',
    'ip-allow-list',
    'runner-group',
    'secret',
    'variable',
    'app-policy',
    'token-policy',
    'actions-policy',
    'pipeline-evidence',
  ]),
  'tripline.control.action': text,
  'tripline.control.name': text,
  'tripline.control.id': id,
  /** Branch or tag patterns the control speaks of. */
  'tripline.control.patterns': z.array(text),
  /** Which fields changed, with their former value as text. */
  'tripline.control.changes': z.record(z.string(), longText),
  /** What the control says now, by field, where the provider says it: what is not text is JSON. */
  'tripline.control.settings': z.record(z.string(), longText),

  // Runners, from an audit feed or an inventory.
  'tripline.runner.registered_by': text,
  'tripline.runner.registered_at': time,
  /** It is registered for one job, and gone after it (GitHub: just-in-time). */
  'tripline.runner.single_use': z.boolean(),

  // Tickets, comments, releases and packages: carried for their untrusted text and their identity.
  /** Body of the change, review, ticket or comment, when it was written or edited. */
  'tripline.text.body': longText,
  /** In whose name title and body of a ticket, or a comment, stand. Whoever edits, transfers or reopens it may be another. */
  'tripline.text.author_id': id,
  /** Which of title and body somebody edited, as far as the provider tells; absent where it is no edit. */
  'tripline.text.edited': z.array(z.enum(['title', 'body'])),
  'tripline.ticket.id': id,
  'tripline.ticket.title': text,
  'tripline.comment.id': id,
  'tripline.release.tag': text,
  'tripline.package.name': text,
  'tripline.package.version': text,
  'tripline.check.name': text,
  'tripline.merge_group.reason': text,
  /** Pages of a wiki that were written, in the provider's words. */
  'tripline.wiki.pages': z.array(z.object({ title: text, action: text, revision: id.optional() })),

  // What the provider's API said was already true: day one, and a scenario's baseline. See inventory.ts.
  'tripline.inventory.part': z.int().positive(),
  'tripline.inventory.parts': z.int().positive(),
  'tripline.inventory.runners': z.array(
    z.object({
      id,
      name: text,
      /** `owner/name` for a repository's runner, absent for an organisation's. */
      repository: text.optional(),
      groupId: id.optional(),
      groupName: text.optional(),
      labels: z.array(text),
      /** The provider's id of the repository, for a repository's runner. */
      repositoryId: id.optional(),
      /** The provider's id of the organisation that has it, or owns its repository: numbers of runners are its own. */
      ownerId: id.optional(),
    }),
  ),
  /** Groups of runners of an organisation, and which machines of the provider's own (GitHub: larger runners) work in them. */
  'tripline.inventory.runner_groups': z.array(
    z.object({
      id,
      name: text,
      ownerId: id.optional(),
      /** Names of the pools of the provider's machines in it. */
      hosted: z.array(text),
      /** How many self-hosted runners it has. */
      selfHosted: z.int().nonnegative(),
      /** Whether it is the one in which a runner is that nobody put into another; absent where the API does not say. */
      isDefault: z.boolean().optional(),
    }),
  ),
  /** Heads of protected branches: they count as reviewed. */
  'tripline.inventory.heads': z.array(
    z.object({ repository: text, repositoryId: id.optional(), branch: text, revision: id }),
  ),
  /** Patterns of branch names that are protected, by repository; those of tags begin with `refs/tags/`. None where it was looked and no branch is. */
  'tripline.inventory.protected': z.array(
    z.object({ repository: text, repositoryId: id.optional(), patterns: z.array(text) }),
  ),
  'tripline.inventory.members': z.array(z.object({ login: text, role: text, id: id.optional() })),
  'tripline.inventory.deploy_keys': z.array(z.object({ repository: text, id, title: text, readOnly: z.boolean() })),
  'tripline.inventory.installations': z.array(
    z.object({ id, app: text, permissions: z.record(z.string(), z.string()) }),
  ),
  /** (credential, runner identity) pairs that are already usual; scenarios carry them, an API cannot tell them. */
  'tripline.inventory.credential_uses': z.array(z.object({ credential: id, runner: text })),
  /**
   * Settings of rules, by rule id, for the workspace of a drill. Honoured only there, so that a forged baseline can
   * never loosen the rules of a real workspace.
   */
  'tripline.inventory.settings': z.record(z.string(), z.record(z.string(), z.unknown())),

  // A break-glass record: somebody signed that they will act outside the usual way, until a time.
  'tripline.breakglass.id': id,
  'tripline.breakglass.actor': text,
  'tripline.breakglass.reason': text,
  'tripline.breakglass.expires_at': time,

  // An act of a person on Tripline itself; the person is in `user.name` and `user.id`.
  'tripline.act.kind': z.enum([
    'incident-acknowledged',
    'incident-resolved',
    'incident-reopened',
    'silence-added',
    'silence-expired',
    'kill-switch-on',
    'kill-switch-off',
    'break-glass-opened',
    'token-revocation-asked',
    'access-revoked',
    'passkey-ended',
    'link-ended',
    'inventory-import-asked',
  ]),
  /** On what: an incident's id, a silence's id, the name of a switch, the hash of a token. */
  'tripline.act.target': text,
  /** Why, in the person's own words; absent where none was asked for. */
  'tripline.act.reason': text,
  'tripline.act.via': z.enum(['slack', 'pagerduty', 'cli', 'console', 'config', 'tripline']),
  /** How the person is known, such as `slack-user:U1 linked to ada` or `os-user`. */
  'tripline.act.proof': text,
  /** What a resolved incident was closed as. */
  'tripline.act.resolution': z.enum(resolutions),
  /** Ids of the findings that it concerns, the newest 100. */
  'tripline.act.findings': z.array(id),
  /**
   * Of an incident that was resolved or reopened: who and what those of its findings that stand are about, runners first, at
   * most 500. Facts learn by them what a person accepted, and that it is accepted no more.
   */
  'tripline.act.entities': z.array(z.object({ kind: text, id })),

  // The result of a response step: shown, refused, done, or failed.
  'tripline.response.action': id,
  'tripline.response.finding': id,
  /** Place of the step in the finding's playbook, from 0. */
  'tripline.response.ordinal': z.int().nonnegative(),
  /** Against whom or what, as people read it. */
  'tripline.response.target': text,
  /** The token that it was to end, by the id under which feeds tell of its use; absent for all else. */
  'tripline.response.credential': id,
  'tripline.response.state': z.enum(['planned', 'queued', 'acting', 'done', 'failed', 'refused']),
  /** What the guard said of it, such as `act`, `dry-run` or `rate-capped`; see guardVerdicts in response.ts and job.ts. */
  'tripline.response.verdict': id,
  /** What the provider said when it was asked afterwards whether the thing is dead. */
  'tripline.response.result': z.enum(['dead', 'alive', 'unknown']),
  'tripline.response.reason': text,

  // Whether the provider's own list of deliveries names one.
  'tripline.delivery.id': id,
  'tripline.delivery.proof': z.enum(['listed', 'not-listed', 'unavailable']),
  /** It came by a later attempt than its first. */
  'tripline.delivery.late': z.literal(true),
  /** When the provider first tried to make it. */
  'tripline.delivery.first_attempt_at': time,

  // A feed that says nothing though it usually does, or cannot.
  /** The feed, such as `github` or `github-audit`. */
  'tripline.feed.name': id,
  /** Why it counts as silent: less than usual, deliveries missing, a stream never seen, a hook that is gone; `none`: it speaks again. */
  'tripline.feed.silence': z.enum([
    'below-usual',
    'deliveries-missing',
    'never-seen',
    'hook-deleted',
    'not-readable',
    'none',
  ]),
  /** Since when; absent where it never spoke. */
  'tripline.feed.silent_since': time,

  // Deliveries that the receiver did not keep, reported by the receiver.
  /** When the first delivery came that the record accounts for. */
  'tripline.deliveries.since': time,
  'tripline.deliveries.counts': z.array(
    z.object({
      source: text,
      outcome: z.enum(['ignored', 'refused']),
      reason: text,
      count: z.int().positive(),
      lastAt: time,
    }),
  ),
  /** Some of them, oldest first. Fields from its headers are present only where its signature was valid (`genuine`). */
  'tripline.deliveries.recent': z.array(
    z.object({
      source: text,
      outcome: z.enum(['ignored', 'refused']),
      reason: text,
      time,
      genuine: z.boolean(),
      /** The provider's id of the delivery, which part of it where it is one of many, and its name of the event by the headers. */
      delivery: text.optional(),
      event: text.optional(),
      organization: text.optional(),
    }),
  ),

  // The answer to a look-up that a rule asked for. See RuleContext.lookUp in packages/rules.
  'tripline.lookup.id': id,
  /** `found`: the provider answered; `unavailable`: no API access is configured, or the provider failed for good. */
  'tripline.lookup.outcome': z.enum(['found', 'unavailable']),
  /** The commit itself. `verified`: the provider vouches for the signature; with `web-flow` as committer it is the provider's own. */
  'tripline.lookup.commit': lookedUpCommit,
  /** Changes that hold the commit, with their reviews, as the provider tells them. */
  'tripline.lookup.changes': z.array(
    z.object({
      id,
      state: z.enum(['open', 'closed', 'merged']),
      author: text,
      authorId: id.optional(),
      headRevision: id,
      headName: text.optional(),
      fork: z.boolean().optional(),
      mergeRevision: id.optional(),
      mergedAt: time.optional(),
      mergedBy: text.optional(),
      mergedById: id.optional(),
      baseName: text,
      /** Its commits, oldest first; absent where they could not be read whole. */
      commits: z.array(lookedUpCommit).optional(),
      reviews: z.array(
        z.object({
          id,
          author: text,
          authorId: id.optional(),
          authorType: text,
          state: text,
          revision: id,
          association: text,
          /** What the reviewer may do in the repository, in the provider's word: write, admin, read … */
          permission: text.optional(),
          submittedAt: time,
        }),
      ),
    }),
  ),
} as const;

export type Attributes = { [K in keyof typeof attributes]?: z.infer<(typeof attributes)[K]> };
export type AttributeName = keyof typeof attributes;
