import { createHmac } from 'node:crypto';
import { github } from '@tripline/sources/github/source';
import { drillHeader, signGithub } from '@tripline/sources/github/verify';
import type { FeedSecret } from '@tripline/sources/secrets';
import { tripline } from '@tripline/sources/tripline/source';
import { signStandard } from '@tripline/sources/tripline/verify';
import { createRandom, type Random } from '../simulation/random.ts';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { honestBody, startVictimReceiver } from './hostile-receiver.ts';

/**
 * Deliveries that nobody with the secret sent: each form of a signature that is missing, forged, cut, recast or another
 * body's. Most are put to the verification itself; one of `overHttpEvery` goes over HTTP to a receiver of its own
 * process, after which its log must hold the honest deliveries and nothing else.
 */
export const badSignatures: Fault = {
  name: 'bad-signatures',
  what: 'deliveries whose signature is none, forged, cut, recast or another body’s',
  sizes: { ci: 100_000, full: 10_000_000, unit: 'deliveries' },
  run,
};

const secret = 'the real secret of the webhook';
const nextSecret = 'the next secret while they are rotated';
const drillKey = 'the key of drills, no webhook’s secret';
const secretScope = { kind: 'anybody' } as const;
const secrets: FeedSecret[] = [
  ...[secret, nextSecret].map((one) => ({ secret: one, secretScope })),
  { secret: drillKey, secretScope: { kind: 'drills' } },
];
/** Tripline's own route takes no webhook's secret. */
const ownSecrets = secrets.slice(2);
const overHttpEvery = 100;
const httpAtMost = 20_000;
const nowMs = Date.parse('2026-05-01T12:00:00Z');
const nowS = nowMs / 1000;

/** Nine of ten are guesses, the tenth is one of the forms below. */
const guessesAForm = 10;
const bodies = Array.from({ length: 200 }, (_, number) => honestBody(number));
const digits = createHmac('sha256', 'no secret').update('').digest('hex').repeat(16) + randomDigits(createRandom(3));

type Forged = { headers: Record<string, string | string[]>; body: Buffer };
const lookalikes: Record<string, string> = { a: 'а', b: 'Ь', c: 'с', d: 'ԁ', e: 'е', f: 'ｆ' };

/** Values of X-Hub-Signature-256 for `body`, none of which is its signature. */
const github256: readonly ((body: Buffer, random: Random) => string | string[] | undefined)[] = [
  () => undefined,
  () => '',
  (body) => signGithub(body, ''),
  (body) => signGithub(body, drillKey),
  (body) => signGithub(body, secret.toUpperCase()),
  (body, random) => signGithub(body, `guess ${random.next()}`),
  (body) => signGithub(Buffer.concat([body, Buffer.from('\n')]), secret),
  (body) => signGithub(body.subarray(0, -1), secret),
  () => signGithub('', secret),
  (body, random) => cut(signGithub(body, secret), random),
  (body, random) => flipped(signGithub(body, secret), random),
  (body) => signGithub(body, secret).toUpperCase(),
  (body) => `sha256=${signGithub(body, secret).slice(7).toUpperCase()}`,
  (body) => signGithub(body, secret).replace('sha256', 'sha1'),
  (body) => signGithub(body, secret).replace('sha256=', ''),
  (body) => signGithub(body, secret).replace('=', ' = '),
  (body) => signGithub(body, secret).replace('sha256=', 'sha256=sha256='),
  (body) => `${signGithub(body, secret)}${signGithub(body, secret).slice(7)}`,
  (body) => `${signGithub(body, secret)},${signGithub(body, secret)}`,
  (body) => `${signGithub(body, secret)} ${signGithub(body, secret)}`,
  (body) => `${signGithub(body, secret)}00`,
  (body) => `sha256=0x${signGithub(body, secret).slice(7)}`,
  (body) => `sha256=${Buffer.from(signGithub(body, secret).slice(7), 'hex').toString('base64')}`,
  (body) => `sha256=${createHmac('sha512', secret).update(body).digest('hex')}`,
  (body) => `sha256=${createHmac('sha512', secret).update(body).digest('hex').slice(0, 64)}`,
  (body) => `sha1=${createHmac('sha1', secret).update(body).digest('hex')}`,
  (body) => `sha256=${createHmac('sha256', secret).update(body.toString('base64')).digest('hex')}`,
  (body) => signGithub(body, secret).replace(/[a-f]/, (letter) => lookalikes[letter]!),
  (body) => signGithub(body, secret).replace(/\d/, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
  () => `sha256=${'0'.repeat(64)}`,
  () => 'sha256=',
  () => `sha256=${secret}`,
  () => '__proto__',
];

function forge(random: Random, place: number): Forged {
  const body = random.chance(0.02) ? Buffer.alloc(random.int(1, 3)) : honestBody(random.int(1, 1_000_000));
  const form = github256[place % github256.length]!(body, random);
  return {
    headers: {
      'x-github-event': 'member',
      'x-github-delivery': `forged-${place}`,
      ...(form === undefined ? {} : { 'x-hub-signature-256': form }),
      ...(random.chance(0.1)
        ? { 'x-hub-signature': `sha1=${createHmac('sha1', secret).update(body).digest('hex')}` }
        : {}),
    },
    body,
  };
}

/** Of Standard Webhooks, which sign id and time too. */
function forgeStandard(random: Random, place: number): Forged {
  const body = honestBody(place);
  const [id, at] = [`forged-${place}`, nowS];
  const good = signStandard(body, drillKey, id, at);
  const [signature, time, name] = random.pick<[string, string, string]>([
    [signStandard(body, `guess ${random.next()}`, id, at), `${at}`, id],
    [signStandard(body, secret, id, at), `${at}`, id],
    [signStandard(body, nextSecret, id, at), `${at}`, id],
    [signStandard(body, drillKey, `${id}x`, at), `${at}`, id],
    [good, `${at + 1}`, id],
    [good, `${at}`, `${id}x`],
    [signStandard(body, drillKey, id, at - 301), `${at - 301}`, id],
    [signStandard(body, drillKey, id, at + 301), `${at + 301}`, id],
    [good.replace('v1,', 'v1a,'), `${at}`, id],
    [good.replace('v1,', ''), `${at}`, id],
    [good.slice(0, -2), `${at}`, id],
    [`${good}=`, `${at}`, id],
    [`${'v1,xx '.repeat(10)}${good}`, `${at}`, id],
    [good, ` ${at}`, id],
    [good, `+${at}`, id],
    [good, `${at}.0`, id],
    [good, '', id],
    [good.replaceAll('A', 'А').replace(/[^А]$/, 'x'), `${at}`, id],
  ]);
  const headers = { 'webhook-id': name, 'webhook-timestamp': time, 'webhook-signature': signature };
  return { headers, body };
}

async function run(ground: Ground, size: number): Promise<FaultOutcome> {
  const differences: string[] = [];
  const random = createRandom(815);
  const victim = await startVictimReceiver(ground, {
    secret,
    env: { TRIPLINE_GITHUB_WEBHOOK_SECRET: `${secret},${nextSecret}`, TRIPLINE_DRILL_KEY: drillKey },
  });
  const startedMs = performance.now();
  let overHttp = 0;
  try {
    const honest: string[] = [];
    for (let place = 0; place < size; place += 1) {
      const standard = place % 70 === 0;
      const { headers, body } = standard
        ? forgeStandard(random, place)
        : place % guessesAForm === 1
          ? forge(random, Math.floor(place / guessesAForm))
          : guess(random);
      const verified = standard
        ? tripline.verify(body, headers, ownSecrets, nowMs)
        : github.verify(body, headers, secrets, nowMs);
      if (!('refusal' in verified) || verified.refusal.status !== 401)
        differences.push(`delivery ${place} was believed: ${JSON.stringify(headers)}`);
      if (!standard && place % overHttpEvery === 11 && overHttp < httpAtMost && isSendable(headers)) {
        overHttp += 1;
        const status = await victim.post('member', body, { 'x-hub-signature-256': '', ...headers });
        if (status !== 401) differences.push(`delivery ${place} was answered ${status}: ${JSON.stringify(headers)}`);
      }
      if (place % 2_000_000 === 1_999_999) ground.say(`${place + 1} deliveries`);
      if (differences.length > 50) break;
    }
    differences.push(...(await replays(victim)));
    for (let count = 0; count < 4; count += 1) {
      // Both are good while one replaces the other.
      if ((await victim.honest(count % 2 === 0 ? secret : nextSecret)) !== 202)
        differences.push('an honest delivery is refused');
      honest.push(`github:honest-${count + 2}`);
    }
    const kept = await victim.kept();
    const uninvited = kept.filter((id) => !/^github:honest-\d+$/.test(id));
    if (uninvited.length > 0) differences.push(`in the log without a signature: ${uninvited.slice(0, 10)}`);
    for (const id of honest) if (!kept.includes(id)) differences.push(`${id} is not in the log`);
    // Strangers' requests are accounted for within a minute, in a record or two however many they were.
    const minutes = 1 + Math.ceil((performance.now() - startedMs) / 60_000);
    const told = await victim.refused();
    if (told.records > minutes) differences.push(`${told.records} records tell of refusals in ${minutes} minutes`);
    if (told.longestBytes > 4096) differences.push(`a record of ${told.longestBytes} bytes tells of refusals`);
    return {
      size: `${size} deliveries in ${github256.length + 18} forms, ${overHttp} of them over HTTP`,
      compared: 'each answer with 401, the log with the honest deliveries',
      differences,
      figure: `${differences.length} in`,
    };
  } finally {
    await victim.close();
  }
}

/** Somebody who tries digests: what costs least to make, and so what comes in millions. */
function guess(random: Random): Forged {
  const at = random.int(0, digits.length - 64);
  return { headers: { 'x-hub-signature-256': `sha256=${digits.slice(at, at + 64)}` }, body: random.pick(bodies) };
}

type Victim = Awaited<ReturnType<typeof startVictimReceiver>>;

/** What needs a genuine delivery first: its id with another body, its signature on another body, several headers. */
async function replays(victim: Victim): Promise<string[]> {
  const differences: string[] = [];
  if ((await victim.honest()) !== 202) differences.push('the first honest delivery is refused');
  const [body, other] = [honestBody(1), honestBody(2_000_000)];
  const drillBody = Buffer.from(body.toString().replaceAll('acme', 'tripline-drill-x'));
  const id = { 'x-github-delivery': 'honest-1' };
  const tries: [string, Buffer, Record<string, string | string[]>][] = [
    ['the id of a genuine one with another body', other, { ...id, 'x-hub-signature-256': signGithub(other, 'guess') }],
    ['a webhook’s secret for a drill', drillBody, { ...id, 'x-hub-signature-256': signGithub(drillBody, secret) }],
    [
      'a webhook’s secret for what says to be a drill’s',
      drillBody,
      { ...id, [drillHeader]: '1', 'x-hub-signature-256': signGithub(drillBody, secret) },
    ],
    [
      'the drill key for a real organisation',
      body,
      { ...id, [drillHeader]: '1', 'x-hub-signature-256': signGithub(body, drillKey) },
    ],
    ['the signature of another body', other, { ...id, 'x-hub-signature-256': signGithub(body, secret) }],
    [
      'two signatures, one right',
      body,
      { ...id, 'x-hub-signature-256': [signGithub(body, 'guess'), signGithub(body, secret)] },
    ],
    [
      'two signatures, both right',
      body,
      { ...id, 'x-hub-signature-256': [signGithub(body, secret), signGithub(body, secret)] },
    ],
    [
      'the right signature under the older header',
      body,
      { ...id, 'x-hub-signature-256': '', 'x-hub-signature': signGithub(body, secret) },
    ],
  ];
  for (const [what, bytes, headers] of tries) {
    const status = await victim.post('member', bytes, headers);
    if (status !== 401) differences.push(`${what}: answered ${status}`);
  }
  return differences;
}

/** Node's own client refuses to send some header values; the raw ones are tried by `framing`. */
function isSendable(headers: Forged['headers']): boolean {
  return Object.values(headers).every((value) => /^[\x20-\x7e]*$/.test(String(value)));
}

function cut(signature: string, random: Random): string {
  return signature.slice(0, random.int(7, signature.length - 1));
}

function flipped(signature: string, random: Random): string {
  const at = random.int(7, signature.length - 1);
  const digit = (Number.parseInt(signature[at]!, 16) ^ (1 << random.int(0, 3))).toString(16);
  return signature.slice(0, at) + digit + signature.slice(at + 1);
}

function randomDigits(random: Random): string {
  return Array.from({ length: 65_536 }, () => random.int(0, 15).toString(16)).join('');
}
