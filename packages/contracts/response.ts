import { z } from 'zod';

/**
 * The responses that a finding may ask for, in the order of its playbook: cancel, then isolate, then revoke. Codes are
 * those of the response catalogue (docs in packages/integrations/github). Each names its target completely, so that the
 * remediator needs nothing but the step itself.
 */
const repository = z.string().regex(/^[^/\s]+\/[^/\s]+$/, 'owner/name');
const id = z.string().min(1).max(128);

export const responseStepSchema = z.discriminatedUnion('action', [
  /** A1: cancel a run, then force-cancel it when it does not take. */
  z.object({ action: z.literal('cancel-run'), repository, runId: id }),
  /** A3: remove a self-hosted runner of a repository or, without one, of the organisation. */
  z.object({
    action: z.literal('remove-runner'),
    organization: id,
    repository: repository.optional(),
    runnerId: id,
    runnerName: id.optional(),
  }),
  /** A7: cancel an invitation to an organisation or, with `repository`, to a repository. */
  z.object({
    action: z.literal('cancel-invitation'),
    organization: id,
    repository: repository.optional(),
    invitationId: id,
    invitee: id.optional(),
    /** The invited account's number, where the feed told it. */
    inviteeId: id.optional(),
  }),
  /** A6: withdraw a grant that somebody holds now. */
  z.discriminatedUnion('grant', [
    z.object({
      action: z.literal('withdraw-grant'),
      grant: z.literal('org-membership'),
      organization: id,
      user: id,
      userId: id.optional(),
    }),
    z.object({
      action: z.literal('withdraw-grant'),
      grant: z.literal('team-membership'),
      organization: id,
      team: id,
      user: id,
      userId: id.optional(),
    }),
    z.object({
      action: z.literal('withdraw-grant'),
      grant: z.literal('team-repository'),
      organization: id,
      team: id,
      repository,
    }),
    z.object({
      action: z.literal('withdraw-grant'),
      grant: z.literal('collaborator'),
      repository,
      user: id,
      /** The account's number, where the feed told it: a login can be given up, and taken by somebody else. */
      userId: id.optional(),
    }),
  ]),
  /** A9: delete a deploy key. */
  z.object({ action: z.literal('delete-deploy-key'), repository, keyId: id }),
  /** A4: revoke a fine-grained personal access token's access to an organisation. `tokenId`: as feeds and the audit log name it. */
  z.object({ action: z.literal('revoke-fine-grained-pat'), organization: id, tokenId: id }),
]);

export type ResponseStep = z.infer<typeof responseStepSchema>;
export type ResponseAction = ResponseStep['action'];

/** Catalogue code of each action, and its place in a playbook: steps run by ascending rank. */
export const responseActions: Record<
  ResponseAction,
  { code: string; rank: 1 | 2 | 3; verb: string; reversible: boolean }
> = {
  'cancel-run': { code: 'A1', rank: 1, verb: 'cancel the run', reversible: false },
  'remove-runner': { code: 'A3', rank: 2, verb: 'remove the runner', reversible: false },
  'cancel-invitation': { code: 'A7', rank: 3, verb: 'cancel the invitation', reversible: true },
  'withdraw-grant': { code: 'A6', rank: 3, verb: 'withdraw the grant', reversible: true },
  'delete-deploy-key': { code: 'A9', rank: 3, verb: 'delete the deploy key', reversible: false },
  'revoke-fine-grained-pat': { code: 'A4', rank: 3, verb: 'revoke the personal access token', reversible: false },
};

/** An account at the provider: by its number where that is known, else by its login. At least one of them is there. */
export type PersonRef = { login?: string | undefined; id?: string | undefined };
export type RunnerRef = { name?: string | undefined; id?: string | undefined };

/**
 * Whom and what a step touches, by kind, so that people are held against people and runners against runners. Every action
 * says it of its steps (packages/integrations/github/actions/action.ts), or it does not compile.
 */
export type StepTargets = {
  people: readonly PersonRef[];
  runners: readonly RunnerRef[];
  /** Full names. */
  repositories: readonly string[];
};
