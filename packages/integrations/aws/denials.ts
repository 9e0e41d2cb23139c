import { z } from 'zod';

/**
 * The inline policy of a role by which sessions that are over are let in no more: AWS cannot end a session by name. Pure. One
 * statement a quarter of an hour, whose Sid says until when it is needed; what is past is dropped as something is added.
 */
export const policyName = 'tripline-ended';

/** Of what an inline policy may have, all of a role's together; white space does not count, and there is none. */
export const mostCharacters = 10_240;
const quarterMs = 15 * 60_000;

export type Denials = {
  /** Sessions by name, with the end of the quarter in which they expire, ms. */
  sessions: ReadonlyMap<string, number>;
  /** All that were given before `beforeMs` are denied until `untilMs`: where single ones have no room. */
  all?: { beforeMs: number; untilMs: number };
};

const texts = z.union([z.string(), z.array(z.string())]).transform((one) => [one].flat());
const statement = z.strictObject({
  Sid: z.string().regex(/^(?:Sessions|All)\d{1,12}$/),
  Effect: z.literal('Deny'),
  Action: z.literal('*'),
  Resource: z.literal('*'),
  Condition: z.union([
    z.strictObject({ StringLike: z.strictObject({ 'aws:userid': texts }) }),
    z.strictObject({ DateLessThan: z.strictObject({ 'aws:TokenIssueTime': z.iso.datetime() }) }),
  ]),
});
const document = z.strictObject({ Version: z.literal('2012-10-17'), Statement: z.array(statement) });

export const noDenials: Denials = { sessions: new Map() };

/** Reads such a policy; undefined where it is none of ours: then it must not be written over. */
export function readDenials(text: string): Denials | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = document.safeParse(json);
  if (!read.success) return undefined;
  const sessions = new Map<string, number>();
  let all: Denials['all'];
  for (const { Sid, Condition } of read.data.Statement) {
    const untilMs = Number(Sid.replace(/^\D+/, '')) * 1000;
    if ('DateLessThan' in Condition) {
      all = { beforeMs: Date.parse(Condition.DateLessThan['aws:TokenIssueTime']), untilMs };
    } else {
      for (const one of Condition.StringLike['aws:userid']) sessions.set(one.replace(/^\*:/, ''), untilMs);
    }
  }
  return all === undefined ? { sessions } : { sessions, all };
}

/** With one more session, which expires at `expiresAtMs`, and without what is past. */
export function withSession(denials: Denials, session: string, expiresAtMs: number, nowMs: number): Denials {
  const kept = [...denials.sessions].filter(([, untilMs]) => untilMs > nowMs);
  const untilMs = Math.ceil((expiresAtMs + 1) / quarterMs) * quarterMs;
  const sessions = new Map([...kept, [session, untilMs] as const]);
  const all = denials.all !== undefined && denials.all.untilMs > nowMs ? denials.all : undefined;
  return all === undefined ? { sessions } : { sessions, all };
}

/** All sessions that were given until `givenMs`, in place of each by name: those of jobs that still run are denied with them. */
export function collapsed({ sessions, all }: Denials, givenMs: number): Denials {
  const untilMs = Math.max(...sessions.values(), all?.untilMs ?? 0);
  // AWS tells issue times in whole seconds.
  const beforeMs = Math.max(Math.floor(givenMs / 1000 + 1) * 1000, all?.beforeMs ?? 0);
  return { sessions: new Map(), all: { beforeMs, untilMs } };
}

export function isDenied({ sessions, all }: Denials, session: string, givenMs: number): boolean {
  return sessions.has(session) || (all !== undefined && givenMs < all.beforeMs);
}

/** The policy as AWS takes it. */
export function writeDenials({ sessions, all }: Denials): string {
  const deny = { Effect: 'Deny', Action: '*', Resource: '*' };
  const byEnd = Map.groupBy(sessions, ([, untilMs]) => untilMs);
  const ends = [...byEnd].sort(([one], [other]) => one - other);
  const statements: object[] = ends.map(([untilMs, those]) => ({
    Sid: `Sessions${untilMs / 1000}`,
    ...deny,
    Condition: { StringLike: { 'aws:userid': those.map(([name]) => `*:${name}`).sort() } },
  }));
  if (all !== undefined) {
    const before = `${new Date(all.beforeMs).toISOString().slice(0, 19)}Z`;
    const Condition = { DateLessThan: { 'aws:TokenIssueTime': before } };
    statements.push({ Sid: `All${all.untilMs / 1000}`, ...deny, Condition });
  }
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}
