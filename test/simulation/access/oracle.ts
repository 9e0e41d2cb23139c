import { credentialHash } from '@tripline/runtime/redact';
import type { StreamRecord } from '@tripline/stream/stream';
import type { World } from '../world.ts';
import { longestMs } from './broker.ts';
import type { Job } from './jobs.ts';
import type { Given, Providers } from './providers.ts';
import type { Asked } from './request.ts';

/** What a broker's clock may be off, ms: one that is off for longer proves no job's token. */
export const mostSkewMs = 60_000;
/** What lives so long at GitHub. */
const hourMs = 3_600_000;

/**
 * Says, by what happened to jobs and at providers alone, what a broker must not have done. It knows nothing of the broker's tables, nor
 * of how it works: only when a grant was first written down, since what happens before that must be heeded.
 */
export function createOracle(world: World, log: { events: () => readonly (readonly StreamRecord[])[] }) {
  const problems = new Set<string>();
  const requests: Asked[] = [];
  const handedBy = new Map<string, Asked>();
  const tokensHanded = new Map<string, Asked>();
  const incidents = new Map<string, number>();
  const versions = [{ step: 0, gives: true }];
  const gaveBack = new Set<Job>();

  const hasEnded = ({ endMs }: Job) => endMs !== null && endMs <= world.nowMs();
  const say = (problem: string) => void problems.add(problem);
  const nameOf = ({ run, attempt, policy }: Job) => `job ${run}/${attempt} (${policy})`;

  /** Whether the policies gave anything when a step was done, or at any time after it. What changed at its own number came after it. */
  const gaveSince = (step: number) =>
    versions.findLast((one) => one.step < step)!.gives || versions.some((one) => one.step >= step && one.gives);

  return {
    problems,
    requests,
    asked: (asked: Asked) => void requests.push(asked),
    incidentOpened: (run: string) => void (incidents.has(run) || incidents.set(run, world.steps())),
    policiesAre: (gives: boolean) => void versions.push({ step: world.steps(), gives }),
    givenBack: (job: Job) => void gaveBack.add(job),

    /** Something is being minted for a request. */
    minted(asked: Asked | undefined): void {
      const { intendedStep, job } = asked ?? {};
      if (job === undefined) say('something was minted for no request');
      else if (intendedStep === undefined) say(`${nameOf(job)}: minted before it was written down`);
      else if (!gaveSince(intendedStep)) say(`${nameOf(job)}: minted by policies that were narrowed before`);
    },

    /** A job was answered 201. */
    handedOut(
      asked: Asked,
      { grant, values, token }: { grant: string; values: readonly string[]; token: string },
    ): void {
      const { job, intendedStep = Number.POSITIVE_INFINITY } = asked;
      const former = tokensHanded.get(token);
      if (former !== undefined) say(`${nameOf(job)}: one id token was given something twice`);
      tokensHanded.set(token, asked);
      const named = hashesNamed(log.events().flat(), grant);
      for (const value of values) {
        handedBy.set(value, asked);
        if (!named.has(credentialHash(value))) say(`${nameOf(job)}: handed out what the log does not name`);
      }
      const openedStep = incidents.get(job.run);
      if (openedStep !== undefined && openedStep < intendedStep)
        say(`${nameOf(job)}: given something though an incident was open before it was written down`);
    },

    /** Something that let somebody in was revoked. */
    revoked({ value }: Given): void {
      const asked = handedBy.get(value);
      // Nobody is worse off by what he was never given.
      if (asked === undefined) return;
      const { job, intendedStep = 0, askedMs } = asked;
      const isReplaced = requests.some((other) => other.job === job && (other.intendedStep ?? 0) > intendedStep);
      const isLongest = world.nowMs() >= askedMs + longestMs - 2 * mostSkewMs;
      const isMeant = hasEnded(job) || isReplaced || isLongest || incidents.has(job.run) || gaveBack.has(job);
      if (!isMeant) say(`${nameOf(job)}: revoked while the job runs`);
    },

    /** What must be dead by now, of those that live: by the log's own word, by the provider's, or all. */
    mustBeDead(
      { all }: Providers,
      { which, recorded }: { which: 'told' | 'ended' | 'all'; recorded: ReadonlySet<string> },
    ): void {
      for (const { value, kind, grant, deadMs } of all.values()) {
        const isKnown = recorded.has(credentialHash(value));
        // GitHub cannot be asked for what was never recorded: it expires. A vault can, once a sweep gave it up.
        if (deadMs !== undefined || (!isKnown && (kind === 'github' || which === 'told'))) continue;
        const job = requests.find((asked) => asked.grant === grant)?.job;
        const isTold = job !== undefined && (job.endToldMs !== null || incidents.has(job.run));
        const isOver = job === undefined || hasEnded(job) || isTold || !isKnown;
        if (which === 'all' || (which === 'ended' ? isOver : isTold))
          say(
            `${job === undefined ? 'a credential of no job' : nameOf(job)}: a ${kind} credential outlived it (${which})`,
          );
      }
    },

    /** What nobody was handed and nothing can find must be told of; so must each death. */
    mustBeTold({ all }: Providers, recorded: ReadonlySet<string>): void {
      const told = new Map(log.events().flatMap((records) => records.map((one) => [one.headers['ce_id'] ?? '', one])));
      for (const { value, kind, grant, deadMs, madeMs } of all.values()) {
        const nth = kind === 'vault' ? 1 : 0;
        const isKnown = recorded.has(credentialHash(value));
        if (isKnown && !told.has(`access:${grant}:revoked:${nth}`))
          say(`the log does not tell of the death of a ${kind} credential`);
        if (isKnown || deadMs !== undefined) continue;
        const lost = told.get(`access:${grant}:lost:${nth}`)?.value;
        const until = lost ? JSON.parse(lost.toString())['tripline.credential.expires_at'] : undefined;
        // Told by the clock of a broker, which may be behind.
        if (!(Date.parse(until) >= madeMs + hourMs - mostSkewMs))
          say(`the log does not tell that a ${kind} credential was lost, and until when it lives (${until})`);
      }
    },
  };
}

/** SHA-256 of what the log names as minted of a grant. */
function hashesNamed(records: readonly StreamRecord[], grant: string): Set<string> {
  const minted = records.filter(
    ({ headers }) =>
      headers['ce_type'] === 'dev.cdeventsx.tripline-credential.minted' &&
      headers['ce_id']?.startsWith(`access:${grant}:`),
  );
  return new Set(minted.map(({ value }) => JSON.parse(value!.toString())['tripline.credential.token_hash'] as string));
}
