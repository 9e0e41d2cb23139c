import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAwsApi } from '../../packages/integrations/aws/api.ts';
import { createAwsMinter } from '../../packages/integrations/aws/mint.ts';
import type { MintOrder } from '../../packages/integrations/minter.ts';
import { freePorts } from '../../packages/testing/ports.ts';
import { built } from '../bench/peers/build-cache.ts';
import { prepare, startProgram } from '../bench/peers/peer.ts';

/** Shapes of what is sent to STS and IAM, as moto (PyPI) takes them. It enforces no policy, so that nothing is shown of denials. */
const version = '5.2.5';
const role = 'arn:aws:iam::123456789012:role/deploy-api';
const order: MintOrder<'aws'> = {
  ...{ grantId: 'g-1', tier: 'production', run: 'acme/api#9', pins: {}, untilMs: Date.now() + 2_700_000 },
  give: { role, for: 1_800_000, policy: 'p.json' },
  files: {
    'p.json': '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}',
  },
};
const clock = { nowMs: Date.now, pause: async () => {} };
let url: string;
let stop: () => Promise<unknown>;

beforeAll(async () => {
  const folder = await built('moto', [version], (draft) =>
    prepare('pip', ['install', '--quiet', '--target', draft, `moto[server,iam,sts]==${version}`]),
  );
  const [port] = await freePorts(1);
  url = `http://127.0.0.1:${port}`;
  const { process: server, output } = startProgram(['python3', '-m', 'moto.server', '-p', String(port)], {
    env: { PYTHONPATH: folder },
  });
  stop = () => {
    const gone = new Promise((resolve) => server.once('close', resolve));
    server.kill();
    return gone;
  };
  for (let tries = 0; ; tries += 1) {
    if ((await fetch(`${url}/moto-api/`).catch(() => undefined))?.ok) break;
    if (tries === 300 || server.exitCode !== null) throw new Error(`moto does not start:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [] });
  const { ask } = opened();
  const made = await ask('iam', 'CreateRole', { RoleName: 'deploy-api', AssumeRolePolicyDocument: trust });
  expect(made.status, JSON.stringify(made)).toBe(200);
});
afterAll(() => stop?.());

const opened = () => {
  const accessKey = { id: 'AKIAEXAMPLEEXAMPLE01', secret: 'a secret of sixteen characters' };
  return createAwsApi(
    { region: 'eu-central-1', stsUrl: url, iamUrl: url, iamRegion: 'us-east-1', accessKey },
    { clock },
  );
};

test('a session is given, denied, seen to be denied, and denied beside others', async () => {
  const minter = createAwsMinter(opened(), { clock });
  const answers = [];
  for (const grantId of ['g-1', 'g-2']) answers.push(await minter.mint({ ...order, grantId }));
  for (const answer of answers) {
    expect(answer).toMatchObject({ result: 'minted' });
    if (answer.result !== 'minted') return;
    const { handle } = answer.minted;
    expect(await minter.check({ handle })).toMatchObject({ result: 'alive' });
    expect(await minter.revoke({ handle })).toEqual({ result: 'dead', by: 'denied' });
    expect(await minter.check({ handle })).toMatchObject({ result: 'dead' });
    expect(await minter.revoke({ handle })).toEqual({ result: 'dead', by: 'denied' });
  }
});

test('the broker is known', async () => {
  expect((await opened().ask('sts', 'GetCallerIdentity', {})).status).toBe(200);
});
