import { setTimeout as pause } from 'node:timers/promises';
import { claimMs } from '@tripline/broker/gate';
import { listedMs } from '@tripline/broker/gate-answer';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { topics } from '@tripline/stream/stream';
import { type AccessGround, persistently } from './access-ground.ts';
import type { GateVerdict } from './gated-runs.ts';
import { until } from './service-process.ts';

/** What befalls a deployment that waits for the gate, in turn. */
const kinds = ['reviewed', 'twice', 'unreviewed', 'late', 'again', 'unknown', 'beside', 'reviewed'] as const;
type Kind = (typeof kinds)[number];
/** No tier has it, so no policy lets anything into it. */
const strange = 'sandbox';
/** From then on what nobody told is a no. */
const unknownMs = 10 * 60_000;

type Expected = Pick<GateVerdict, 'attempt' | 'environment' | 'state'>;
const production = { environment: 'production', attempt: 1, state: 'approved' } as const;
const expected: Readonly<Record<Kind, readonly Expected[]>> = {
  ...{ reviewed: [production], twice: [production], late: [production] },
  unreviewed: [{ ...production, state: 'rejected' }],
  // The first attempt was told nothing of, and was over before anybody had to know.
  again: [{ ...production, attempt: 2 }],
  unknown: [{ ...production, state: 'rejected' }],
  beside: [production, { ...production, environment: strange, state: 'rejected' }],
};
const kindOf = (job: number): Kind => kinds[job % kinds.length]!;
/** How many kinds there are of deployments: fewer prove little. */
export const kindsOfDeployments = kinds.length;

/** Deployments that wait for the gate at GitHub, asked about in the log of `ground`. */
export function openGate(ground: AccessGround) {
  const { gated } = ground.github;
  const played: number[] = [];
  const isUnknown = (job: number) => kindOf(job) === 'unknown';
  const tell = (...of: Parameters<AccessGround['tellOf']>) => persistently(() => ground.tellOf(...of));
  const askGate = (...of: Parameters<AccessGround['askGate']>) => persistently(() => ground.askGate(...of));
  const saidOf = (job: number) => gated.verdicts.filter(({ run }) => run === ground.runOf(job));

  /** What lacks of what must be said of a deployment, in words. */
  const lacking = (job: number): string[] =>
    expected[kindOf(job)].flatMap(({ attempt, environment, state }) => {
      const said = saidOf(job).filter((one) => one.attempt === attempt && one.environment === environment);
      return said.some((one) => one.isTaken && one.state === state)
        ? []
        : [
            `${nameOf(job)}: ${environment} is to be ${state}, and was ${said.map((one) => one.state).join(', ') || 'not'}`,
          ];
    });
  const nameOf = (job: number) => `job ${job} (${kindOf(job)})`;

  return {
    /** A deployment begins to wait, and GitHub asks about it. Resolves once the log has the question. */
    async begin(job: number): Promise<void> {
      const kind = kindOf(job);
      const run = ground.runOf(job);
      gated.lay(run, 1, kind === 'beside' ? ['production', strange] : ['production']);
      played.push(job);
      if (['reviewed', 'twice', 'unreviewed', 'beside'].includes(kind))
        await tell([job], { isReviewed: kind !== 'unreviewed' });
      if (kind === 'beside') await askGate([job], { environment: strange, nth: 1 });
      // Another delivery, which names no deployment: no row tells that it is the same.
      if (kind === 'twice') await Promise.all([askGate([job]), askGate([job], { nth: 1, hasDeployment: false })]);
      else await askGate([job]);
      if (kind === 'late') {
        await pause((job * 31) % 300);
        await tell([job]);
      }
      if (kind !== 'again') return;
      gated.lay(run, 2);
      await tell([job], { attempt: 2 });
      await askGate([job], { nth: 1 });
    },

    /** Waits until all that could be answered is. @returns for how long, ms. */
    async answered(patienceMs: number): Promise<number> {
      const fromMs = performance.now();
      const isOpen = () => played.some((job) => !isUnknown(job) && lacking(job).length > 0);
      await until(() => !isOpen(), { patienceMs }).catch(() => {});
      return performance.now() - fromMs;
    },

    /** How many questions somebody has had in hand for so long. */
    async inHandSince(ms: number): Promise<number> {
      const { rows } = await ground.db.pool.query<{ count: number }>(
        `SELECT count(*)::int FROM access_gates WHERE state = 'open' AND claimed_until > clock_timestamp()
           AND claimed_until < clock_timestamp() + $1 * interval '1 ms'`,
        [claimMs - ms],
      );
      return rows[0]!.count;
    },

    /** As if the claims of whoever died or is frozen had run out. */
    claimsExpire: () =>
      ground.db.pool.query(
        'UPDATE access_gates SET claimed_until = clock_timestamp() WHERE claimed_until > clock_timestamp()',
      ),

    /**
     * Ten minutes pass of those of which nobody tells anything, and of those that GitHub does not list as long as that is no answer; the
     * claims of the dead run out. Then says, a line each, what does
     * not stand as it must. `mayRepeat`: whoever was frozen may say its word when GitHub has one already, which does not take it.
     */
    async differences({ mayRepeat = false } = {}): Promise<string[]> {
      const early = played.filter(isUnknown).filter((job) => saidOf(job).length > 0);
      const unknown = played.filter(isUnknown).map(ground.runOf);
      await this.claimsExpire();
      await ground.db.pool.query(
        `UPDATE access_gates SET due_at = clock_timestamp(),
           heard_at = heard_at - CASE WHEN run_id = ANY ($1) THEN $2::float8 ELSE $3::float8 END * interval '1 ms'
         WHERE state = 'open'`,
        [unknown, unknownMs, listedMs],
      );
      let open: { run_id: string; last_fault: string | null }[] = [];
      const isSettled = async () => {
        ({ rows: open } = await ground.db.pool.query(
          `SELECT run_id, last_fault FROM access_gates WHERE state = 'open'`,
        ));
        return open.length === 0 && played.every((job) => lacking(job).length === 0);
      };
      await until(isSettled, { patienceMs: 60_000, everyMs: 50 }).catch(() => {});
      const decided = await decisionsIn(ground);
      const named = await ground.named();
      const verdicts = Map.groupBy(gated.verdicts, keyOf);
      return [
        ...early.map((job) => `${nameOf(job)}: something was said before anybody told of it`),
        ...played.flatMap(lacking),
        ...played.flatMap((job) =>
          saidOf(job)
            .filter((said) => !expected[kindOf(job)].some((one) => isSame(one, said)))
            .map((said) => `${nameOf(job)}: attempt ${said.attempt}, ${said.environment} was ${said.state}`),
        ),
        ...[...verdicts].flatMap(([key, said]) =>
          mayRepeat || said.length === 1 ? [] : [`${said.length} verdicts: ${key}`],
        ),
        ...gated.verdicts
          .filter((said) => !decided.has(`${keyOf(said)} ${said.state}`))
          .map((said) => `the log has not ${keyOf(said)}: ${said.state}`),
        ...[...gated.usedTokens]
          .filter((hash) => !named.has(hash))
          .map(() => 'the log does not name a token that the gate used'),
        ...open.map(({ run_id, last_fault }) => `run ${run_id} is still open: ${last_fault}`),
      ];
    },

    /** How many were asked about, and answered how, for the table. */
    figures(): { size: string; figure: string; inVain: number } {
      const count = (state: GateVerdict['state'] | undefined) =>
        gated.verdicts.filter((one) => one.isTaken && one.state === state).length;
      const inVain = gated.verdicts.filter((one) => !one.isTaken).length;
      return {
        inVain,
        size: `${played.length} deployments`,
        figure: `${count('approved')} approved, ${count('rejected')} rejected${inVain === 0 ? '' : `, ${inVain} said again in vain`}`,
      };
    },
  };
}

const isSame = (one: Expected, said: Expected): boolean =>
  one.attempt === said.attempt && one.environment === said.environment && one.state === said.state;
const keyOf = ({ run, attempt, environment }: Pick<GateVerdict, 'run' | 'attempt' | 'environment'>): string =>
  `run ${run}, attempt ${attempt}, ${environment}`;

/** What the log says that the gate decided: keys of deployments, with what was decided. */
async function decisionsIn({ stream }: AccessGround): Promise<Set<string>> {
  const decided = new Set<string>();
  for (const { partition, first, next } of await stream.offsets(topics.events)) {
    for (let from = first; from < next; ) {
      const records = await stream.read({ topic: topics.events, partition, from, limit: 5000 });
      if (records.length === 0) break;
      for (const record of records) {
        if (record.headers['ce_type'] !== 'dev.cdeventsx.tripline-gate.decided') continue;
        const { data } = fromEventRecord(record, record);
        const state = data['tripline.access.decision'] === 'granted' ? 'approved' : 'rejected';
        const run = data['cicd.pipeline.run.id']!;
        const [attempt, environment] = [data['tripline.pipeline.run.attempt']!, data['deployment.environment.name']!];
        decided.add(`${keyOf({ run, attempt, environment })} ${state}`);
      }
      from = records.at(-1)!.offset + 1;
    }
  }
  return decided;
}
