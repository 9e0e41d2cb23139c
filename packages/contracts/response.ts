import { z } from 'zod';

/**
 * The responses that a finding may ask for: intents. One names what is to happen and its target completely, with provider,
 * instance and ids, and nothing of how: packages/integrations/<provider> resolves it to what that provider can do, or says
 * how a person does it by hand. One name each: in rules, the policy (`remediation.policy[].actions`), tables, metrics.
 */
const id = z.string().min(1).max(128);
const name = z.string().min(1).max(300);
const fullName = z.string().regex(/^[^/\s]+\/[^/\s]+$/, 'owner/name');

/** Where the target is. Every intent says it. */
const place = {
  /** The integration that knows it, such as `github`. */
  provider: z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower-case, such as github'),
  /** Host of the provider's instance, such as `github.com`. */
  instance: id,
};
/** A repository by its name today, and its id where the feed told it: a name can change hands. */
const repository = { repository: fullName, repositoryId: id.optional() };
const someRepository = { repository: fullName.optional(), repositoryId: id.optional() };
const organization = { organization: id, organizationId: id.optional() };
/** An account by its login, and its id where the feed told it: a login can be given up, and taken by somebody else. */
const user = { user: name, userId: id.optional() };
const someUser = { user: name.optional(), userId: id.optional() };
const team = { team: name, teamId: id.optional() };
/** Of the repository, or of one environment of it, or else of the organisation. */
const secret = { secret: name, organization: id.optional(), ...someRepository, environment: name.optional() };

const revokeCredential = { action: z.literal('revoke-credential'), ...place };
const revokeGrant = { action: z.literal('revoke-grant'), ...place };
const restorePermission = { action: z.literal('restore-permission'), ...place };
/** What is held now, where the feed told it, and what was held before, in the provider's words. */
const permissions = { permission: name.optional(), formerPermission: name };

export const intentSchema = z.discriminatedUnion('action', [
  /** End a run of CI, and with it the tokens that live as long as it. */
  z.object({ action: z.literal('stop-run'), ...place, ...repository, runId: id }),
  /** Let a workflow, by the path of its file, run no more; without one, none of the repository's. */
  z.object({ action: z.literal('stop-workflow'), ...place, ...repository, workflow: name.optional() }),
  /** Let a deployment that waits for a word not go on. */
  z.object({ action: z.literal('reject-deployment'), ...place, ...repository, runId: id, environment: name }),
  /** Give a self-hosted runner, of a repository or else of the organisation, no further job. */
  z.object({
    action: z.literal('isolate-runner'),
    ...place,
    ...organization,
    ...someRepository,
    runnerId: id,
    runnerName: id.optional(),
  }),
  /** End what opens doors by itself, whoever holds it. `credentialId`: as feeds and the audit log name it. */
  z.discriminatedUnion('credential', [
    z.object({ ...revokeCredential, credential: z.literal('deploy-key'), ...repository, credentialId: id }),
    z.object({
      ...revokeCredential,
      credential: z.literal('personal-access-token'),
      ...organization,
      credentialId: id,
      ...someUser,
    }),
    /** A token that leaked, by the provider's own alert of it: no event carries its value. */
    z.object({ ...revokeCredential, credential: z.literal('leaked-token'), ...repository, alertId: id }),
    /** What a user's tokens and keys may do in an organisation with single sign-on: of one of them, or of all. */
    z.object({
      ...revokeCredential,
      credential: z.literal('credential-authorization'),
      ...organization,
      ...user,
      credentialId: id.optional(),
    }),
  ]),
  /** Take back what somebody was given. `grant`: as `tripline.grant.kind` has it. */
  z.discriminatedUnion('grant', [
    z.object({ ...revokeGrant, grant: z.literal('org-member'), ...organization, ...user }),
    /** An invitation to the organisation or, with `repository`, to a repository. `user`: a login or an e-mail address. */
    z.object({
      ...revokeGrant,
      grant: z.literal('org-invitation'),
      ...organization,
      ...someRepository,
      invitationId: id,
      ...someUser,
    }),
    z.object({ ...revokeGrant, grant: z.literal('team-member'), ...organization, ...team, ...user }),
    z.object({ ...revokeGrant, grant: z.literal('team-repository'), ...organization, ...team, ...repository }),
    z.object({ ...revokeGrant, grant: z.literal('collaborator'), ...repository, ...user }),
    /** A role in the organisation beside membership, such as security manager. */
    z.object({
      ...revokeGrant,
      grant: z.literal('org-role'),
      ...organization,
      role: name,
      roleId: id.optional(),
      ...user,
    }),
    z.object({
      ...revokeGrant,
      grant: z.literal('app-installation'),
      ...organization,
      app: name,
      installationId: id.optional(),
    }),
    /**
     * What the access broker gave jobs: those of a run or repository, those that run on a runner, or those that a person set
     * off. The provider is `tripline`, which holds what was given. `key`: of the thing, made of ids, as facts and entities of
     * findings have it; `name`: as people read it, `owner/name` first where it is a run or repository.
     */
    z.object({
      ...revokeGrant,
      grant: z.literal('access'),
      of: z.enum(['run', 'repository', 'runner', 'person']),
      key: z.string().min(1).max(600),
      name,
    }),
  ]),
  /** Give back the lesser permission that somebody held before, and leave them with it. */
  z.discriminatedUnion('grant', [
    z.object({ ...restorePermission, grant: z.literal('org-member'), ...organization, ...user, ...permissions }),
    z.object({
      ...restorePermission,
      grant: z.literal('team-repository'),
      ...organization,
      ...team,
      ...repository,
      ...permissions,
    }),
    z.object({ ...restorePermission, grant: z.literal('collaborator'), ...repository, ...user, ...permissions }),
    /** A team that was moved beneath another, whose rights it has now. Without `formerParent` it had none. */
    z.object({
      ...restorePermission,
      grant: z.literal('team'),
      ...organization,
      ...team,
      formerParent: name.optional(),
    }),
  ]),
  /**
   * Set a branch or tag to where it stood. `formerRevision`: null where there was no such ref. `revision`: where the finding
   * says that it stands; of one that stands elsewhere by now, somebody took care. `ifOnDefaultBranch`: nobody heard it put to
   * `formerRevision`, which may be what an unreported move put there: only where that is part of the default branch.
   */
  z.object({
    action: z.literal('restore-ref'),
    ...place,
    ...repository,
    refType: z.enum(['branch', 'tag']),
    ref: name,
    formerRevision: id.nullable(),
    revision: id.optional(),
    ifOnDefaultBranch: z.literal(true).optional(),
  }),
  /** Let nobody move or delete a repository's tags: one of them, or all. */
  z.object({ action: z.literal('lock-tags'), ...place, ...repository, tag: name.optional() }),
  /** Let no later run start from what former ones cached; with `since`, of what was cached since then. */
  z.object({
    action: z.literal('delete-caches'),
    ...place,
    ...repository,
    since: z.iso.datetime({ offset: true }).optional(),
  }),
  /** Let nobody fetch what a run left as its artifacts. */
  z.object({ action: z.literal('delete-artifacts'), ...place, ...repository, runId: id }),
  /** Let strangers no longer see what they should not. */
  z.object({
    action: z.literal('close-exposure'),
    ...place,
    ...repository,
    exposure: z.enum(['public-repository', 'public-package', 'public-artifact', 'secret-alert']),
    /** Name of the package or artifact, number of the alert. */
    exposed: name.optional(),
  }),
  /** Make a secret anew where it comes from, so that its former value opens nothing. */
  z.object({ action: z.literal('rotate-secret'), ...place, ...secret }),
  /**
   * Delete the stored copy of a secret, so that no further run is given it. `storedBefore`: of one that was stored anew since,
   * somebody took care.
   */
  z.object({
    action: z.literal('delete-secret'),
    ...place,
    ...secret,
    storedBefore: z.iso.datetime({ offset: true }).optional(),
  }),
  /** Let an account do nothing more in the organisation. */
  z.object({ action: z.literal('block-user'), ...place, ...organization, ...user }),
]);

/** What a finding asks for: one step of its playbook. */
export type Intent = z.infer<typeof intentSchema>;
export type IntentName = Intent['action'];
/** The intent of one name. */
export type IntentOf<Name extends IntentName> = Extract<Intent, { action: Name }>;

/**
 * Each intent's code in the response catalogue, its place in a playbook (steps run by ascending rank: stop, then isolate,
 * then revoke) and what people read.
 */
export const intents: Record<IntentName, { code: string; rank: 1 | 2 | 3; verb: string }> = {
  'stop-run': { code: 'A1', rank: 1, verb: 'stop the run' },
  'stop-workflow': { code: 'A2', rank: 1, verb: 'stop the workflow' },
  'reject-deployment': { code: 'A10', rank: 1, verb: 'reject the deployment' },
  'isolate-runner': { code: 'A3', rank: 2, verb: 'isolate the runner' },
  'revoke-credential': { code: 'A4', rank: 3, verb: 'revoke the credential' },
  'revoke-grant': { code: 'A6', rank: 3, verb: 'revoke the grant' },
  'restore-permission': { code: 'A6', rank: 3, verb: 'restore the former permission' },
  'restore-ref': { code: 'A14', rank: 3, verb: 'restore the ref' },
  'lock-tags': { code: 'A14', rank: 3, verb: 'lock the tags' },
  'delete-caches': { code: 'A13', rank: 2, verb: 'delete the caches' },
  'delete-artifacts': { code: 'A13', rank: 2, verb: 'delete the artifacts' },
  'close-exposure': { code: 'A15', rank: 3, verb: 'close the exposure' },
  'rotate-secret': { code: 'A8', rank: 3, verb: 'rotate the secret' },
  'delete-secret': { code: 'A8', rank: 3, verb: 'delete the secret' },
  'block-user': { code: 'A7', rank: 3, verb: 'block the user' },
};
export const intentNames = Object.keys(intents) as [IntentName, ...IntentName[]];

/** What responses were called before they were intents, for messages to those who have the old names in their settings. */
export const formerNames: Readonly<Record<string, IntentName>> = {
  'cancel-run': 'stop-run',
  'remove-runner': 'isolate-runner',
  'cancel-invitation': 'revoke-grant',
  'withdraw-grant': 'revoke-grant',
  'delete-deploy-key': 'revoke-credential',
  'revoke-fine-grained-pat': 'revoke-credential',
};

/** What an intent is to do, for people: as its name has it, of the very thing. */
export function verbOf(intent: Intent): string {
  if (intent.action === 'revoke-credential') return `revoke the ${intent.credential.replaceAll('-', ' ')}`;
  if (intent.action === 'stop-workflow' && intent.workflow === undefined)
    return "stop all of the repository's workflows";
  if (intent.action === 'close-exposure' && intent.exposure === 'secret-alert') return 'resolve the alert';
  if (intent.action === 'revoke-grant') {
    if (intent.grant === 'org-invitation') return 'revoke the invitation';
    if (intent.grant === 'app-installation') return "revoke the app's installation";
    if (intent.grant === 'org-role') return 'revoke the role in the organisation';
    if (intent.grant === 'access') return `revoke ${given[intent.of]}`;
  }
  return intents[intent.action].verb;
}

/** What the access broker gave, by whose it is. */
const given: Record<Extract<Intent, { grant: 'access' }>['of'], string> = {
  run: 'what the broker gave the run',
  repository: 'what the broker gave jobs of the repository',
  runner: 'what the broker gave jobs on the runner',
  person: 'what the broker gave jobs that the person set off',
};

/** An intent's target in one line, by its fields in the order of their names. */
export function describeTarget(intent: Intent): string {
  return Object.entries(intent)
    .filter(([name, value]) => name !== 'action' && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} ${value === null ? 'none' : value}`)
    .join(', ');
}

/** An account at the provider: by its number where that is known, else by its login. At least one of them is there. */
export type PersonRef = { login?: string | undefined; id?: string | undefined };
export type RunnerRef = { name?: string | undefined; id?: string | undefined };

/**
 * Whom and what a step touches, by kind, so that people are held against people and runners against runners. Every action
 * says it of its steps (packages/integrations/<provider>/actions), or it does not compile.
 */
export type StepTargets = {
  people: readonly PersonRef[];
  runners: readonly RunnerRef[];
  /** Full names. */
  repositories: readonly string[];
};
