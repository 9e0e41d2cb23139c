import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import type { Confidence } from '@tripline/contracts/finding';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inPlaceOf, keepBounded, observedBy } from './bounds.ts';
import { isEarlier } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { hostedClassOf, runnerKeyOf } from './runner-keys.ts';
import { keyOf, onceAnEvent, runKeyOf, runNameOf } from './things.ts';

const dayMs = 86_400_000;

/** The first use of a credential on a runner or class of machines. */
const contextSchema = observedSchema.extend({
  heardMs: z.number(),
  /** The key of a self-hosted runner, or the class of a hosted machine. */
  runner: z.string(),
  isHosted: z.boolean(),
  /** An inventory says that it is usual. */
  isListed: z.boolean(),
  /** As findings name it: `owner/name#run`. */
  run: z.string().optional(),
  /** Its key in the fact `runs`; absent in what former versions kept. */
  runKey: z.string().optional(),
});
/** The earliest use of a secret, and by which workflow. */
const firstUseSchema = observedSchema.extend({ workflow: z.string() });
export const credentialSchema = z.object({
  /** As findings name it. */
  id: z.string(),
  contexts: z.array(contextSchema),
  /** Absent where no feed told the workflow of a use. */
  firstUse: firstUseSchema.optional(),
  /** The day of its last use, ms. */
  lastDayMs: z.number(),
});
export type Credential = z.infer<typeof credentialSchema>;
export type CredentialContext = z.infer<typeof contextSchema>;

const reads = [
  'dev.cdeventsx.tripline-inventory.observed',
  'dev.cdeventsx.tripline-credential.used',
] as const satisfies readonly EventType[];
const isInventory = eventIs('dev.cdeventsx.tripline-inventory.observed');

/** Classes of hosted machines are bounded apart from runners, by what they are. */
const contexts: Bound<CredentialContext> = {
  kind: 'contexts',
  authorOf: ({ runner, isHosted }) => (isHosted ? 'hosted' : runner),
  mostPerAuthor: 50,
  most: 200,
  nameOf: ({ runner }) => runner,
};

export const credentials: Fact<Credential> = {
  id: 'credentials',
  description:
    'A credential, by its hash, its id or the secret’s name, never by a value: on which runners and classes of hosted machines, and by which workflow, it was used first. Feeds of audit records and inventories tell it; webhooks do not.',
  reads,
  value: credentialSchema,
  keys(event) {
    if (!isInventory(event)) return credentialsUsed(event).map((id) => credentialKeyOf(event, id));
    return [...usesIn(event).keys()];
  },
  learn(known, event, at) {
    const data: Attributes = event.data;
    let after: Credential | undefined = known;
    const add = (id: string, context: Pick<CredentialContext, 'runner' | 'isHosted' | 'isListed'>) => {
      const run = runNameOf(event);
      const ofRun = run === undefined ? {} : { run, runKey: runKeyOf(event)! };
      const one = { ...observedBy(event), heardMs: at.nowMs, ...ofRun, ...context };
      const before: Credential = after ?? { id, contexts: [], lastDayMs: 0 };
      const kept = withContext(before.contexts, one, at);
      const lastDayMs = Math.max(before.lastDayMs, Math.floor(parseTime(event.time) / dayMs) * dayMs);
      if (kept !== before.contexts || lastDayMs !== before.lastDayMs)
        after = { ...before, id, contexts: [...kept], lastDayMs };
    };
    if (isInventory(event)) {
      for (const { credential, runner } of usesIn(event).get(at.key) ?? []) {
        add(credential, {
          runner: listedRunner(event, runner),
          isHosted: runner.startsWith('hosted:'),
          isListed: true,
        });
      }
      return after;
    }
    const isHosted = data['tripline.worker.hosted'] === true;
    const id = data['cicd.worker.id'];
    const named = credentialsUsed(event).find((credential) => credentialKeyOf(event, credential) === at.key);
    if (named === undefined) return known;
    after = withFirstUse(known, named, event, at);
    if (!isHosted && id === undefined) return after;
    const runner = isHosted ? hostedClassOf(data) : runnerKeyOf(event, id!, data['cicd.worker.name'] ?? '');
    add(named, { runner, isHosted, isListed: false });
    return after;
  },
  keepMs: 90 * dayMs,
};

/** By the key of each credential in an inventory, where it is used. */
const usesIn = onceAnEvent((event) =>
  Map.groupBy((event.data as Attributes)['tripline.inventory.credential_uses'] ?? [], ({ credential }) =>
    credentialKeyOf(event, credential),
  ),
);

/** Which workflow used it first, by the provider's time. */
function withFirstUse(
  known: Credential | undefined,
  id: string,
  event: LoggedEvent,
  { pinned }: Pick<LearnContext, 'pinned'>,
): Credential | undefined {
  const workflow = workflowUsing(event.data);
  if (workflow === undefined || !isEarlier(event, known?.firstUse)) return known;
  const firstUse = inPlaceOf(known?.firstUse, { ...observedBy(event), workflow: workflow.name }, pinned);
  return known === undefined ? { id, contexts: [], firstUse, lastDayMs: 0 } : { ...known, firstUse };
}

/** The workflow whose job was given secrets, `owner/name/path`, and the ref that its file is of, where that was told. */
export function workflowUsing(data: Attributes): { name: string; ref?: string } | undefined {
  const subject = data['tripline.identity.subject'];
  if (subject !== undefined && /^[^/\s]+\/[^/\s]+\/\S/.test(subject)) {
    const end = subject.indexOf('@');
    if (end < 0) return { name: clip(subject, 300) };
    return { name: clip(subject.slice(0, end), 300), ref: clip(subject.slice(end + 1), 200) };
  }
  const { 'vcs.repository.name': repository, 'tripline.pipeline.path': path } = data;
  return repository === undefined || path === undefined ? undefined : { name: clip(`${repository}/${path}`, 300) };
}

/** The first use on each runner or class, by its own time. */
function withContext(
  known: readonly CredentialContext[],
  one: CredentialContext,
  at: Parameters<typeof keepBounded>[3],
): readonly CredentialContext[] {
  const same = known.find(({ runner, isListed }) => runner === one.runner && isListed === one.isListed);
  if (same === undefined) return keepBounded(known, one, contexts, at);
  if (parseTime(same.time) <= parseTime(one.time)) return known;
  return keepBounded(
    known.filter((other) => other !== same),
    inPlaceOf(same, one, at.pinned),
    contexts,
    at,
  );
}

/** Inventories name a runner `self-hosted:<number>:<name>`, and a class as `hostedClassOf` does. */
function listedRunner(event: LoggedEvent, text: string): string {
  const [, id, name] = /^self-hosted:([^:]*):(.*)$/s.exec(text) ?? [];
  // Labels of a class are compared without case.
  return id === undefined ? text.toLowerCase() : runnerKeyOf(event, id, name ?? '');
}

/** The key of a credential by what findings call it. */
export const credentialKeyOf = (event: LoggedEvent, id: string): string => keyOf(event, credentialId(id));
export const credentialId = (id: string): string => `credential:${clip(id, 400)}`;

/** The credential id of a workflow's or an environment's secrets: webhooks tell no more of a credential. */
export const workflowCredential = (repository: string, path: string): string =>
  `workflow:${repository}/${clip(path, 300)}`;
export const environmentCredential = (repository: string, name: string): string =>
  `environment:${repository}/${clip(name, 200)}`;

const mostSecrets = 100;
/** The credentials used according to an event, best identity first: the token's hash, the names of secrets, its id. */
export function credentialsUsed(event: LoggedEvent): string[] {
  const data: Attributes = event.data;
  const hash = data['tripline.credential.token_hash'];
  if (hash !== undefined) return [`token:${hash}`];
  const secrets = data['tripline.credential.secrets'] ?? [];
  const repository = data['vcs.repository.name'];
  if (secrets.length > 0 && repository !== undefined) {
    const names = [...new Set(secrets)].sort().slice(0, mostSecrets);
    return names.map((name) => `secret:${repository}/${clip(name, 200)}`);
  }
  const id = data['tripline.credential.id'];
  return id === undefined ? [] : [`id:${id}`];
}

/** A credential as a sentence has it: "secret DEPLOY_KEY of acme/app". */
export function credentialInWords(id: string): string {
  const [, kind, repository, name] = /^(workflow|environment|secret):([^/]+\/[^/]+)\/(.+)$/s.exec(id) ?? [];
  if (kind === 'workflow') return `the secrets of workflow ${name} of ${repository}`;
  if (kind === 'environment') return `the secrets of environment ${name} of ${repository}`;
  return kind === 'secret' ? `secret ${name} of ${repository}` : `credential ${id}`;
}

/**
 * Confidence that a job had the credentials: an audit feed states it, an environment implies it, a workflow may have
 * them.
 */
export function confidenceOfCredentials(ids: readonly string[]): Confidence {
  if (ids.some((id) => !/^(workflow|environment):/.test(id))) return 'high';
  return ids.some((id) => id.startsWith('environment:')) ? 'medium' : 'low';
}
