import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeIssuerKey } from '../../packages/testing/id-tokens.ts';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { startTestPostgres } from '../../packages/testing/postgres/postgres.global.ts';
import { audience, startIssuer } from '../../packages/testing/services/broker.ts';
import { type AccessGround, openAccess } from '../faults/access-ground.ts';
import { startProcess, until } from '../faults/service-process.ts';
import { startOpenBao } from '../minters/openbao.ts';
import { treeCpuMs } from './process-tree.ts';

/** Jobs that ask at once. */
const atOnce = 8;

/** Node's flags as `tripline broker` has them (packages/cli/tripline.mjs); for the server beside it, too. */
const asTripline = ['--min-semi-space-size=16', '--max-semi-space-size=16', '--no-parallel-scavenge'];

/** Ms of a grant at eight at once, in which GitHub's own time to answer is not counted, and the append to the log is. */
type Grants = { ms: number[]; perSecond: number; cpuMs: number };

export type AccessFigures = {
  /** At a GitHub that takes `githubMs`, as each job meets it. */
  grants: Grants;
  /** The least calls that a grant is of, by a server that decides nothing (bare-broker.ts), in turn with the broker. */
  bare: Grants;
  /** At one that answers at once: as many as the machine does. */
  atFullSpeed: Grants;
  /** From the append of GitHub's question about a deployment to the verdict at GitHub, ms, at one that takes `githubMs` a request. */
  gateMs: number[];
  /** From the append of a job's end to GitHub's word that the token is dead, ms, at a GitHub that takes `githubMs`. */
  deadMs: number[];
  githubMs: number;
  /** Jobs that GitHub was never asked to revoke from. */
  leftAlive: number;
  /** Ms of a grant at a steady rate, alone and with garbage at five times that rate from another address. */
  honestMs: { alone: number[]; besideGarbage: number[] };
  garbage: { sent: number; answers: Record<string, number> };
  /** Requests for an issuer's keys in all of it. */
  keyRequests: number;
  /** OpenBao's JWT login and the revocation of what it gave, with its store in memory, at eight at once; or why it is not there. */
  openBao: { loginMs: number[]; revokeMs: number[] } | { absent: string };
};

/** What a broker of its own process costs a job, and how soon what it gave is dead. */
export async function benchAccess(options: {
  brokers: string;
  grants: number;
  seconds: number;
}): Promise<AccessFigures> {
  const { grants, seconds } = options;
  const postgres = await startTestPostgres();
  const database = await freshDatabaseOn(postgres.url);
  const ground = await openAccess(database, { brokers: options.brokers.split(',') });
  const broker = ground.start({}, asTripline);
  const bareBroker = startBareBroker(ground, { databaseUrl: database.url, brokers: options.brokers });
  try {
    const url = await broker.url;
    const bareUrl = await bareBroker.url;
    const jobs = countJobs();
    const atOnceBy = (count: number) => grantsAtOnce(ground, url, { jobs: jobs(count), pid: broker.child.pid! });
    const bareBy = (count: number) => grantsAtOnce(ground, bareUrl, { jobs: jobs(count), pid: bareBroker.child.pid! });
    // A broker that runs for days is compiled.
    await atOnceBy(3 * grants);
    await bareBy(3 * grants);
    const atFullSpeed = await atOnceBy(grants);
    const openBao = await measureOpenBao(ground, jobs(grants));
    const githubMs = 50;
    ground.github.provider.delayMs = githubMs;
    const [given, bare] = await inTurn(atOnceBy, bareBy, grants);
    const { deadMs, leftAlive } = await endsAtARate(ground, given.tokens, 50);
    const gateMs = await gateAtARate(ground, jobs(grants / 2), 10);
    ground.github.provider.delayMs = 0;
    const perSecond = 20;
    const alone = await steadily(ground, url, jobs(perSecond * seconds), perSecond);
    const garbage = garbageFrom(ground, url, { perSecond: 5 * perSecond, forged: await forgedTokens() });
    const besideGarbage = await steadily(ground, url, jobs(perSecond * seconds), perSecond);
    return {
      ...{ grants: given, bare, atFullSpeed, gateMs, deadMs, githubMs, leftAlive, honestMs: { alone, besideGarbage } },
      ...{ garbage: await garbage.stop(), keyRequests: ground.issuer.requests.length, openBao },
    };
  } finally {
    await Promise.all([broker.kill('SIGTERM'), bareBroker.kill('SIGTERM')]);
    await ground.close();
    await database.close();
    await postgres.stop();
  }
}

/** Numbers of jobs that nobody had before. */
function countJobs() {
  let next = 0;
  return (count: number) => Array.from({ length: Math.ceil(count) }, () => next++);
}

function startBareBroker(
  { github, issuer }: AccessGround,
  { databaseUrl, brokers }: { databaseUrl: string; brokers: string },
) {
  const service = startProcess([...asTripline, join(import.meta.dirname, 'bare-broker.ts')], {
    ...{ DATABASE_URL: databaseUrl, KAFKA_BROKERS: brokers, GITHUB_URL: github.url, JWKS_URI: issuer.jwksUri },
  });
  const said = () => /listening on (\S+)/.exec(service.said())?.[1];
  const url = until(said, { of: service, what: 'a server that makes the least calls of a grant' });
  // It is awaited once the broker listens.
  url.catch(() => {});
  return { ...service, url };
}

/** Whom each was given, and what came of it. */
type Given = Grants & { tokens: ReadonlyMap<number, string> };

/** In spans of so many, by turns: what the machine's speed is in one half of a minute it is not in the other. */
const ofASpan = 200;

type GrantsBy = (count: number) => Promise<Given>;

/** `count` grants of each in all, the spans of each as one; what is first in one span is second in the next. */
async function inTurn(first: GrantsBy, second: GrantsBy, count: number): Promise<[Given, Given]> {
  const [ofFirst, ofSecond]: [Given[], Given[]] = [[], []];
  const spans = Math.max(1, Math.round(count / ofASpan));
  for (let nth = 0; nth < spans; nth += 1) {
    if (nth % 2 === 0) ofFirst.push(await first(count / spans));
    ofSecond.push(await second(count / spans));
    if (nth % 2 === 1) ofFirst.push(await first(count / spans));
  }
  return [asOne(ofFirst), asOne(ofSecond)];
}

function asOne(parts: readonly Given[]): Given {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    ms: parts.flatMap(({ ms }) => ms),
    tokens: new Map(parts.flatMap(({ tokens }) => [...tokens])),
    perSecond: mean(parts.map(({ perSecond }) => perSecond)),
    cpuMs: mean(parts.map(({ cpuMs }) => cpuMs)),
  };
}

/** `pid`: of the server. */
async function grantsAtOnce(
  ground: AccessGround,
  url: string,
  { jobs, pid }: { jobs: readonly number[]; pid: number },
): Promise<Given> {
  await ground.tellOf(jobs);
  const shown = await tokensOf(ground, jobs);
  const tokens = new Map<number, string>();
  const ms: number[] = [];
  const [fromMs, fromCpuMs] = [performance.now(), treeCpuMs(pid)];
  await eachAtOnce(jobs, async (job, nth) => {
    const { token, tookMs, status, reason } = await ground.ask(url, shown[nth]!, { job });
    if (token === undefined) throw new Error(`job ${job} was given nothing: ${status} ${reason}`);
    tokens.set(job, token);
    const { askedMs, givenMs } = ground.github.tokens.get(token)!;
    ms.push(tookMs - (givenMs - askedMs));
  });
  const tookMs = performance.now() - fromMs;
  const cpuMs = (treeCpuMs(pid) - fromCpuMs) / jobs.length;
  return { tokens, ms, cpuMs, perSecond: (jobs.length / tookMs) * 1000 };
}

/** Signed before anything is measured. */
async function tokensOf(ground: AccessGround, jobs: readonly number[]): Promise<string[]> {
  const tokens: string[] = [];
  for (const job of jobs) tokens.push(await ground.token(job));
  return tokens;
}

async function eachAtOnce<T>(all: readonly T[], work: (one: T, nth: number) => Promise<void>): Promise<void> {
  let next = 0;
  const runner = async () => {
    for (let nth = next++; nth < all.length; nth = next++) await work(all[nth]!, nth);
  };
  await Promise.all(Array.from({ length: atOnce }, runner));
}

async function endsAtARate(ground: AccessGround, tokens: ReadonlyMap<number, string>, perSecond: number) {
  const endedMs = new Map<string, number>();
  const begunMs = performance.now();
  let nth = 0;
  for (const [job, token] of tokens) {
    await pause(Math.max(0, begunMs + (nth * 1000) / perSecond - performance.now()));
    nth += 1;
    endedMs.set(token, performance.now());
    void ground.end([job]);
  }
  const untilMs = performance.now() + 30_000;
  const isAlive = (token: string) => ground.github.alive.has(token);
  while ([...endedMs.keys()].some(isAlive) && performance.now() < untilMs) await pause(20);
  const deadMs = [...endedMs].flatMap(([token, atMs]) => {
    const { deadMs: dead } = ground.github.tokens.get(token)!;
    return dead === undefined ? [] : [dead - atMs];
  });
  return { deadMs, leftAlive: endedMs.size - deadMs.length };
}

/** Ms until the gate has given its verdict on each, from the question on. */
async function gateAtARate(ground: AccessGround, jobs: readonly number[], perSecond: number): Promise<number[]> {
  await ground.tellOf(jobs);
  const askedMs = new Map<string, number>();
  const begunMs = performance.now();
  for (const [nth, job] of jobs.entries()) {
    await pause(Math.max(0, begunMs + (nth * 1000) / perSecond - performance.now()));
    askedMs.set(ground.runOf(job), performance.now());
    void ground.askGate([job]);
  }
  const { words } = ground.github.gated;
  const untilMs = performance.now() + 30_000;
  while ([...askedMs.keys()].some((run) => !words.has(run)) && performance.now() < untilMs) await pause(20);
  return [...askedMs].map(([run, atMs]) => {
    const word = words.get(run);
    if (word?.state !== 'approved') throw new Error(`the gate says ${word?.state ?? 'nothing'} of run ${run}`);
    return word.atMs - atMs;
  });
}

/** Ms of each grant, from when it was due: a broker that is held up holds up the next. */
async function steadily(
  ground: AccessGround,
  url: string,
  jobs: readonly number[],
  perSecond: number,
): Promise<number[]> {
  await ground.tellOf(jobs);
  const shown = await tokensOf(ground, jobs);
  const begunMs = performance.now();
  return Promise.all(
    jobs.map(async (job, nth) => {
      const dueMs = begunMs + (nth * 1000) / perSecond;
      await pause(Math.max(0, dueMs - performance.now()));
      const { status } = await ground.ask(url, shown[nth]!, { job });
      if (status !== 201) throw new Error(`job ${job} was answered ${status}`);
      return performance.now() - dueMs;
    }),
  );
}

/** Signed by a key that is not the issuer's, under the id of one that is; and as if by an issuer that nobody named. */
async function forgedTokens(): Promise<string[]> {
  const [other, stranger] = [await startIssuer(), await makeIssuerKey('key-unknown')];
  try {
    const nowS = Math.floor(Date.now() / 1000);
    return [
      await other.token(),
      await other.token({ iss: 'https://issuer.of.nobody.example' }),
      await stranger.sign({
        aud: audience,
        iss: 'https://token.actions.githubusercontent.com',
        iat: nowS,
        exp: nowS + 300,
      }),
      `${'A'.repeat(3000)}.${'A'.repeat(3000)}.AAAA`,
      'x'.repeat(7000),
    ];
  } finally {
    await other.close();
  }
}

/** Sends garbage from another address until it is stopped. */
function garbageFrom(
  ground: AccessGround,
  url: string,
  { perSecond, forged }: { perSecond: number; forged: readonly string[] },
) {
  const answers: Record<string, number> = {};
  let sent = 0;
  let isOver = false;
  const under = new Set<Promise<void>>();
  const begunMs = performance.now();
  const running = (async () => {
    while (!isOver) {
      for (; sent < ((performance.now() - begunMs) / 1000) * perSecond; sent += 1) {
        const one: Promise<void> = ground
          .ask(url, forged[sent % forged.length]!, { localAddress: '127.0.0.2' })
          .then(({ status, token }) => {
            if (token !== undefined) throw new Error('garbage was given something');
            answers[status] = (answers[status] ?? 0) + 1;
            under.delete(one);
          });
        under.add(one);
      }
      await pause(5);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await running;
      await Promise.all(under);
      return { sent, answers };
    },
  };
}

/** The same tokens shown to OpenBao: its JWT login gives a token of its own, which is then revoked by its accessor. */
async function measureOpenBao(ground: AccessGround, jobs: readonly number[]): Promise<AccessFigures['openBao']> {
  let bao: Awaited<ReturnType<typeof startOpenBao>>;
  try {
    bao = await startOpenBao();
  } catch (error) {
    return { absent: String((error as Error).message).split('\n')[0]! };
  }
  try {
    await bao.asRoot('POST', 'sys/auth/jwt', { type: 'jwt' });
    await bao.asRoot('POST', 'auth/jwt/config', { jwks_url: ground.issuer.jwksUri });
    await bao.asRoot('POST', 'auth/jwt/role/deploy-api', {
      ...{ role_type: 'jwt', user_claim: 'repository_id', bound_audiences: [audience], token_ttl: '15m' },
      bound_claims: { repository_id: '74', ref: 'refs/heads/main', environment: 'production' },
    });
    const login = async (jwt: string) => {
      const fromMs = performance.now();
      const { status, data } = await bao.call('POST', 'auth/jwt/login', { role: 'deploy-api', jwt }, '');
      if (status !== 200) throw new Error(`OpenBao answers a login with ${status}: ${JSON.stringify(data)}`);
      return { ms: performance.now() - fromMs, accessor: data.auth.accessor as string };
    };
    const shown = await tokensOf(ground, jobs);
    await eachAtOnce(shown.slice(0, 50), async (jwt) => void (await login(jwt)));
    const [loginMs, revokeMs]: [number[], number[]] = [[], []];
    await eachAtOnce(shown, async (jwt) => {
      const { ms, accessor } = await login(jwt);
      loginMs.push(ms);
      const fromMs = performance.now();
      await bao.asRoot('POST', 'auth/token/revoke-accessor', { accessor });
      revokeMs.push(performance.now() - fromMs);
    });
    return { loginMs, revokeMs };
  } finally {
    await bao.close();
  }
}
