import { generateKeyPairSync } from 'node:crypto';
import type { ResponseStep } from '@tripline/contracts/response';
import { listRemediations, reviveRemediations, takeUpStopped } from '@tripline/db/remediations';
import { setRemediationSwitch } from '@tripline/db/switches';
import { loadConfig } from '@tripline/runtime/config';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FakeAnswer,
  type FakeService,
  startFakeService,
} from '../../packages/integrations/integration.contract.ts';
import { freshDatabase } from '../../test/setup/postgres.ts';
import { type Acted, createRemediateTask, createRemediator } from './remediator.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const token = 'ghs_canaryMintedToken0123456789abcdef';
const key: ResponseStep = { action: 'delete-deploy-key', repository: 'acme/app', keyId: '3' };
const run: ResponseStep = { action: 'cancel-run', repository: 'acme/app', runId: '77' };
const runner: ResponseStep = { action: 'remove-runner', organization: 'acme', runnerId: '9' };
const allActions = ['cancel-run', 'remove-runner', 'delete-deploy-key', 'withdraw-grant'] as const;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let github: FakeService;
let answer: (request: string) => FakeAnswer | undefined;
let logged: string[];
let acted: Acted[];

beforeEach(async () => {
  database = await freshDatabase();
  answer = () => undefined;
  logged = [];
  acted = [];
  github = await startFakeService(({ method, path }) => {
    const request = `${method} ${path.split('?', 1)[0]}`;
    return answer(request) ?? usual(request);
  });
});
afterEach(async () => {
  await github.close();
  await database.close();
});

/** A GitHub on which everything goes well: what is deleted is gone, what is cancelled is over. */
function usual(request: string): FakeAnswer {
  if (request === 'GET /orgs/acme/installation') return { status: 200, body: '{"id":1}' };
  if (request === 'POST /app/installations/1/access_tokens') return { status: 201, body: JSON.stringify({ token }) };
  if (request.startsWith('DELETE ')) return { status: 204 };
  if (request.startsWith('POST ')) return { status: 202, body: '{}' };
  if (request.includes('/actions/runs/'))
    return { status: 200, body: '{"status":"completed","conclusion":"cancelled"}' };
  return { status: 404, body: '{"message":"Not Found"}' };
}

function parts(remediation: Record<string, unknown> = {}) {
  const config = loadConfig({}, '/nonexistent');
  return {
    config: {
      ...config,
      github: { ...config.github, apiUrl: github.url, app: { id: '1', privateKey } },
      remediation: {
        ...config.remediation,
        mode: 'automatic' as const,
        policy: [
          { rule: 'a-rule', minSeverity: 'high' as const, minConfidence: 'high' as const, actions: [...allActions] },
        ],
        ...remediation,
      },
    },
    db: database.db,
    logger: createLogger({ service: 'remediator', level: 'trace' }, { write: (line) => logged.push(line) }),
    clock: { nowMs: () => Date.now(), pause: async () => {} },
    metrics: createMetrics({ service: 'remediator' }),
    onActed: (step: Acted) => acted.push(step),
  };
}

let findings = 0;
async function addFinding(response: ResponseStep[], over: { workspace?: string } = {}): Promise<string> {
  findings += 1;
  const id = findings.toString(16).padStart(64, '0');
  const workspace = over.workspace ?? 'acme';
  const incident = `INC-${findings}`;
  await database.db.pool.query(
    `INSERT INTO incidents (id, workspace, severity, title) VALUES ($1, $2, 'critical', 'T')`,
    [incident, workspace],
  );
  await database.db.pool.query(
    `INSERT INTO findings (id, incident, rule, workspace, subject, occasion, severity, confidence, title, summary, deciding_event,
       occurred_at, detected_at, evidence, entities, response, remedy, silence, attack, attack_version, owasp)
     VALUES ($1, $2, 'a-rule', $3, $1, $1, 'critical', 'high', 'T', 'S', 'e', now(), now(), '[]', '[]', $4, '[]', '', '{}', '19', '{}')`,
    [id, incident, workspace, JSON.stringify(response)],
  );
  return id;
}

/** Requests that change something at GitHub, tokens left aside. */
const changes = () =>
  github.requests
    .map(({ method, path }) => `${method} ${path}`)
    .filter((request) => !/^GET|access_tokens|\/installation\/token/.test(request));
const states = async (finding: string) =>
  (await listRemediations(database.db, { finding })).map(({ state, verdict, reason, check }) => [
    state,
    verdict,
    reason,
    check?.result,
  ]);
const minted = () => github.requests.filter(({ path }) => path.endsWith('/access_tokens'));
const revoked = () =>
  github.requests.filter(({ method, path }) => method === 'DELETE' && path === '/installation/token');

describe('a playbook', () => {
  test('is a dry run unless told otherwise: shown to the last detail, and nothing sent', async () => {
    const finding = await addFinding([run, key]);
    await createRemediateTask(parts({ mode: 'dry-run' }))({ finding });
    expect(github.requests).toEqual([]);
    expect(await listRemediations(database.db, { finding })).toMatchObject([
      {
        mode: 'dry-run',
        state: 'refused',
        verdict: 'dry-run',
        request: { method: 'POST', path: '/repos/acme/app/actions/runs/77/cancel' },
      },
      {
        mode: 'dry-run',
        state: 'refused',
        verdict: 'dry-run',
        request: { method: 'DELETE', path: '/repos/acme/app/keys/3' },
      },
    ]);
    expect(acted.map(({ text }) => text)).toEqual([
      'Dry run: would cancel the run (POST /repos/acme/app/actions/runs/77/cancel)',
      'Dry run: would delete the deploy key (DELETE /repos/acme/app/keys/3)',
    ]);
  });

  test('is carried out in order, each step checked, told and recorded', async () => {
    const finding = await addFinding([run, runner, key]);
    await createRemediateTask(parts())({ finding });
    expect(changes()).toEqual([
      'POST /repos/acme/app/actions/runs/77/cancel',
      'DELETE /orgs/acme/actions/runners/9',
      'DELETE /repos/acme/app/keys/3',
    ]);
    expect(await states(finding)).toEqual(Array(3).fill(['done', 'act', 'accepted', 'dead']));
    const { rows } = await database.db.pool.query(
      `SELECT kind, detail ->> 'text' AS text FROM incident_events ORDER BY id`,
    );
    expect(rows).toHaveLength(3);
    expect(rows[2]).toEqual({
      kind: 'remediated',
      text: 'Done: delete the deploy key; GitHub knows no such deploy key any more',
    });
    const jobs = await database.db.pool.query(`SELECT key FROM graphile_worker.jobs WHERE key LIKE 'tell-slack:%'`);
    expect(jobs.rows).toHaveLength(1);
    const version = await database.db.pool.query('SELECT version FROM incidents');
    expect(version.rows).toEqual([{ version: 4 }]);
  });

  test('mints for each step a token with only its permissions, and revokes it', async () => {
    await createRemediateTask(parts())({ finding: await addFinding([run, runner, key]) });
    expect(minted().map(({ body }) => JSON.parse(body))).toEqual([
      { permissions: { actions: 'write' }, repositories: ['app'] },
      { permissions: { organization_self_hosted_runners: 'write' } },
      { permissions: { administration: 'write' }, repositories: ['app'] },
    ]);
    expect(revoked()).toHaveLength(3);
  });

  test('looks the App’s installation up once, and again when it was installed anew', async () => {
    const lookUps = () => github.requests.filter(({ path }) => path === '/orgs/acme/installation').length;
    const remediate = createRemediateTask(parts());
    await remediate({ finding: await addFinding([run, key]) });
    expect(lookUps()).toBe(1);
    answer = (request) => {
      if (request === 'GET /orgs/acme/installation') return { status: 200, body: '{"id":2}' };
      if (request === 'POST /app/installations/1/access_tokens') return { status: 404 };
      if (request === 'POST /app/installations/2/access_tokens')
        return { status: 201, body: JSON.stringify({ token }) };
      return undefined;
    };
    const finding = await addFinding([{ ...key, keyId: '4' }]);
    await remediate({ finding });
    expect(lookUps()).toBe(2);
    expect((await states(finding))[0]![0]).toBe('done');
  });

  test.each([500, 403])('revokes its token also when the step fails with %i', async (status) => {
    answer = (request) => (request === 'DELETE /repos/acme/app/keys/3' ? { status } : undefined);
    await createRemediateTask(parts())({ finding: await addFinding([key]) });
    expect(minted()).toHaveLength(1);
    expect(revoked()).toHaveLength(1);
  });

  test('says so when its token could not be revoked, without naming it', async () => {
    answer = (request) => (request === 'DELETE /installation/token' ? { status: 500 } : undefined);
    const finding = await addFinding([key]);
    await createRemediateTask(parts())({ finding });
    expect((await states(finding))[0]![0]).toBe('done');
    expect(logged.filter((line) => line.includes('could not be revoked'))).toHaveLength(1);
    expect(logged.join('')).not.toContain(token);
  });

  test.each([
    ['is not installed', 'GET /orgs/acme/installation', 404, 'not-installed'],
    ['may not do it', 'POST /app/installations/1/access_tokens', 422, 'not-permitted'],
  ])('fails with what to do when the App %s', async (_when, refused, status, reason) => {
    answer = (request) => (request === refused ? { status, body: '{"message":"no"}' } : undefined);
    const finding = await addFinding([key]);
    await createRemediateTask(parts())({ finding });
    expect(changes()).toEqual([]);
    expect(await states(finding)).toEqual([['failed', 'act', reason, 'unknown']]);
    expect(acted[0]!.text).toMatch(/^FAILED to delete the deploy key: The GitHub App (is not|may not)/);
  });

  test('says loudly when the thing survives', async () => {
    answer = (request) => (request === 'GET /repos/acme/app/keys/3' ? { status: 200, body: '{"id":3}' } : undefined);
    const finding = await addFinding([key]);
    await createRemediateTask(parts())({ finding });
    expect(await states(finding)).toEqual([['done', 'act', 'accepted', 'alive']]);
    expect(acted[0]!.text).toBe(
      'STILL ALIVE after the attempt to delete the deploy key: the deploy key is still there',
    );
  });

  test('goes on to the revocation when the cancellation failed for good, and waits when it may yet come', async () => {
    answer = (request) => (request.endsWith('/cancel') ? { status: 403, body: '{"message":"no"}' } : undefined);
    const refused = await addFinding([run, key]);
    await createRemediateTask(parts())({ finding: refused });
    expect(await states(refused)).toEqual([
      ['failed', 'act', 'forbidden', 'dead'],
      ['done', 'act', 'accepted', 'dead'],
    ]);

    answer = (request) => (request.endsWith('/cancel') ? { status: 500 } : undefined);
    const waiting = await addFinding([run, key]);
    const remediate = createRemediateTask(parts());
    await remediate({ finding: waiting });
    expect((await states(waiting)).map(([state]) => state)).toEqual(['acting', 'planned']);
    for (let attempt = 2; attempt <= 6; attempt += 1) {
      // The run goes on meanwhile: were it over, asking first would settle the step.
      answer = (request) =>
        request.endsWith('/cancel')
          ? { status: 500 }
          : request.includes('/runs/')
            ? { status: 200, body: '{"status":"queued"}' }
            : undefined;
      await remediate({ finding: waiting });
    }
    expect((await states(waiting)).map(([state, , reason]) => [state, reason])).toEqual([
      ['failed', 'provider-failed'],
      ['done', 'accepted'],
    ]);
  });
});

describe('nothing is done twice', () => {
  test('by repeated jobs and many workers at once', async () => {
    const finding = await addFinding([run, key]);
    const workers = Array.from({ length: 8 }, () => createRemediateTask(parts()));
    await Promise.all(workers.map((remediate) => remediate({ finding })));
    for (const remediate of workers) await remediate({ finding });
    expect(changes()).toEqual(['POST /repos/acme/app/actions/runs/77/cancel', 'DELETE /repos/acme/app/keys/3']);
    expect(acted).toHaveLength(2);
  });

  test('after a crash between act and record: GitHub is asked first, and the story tells of it once', async () => {
    const finding = await addFinding([key]);
    // Dies when the answer is to be told: the key is deleted, and nothing of that is recorded.
    const { pool } = database.db;
    await pool.query(`ALTER TABLE incident_events ADD CONSTRAINT dying CHECK (kind <> 'remediated')`);
    await expect(createRemediateTask(parts())({ finding })).rejects.toThrow('dying');
    expect(changes()).toHaveLength(1);
    expect(await states(finding)).toEqual([['acting', 'act', null, undefined]]);
    await pool.query('ALTER TABLE incident_events DROP CONSTRAINT dying');
    await pool.query('UPDATE remediations SET leased_until = clock_timestamp()');
    expect(await reviveRemediations(database.db, { afterMs: 0 })).toBe(1);
    for (let times = 0; times < 2; times += 1) await createRemediateTask(parts())({ finding });
    expect(changes()).toHaveLength(1);
    expect(await states(finding)).toEqual([['done', 'act', 'done-earlier', 'dead']]);
    const story = await pool.query(`SELECT detail ->> 'reason' AS reason FROM incident_events`);
    expect(story.rows).toEqual([{ reason: 'done-earlier' }]);
  });

  test('and a worker that finds another at work comes back when its lease is over', async () => {
    const finding = await addFinding([key]);
    answer = (request) => (request === 'DELETE /repos/acme/app/keys/3' ? { status: 204, manner: 'silent' } : undefined);
    const first = createRemediateTask(parts())({ finding });
    await expect.poll(() => changes().length, { interval: 10 }).toBe(1);
    await createRemediateTask(parts())({ finding });
    const { rows } = await database.db.pool.query(
      `SELECT run_at > now() + interval '5 seconds' AS later FROM graphile_worker.jobs WHERE key = $1`,
      [`remediate:${finding}`],
    );
    expect(rows).toEqual([{ later: true }]);
    expect(changes()).toHaveLength(1);
    await github.close();
    await first;
  });
});

describe('the guard on real rows', () => {
  test('caps the calls of one action in one workspace, whatever the number of workers', async () => {
    const remediate = createRemediateTask(parts({ maxPerHour: 3 }));
    const ids = await Promise.all(
      Array.from({ length: 8 }, (_, keyId) => addFinding([{ ...key, keyId: String(keyId) }])),
    );
    await Promise.all(ids.map((finding) => remediate({ finding })));
    expect(changes()).toHaveLength(3);
    expect(acted.filter(({ verdict }) => verdict === 'rate-capped')).toHaveLength(5);
  });

  test('obeys the kill switch, thrown before or midway', async () => {
    const by = { via: 'cli', id: 'eve', name: 'eve' } as const;
    const midway = await addFinding([run, key]);
    answer = (request) => {
      if (request.endsWith('/cancel'))
        stopping = setRemediationSwitch(database.db, { stopped: true, by, reason: 'drill' });
      return undefined;
    };
    let stopping: Promise<void> | undefined;
    const parted = parts();
    await createRemediateTask({ ...parted, clock: { ...parted.clock, pause: async () => stopping } })({
      finding: midway,
    });
    expect(changes()).toEqual(['POST /repos/acme/app/actions/runs/77/cancel']);
    expect((await states(midway))[1]).toEqual(['refused', 'kill-switch', 'kill-switch', undefined]);

    const before = await addFinding([key]);
    await createRemediateTask(parts())({ finding: before });
    expect(changes()).toHaveLength(1);

    await setRemediationSwitch(database.db, { stopped: false, by, reason: 'over' });
    await createRemediateTask(parts())({ finding: await addFinding([key]) });
    expect(changes()).toHaveLength(2);
  });

  test('takes up what the kill switch refused when it is told to, and not before', async () => {
    const by = { via: 'cli', id: 'eve', name: 'eve' } as const;
    const remediate = createRemediateTask(parts());
    const finding = await addFinding([run, key]);
    await setRemediationSwitch(database.db, { stopped: true, by, reason: 'drill' });
    await remediate({ finding });
    await setRemediationSwitch(database.db, { stopped: false, by, reason: 'over' });
    await remediate({ finding });
    expect(changes()).toEqual([]);
    expect(await takeUpStopped(database.db)).toBe(2);
    const { rows } = await database.db.pool.query(`SELECT key FROM graphile_worker.jobs WHERE key LIKE 'remediate:%'`);
    expect(rows).toEqual([{ key: `remediate:${finding}` }]);
    await remediate({ finding });
    expect(changes()).toHaveLength(2);
    expect(await takeUpStopped(database.db)).toBe(0);
  });

  test('obeys a kill switch that is thrown between the claim and the call', async () => {
    const by = { via: 'cli', id: 'eve', name: 'eve' } as const;
    const finding = await addFinding([key]);
    const fetchHere = globalThis.fetch;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      if (String(input).endsWith('/access_tokens'))
        await setRemediationSwitch(database.db, { stopped: true, by, reason: 'now' });
      return fetchHere(input, init);
    };
    await createRemediateTask({ ...parts(), fetch })({ finding });
    expect(changes()).toEqual([]);
    expect(revoked()).toHaveLength(1);
    expect(await states(finding)).toEqual([['refused', 'kill-switch', 'kill-switch', undefined]]);
  });

  test('never acts for a drill, a withdrawn finding or a target of another organisation', async () => {
    const withdrawn = await addFinding([key]);
    await database.db.pool.query(`UPDATE findings SET withdrawn_at = now(), withdrawn_reason = 'late' WHERE id = $1`, [
      withdrawn,
    ]);
    const cases = [
      withdrawn,
      await addFinding([key], { workspace: 'tripline-drill-x' }),
      await addFinding([key], { workspace: 'other' }),
    ];
    for (const finding of cases) await createRemediateTask(parts())({ finding });
    expect(github.requests).toEqual([]);
    expect(acted.map(({ verdict }) => verdict)).toEqual(['withdrawn', 'dry-run', 'not-in-policy']);
  });

  test('takes a step up again that was refused only because its finding was withdrawn, once it stands again', async () => {
    const finding = await addFinding([key]);
    const set = (values: string) => database.db.pool.query(`UPDATE findings SET ${values} WHERE id = $1`, [finding]);
    await set(`withdrawn_at = now(), withdrawn_reason = 'late'`);
    await createRemediateTask(parts())({ finding });
    expect(changes()).toEqual([]);
    await set('withdrawn_at = NULL, withdrawn_reason = NULL');
    for (let times = 0; times < 2; times += 1) await createRemediateTask(parts())({ finding });
    expect(changes()).toHaveLength(1);
  });
});

test('the service takes up jobs, and no secret of it stands anywhere afterwards', async () => {
  answer = (request) =>
    request === 'DELETE /repos/acme/app/keys/4'
      ? { status: 403, body: JSON.stringify({ message: `bad ${token}` }) }
      : undefined;
  const remediator = await createRemediator(parts());
  for (const keyId of ['3', '4']) {
    const finding = await addFinding([{ ...key, keyId }]);
    await database.db.pool.query(
      `SELECT graphile_worker.add_job('remediate', json_build_object('finding', $1::text))`,
      [finding],
    );
  }
  await expect.poll(() => acted.length, { interval: 20, timeout: 10_000 }).toBe(2);
  await remediator.ready();
  await remediator.close();
  const { rows } = await database.db.pool.query<{ text: string }>(
    `SELECT r::text AS text FROM remediations r UNION ALL SELECT e::text FROM incident_events e UNION ALL SELECT j::text FROM graphile_worker._private_jobs j`,
  );
  const everything = [...logged, ...rows.map(({ text }) => text), JSON.stringify(acted)].join('\n');
  expect(everything).not.toContain(token);
  expect(everything).not.toContain(privateKey.slice(40, 80));
  expect(everything).not.toContain('Bearer');
  expect(everything).toContain('[credential]');
});
