import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { signGithub } from '@tripline/sources/github/verify';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { honestBody, startVictimReceiver } from './hostile-receiver.ts';

/**
 * Requests whose framing lies: lengths that are too long, too short, doubled or no numbers, chunks that do not add up,
 * two framings at once, heads that are none, compressed bombs, bodies at the limit and beyond. Written byte by byte, since
 * no client sends them, and each with a genuine signature, since the framing alone must stop it. None is kept, none is
 * answered 2xx or 500, and honest deliveries are taken beside them.
 */
export const framing: Fault = {
  name: 'framing',
  what: 'lying lengths, chunks that do not add up, broken heads, compressed bombs, oversize',
  sizes: { ci: 1, full: 20, unit: 'rounds of every form' },
  run,
};

const secret = 'a secret that somebody has';
const limitBytes = 25 * 1024 * 1024;
const bombBytes = 64 * 1024 * 1024;
const body = honestBody(7_000_000);

type Form = {
  what: string;
  bytes: (string | Buffer)[];
  /** The connection is ended after the bytes. */
  end?: boolean;
  /** `must`: HTTP allows it, however odd, so it is taken. `may`: Node takes it, and there is but one way to read it. */
  taken?: 'must' | 'may';
};

type Head = { line?: string; event?: string; signed?: Buffer; fields: string };
let counter = 0;
function head({ line = 'POST /webhooks/github HTTP/1.1', event = 'member', signed = body, fields }: Head): string {
  counter += 1;
  return `${line}\r\nhost: x\r\ncontent-type: application/json\r\nx-github-event: ${event}\r\nx-github-delivery: framing-${counter}\r\nx-hub-signature-256: ${signGithub(signed, secret)}\r\nconnection: close\r\n${fields}\r\n`;
}
const whole = `content-length: ${body.length}\r\n`;
const chunked = 'transfer-encoding: chunked\r\n';
const size = body.length.toString(16);
const chunk = `${size}\r\n${body}\r\n0\r\n\r\n`;
const smuggled = 'POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n';

function lengths(): Form[] {
  const lie = (value: string): Form => ({
    what: `content-length: ${JSON.stringify(value)}`,
    bytes: [head({ fields: `content-length:${value}\r\n` }), body],
    end: true,
  });
  const odd = [
    '+5',
    '-5',
    '0x5',
    '5 5',
    '5,5',
    '5, 6',
    '5e0',
    '5.0',
    '',
    '٥',
    '99999999999999999999999',
    `${body.length}x`,
  ];
  return [
    ...odd.map((value) => lie(` ${value}`)),
    ...[body.length + 1, body.length + 1000, 2 ** 31, 2 ** 53].map((length) => lie(` ${length}`)),
    ...[0, 1, body.length - 1].map((length) => lie(` ${length}`)),
    { what: 'two lengths, one right', bytes: [head({ fields: `${whole}content-length: 5\r\n` }), body], end: true },
    { what: 'two lengths, both right', bytes: [head({ fields: whole + whole }), body], end: true },
    { what: 'length and chunks', bytes: [head({ fields: whole + chunked }), chunk, smuggled], end: true },
    { what: 'chunks and length', bytes: [head({ fields: chunked + whole }), chunk, smuggled], end: true },
    { what: 'neither length nor chunks', bytes: [head({ fields: '' }), body], end: true },
  ];
}

function chunks(): Form[] {
  const coded = (value: string): Form => ({
    what: `transfer-encoding: ${JSON.stringify(value)}`,
    bytes: [head({ fields: `transfer-encoding:${value}\r\n` }), chunk],
    end: true,
  });
  const sized = (first: string): Form => ({
    what: `chunk ${JSON.stringify(first.slice(0, 30))}`,
    bytes: [head({ fields: chunked }), first],
    end: true,
  });
  return [
    { what: 'one chunk', bytes: [head({ fields: chunked }), chunk], taken: 'must' },
    { what: 'a chunk a byte', bytes: [head({ fields: chunked }), ...bytewise(), '0\r\n\r\n'], taken: 'must' },
    // Whatever stands before `chunked`, the chunks say where the body ends; and nothing is inflated.
    ...[' identity, chunked', ' gzip, chunked'].map((value): Form => ({ ...coded(value), taken: 'may' })),
    ...[' xchunked', ' chunked, identity', ' identity', '', ' chunked;q=1'].map(coded),
    ...['\u000bchunked', ' "chunked"', ' chunked, chunked', ' \u0000chunked', ' chunked\r\n\tx'].map(coded),
    {
      what: 'encoding twice',
      bytes: [head({ fields: `${chunked}transfer-encoding: identity\r\n` }), chunk],
      end: true,
    },
    { what: 'space before the colon', bytes: [head({ fields: 'transfer-encoding : chunked\r\n' }), chunk], end: true },
    ...[`0x${size}`, `-${size}`, `+${size}`, `${size} x`, 'ffffffffffffffffff', '', 'g', '\u0000'].map((first) =>
      sized(`${first}\r\n${body}\r\n0\r\n\r\n`),
    ),
    sized(`${size}\n${body}\n0\n\n`),
    sized(`${size}\r\n${body}0\r\n\r\n`),
    sized(`${(body.length + 5).toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    sized(`${(body.length - 5).toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    sized(`${size}\r\n${body}\r\n`),
    sized(`${size};${'x'.repeat(100_000)}\r\n${body}\r\n0\r\n\r\n`),
    sized(`${size}\r\n${body}\r\n0\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`),
  ];
}

function bytewise(): string[] {
  return [[...body].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join('')];
}

function heads(): Form[] {
  const line = (text: string): Form => ({
    what: text.slice(0, 60),
    bytes: [head({ line: text, fields: whole }), body],
    end: true,
  });
  const field = (text: string): Form => ({
    what: `header ${JSON.stringify(text.slice(0, 30))}`,
    bytes: [head({ fields: `${text}\r\n${whole}` }), body],
    end: true,
  });
  const tolerated =
    (make: (text: string) => Form) =>
    (text: string): Form => ({ ...make(text), taken: 'may' });
  return [
    ...['POST /webhooks/github', 'POST  /webhooks/github HTTP/1.1', 'POST /webhooks/github HTTP/2.0'].map(
      tolerated(line),
    ),
    ...['post /webhooks/github HTTP/1.1', 'POST /webhooks/github HTTP/9.9', 'PRI * HTTP/2.0', 'POST * HTTP/1.1'].map(
      line,
    ),
    ...['CONNECT /webhooks/github HTTP/1.1', 'GET /webhooks/github HTTP/1.1', 'PUT /webhooks/github HTTP/1.1'].map(
      line,
    ),
    ...[
      'POST /webhooks/github%00 HTTP/1.1',
      'POST /webhooks/%2e%2e/metrics HTTP/1.1',
      'POST /webhooks/../x HTTP/1.1',
    ].map(line),
    ...['POST http://169.254.169.254/x HTTP/1.1', 'POST //169.254.169.254/webhooks/github HTTP/1.1'].map(line),
    ...[
      'POST /webhooks/__proto__ HTTP/1.1',
      'POST /webhooks/constructor HTTP/1.1',
      `POST /${'x'.repeat(90_000)} HTTP/1.1`,
    ].map(line),
    ...['x\u0000: y', 'x: y\u0000', 'no colon', ': no name', 'a b: c', 'x: a\rb', ' folded'].map(field),
    ...[`x: ${'y'.repeat(100_000)}`, Array.from({ length: 20_000 }, (_, n) => `x${n}: y`).join('\r\n')].map(field),
    ...['upgrade: h2c\r\nhttp2-settings: AAA', 'host: y'].map(tolerated(field)),
    ...['expect: 417-please', 'x-github-event: push', 'x-hub-signature-256: sha256=00'].map(field),
    { what: 'bytes of TLS', bytes: [Buffer.from('16030100050100000100', 'hex')], end: true },
    { what: 'nothing', bytes: [], end: true },
    { what: 'line ends alone', bytes: ['\r\n'.repeat(10_000)], end: true },
  ];
}

function sizes(): Form[] {
  const padded = (length: number): Buffer => {
    const text = honestBody(7_000_001).toString().slice(0, -1);
    return Buffer.from(`${text},"padding":"${'x'.repeat(length - Buffer.byteLength(text) - 14)}"}`);
  };
  const [at, over] = [padded(limitBytes), padded(limitBytes + 1)];
  const fields = (bytes: Buffer) => `content-length: ${bytes.length}\r\n`;
  const inChunks = (bytes: Buffer) => [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n0\r\n\r\n'];
  return [
    { what: '25 MiB', bytes: [head({ signed: at, fields: fields(at) }), at], taken: 'must' },
    { what: '25 MiB and a byte', bytes: [head({ signed: over, fields: fields(over) }), over] },
    { what: '25 MiB and a byte, in chunks', bytes: [head({ signed: over, fields: chunked }), ...inChunks(over)] },
    { what: '10 GB promised', bytes: [head({ fields: 'content-length: 10000000000\r\n' }), body], end: true },
  ];
}

/** Each inflates to 64 MiB of an example's padding, and is signed as it is. */
function bombs(): Form[] {
  const inside = Buffer.alloc(bombBytes, 0x20);
  body.copy(inside);
  const gzip = gzipSync(inside);
  const packed: [string, Buffer][] = [
    ['gzip', gzip],
    ['x-gzip', gzip],
    ['deflate', deflateSync(inside)],
    ['br', brotliCompressSync(inside, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
    ['zstd', zstdCompressSync(inside)],
    ['gzip, gzip', gzipSync(gzip)],
    ['identity, gzip', gzip],
    ['GZIP', gzip],
    ['aws-chunked', gzip],
  ];
  return packed.flatMap(([encoding, bytes]) => {
    const length = `content-length: ${bytes.length}\r\n`;
    return [
      {
        what: `a bomb by ${encoding}`,
        bytes: [head({ signed: bytes, fields: `content-encoding: ${encoding}\r\n${length}` }), bytes],
      },
      {
        what: `a bomb by ${encoding} that says nothing of it`,
        bytes: [head({ signed: bytes, fields: length }), bytes],
      },
    ];
  });
}

async function run(ground: Ground, rounds: number): Promise<FaultOutcome> {
  const differences: string[] = [];
  const forms = [...bombs(), ...lengths(), ...chunks(), ...heads(), ...sizes()];
  const victim = await startVictimReceiver(ground, { secret });
  const promised: string[] = [];
  let played = 0;
  try {
    await victim.honest();
    const idleMb = victim.residentMb();
    for (let round = 0; round < rounds; round += 1) {
      // Several at once, as an attacker would; what one of them breaks, the others show.
      for (let from = 0; from < forms.length; from += 8) {
        const some = forms.slice(from, from + 8);
        const answers = await Promise.all(some.map(({ bytes, end }) => victim.raw(bytes, end ? { end } : {})));
        differences.push(...some.flatMap((form, place) => judge(form, answers[place]!, round)));
        for (const answer of answers) for (const [, id] of answer.matchAll(saidKept)) promised.push(id!);
        played += some.length;
        if (!victim.alive()) throw new Error(`the receiver died:\n${victim.process.said()}`);
      }
      if ((await victim.honest()) !== 202) differences.push('an honest delivery is refused');
    }
    const kept = (await victim.kept()).filter((id) => !id.startsWith('github:honest-')).sort();
    // Most forms have the same body, but each is a delivery of its own.
    if (kept.join() !== promised.sort().join()) differences.push(`in the log: ${kept}; answered as kept: ${promised}`);
    const mostMb = victim.residentMb();
    const boundMb = idleMb + 16 * (limitBytes / 1024 / 1024);
    if (mostMb > boundMb) differences.push(`the receiver grew from ${idleMb} to ${mostMb} MB`);
    return {
      size: `${played} requests in ${forms.length} forms`,
      compared: 'every answer; the log with the sound requests',
      differences,
      figure: `receiver at most ${mostMb} MB`,
    };
  } finally {
    await victim.close();
  }
}

/** In an answer's body, the event of a delivery that was kept. */
const saidKept = /"status":"kept","event":"([^"]+)"/g;

function judge({ what, taken: allowed }: Form, answer: string, round: number): string[] {
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  // What is ignored is answered 202 as well: it leaves nothing in the log.
  const taken = /"status":"(?:kept|duplicate)"/.test(answer);
  if (allowed === 'must') return taken ? [] : [`${what}, round ${round}: not taken, answered ${statuses}`];
  if (taken && allowed === undefined) return [`${what}, round ${round}: taken, answered ${statuses}`];
  return statuses.includes(500) ? [`${what}, round ${round}: answered 500`] : [];
}
