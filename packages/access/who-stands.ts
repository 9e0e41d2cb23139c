import type { LockFile } from './lock.ts';
import type { Policy } from './policy.ts';
import type { AskingJob } from './who-asks.ts';

export type Mfa = NonNullable<Policy['needs']['mfa']>;
/** Who is asked to stand for a run: by account ids of its provider, `name` for people to read. Empty: nobody can. */
export type Asked = { of: Mfa['of']; people: readonly { id: string; name: string }[] };

/**
 * Whom a policy asks to stand for a job's run: whoever set it off, or its owners, as it says. Of a run that a schedule or a bot
 * set off, the owners: nobody else knows of it.
 */
export function whoStands({ of, owners = [] }: Mfa, job: AskingJob, lock: LockFile): Asked {
  const pinned = owners.flatMap((name) =>
    lock.people[name] === undefined ? [] : [{ id: lock.people[name].id, name }],
  );
  if (of === 'owners' || isSetOffByMachine(job)) return { of: 'owners', people: pinned };
  return { of, people: 'actor' in job ? [{ name: job.actor.id, ...job.actor }] : [] };
}

/** No login of a person has brackets. */
function isSetOffByMachine(job: AskingJob): boolean {
  if (job.provider === 'github') return job.event === 'schedule' || job.actor.name.endsWith('[bot]');
  return job.provider === 'gitlab' ? job.event === 'schedule' : !('actor' in job);
}
