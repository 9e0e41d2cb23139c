import { generateKeyPairSync } from 'node:crypto';
import { loadConfig } from '@tripline/config/config';
import type { Intent } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { addToQueue } from '@tripline/db/queue';
import { acknowledge } from '@tripline/incidents/incidents';
import { setRemediationSwitch } from '@tripline/incidents/kill-switch';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { type FakeAnswer, type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { accessIntent as access, keyIntent as key, runIntent as run } from '@tripline/testing/intents';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addGrant, grantStates, revokeAtProvider, type TestGrant } from '@tripline/testing/services/broker-grants';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Acted } from './playbook.ts';
import { createRemediateTask, createRemediator } from './remediator.ts';
import { listRemediations } from './store/remediations.ts';
import { resumeQueued, resumeRefused } from './store/requeue.ts';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const token = 'ghs_canaryMintedToken0123456789abcdef';
const runner: Intent = {
  action: 'isolate-runner',
  provider: 'github',
  instance: 'github.com',
  organization: 'acme',
  runnerId: '9',
};
const allActions = ['stop-run', 'isolate-runner', 'revoke-credential', 'revoke-grant'] as const;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let asRemediator: Db;
let github: FakeService;
let answer: (request: string) => FakeAnswer | undefined;
let logged: string[];
let acted: Acted[];
let gone: Set<string>;

beforeEach(async () => {
  database = await freshDatabase();
  asRemediator = database.as('remediator');
  answer = () => undefined;
  logged = [];
  acted = [];
  gone = new Set();
  github = await startFakeService(({ method, path }) => {
    const request = `${method} ${path.split('?', 1)[0]}`;
    return answer(request) ?? usual(request);
  });
});
afterEach(async () => {
  await github.close();
  await database.close();
});

/** A GitHub on which everything goes well: what is there is there until it is deleted, a run goes on until it is cancelled. */
function usual(request: string): FakeAnswer {
  const [method, path] = request.split(' ') as [string, string];
  if (request === 'GET /orgs/acme/installation') return { status: 200, body: '{"id":1}' };
  if (request === 'POST /app/installations/1/access_tokens') return { status: 201, body: JSON.stringify({ token }) };
  if (method === 'DELETE') {
    gone.add(path);
    return { status: 204 };
  }
  if (method === 'POST') {
    gone.add(path.replace(/\/(force-)?cancel$/, ''));
    return { status: 202, body: '{}' };
  }
  if (path.includes('/actions/runs/'))
    return { status: 200, body: gone.has(path) ? '{"status":"completed","conclusion":"cancelled"}' : running };
  if (gone.has(path) || path === '/users/acme/installation') return { status: 404, body: '{"message":"Not Found"}' };
  return { status: 200, body: '{"id":1}' };
}
const running = '{"status":"in_progress"}';

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
    db: asRemediator,
    logger: createLogger({ service: 'remediator', level: 'trace' }, { write: (line) => logged.push(line) }),
    clock: { nowMs: () => Date.now(), pause: async () => {} },
    metrics: createMetrics({ service: 'remediator' }),
    onActed: (step: Acted) => acted.push(step),
  };
}

const anyPolicy = [{ rule: 'a-rule', minSeverity: 'low', minConfidence: 'low', actions: [...allActions] }];

/** As the service does it: takes up what waits and has a place. */
async function playQueue(remediate: (payload: { finding: string }) => Promise<void>, maxPerHour: number) {
  await resumeQueued(database.db, { maxPerHour });
  const { rows } = await database.db.pool.query<{ finding: string }>(
    `DELETE FROM queue WHERE purpose = 'remediate' RETURNING item AS finding`,
  );
  for (const { finding } of rows) await remediate({ finding });
}

let findings = 0;
async function addFinding(response: Intent[], over: { workspace?: string; severity?: string } = {}): Promise<string> {
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
     VALUES ($1, $2, 'a-rule', $3, $1, $1, $5, 'high', 'T', 'S', 'e', now(), now(), '[]', '[]', $4, '[]', '', '{}', '19', '{}')`,
    [id, incident, workspace, JSON.stringify(response), over.severity ?? 'critical'],
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
/** As if so much time had passed for the steps: by the database's clock. */
async function letTimePass(time: string, { deadline = true } = {}): Promise<void> {
  await database.db.pool.query(
    `UPDATE remediations SET due_at = due_at - $1::interval, leased_until = leased_until - $1::interval,
       acted_at = acted_at - $1::interval, sent_at = sent_at - $1::interval, queued_at = queued_at - $1::interval,
       begun_at = CASE WHEN $2 THEN begun_at - $1::interval ELSE begun_at END`,
    [time, deadline],
  );
}
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
      'Dry run: would ask GitHub, then stop the run (POST /repos/acme/app/actions/runs/77/cancel)',
      'Dry run: would ask GitHub, then revoke the deploy key (DELETE /repos/acme/app/keys/3)',
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
      text: 'Done: revoke the deploy key; GitHub knows no such deploy key any more',
    });
    const jobs = await database.db.pool.query(`SELECT item FROM queue WHERE purpose = 'notify'`);
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
    const finding = await addFinding([{ ...key, credentialId: '4' }]);
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
    expect(logged.filter((line) => line.includes('revoking a token failed'))).toHaveLength(1);
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
    expect(acted[0]!.text).toMatch(/^FAILED to revoke the deploy key: The GitHub App (is not|may not)/);
  });

  test('says loudly when the thing survives', async () => {
    answer = (request) => (request === 'GET /repos/acme/app/keys/3' ? { status: 200, body: '{"id":3}' } : undefined);
    const finding = await addFinding([key]);
    await createRemediateTask(parts())({ finding });
    expect(await states(finding)).toEqual([['done', 'act', 'accepted', 'alive']]);
    expect(acted[0]!.text).toBe(
      'STILL ALIVE after the attempt to revoke the deploy key: the deploy key is still there',
    );
  });

  test('asks once more where GitHub did not say whether the thing is dead', async () => {
    let asked = 0;
    answer = (request) => {
      if (request !== 'GET /repos/acme/app/keys/3') return undefined;
      asked += 1;
      return asked === 2 ? { status: 502 } : undefined;
    };
    const finding = await addFinding([key]);
    await createRemediateTask(parts())({ finding });
    expect(asked).toBe(3);
    expect(await states(finding)).toEqual([['done', 'act', 'accepted', 'dead']]);
  });

  test('goes on to the revocation when the cancellation failed for good, and waits when it may yet come', async () => {
    answer = (request) => (request.endsWith('/cancel') ? { status: 403, body: '{"message":"no"}' } : undefined);
    const refused = await addFinding([run, key]);
    await createRemediateTask(parts())({ finding: refused });
    expect(await states(refused)).toEqual([
      ['failed', 'act', 'forbidden', 'alive'],
      ['done', 'act', 'accepted', 'dead'],
    ]);

    answer = (request) => (request.endsWith('/cancel') ? { status: 500 } : undefined);
    const waiting = await addFinding([run, { ...key, credentialId: '4' }]);
    const remediate = createRemediateTask(parts());
    await remediate({ finding: waiting });
    expect((await states(waiting)).map(([state]) => state)).toEqual(['acting', 'planned']);
    // Half a minute later it still holds; then what comes after it goes on without it.
    for (let attempt = 2; attempt <= 6; attempt += 1) {
      expect((await states(waiting))[1]![0]).toBe('planned');
      await letTimePass('20 seconds');
      await remediate({ finding: waiting });
    }
    expect((await states(waiting)).map(([state, , reason]) => [state, reason])).toEqual([
      ['acting', 'provider-failed'],
      ['done', 'accepted'],
    ]);
    for (let attempt = 7; attempt <= 11; attempt += 1) {
      await letTimePass('15 minutes');
      await remediate({ finding: waiting });
    }
    expect((await states(waiting))[0]!.slice(0, 3)).toEqual(['failed', 'act', 'provider-failed']);
    expect(acted.map(({ text }) => text.slice(0, 22))).toContain('FAILED to stop the run');
  });
});

describe('what no integration can do', () => {
  const stored: Intent = {
    ...{ action: 'rotate-secret', provider: 'github', instance: 'github.com', repository: 'acme/app' },
    secret: 'NPM_TOKEN',
  };
  const elsewhere: Intent = { ...key, provider: 'gitlab', instance: 'gitlab.com' };
  const otherInstance: Intent = { ...key, instance: 'github.acme.example' };

  test('is told as words for a person, with the address, and holds nothing up; nothing is sent for it', async () => {
    const finding = await addFinding([stored, elsewhere, otherInstance, key]);
    await createRemediateTask(parts())({ finding });
    expect((await states(finding)).map(([state, verdict]) => [state, verdict])).toEqual([
      ['refused', 'by-hand'],
      ['refused', 'by-hand'],
      ['refused', 'by-hand'],
      ['done', 'act'],
    ]);
    const texts = acted.map(({ text }) => text);
    expect(texts[0]).toMatch(/^By hand: rotate the secret\. Rotate NPM_TOKEN where it was issued /);
    // A key of GitLab's with GitHub's number and name must not cost GitHub's its life.
    expect(texts[1]).toContain('Tripline does nothing at gitlab: revoke the deploy key by hand');
    expect(texts[2]).toContain('Tripline is set up for github.com (github.apiUrl), not for github.acme.example');
    expect(changes()).toEqual(['DELETE /repos/acme/app/keys/3']);
    expect(minted()).toHaveLength(1);
    const { rows } = await database.db.pool.query(
      `SELECT data FROM outbox WHERE data->>'tripline.response.verdict' = 'by-hand' ORDER BY id LIMIT 1`,
    );
    expect(rows[0]?.data['tripline.response.target']).toContain('secret NPM_TOKEN');
  });

  test('and what a former version planned is read as the intent that it was', async () => {
    const former = { action: 'delete-deploy-key', repository: 'acme/app', keyId: '3' } as unknown as Intent;
    const finding = await addFinding([former]);
    await createRemediateTask(parts())({ finding });
    expect((await states(finding))[0]![0]).toBe('done');
    expect(changes()).toEqual(['DELETE /repos/acme/app/keys/3']);
  });
});

describe('GitHub is asked before anything is done', () => {
  const told = async () => {
    const { rows } = await database.db.pool.query(
      `SELECT detail ->> 'text' AS text FROM incident_events WHERE kind = 'remediated' ORDER BY id`,
    );
    return rows.map(({ text }) => text);
  };

  test('and where it says that it is not so, nothing is done, which is told', async () => {
    gone.add('/repos/acme/app/keys/3').add('/repos/acme/app/actions/runs/77');
    const finding = await addFinding([run, key]);
    await createRemediateTask(parts())({ finding });
    expect(changes()).toEqual([]);
    expect(await states(finding)).toEqual(Array(2).fill(['refused', 'not-so', 'not-so', undefined]));
    expect(await told()).toEqual([
      'Did not stop the run: GitHub says the run is completed (cancelled)',
      'Did not revoke the deploy key: GitHub says there is no such deploy key',
    ]);
    expect(revoked()).toHaveLength(2);
  });

  test('in vain: nothing is done, which is told once; it is asked again, and done when GitHub says so', async () => {
    answer = (request) => (request.startsWith('GET /repos') ? { status: 503 } : undefined);
    const finding = await addFinding([key]);
    const remediate = createRemediateTask(parts());
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await remediate({ finding });
      // A job too early asks nobody.
      await remediate({ finding });
      expect(minted()).toHaveLength(attempt);
      await letTimePass('10 seconds');
    }
    expect(changes()).toEqual([]);
    expect(await states(finding)).toEqual([['acting', 'act', 'provider-failed', undefined]]);
    expect(await told()).toEqual([
      expect.stringMatching(
        /^Not done yet: revoke the deploy key; GitHub could not be asked first: GitHub answered 503/,
      ),
    ]);
    answer = () => undefined;
    await remediate({ finding });
    expect(changes()).toEqual(['DELETE /repos/acme/app/keys/3']);
    expect(await states(finding)).toEqual([['done', 'act', 'accepted', 'dead']]);
  });

  test.each([403, 500, 'silence'] as const)(
    'in vain again and again (%s): in the end it has failed, and nothing was done',
    async (how) => {
      const failing: FakeAnswer = how === 'silence' ? { status: 200, body: '{', manner: 'half' } : { status: how };
      answer = (request) => (request.startsWith('GET /repos') ? failing : undefined);
      const finding = await addFinding([key]);
      const remediate = createRemediateTask(parts());
      for (let attempt = 1; attempt <= 11; attempt += 1) {
        expect((await states(finding))[0]?.[0]).not.toBe('failed');
        await remediate({ finding });
        await letTimePass('15 minutes', { deadline: false });
      }
      expect(changes()).toEqual([]);
      expect((await states(finding))[0]!.slice(0, 2)).toEqual(['failed', 'act']);
      expect((await told()).at(-1)).toMatch(/^FAILED to revoke the deploy key: GitHub could not be asked first/);
    },
  );

  test('no sooner than otherwise, though it asks for no pause at all', async () => {
    const limited = { status: 429, headers: { 'retry-after': '0' } };
    answer = (request) => (request.startsWith('GET /repos') ? limited : undefined);
    const finding = await addFinding([key]);
    const remediate = createRemediateTask(parts());
    for (const attempts of [1, 2, 2]) {
      await remediate({ finding });
      expect(minted()).toHaveLength(attempts);
      await letTimePass('1500 ms');
    }
  });

  test('no longer than an hour, however long it asks to stay away', async () => {
    const limited = { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '9999999999' } };
    answer = (request) => (request.startsWith('GET /repos') ? limited : undefined);
    const finding = await addFinding([key]);
    const remediate = createRemediateTask(parts());
    for (let hours = 0; hours < 2; hours += 0.25) {
      await remediate({ finding });
      await letTimePass('15 minutes');
    }
    expect((await states(finding))[0]!.slice(0, 3)).toEqual(['failed', 'act', 'rate-limited']);
    expect(minted().length).toBeLessThanOrEqual(5);
  });

  test('a runner at work is asked after until it is idle; then it is removed', async () => {
    let busy = true;
    answer = (request) =>
      request === 'GET /orgs/acme/actions/runners/9' && busy
        ? { status: 200, body: '{"id":9,"name":"r","status":"online","busy":true}' }
        : undefined;
    const finding = await addFinding([runner]);
    const remediate = createRemediateTask(parts());
    await remediate({ finding });
    expect(await states(finding)).toEqual([['acting', 'act', 'busy', undefined]]);
    busy = false;
    await letTimePass('10 seconds');
    await remediate({ finding });
    expect(changes()).toEqual(['DELETE /orgs/acme/actions/runners/9']);
  });

  test('an invitation that was accepted before is told loudly', async () => {
    const invitation: Intent = {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'org-invitation',
      organization: 'acme',
      invitationId: '5',
      user: 'eve',
    };
    answer = (request) => (request === 'GET /orgs/acme/invitations' ? { status: 200, body: '[]' } : undefined);
    const policy = [{ rule: 'a-rule', minSeverity: 'high', minConfidence: 'high', actions: ['revoke-grant'] }];
    const finding = await addFinding([invitation]);
    await createRemediateTask(parts({ policy }))({ finding });
    expect(changes()).toEqual([]);
    expect(await states(finding)).toEqual([['refused', 'not-so', 'not-so', 'alive']]);
    expect((await told()).at(-1)).toMatch(/^STILL ALIVE, not touched: .*eve has access to acme: it was accepted/);
  });

  test('and a person who is protected by number is known by GitHub’s number, whatever the login', async () => {
    const protectedOnes = { users: [{ login: 'ada', id: '11' }], repositories: [], runners: [] };
    const grant: Intent = {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'org-member',
      organization: 'acme',
      user: 'renamed',
    };
    answer = (request) => {
      if (request === 'GET /orgs/acme/memberships/renamed')
        return { status: 200, body: '{"state":"active","user":{"login":"renamed","id":11}}' };
      return undefined;
    };
    const spared = await addFinding([grant]);
    await createRemediateTask(parts({ protected: protectedOnes }))({ finding: spared });
    expect(changes()).toEqual([]);
    expect(await states(spared)).toEqual([['refused', 'protected', 'protected', undefined]]);
    // Somebody else who took the login that she gave up is not her.
    answer = (request) => {
      if (request === 'GET /orgs/acme/memberships/ada')
        return gone.has('/orgs/acme/memberships/ada')
          ? { status: 404 }
          : { status: 200, body: '{"state":"active","user":{"login":"ada","id":12}}' };
      return undefined;
    };
    const other = await addFinding([{ ...grant, user: 'ada', userId: '12' }]);
    await createRemediateTask(parts({ protected: protectedOnes }))({ finding: other });
    expect(changes()).toEqual(['DELETE /orgs/acme/memberships/ada']);
  });

  test('and who was renamed since the finding is found under the present login', async () => {
    const at = (login: string) => `/orgs/acme/memberships/${login}`;
    answer = (request) => {
      if (request === 'GET /user/66') return { status: 200, body: '{"login":"mallory2","id":66}' };
      if (request === `GET ${at('mallory')}`) return { status: 404, body: '{}' };
      if (request === `GET ${at('mallory2')}` && !gone.has(at('mallory2')))
        return { status: 200, body: '{"state":"active","user":{"login":"mallory2","id":66}}' };
      return undefined;
    };
    const grant: Intent = {
      action: 'revoke-grant',
      provider: 'github',
      instance: 'github.com',
      grant: 'org-member',
      organization: 'acme',
      user: 'mallory',
      userId: '66',
    };
    const finding = await addFinding([grant]);
    await createRemediateTask(parts())({ finding });
    expect(changes()).toEqual([`DELETE ${at('mallory2')}`]);
    expect(await states(finding)).toEqual([['done', 'act', 'accepted', 'dead']]);
  });

  test('an organisation that was renamed is known by its number; another one is refused', async () => {
    const ours = parts();
    const organizations = [{ login: 'acme-before', id: '7' }];
    const config = { ...ours.config, workspaces: [{ id: 'acme', github: { organizations } }] } as typeof ours.config;
    answer = (request) => (request === 'GET /orgs/acme' ? { status: 200, body: '{"login":"acme","id":7}' } : undefined);
    const renamed = await addFinding([key]);
    await createRemediateTask({ ...ours, config })({ finding: renamed });
    expect(await states(renamed)).toEqual([['done', 'act', 'accepted', 'dead']]);
    answer = (request) => (request === 'GET /orgs/acme' ? { status: 200, body: '{"login":"acme","id":8}' } : undefined);
    const other = await addFinding([{ ...key, credentialId: '4' }]);
    await createRemediateTask({ ...ours, config, metrics: createMetrics({ service: 'remediator' }) })({
      finding: other,
    });
    expect(await states(other)).toEqual([['refused', 'not-configured', 'not-configured', undefined]]);
    expect(changes()).toEqual(['DELETE /repos/acme/app/keys/3']);
  });

  test('every outcome is an event for the log, left in the same transaction', async () => {
    const finding = await addFinding([run, key]);
    gone.add('/repos/acme/app/keys/3');
    await createRemediateTask(parts())({ finding });
    const { rows } = await database.db.pool.query(`SELECT event_type, workspace, data FROM outbox ORDER BY id`);
    expect(rows).toMatchObject([
      {
        event_type: 'dev.cdeventsx.tripline-response.finished',
        workspace: 'acme',
        data: {
          'tripline.response.action': 'stop-run',
          'tripline.response.finding': finding,
          'tripline.response.state': 'done',
          'tripline.response.verdict': 'act',
          'tripline.response.result': 'dead',
        },
      },
      { data: { 'tripline.response.action': 'revoke-credential', 'tripline.response.verdict': 'not-so' } },
    ]);
  });
});

test('the outcome of revoking a token names it as feeds tell of its use', async () => {
  const place = { provider: 'github', instance: 'github.com' };
  const token = { action: 'revoke-credential', ...place, credential: 'personal-access-token', organization: 'acme' };
  const finding = await addFinding([{ ...token, credentialId: '42' } as Intent]);
  await createRemediateTask(parts({ policy: [] }))({ finding });
  const { rows } = await database.db.pool.query(`SELECT data->>'tripline.response.credential' AS id FROM outbox`);
  expect(rows).toEqual([{ id: '42' }]);
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

  test('after a crash between act and record: GitHub is asked first, and the history tells of it once', async () => {
    const finding = await addFinding([key]);
    // Dies when the answer is to be told: the key is deleted, and nothing of that is recorded.
    const { pool } = database.db;
    await pool.query(`ALTER TABLE incident_events ADD CONSTRAINT dying CHECK (kind <> 'remediated')`);
    await expect(createRemediateTask(parts())({ finding })).rejects.toThrow('dying');
    expect(changes()).toHaveLength(1);
    expect(await states(finding)).toEqual([['acting', 'act', null, undefined]]);
    await pool.query('ALTER TABLE incident_events DROP CONSTRAINT dying');
    await pool.query('UPDATE remediations SET leased_until = clock_timestamp()');
    for (let times = 0; times < 2; times += 1) await createRemediateTask(parts())({ finding });
    expect(changes()).toHaveLength(1);
    expect(await states(finding)).toEqual([['done', 'act', 'done-earlier', 'dead']]);
    const history = await pool.query(`SELECT detail ->> 'reason' AS reason FROM incident_events`);
    expect(history.rows).toEqual([{ reason: 'done-earlier' }]);
  });

  test('and a playbook that fails is carried on as soon as it can be, by a service that may be another', async () => {
    const finding = await addFinding([key]);
    const { pool } = database.db;
    await pool.query(`ALTER TABLE incident_events ADD CONSTRAINT dying CHECK (kind <> 'remediated')`);
    await addToQueue(pool, 'remediate', finding);
    const first = await createRemediator(parts());
    const failures = async () => (await pool.query('SELECT failures FROM queue WHERE failures > 0')).rowCount;
    await expect.poll(failures, { interval: 20, timeout: 15_000 }).toBe(1);
    await first.close();
    await pool.query('ALTER TABLE incident_events DROP CONSTRAINT dying');
    await pool.query('UPDATE remediations SET leased_until = clock_timestamp()');
    const second = await createRemediator({ ...parts(), metrics: createMetrics({ service: 'remediator' }) });
    await expect
      .poll(() => states(finding), { interval: 20, timeout: 15_000 })
      .toEqual([['done', 'act', 'done-earlier', 'dead']]);
    await second.close();
    expect(changes()).toHaveLength(1);
    const { rows } = await pool.query(`SELECT FROM queue WHERE purpose = 'remediate'`);
    expect(rows).toEqual([]);
  });

  test('and a worker that finds another at work comes back when its lease is over', async () => {
    const finding = await addFinding([key]);
    answer = (request) => (request === 'DELETE /repos/acme/app/keys/3' ? { status: 204, manner: 'silent' } : undefined);
    const first = createRemediateTask(parts())({ finding });
    await expect.poll(() => changes().length, { interval: 10 }).toBe(1);
    await createRemediateTask(parts())({ finding });
    const { rows } = await database.db.pool.query(
      `SELECT due_at > now() + interval '5 seconds' AS later FROM queue WHERE purpose = 'remediate' AND item = $1`,
      [finding],
    );
    expect(rows).toEqual([{ later: true }]);
    expect(changes()).toHaveLength(1);
    await github.close();
    await first;
  });
});

describe('the guard on real rows', () => {
  test('caps the calls of one action in one workspace, whatever the number of workers; what is beyond waits', async () => {
    const remediate = createRemediateTask(parts({ maxPerHour: 3 }));
    const ids = await Promise.all(
      Array.from({ length: 8 }, (_, credentialId) => addFinding([{ ...key, credentialId: String(credentialId) }])),
    );
    await Promise.all(ids.map((finding) => remediate({ finding })));
    expect(changes()).toHaveLength(3);
    expect(acted.filter(({ state, verdict }) => state === 'queued' && verdict === 'rate-capped')).toHaveLength(5);
    const paged = await database.db.pool.query(`SELECT count(*)::int AS n FROM incident_events WHERE kind = 'paged'`);
    expect(paged.rows).toEqual([{ n: 5 }]);
    expect(acted.find(({ state }) => state === 'queued')!.text).toMatch(
      /^Waits for a place to revoke the deploy key, free at .*Z at the earliest: 3 of revoke-credential were carried out/,
    );
    // Told once, however often it is looked at.
    for (const finding of ids) await remediate({ finding });
    expect(acted).toHaveLength(8);
    expect(await resumeQueued(database.db, { maxPerHour: 3 })).toBe(0);
    for (const expected of [6, 8]) {
      await letTimePass('61 minutes');
      await playQueue(remediate, 3);
      expect(changes()).toHaveLength(expected);
    }
    expect(new Set(changes()).size).toBe(8);
  });

  test('leaves the jobs of what waited with the gravest first, and among equals what waits longest', async () => {
    const remediate = createRemediateTask(parts({ maxPerHour: 1, policy: anyPolicy }));
    // The first has the only place.
    const severities = ['low', 'medium', 'critical', 'high', 'medium', 'critical', 'high'];
    const ids: string[] = [];
    for (const [nth, severity] of severities.entries()) {
      ids.push(await addFinding([{ ...key, credentialId: String(nth) }], { severity }));
      await remediate({ finding: ids.at(-1)! });
    }
    await database.db.pool.query('DELETE FROM queue');
    expect(await resumeQueued(database.db, { maxPerHour: 10 })).toBe(6);
    const { rows } = await database.db.pool.query<{ finding: string }>(
      `SELECT item AS finding FROM queue WHERE purpose = 'remediate' ORDER BY due_at, item`,
    );
    expect(rows.map(({ finding }) => ids.indexOf(finding))).toEqual([2, 5, 3, 6, 1, 4]);
  });

  test('lets the real grant come before decoys that are less grave, and before those that came later', async () => {
    const remediate = createRemediateTask(parts({ maxPerHour: 2, policy: anyPolicy }));
    const make = (credentialId: string, severity: string) => addFinding([{ ...key, credentialId }], { severity });
    for (const decoy of ['1', '2', '3', '4']) await remediate({ finding: await make(decoy, 'high') });
    await remediate({ finding: await make('real', 'critical') });
    expect(changes()).toHaveLength(2);
    await letTimePass('61 minutes');
    // What comes anew does not pass by what has waited.
    await remediate({ finding: await make('5', 'high') });
    await playQueue(remediate, 2);
    expect(changes().slice(2).sort()).toEqual(['DELETE /repos/acme/app/keys/3', 'DELETE /repos/acme/app/keys/real']);
  });

  test('does not do what waited when it was withdrawn, resolved by a person, or is no longer so', async () => {
    const remediate = createRemediateTask(parts({ maxPerHour: 1 }));
    const [first, withdrawn, resolved, over] = await Promise.all(
      ['1', '2', '3', '4'].map((credentialId) => addFinding([{ ...key, credentialId }])),
    );
    for (const finding of [first!, withdrawn!, resolved!, over!]) await remediate({ finding });
    const { pool } = database.db;
    await pool.query(`UPDATE findings SET withdrawn_at = now(), withdrawn_reason = 'late' WHERE id = $1`, [withdrawn]);
    await pool.query(
      `UPDATE incidents SET state = 'resolved', resolution = 'accepted', resolved_at = now(),
         resolved_by = '{"via":"cli","id":"ada","name":"ada"}' WHERE id = (SELECT incident FROM findings WHERE id = $1)`,
      [resolved],
    );
    gone.add('/repos/acme/app/keys/4');
    await letTimePass('61 minutes');
    for (let looks = 0; looks < 3; looks += 1) await playQueue(remediate, 1);
    expect(changes()).toHaveLength(1);
    const verdicts = await Promise.all(
      [withdrawn!, resolved!, over!].map(async (id) => (await states(id))[0]!.slice(0, 2)),
    );
    expect(verdicts).toEqual([
      ['refused', 'withdrawn'],
      ['refused', 'resolved'],
      ['refused', 'not-so'],
    ]);
  });

  test('lies that GitHub denies take no place', async () => {
    const remediate = createRemediateTask(parts({ maxPerHour: 1 }));
    for (const credentialId of ['1', '2', '3']) {
      gone.add(`/repos/acme/app/keys/${credentialId}`);
      await remediate({ finding: await addFinding([{ ...key, credentialId }]) });
    }
    expect(acted.map(({ verdict }) => verdict)).toEqual(['not-so', 'not-so', 'not-so']);
    await remediate({ finding: await addFinding([{ ...key, credentialId: 'real' }]) });
    expect(changes()).toEqual(['DELETE /repos/acme/app/keys/real']);
  });

  test('holds in any order of gravities and times: never above the cap, and nothing is refused for good', async () => {
    const severity = fc.constantFrom('low', 'medium', 'high', 'critical');
    const act = fc.oneof(
      { weight: 3, arbitrary: fc.record({ what: fc.constant('find' as const), severity }) },
      {
        weight: 1,
        arbitrary: fc.record({ what: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 70 }) }),
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { minLength: 4, maxLength: 14 }),
        fc.integer({ min: 1, max: 3 }),
        async (acts, maxPerHour) => {
          await database.db.pool.query('TRUNCATE incidents, findings, remediations CASCADE');
          github.requests.length = 0;
          gone.clear();
          const remediate = createRemediateTask(parts({ maxPerHour, policy: anyPolicy }));
          const gravity = new Map<string, string>();
          const sentAt: number[] = [];
          let minute = 0;
          const look = () => {
            while (sentAt.length < changes().length) sentAt.push(minute);
          };
          for (const one of acts) {
            if (one.what === 'wait') {
              minute += one.minutes;
              await letTimePass(`${one.minutes} minutes`);
              await playQueue(remediate, maxPerHour);
            } else {
              const credentialId = String(gravity.size + 1);
              gravity.set(credentialId, one.severity);
              await remediate({ finding: await addFinding([{ ...key, credentialId }], { severity: one.severity }) });
            }
            look();
          }
          // However many there are, so many hours later each is done.
          for (let hours = 0; hours <= gravity.size / maxPerHour; hours += 1) {
            minute += 61;
            await letTimePass('61 minutes');
            await playQueue(remediate, maxPerHour);
            look();
          }
          for (const at of sentAt) {
            expect(sentAt.filter((other) => other >= at && other < at + 60).length).toBeLessThanOrEqual(maxPerHour);
          }
          expect(new Set(changes()).size).toBe(gravity.size);
          expect(changes()).toHaveLength(gravity.size);
        },
      ),
      { numRuns: 12 },
    );
  }, 120_000);

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
    expect(await resumeRefused(database.db)).toBe(2);
    const { rows } = await database.db.pool.query(`SELECT item FROM queue WHERE purpose = 'remediate'`);
    expect(rows).toEqual([{ item: finding }]);
    await remediate({ finding });
    expect(changes()).toHaveLength(2);
    expect(await resumeRefused(database.db)).toBe(0);
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
    expect(acted.map(({ verdict }) => verdict)).toEqual(['withdrawn', 'dry-run', 'not-configured']);
  });

  test('never acts upon what is not proven or was lowered; once it is proven, it does', async () => {
    const remediate = createRemediateTask(parts({ policy: anyPolicy }));
    const { pool } = database.db;
    const unproven = await addFinding([key]);
    await pool.query('UPDATE findings SET unproven = true WHERE id = $1', [unproven]);
    const lowered = await addFinding([{ ...key, credentialId: '4' }]);
    await pool.query(
      `UPDATE findings SET severity = 'low', lowered_at = now(), lowered_reason = 'Nobody could ask' WHERE id = $1`,
      [lowered],
    );
    for (const finding of [unproven, lowered]) await remediate({ finding });
    expect(github.requests).toEqual([]);
    expect(acted.map(({ verdict, text }) => [verdict, text])).toEqual([
      ['unproven', expect.stringContaining('own list of deliveries has not named')],
      ['unproven', 'Did not revoke the deploy key: Nobody could ask'],
    ]);
    await pool.query('UPDATE findings SET unproven = false WHERE id = $1', [unproven]);
    for (const finding of [unproven, lowered]) await remediate({ finding });
    expect(changes()).toEqual(['DELETE /repos/acme/app/keys/3']);
  });

  test('looks again right before the request is sent', async () => {
    const finding = await addFinding([key]);
    answer = (request) => {
      if (request === 'GET /repos/acme/app/keys/3')
        lowering = database.db.pool.query('UPDATE findings SET unproven = true WHERE id = $1', [finding]);
      return undefined;
    };
    let lowering: Promise<unknown> | undefined;
    const fetchHere = globalThis.fetch;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const response = await fetchHere(input, init);
      await lowering;
      return response;
    };
    await createRemediateTask({ ...parts(), fetch })({ finding });
    expect(changes()).toEqual([]);
    expect(await states(finding)).toEqual([['refused', 'unproven', 'unproven', undefined]]);
  });

  test.each<[string, Record<string, unknown>, (request: string) => FakeAnswer | undefined, boolean]>([
    ['failed', {}, (request) => (request.startsWith('DELETE /repos') ? { status: 422 } : undefined), true],
    [
      'left it alive',
      {},
      (request) => (request === 'GET /repos/acme/app/keys/3' ? { status: 200, body: '{}' } : undefined),
      true,
    ],
    [
      'is refused: protected',
      { protected: { users: [], runners: [], repositories: ['acme/app'] } },
      () => undefined,
      true,
    ],
    ['succeeded', {}, () => undefined, false],
    ['was only shown', { mode: 'dry-run' }, () => undefined, false],
    ['is not in the policy', { policy: [] }, () => undefined, false],
    ['is not so', {}, (request) => (request === 'GET /repos/acme/app/keys/3' ? { status: 404 } : undefined), false],
  ])('pages again whoever has acknowledged, or not: a response that %s', async (_what, remediation, plays, isPaged) => {
    const finding = await addFinding([key]);
    const { pool } = database.db;
    const by = { via: 'cli', id: 'ada', name: 'ada' } as const;
    const { rows } = await pool.query('SELECT incident FROM findings WHERE id = $1', [finding]);
    await acknowledge(database.db, rows[0].incident, by);
    answer = plays;
    await createRemediateTask(parts(remediation))({ finding });
    const incident = await pool.query('SELECT page_generation, state FROM incidents');
    expect(incident.rows).toEqual([
      isPaged ? { page_generation: 1, state: 'open' } : { page_generation: 0, state: 'acknowledged' },
    ]);
    const paged = await pool.query(`SELECT detail ->> 'reason' AS reason FROM incident_events WHERE kind = 'paged'`);
    expect(paged.rows).toEqual(isPaged ? [{ reason: acted[0]!.text }] : []);
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
  for (const credentialId of ['3', '4']) {
    const finding = await addFinding([{ ...key, credentialId }]);
    await addToQueue(database.db.pool, 'remediate', finding);
  }
  await expect.poll(() => acted.length, { interval: 20, timeout: 10_000 }).toBe(2);
  await remediator.ready();
  await remediator.close();
  const { rows } = await database.db.pool.query<{ text: string }>(
    `SELECT r::text AS text FROM remediations r UNION ALL SELECT e::text FROM incident_events e UNION ALL SELECT q::text FROM queue q`,
  );
  const everything = [...logged, ...rows.map(({ text }) => text), JSON.stringify(acted)].join('\n');
  expect(everything).not.toContain(token);
  expect(everything).not.toContain(privateKey.slice(40, 80));
  expect(everything).not.toContain('Bearer');
  expect(everything).toContain('[credential]');
});

describe('what the access broker gave', () => {
  const given = [access.key, 'github:github.com:74'];
  const jobs = (run: number) => ({ run: `github/github.com/74/${run}/1`, job: `github/github.com/74/${run}/1/1` });
  const grant = (id: string, run: number, more: Partial<TestGrant> = {}) =>
    addGrant(database.as('broker'), { id, keys: jobs(run), things: given, ...more });
  test('is set ending, in its own workspace and of its own run alone; dead is what the broker’s provider says', async () => {
    // Though its policy lets a job that runs end first.
    await grant('mine', 9, { onIncident: 'afterJob' });
    await grant('other-run', 10, { things: ['github:github.com:74#10', 'github:github.com:74'] });
    await grant('other-workspace', 9, { workspace: 'globex' });
    const finding = await addFinding([access]);
    const told: object[] = [];
    const revoking = async () => void told.push(...(await revokeAtProvider(database.as('broker'))));
    const clock = { nowMs: () => Date.now(), pause: revoking };
    await createRemediateTask({ ...parts(), clock })({ finding });
    expect(acted.map(({ code, state, text }) => [code, state, text])).toEqual([
      [
        'A16',
        'done',
        'Done: revoke what the broker gave the run; the providers said of all that it was given that it is dead',
      ],
    ]);
    expect(acted[0]!.undo).toContain('asks the broker again');
    expect(await grantStates(database.db)).toEqual({
      mine: 'dead incident',
      'other-run': 'live',
      'other-workspace': 'live',
    });
    expect(told).toMatchObject([
      {
        type: 'dev.cdeventsx.tripline-credential.revoked',
        data: { 'tripline.access.grant': 'mine', 'tripline.access.end': 'incident' },
      },
    ]);
    expect(github.requests).toEqual([]);
  });

  test('wakes the broker, and stays alive, said first, while that is stopped', async () => {
    await grant('mine', 9);
    const listening = await database.db.pool.connect();
    const heard: (string | undefined)[] = [];
    listening.on('notification', ({ payload }) => heard.push(payload));
    await listening.query('LISTEN tripline_access');
    await createRemediateTask(parts())({ finding: await addFinding([access]) });
    await listening.query('SELECT 1');
    listening.release(true);
    expect(heard).toEqual(['mine']);
    expect(acted[0]!.text).toMatch(
      /^STILL ALIVE after the attempt to revoke what the broker gave the run: 1 grant is alive/,
    );
    expect(await grantStates(database.db)).toEqual({ mine: 'ending incident' });
  });

  test('is asked for first: where nothing is alive nothing is done', async () => {
    await createRemediateTask(parts())({ finding: await addFinding([access]) });
    expect(acted.map(({ verdict, text }) => [verdict, text])).toEqual([
      ['not-so', 'Did not revoke what the broker gave the run: Tripline says nothing that it was given is alive'],
    ]);
  });

  test('is left alone by drills, dry runs, the kill switch, what is protected and what no policy allows', async () => {
    await grant('mine', 9);
    await grant('drilled', 9, { workspace: 'tripline-drill-1' });
    const verdictOf = async (remediation: Record<string, unknown>, over: { workspace?: string } = {}) => {
      await createRemediateTask(parts(remediation))({ finding: await addFinding([access], over) });
      return acted.at(-1)!.verdict;
    };
    expect(await verdictOf({}, { workspace: 'tripline-drill-1' })).toBe('dry-run');
    expect(await verdictOf({ mode: 'dry-run' })).toBe('dry-run');
    expect(acted.at(-1)!.text).toBe(
      'Dry run: would ask Tripline, then revoke what the broker gave the run (END grants of run acme/api#9)',
    );
    const by = { via: 'cli', id: 'eve', name: 'eve' } as const;
    const { protected: usual } = loadConfig({}, '/nonexistent').remediation;
    expect(await verdictOf({ protected: { ...usual, repositories: ['acme/api'] } })).toBe('protected');
    expect(await verdictOf({ policy: [] })).toBe('not-in-policy');
    await setRemediationSwitch(database.db, { stopped: true, by, reason: 'a look first' });
    expect(await verdictOf({})).toBe('kill-switch');
    expect(await grantStates(database.db)).toEqual({ mine: 'live', drilled: 'live' });
  });
});
