import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { faultOfOrigin, isFromWithin } from '@tripline/contracts/internal';
import { drillHeader, signGithub } from '@tripline/sources/github/verify';
import { toCloudEvent } from '@tripline/sources/tripline/source';
import { signStandard } from '@tripline/sources/tripline/verify';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { drillKey, secret, startReceiver } from '@tripline/testing/services/receiver';
import { afterEach, describe, expect, test } from 'vitest';

let receiver: Awaited<ReturnType<typeof startReceiver>>;
afterEach(() => receiver?.close());

const of = {
  acme: ['acme: its own webhook secret', 'acme: the next one of the two'],
  labs: ['labs: its own webhook secret', 'labs: the next one of the two'],
  app: ['the app: its webhook’s secret'],
  breakGlass: ['acme: a key for break-glass'],
};
const workspaces = [
  { id: 'acme', github: { organizations: ['acme'], webhookSecrets: of.acme }, breakGlassKeys: of.breakGlass },
  { id: 'labs', github: { organizations: [{ login: 'labs-org', id: '88' }], webhookSecrets: of.labs } },
];
const ids: Record<string, number> = { acme: 77, 'labs-org': 88 };

/** Somebody is made a collaborator. `owner` is who owns the repository where it is another than the organisation. */
function member(login: string, id: number | undefined = ids[login], owner = { login, id }) {
  return {
    action: 'added',
    member: { login: 'eve', id: 4, type: 'User' },
    organization: { login, id },
    repository: {
      ...{ id: 1, full_name: `${owner.login}/app`, private: true, default_branch: 'main' },
      owner: { ...owner, type: 'Organization' },
    },
    sender: { login: 'mona', id: 3, type: 'User' },
  };
}
const signed = (body: object, by: string) =>
  receiver.github('member', body, { 'x-hub-signature-256': signGithub(JSON.stringify(body), by) });
const wrong = { status: 401, body: { error: { reason: 'wrong-organization' } } };
const kept = { status: 202, body: { status: 'kept' } };

describe('a webhook secret is valid for its organisations alone', () => {
  test('a delivery about acme signed with the secret of labs is refused and counted, from the first one on', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream, { settings: { workspaces } });
    for (const by of of.labs) expect(await signed(member('acme'), by)).toMatchObject(wrong);
    expect(stream.appended).toHaveLength(0);
    expect(
      await receiver.metric(
        'tripline_receiver_deliveries_total{source="github",outcome="refused",reason="wrong-organization",service="receiver"} 2',
      ),
    ).toBe(true);
    for (const [login, secrets] of [
      ['acme', of.acme],
      ['labs-org', of.labs],
    ] as const) {
      for (const [nth, by] of secrets.entries()) {
        const grant = { ...member(login), member: { login: `person-${nth}` } };
        expect(await signed(grant, by)).toMatchObject(kept);
      }
    }
    expect(stream.appended.map(({ key }) => key)).toEqual(['acme', 'acme', 'labs', 'labs']);
  });

  test('nor for another’s repository, whatever organisation stands beside it', async () => {
    receiver = await startReceiver(fakeStream(), { settings: { workspaces } });
    const mixed = member('labs-org', 88, { login: 'acme', id: 77 });
    expect(await signed(mixed, of.labs[0]!)).toMatchObject(wrong);
    const named = { ...member('labs-org'), repository: { ...member('labs-org').repository, full_name: 'acme/app' } };
    expect(await signed(named, of.labs[0]!)).toMatchObject(wrong);
  });

  test('another id is refused where all of its organisations are known by id, and ignored by login until then', async () => {
    const settings = {
      workspaces: [{ id: 'a', github: { organizations: ['acme', 'more'], webhookSecrets: of.acme } }],
    };
    receiver = await startReceiver(fakeStream(), { settings });
    const stranger = { status: 202, body: { status: 'ignored', reason: 'unknown-organization' } };
    expect(await signed(member('acme'), of.acme[0]!)).toMatchObject(kept);
    expect(await signed(member('globex', 99), of.acme[0]!)).toMatchObject(stranger);
    expect(await signed(member('acme', 99), of.acme[0]!)).toMatchObject(stranger);
    expect(await signed(member('more', 78), of.acme[0]!)).toMatchObject(kept);
    expect(await signed(member('globex', 99), of.acme[0]!)).toMatchObject(wrong);
    expect(await signed(member('acme', 99), of.acme[0]!)).toMatchObject(wrong);
  });

  test('one that stands for any organisation stands for no drill, and ignores whom nobody configured', async () => {
    receiver = await startReceiver(fakeStream(), {
      settings: { workspaces: [{ id: 'a', github: { organizations: ['acme'] } }] },
    });
    expect(await signed(member('acme'), secret)).toMatchObject(kept);
    expect(await signed(member('globex', 99), secret)).toMatchObject({ body: { reason: 'unknown-organization' } });
    expect(await signed(member('tripline-drill-x', 5), secret)).toMatchObject(wrong);
  });

  test('beside workspaces with their own, the common one speaks for those that have none', async () => {
    const [acme, labs] = workspaces;
    const { webhookSecrets: _, ...github } = labs!.github;
    receiver = await startReceiver(fakeStream(), { settings: { workspaces: [acme!, { ...labs!, github }] } });
    expect(await signed(member('labs-org'), secret)).toMatchObject(kept);
    expect(await signed(member('acme'), secret)).toMatchObject(wrong);
  });

  test('the App’s speaks for every workspace, and ignores where else it is installed', async () => {
    const app = { id: '1', privateKey: 'a private key of no use here', webhookSecrets: of.app };
    receiver = await startReceiver(fakeStream(), { settings: { workspaces, github: { app } } });
    for (const login of ['acme', 'labs-org']) expect(await signed(member(login), of.app[0]!)).toMatchObject(kept);
    expect(await signed(member('globex', 99), of.app[0]!)).toMatchObject({ body: { reason: 'unknown-installation' } });
  });

  test('what names no organisation is the workspace’s of its secret, where that is one', async () => {
    const stream = fakeStream();
    const app = { id: '1', privateKey: 'a private key of no use here', webhookSecrets: of.app };
    receiver = await startReceiver(stream, { settings: { workspaces, github: { app } } });
    const meta = {
      action: 'deleted',
      hook_id: 5,
      hook: { id: 5, type: 'Enterprise' },
      sender: { login: 'mona', id: 3 },
    };
    const send = (by: string) =>
      receiver.github('meta', meta, { 'x-hub-signature-256': signGithub(JSON.stringify(meta), by) });
    expect(await send(of.labs[0]!)).toMatchObject(kept);
    expect(stream.appended[0]).toMatchObject({ key: 'labs', headers: { ce_source: '//github.com' } });
    expect(await send(of.app[0]!)).toMatchObject({ status: 202, body: { reason: 'no-workspace' } });
  });
});

describe('an organisation is its id', () => {
  test('so a renamed one goes on to be the same workspace, over a restart too', async () => {
    for (const settings of [{ workspaces }, {}]) {
      const by = settings.workspaces ? of.acme[0]! : secret;
      const stream = fakeStream();
      const dataDir = mkdtempSync(join(tmpdir(), 'tripline-renamed-'));
      receiver = await startReceiver(stream, { settings, dataDir });
      expect(await signed(member('acme'), by)).toMatchObject(kept);
      await receiver.close(true);
      expect(JSON.parse(readFileSync(join(dataDir, 'organizations.json'), 'utf8'))).toEqual([
        { id: '77', login: 'acme', workspace: 'acme' },
      ]);
      receiver = await startReceiver(stream, { settings, dataDir });
      const renamed = member('acme-international', 77);
      expect(await signed({ ...renamed, member: { login: 'ada' } }, by)).toMatchObject(kept);
      expect(stream.appended.map(({ key }) => key)).toEqual(['acme', 'acme']);
      expect(stream.appended[1]!.headers['ce_source']).toBe('//github.com/acme-international');
      await receiver.close();
    }
  });

  test('and whoever takes its old name is another', async () => {
    receiver = await startReceiver(fakeStream(), { settings: { workspaces } });
    expect(await signed(member('labs-org', 99), of.labs[0]!)).toMatchObject(wrong);
    expect(await signed(member('acme'), of.acme[0]!)).toMatchObject(kept);
    expect(await signed(member('acme', 99), of.acme[0]!)).toMatchObject(wrong);
  });

  test('a file of ids that cannot be read stops the start and is named', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'tripline-pins-'));
    writeFileSync(join(dataDir, 'organizations.json'), '[{');
    await expect(startReceiver(fakeStream(), { dataDir })).rejects.toThrow(/organizations\.json cannot be read/);
    rmSync(dataDir, { recursive: true });
  });
});

describe('a drill', () => {
  const drill = member('tripline-drill-x', 5);
  const asDrill = (body: object, by: string) =>
    receiver.github('member', body, {
      [drillHeader]: '1',
      'x-hub-signature-256': signGithub(JSON.stringify(body), by),
    });

  test('is signed with the drill key, which speaks for no organisation of anybody’s', async () => {
    receiver = await startReceiver(fakeStream());
    expect(await asDrill(drill, drillKey)).toMatchObject(kept);
    expect(await asDrill(member('acme'), drillKey)).toMatchObject(wrong);
    expect(await asDrill(member('tripline-drill-x', 5, { login: 'acme', id: 77 }), drillKey)).toMatchObject(wrong);
    const refused = { status: 401, body: { error: { reason: 'bad-signature' } } };
    expect(await asDrill(drill, secret)).toMatchObject(refused);
    expect(await signed(drill, drillKey)).toMatchObject(refused);
  });

  test('is refused with drills off', async () => {
    receiver = await startReceiver(fakeStream(), { settings: { drills: false } });
    expect(await asDrill(drill, drillKey)).toMatchObject({ status: 401 });
  });
});

describe('POST /webhooks/tripline', () => {
  const nowMs = Date.now();
  const at = (ms: number) => new Date(nowMs + ms).toISOString();
  const hourMs = 3_600_000;
  const record = (more: { time?: string; until?: string; workspace?: string } = {}) =>
    ({
      id: 'bg-1',
      type: 'dev.cdeventsx.tripline-breakglass.opened',
      workspace: more.workspace ?? 'acme',
      time: more.time ?? at(0),
      data: {
        'tripline.breakglass.id': 'bg-1',
        'tripline.breakglass.actor': 'mona',
        'tripline.breakglass.reason': 'production is down',
        'tripline.breakglass.expires_at': more.until ?? at(hourMs),
      },
    }) as const;
  const baseline = (workspace: string) =>
    ({
      ...record({ workspace }),
      type: 'dev.cdeventsx.tripline-inventory.observed',
      data: { 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
    }) as const;

  function tell(event: Parameters<typeof toCloudEvent>[0], by: string, sentMs = nowMs, id: string = event.id) {
    const body = JSON.stringify(toCloudEvent(event));
    const timestamp = Math.floor(sentMs / 1000);
    return receiver.send('/webhooks/tripline', body, {
      'content-type': 'application/cloudevents+json',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signStandard(body, by, id, timestamp),
    });
  }

  test('takes a break-glass record by a key of its workspace, and by no webhook’s secret', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream, { settings: { workspaces } });
    const [key] = of.breakGlass;
    expect(await tell(record(), key!)).toMatchObject({ status: 202, body: { event: 'tripline:bg-1' } });
    expect(stream.appended[0]).toMatchObject({ key: 'acme', headers: { ce_type: record().type } });
    // How whoever opened it is known: no sender can say otherwise.
    expect(JSON.parse(stream.appended[0]!.value.toString())).toMatchObject({
      'tripline.act.proof': 'break-glass-key of acme',
    });
    expect(faultOfOrigin(stream.appended[0]!, { workspaces })).toBeNull();
    expect(faultOfOrigin(stream.appended[0]!, { drillKey, internalKeys: [secret] })).toMatch(/ce_mac/);
    for (const by of [...of.acme, ...of.labs, secret, drillKey]) {
      expect(await tell(record(), by), by).toMatchObject({ status: 401 });
    }
    expect(await tell(record({ workspace: 'labs' }), key!)).toMatchObject(wrong);
    expect(await tell(baseline('acme'), key!)).toMatchObject({ status: 422 });
    expect(stream.appended).toHaveLength(1);
  });

  test('says how to configure a key where there is none', async () => {
    receiver = await startReceiver(fakeStream());
    const answer = await tell(record(), secret);
    expect(answer).toMatchObject({ status: 401, body: { error: { reason: 'bad-signature' } } });
    expect(answer.body.error?.message).toContain('workspaces[].breakGlassKeys');
  });

  test.each([
    ['begins long ago, and ends in 2099', { time: '2020-01-01T00:00:00Z', until: '2099-01-01T00:00:00Z' }],
    ['begins before its receipt by more than clocks differ', { time: at(-6 * 60_000) }],
    ['begins later', { time: at(6 * 60_000), until: at(2 * hourMs) }],
    ['lasts longer than a day', { until: at(24 * hourMs + 60_000) }],
    ['ends before it begins', { until: at(-1000) }],
  ])('refuses a record that %s', async (_what, more) => {
    const stream = fakeStream();
    receiver = await startReceiver(stream, { settings: { workspaces } });
    expect(await tell(record(more), of.breakGlass[0]!)).toMatchObject({
      status: 422,
      body: { error: { reason: 'out-of-bounds' } },
    });
    expect(stream.appended).toHaveLength(0);
  });

  test('takes a day, and a clock that differs', async () => {
    receiver = await startReceiver(fakeStream(), { settings: { workspaces } });
    const early = { time: at(-4 * 60_000), until: at(-4 * 60_000 + 24 * hourMs) };
    expect(await tell(record(early), of.breakGlass[0]!)).toMatchObject(kept);
  });

  test('takes a baseline for a drill only, under the drill key, whose MAC it bears in the log', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    expect(await tell(baseline('tripline-drill-x'), drillKey)).toMatchObject({ status: 202 });
    expect(isFromWithin(stream.appended[0]!, [drillKey])).toBe(true);
    expect(await tell(baseline('acme'), drillKey)).toMatchObject(wrong);
    expect(await tell(baseline('tripline-drill-x'), secret)).toMatchObject({ status: 401 });
    await receiver.close();
    receiver = await startReceiver(fakeStream(), { settings: { drills: false } });
    expect(await tell(baseline('tripline-drill-x'), drillKey)).toMatchObject({ status: 401 });
  });

  test('takes what the broker says for a drill only, under the drill key, whose MAC makes nothing else believed', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream, { settings: { workspaces } });
    const mint = (workspace: string) => ({
      ...{ ...record({ workspace }), type: 'dev.cdeventsx.tripline-credential.minted' as const },
      data: {
        ...{ 'tripline.access.grant': 'g1', 'tripline.access.policy': 'deploy', 'tripline.credential.kind': 'github' },
        'tripline.credential.expires_at': at(hourMs),
      },
    });
    expect(await tell(mint('tripline-drill-x'), drillKey)).toMatchObject({ status: 202 });
    const keys = { drillKey, internalKeys: [secret], workspaces };
    expect(faultOfOrigin(stream.appended[0]!, keys)).toBeNull();
    expect(faultOfOrigin({ ...stream.appended[0]!, key: 'acme' }, keys)).toMatch(/broker.eventKeys/);
    expect(await tell(mint('acme'), drillKey)).toMatchObject(wrong);
    expect(await tell(mint('acme'), of.breakGlass[0]!)).toMatchObject({ status: 422 });
    expect(await tell(mint('tripline-drill-x'), of.breakGlass[0]!)).toMatchObject({ status: 422 });
    expect(await tell(mint('acme'), secret)).toMatchObject({ status: 401 });
    expect(stream.appended).toHaveLength(1);
  });

  test('refuses an old signature, another id than the signed one, and what is no such event', async () => {
    receiver = await startReceiver(fakeStream(), { settings: { workspaces } });
    const key = of.breakGlass[0]!;
    const old = await tell(record(), key, nowMs - 6 * 60_000);
    expect(old).toMatchObject({ status: 401, body: { error: { reason: 'timestamp-out-of-tolerance' } } });
    expect((await tell(record(), key, nowMs, 'bg-2')).body.error?.reason).toBe('bad-delivery-id');
    const { 'tripline.breakglass.reason': _, ...partial } = record().data;
    expect((await tell({ ...record(), data: partial }, key)).body.error?.reason).toBe('body-does-not-fit-event');
    const other = { ...record(), type: 'dev.cdevents.change.merged' as 'dev.cdeventsx.tripline-breakglass.opened' };
    expect((await tell(other, key)).body.error?.reason).toBe('unknown-event');
  });
});
