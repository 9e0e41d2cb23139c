import { createRequire } from 'node:module';
import { readEvents, unreadEvents } from '@tripline/sources/github/registry';
import type { Random } from '../simulation/random.ts';

/**
 * Bodies that nobody honest sends, each of which somebody with the webhook's secret might: bytes, JSON of any shape,
 * keys that reach for a prototype, and GitHub's own published examples with fields swapped, missing, doubled or blown up.
 */
export type Garbage = { kind: string; event: string; body: Buffer };

type Example = { name: string; examples: object[] };
const examples = (createRequire(import.meta.url)('@octokit/webhooks-examples') as Example[]).flatMap(
  ({ name, examples: bodies }) => bodies.map((body) => ({ name, text: JSON.stringify(body) })),
);
const eventNames = [...readEvents.keys(), ...unreadEvents.keys(), '__proto__', 'constructor', 'no_such_event'];
const protoKeys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'toJSON', 'then', 'length'];
const million = 1_000_000;

/** Written as JSON text, since no value of JavaScript is written so. */
const oddTexts = [
  ...['1e999', '-1e999', '1e-999', '-0', '9'.repeat(400), '0.1'.padEnd(500, '3'), '18446744073709551616'],
  ...['"\\ud800"', '"\\udfff\\ud800"', '"a\\u0000b"', '"\\u0000"', '"\\u202e\\u0007\\u001b[2J"', '""', '" "', 'null'],
  ...[
    'true',
    '[]',
    '{}',
    '[[[[[[]]]]]]',
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
  ],
  ...['"__proto__"', '"../../.."', '"%00"', '"{{7*7}}"', '"\'; DROP TABLE log; --"', '"\\r\\nx: y"'],
  ...['"1970-01-01T00:00:00Z"', '"9999-12-31T23:59:60Z"', '"-271821-04-20T00:00:00Z"', '"not a time"', '1e15', '-1'],
  ...['{"toString":1}', '{"valueOf":null}', '{"toJSON":"x"}', '{"length":4294967296}', '"\\ufeff"', '"\\ufffe\\uffff"'],
];

const kinds: Record<string, { share: number; make: (random: Random) => Omit<Garbage, 'kind'> }> = {
  'mutated example': { share: 600, make: mutated },
  'example under another name': {
    share: 80,
    make: (random) => ({ event: random.pick(eventNames), body: Buffer.from(random.pick(examples).text) }),
  },
  'broken example': { share: 100, make: broken },
  'doubled keys': { share: 60, make: doubled },
  'random bytes': { share: 60, make: (random) => ({ event: random.pick(eventNames), body: bytes(random) }) },
  'random JSON': {
    share: 98,
    make: (random) => ({ event: random.pick(eventNames), body: Buffer.from(anyJson(random, 0)) }),
  },
  'deep nesting': { share: 2, make: deep },
};
const drawn = Object.entries(kinds).flatMap(([kind, { share }]) => Array<string>(share).fill(kind));
/** Costly ones, at fixed places, so that even a small playing has some. */
const giants: Record<number, (random: Random) => Omit<Garbage, 'kind'>> = {
  11: (random) => ({ event: 'push', body: Buffer.from(keys(random, million)) }),
  23: (random) => grown(random, `{${keys(random, million).slice(1)}`),
  29: (random) => ({ event: 'push', body: Buffer.from(keys(random, 99_000)) }),
  31: (random) => grown(random, keys(random, 90_000)),
  37: (random) => grown(random, `[${'0,'.repeat(million)}0]`),
  41: (random) => grown(random, JSON.stringify('ghp_'.repeat(262_144))),
  53: (random) => grown(random, JSON.stringify('://a:'.repeat(209_715))),
};
const giantEvery = 20_000;
const largeEvery = 2000;

export function garbage(random: Random, place: number): Garbage {
  const giant = giants[place % giantEvery];
  if (giant) return { kind: 'a million keys or letters', ...giant(random) };
  if (place % largeEvery === 7) return { kind: 'long text', ...grown(random, longText(random)) };
  const kind = random.pick(drawn);
  return { kind, ...kinds[kind]!.make(random) };
}

function mutated(random: Random): Omit<Garbage, 'kind'> {
  const { name, text } = random.pick(examples);
  const body = JSON.parse(text) as Record<string, unknown>;
  const marks: string[] = [];
  for (let count = random.int(1, 3); count > 0; count -= 1) mutate(random, body, marks);
  let written = JSON.stringify(body);
  for (const [place, odd] of marks.entries()) written = written.replace(`"@${place}@"`, () => odd);
  return { event: name, body: Buffer.from(written) };
}

/** Changes one field somewhere. What no value stands for is marked, and written into the text afterwards. */
function mutate(random: Random, body: Record<string, unknown>, marks: string[]): void {
  let at: Record<string, unknown> = body;
  for (;;) {
    const names = Object.keys(at);
    if (names.length === 0) return;
    const name = random.pick(names);
    const value = at[name];
    if (typeof value === 'object' && value !== null && random.chance(0.75)) {
      at = value as Record<string, unknown>;
      continue;
    }
    const ways = [
      () => delete at[name],
      () => (at[name] = [value]),
      () => (at[name] = { [name]: value }),
      () => (at[name] = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.length : value),
      () =>
        (at[name] = typeof value === 'string' ? value + random.pick(['\u0000', '\ud800', '/', '..', '\n', ' ']) : 1),
      () =>
        // An own property, also where assignment would set the prototype; a list has a length of its own.
        Object.defineProperty(at, random.pick(Array.isArray(at) ? ['constructor', 'toJSON'] : protoKeys), {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        }),
      () =>
        (at[name] = random.pick(['admin', 'main', 'refs/heads/main', 'created', 'deleted', '0'.repeat(40), 'acme/..'])),
    ];
    if (random.chance(0.5)) at[name] = `@${marks.push(random.pick(oddTexts)) - 1}@`;
    else random.pick(ways)();
    return;
  }
}

function broken(random: Random): Omit<Garbage, 'kind'> {
  const { name, text } = random.pick(examples);
  const body = Buffer.from(text);
  if (random.chance(0.4)) return { event: name, body: body.subarray(0, random.int(0, body.length - 1)) };
  for (let count = random.int(1, 5); count > 0; count -= 1) body[random.int(0, body.length - 1)] = random.int(0, 255);
  return { event: name, body };
}

/** The parser takes the last of two keys; another one might take the first. */
function doubled(random: Random): Omit<Garbage, 'kind'> {
  const { name, text } = random.pick(examples);
  const names = Object.keys(JSON.parse(text) as object);
  const again = `${JSON.stringify(random.pick([...names, ...protoKeys]))}:${random.pick(oddTexts)}`;
  const body = random.chance(0.5) ? `{${again},${text.slice(1)}` : `${text.slice(0, -1)},${again}}`;
  return { event: name, body: Buffer.from(body) };
}

function bytes(random: Random): Buffer {
  return Buffer.from(Array.from({ length: random.int(0, 600) }, () => random.int(0, 255)));
}

function anyJson(random: Random, depth: number): string {
  if (depth > 5 || random.chance(0.4)) return random.pick(oddTexts);
  const many = Array.from({ length: random.int(0, 5) }, () => anyJson(random, depth + 1));
  if (random.chance(0.3)) return `[${many.join(',')}]`;
  const names = [...protoKeys, 'action', 'repository', 'organization', 'sender', 'ref', 'commits', '', '\u0000'];
  return `{${many.map((value) => `${JSON.stringify(random.pick(names))}:${value}`).join(',')}}`;
}

function deep(random: Random): Omit<Garbage, 'kind'> {
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
    ['[{"__proto__":', '}]'],
  ] as const);
  const levels = random.pick([63, 64, 65, 10_000]);
  return grown(random, `${open.repeat(levels)}0${close.repeat(levels)}`);
}

function longText(random: Random): string {
  const piece = random.pick(['a', '-----BEGIN ', 'eyJ', '\\ud83d\\ude00', '[', '{"', '@', '\\u0000', ' ', 'x:']);
  return `"${piece.replaceAll('{"', '{\\"').repeat(Math.floor(1_048_576 / piece.length))}"`;
}

function keys(random: Random, count: number): string {
  const first = `"${random.pick(protoKeys)}":{"polluted":1}`;
  return `{${first},${Array.from({ length: count }, (_, n) => `"k${n}":0`).join(',')}}`;
}

/** An example, one field of which is `text`. */
function grown(random: Random, text: string): Omit<Garbage, 'kind'> {
  const { name, text: example } = random.pick(examples);
  const body = JSON.parse(example) as Record<string, unknown>;
  const names = Object.keys(body);
  body[random.pick([...names, 'extra', 'changes'])] = '@0@';
  return { event: name, body: Buffer.from(JSON.stringify(body).replace('"@0@"', () => text)) };
}
