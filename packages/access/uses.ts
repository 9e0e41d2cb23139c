import type { Attributes } from '@tripline/contracts/attributes';
import { inSmallLetters } from '@tripline/contracts/text';
import type { Standing, Use } from './standing.ts';

/** Who used what stands, as far as events of the log tell: added in their order, asked at the end. `time`: when the log took it in, RFC 3339 in UTC. */
export type Uses = {
  add: (event: { type: string; time: string; data: Attributes }) => void;
  /** The rows with the jobs that were seen with them, and with their last use where the provider does not know it. */
  fill: (rows: readonly Standing[]) => Standing[];
};

/** Runs, and jobs by thing, that are remembered: the newest. An attacker chooses how many there are. */
const mostRuns = 200_000;
const mostThings = 100_000;
const [mostJobs, mostTold] = [200, 20];

type Seen = { at: string; jobs: Map<string, Use & { run: string }> };
type Run = { path: string | undefined; event: string | undefined };

export function createUses(): Uses {
  const runs = new Map<string, Run>();
  const things = new Map<string, Seen>();

  function saw(thing: string, at: string, job?: Use & { run: string }): void {
    const seen = things.get(thing) ?? { at, jobs: new Map() };
    things.delete(thing);
    things.set(thing, seen);
    if (at > seen.at) seen.at = at;
    if (job !== undefined)
      keepNewest(seen.jobs, `${job.repository} ${job.workflow} ${job.environment} ${job.run}`, job, mostJobs);
    if (things.size > mostThings) things.delete(things.keys().next().value!);
  }

  return {
    add({ type, time, data }) {
      const {
        'user.id': user,
        'user.name': login,
        'vcs.repository.name': repository,
        'cicd.pipeline.run.id': run,
      } = data;
      if (user !== undefined) saw(`user:${user}`, time);
      if (login !== undefined) saw(`login:${login}`, time);
      const environment = data['deployment.environment.name'];
      if (repository === undefined) return;
      if (type.startsWith('dev.cdevents.pipelinerun.') && run !== undefined)
        keepNewest(
          runs,
          `${repository}#${run}`,
          { path: data['tripline.pipeline.path'], event: data['tripline.pipeline.trigger'] },
          mostRuns,
        );
      if (environment !== undefined) saw(`environment:${inSmallLetters(environment)}@${repository}`, time);
      const job = run === undefined ? undefined : jobOf(data, { repository, run, time });
      const token = type === 'dev.cdeventsx.tripline-credential.used' ? undefined : data['tripline.credential.id'];
      if (token !== undefined) saw(`token:${token}`, time);
      if (type.includes('taskrun.')) {
        if (data['cicd.worker.id'] !== undefined) saw(`runner:${data['cicd.worker.id']}`, time, job);
        if (data['tripline.worker.group.id'] !== undefined) saw(`group:${data['tripline.worker.group.id']}`, time, job);
      }
      for (const secret of data['tripline.credential.secrets'] ?? []) {
        saw(`secret:${secret.toUpperCase()}@${repository}`, time, job);
        // One of the organisation's reaches repositories that are not listed.
        saw(`secret:${secret.toUpperCase()}`, time, job);
      }
    },
    fill(rows) {
      const owners = secretOwners(rows);
      return rows.map((row) => {
        const seen = keysOf(row).flatMap((key) => {
          const one = things.get(key);
          return one === undefined ? [] : [one];
        });
        const isOwn = (use: Use) => row.kind !== 'secret' || owners(row.name, use) === row.id;
        const jobs = seen
          .flatMap((one) => [...one.jobs.values()])
          .filter(isOwn)
          .sort((a, b) => (a.at < b.at ? 1 : -1));
        const at =
          row.kind === 'secret'
            ? jobs[0]?.at
            : seen
                .map((one) => one.at)
                .sort()
                .at(-1);
        const lastUse = row.lastUse === 'unknown' && at !== undefined ? ({ at, by: 'trail' } as const) : row.lastUse;
        return {
          ...row,
          lastUse,
          usedBy: distinct(jobs.map((job) => told(job, runs.get(`${job.repository}#${job.run}`)))),
        };
      });
    },
  };
}

function jobOf(
  data: Attributes,
  { repository, run, time }: { repository: string; run: string; time: string },
): Use & { run: string } {
  return {
    ...{ repository, run, at: time, event: null, ref: null },
    workflow: data['tripline.identity.subject'] ?? null,
    environment: data['deployment.environment.name'] ?? null,
  };
}

/** What the run adds: what set it off, and the file where the job's own record names none. */
function told({ run: _, ...use }: Use & { run: string }, run: Run | undefined): Use {
  const ref = use.workflow?.split('@')[1] ?? null;
  return { ...use, ref, event: run?.event ?? null, workflow: use.workflow ?? run?.path ?? null };
}

function distinct(uses: readonly Use[]): Use[] {
  const known = new Map<string, Use>();
  for (const use of uses) {
    const { at: _, ...rest } = use;
    const key = JSON.stringify(rest);
    if (!known.has(key)) known.set(key, use);
  }
  return [...known.values()].slice(0, mostTold);
}

function keysOf({ seenAs, repositories, kind }: Standing): string[] {
  if (seenAs === null) return [];
  if (kind !== 'secret' && kind !== 'environment') return [seenAs];
  return repositories === 'all' ? [seenAs] : repositories.map((repository) => `${seenAs}@${repository}`);
}

/** Of secrets of one name a job gets its environment's, else its repository's, else the organisation's. */
function secretOwners(rows: readonly Standing[]): (name: string, use: Use) => string | undefined {
  const byName = Map.groupBy(
    rows.filter(({ kind }) => kind === 'secret'),
    ({ name }) => name.toUpperCase(),
  );
  const rank = ({ id, environments }: Standing) => (environments.length > 0 ? 2 : id.startsWith('secret/@') ? 0 : 1);
  return (name, { repository, environment }) => {
    const may = (byName.get(name.toUpperCase()) ?? []).filter(
      ({ repositories, environments }) =>
        (repositories === 'all' || repositories.includes(repository)) &&
        (environments.length === 0 || (environment !== null && environments.includes(environment))),
    );
    return may.toSorted((a, b) => rank(b) - rank(a))[0]?.id;
  };
}

function keepNewest<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value!);
}
