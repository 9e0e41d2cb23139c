import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Proof } from './store/approvals.ts';

/** What a browser keeps for the broker, sealed against change, not against reading: it is the person's own. */
export type Sealer = {
  /** `kind` keeps one sort of text from passing for another. It is good until `untilMs`. */
  seal: (kind: string, value: object, untilMs: number) => string;
  /** Undefined where it was changed, is of another kind, or is too old. */
  open: (kind: string, text: string | undefined, nowMs: number) => unknown;
  /** Proves that a form was made for whoever holds `session`. */
  formToken: (session: string) => string;
};

/** Under keys derived of `keys` (broker.sealingKeys): the first seals, all open. */
export function createSealer(keys: readonly string[]): Sealer {
  const derived = keys.map((key) => Buffer.from(hkdfSync('sha256', key, '', 'tripline step-up sessions v1', 32)));
  const macOf = (key: Buffer, kind: string, body: string) =>
    createHmac('sha256', key)
      .update(JSON.stringify([kind, body]))
      .digest('base64url');
  const isMac = (kind: string, body: string, mac: string) => derived.some((key) => isSame(macOf(key, kind, body), mac));
  return {
    seal(kind, value, untilMs) {
      const body = Buffer.from(JSON.stringify({ value, untilMs })).toString('base64url');
      return `${body}.${macOf(derived[0]!, kind, body)}`;
    },
    open(kind, text, nowMs) {
      const [body = '', mac = '', ...rest] = (text ?? '').split('.');
      if (rest.length > 0 || !isMac(kind, body, mac)) return undefined;
      const { value, untilMs } = JSON.parse(Buffer.from(body, 'base64url').toString()) as {
        value: unknown;
        untilMs: number;
      };
      return nowMs < untilMs ? value : undefined;
    },
    formToken: (session) => macOf(derived[0]!, 'form', session),
  };
}

/** Who is signed in, for one thing alone: a prompt, or a passkey that is to be confirmed. */
export type Session = { of: string; proof: Proof };
/** How long somebody may take on a page, ms. */
const sessionMs = 5 * 60_000;

/** What browsers keep for the pages, by kind. */
export function createVisits({
  sealer,
  nowMs,
  isSecure,
  isProof,
}: {
  sealer: Sealer;
  nowMs: () => number;
  isSecure: boolean;
  /** Whether what somebody signed in by still proves who they are. */
  isProof: (proof: Proof) => Promise<boolean>;
}) {
  const set = (reply: FastifyReply, name: string, value: string, maxAgeS: number) => {
    const former = [reply.getHeader('set-cookie') ?? []].flat().map(String);
    reply.removeHeader('set-cookie');
    reply.header('set-cookie', [...former, cookieOf(name, value, { isSecure, maxAgeS })]);
  };
  return {
    /** Keeps `value` for the next request of a kind, for `lastsMs`. */
    keep(reply: FastifyReply, kind: string, value: object, lastsMs: number): void {
      set(reply, kind, sealer.seal(kind, value, nowMs() + lastsMs), Math.ceil(lastsMs / 1000));
    },
    /** What was kept, and is kept on. */
    look: (request: FastifyRequest, kind: string): unknown =>
      sealer.open(kind, readCookie(request.headers.cookie, kind, isSecure), nowMs()),
    /** What was kept, once; undefined where it was not, was changed, or is too old. */
    take(request: FastifyRequest, reply: FastifyReply, kind: string): unknown {
      const kept = sealer.open(kind, readCookie(request.headers.cookie, kind, isSecure), nowMs());
      set(reply, kind, '', 0);
      return kept;
    },
    begin(reply: FastifyReply, session: Session): void {
      set(reply, 'session', sealer.seal('session', session, nowMs() + sessionMs), sessionMs / 1000);
    },
    /** Who is signed in for exactly `of`. `formToken`: for the forms that they are shown. */
    async current(request: FastifyRequest, of: string): Promise<{ session: Session; formToken: string } | undefined> {
      const text = readCookie(request.headers.cookie, 'session', isSecure);
      const session = sealer.open('session', text, nowMs()) as Session | undefined;
      if (session?.of !== of || !(await isProof(session.proof))) return undefined;
      return { session, formToken: sealer.formToken(text!) };
    },
  };
}
export type Visits = ReturnType<typeof createVisits>;

export function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/**
 * How a cookie is set: out of scripts' reach, not sent with other sites' forms, and over TLS alone unless on this machine. Lax,
 * since the provider sends people back from its own site.
 */
function cookieOf(name: string, value: string, { isSecure, maxAgeS }: { isSecure: boolean; maxAgeS: number }) {
  return `${cookieName(name, isSecure)}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
}

/** `__Host-` keeps a neighbouring host from setting it. */
const cookieName = (name: string, isSecure: boolean): string => `${isSecure ? '__Host-' : ''}tripline-${name}`;

/** A cookie of a request; undefined where it has none, or several of the name. */
function readCookie(header: string | undefined, name: string, isSecure: boolean): string | undefined {
  const begin = `${cookieName(name, isSecure)}=`;
  const all = (header ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(begin));
  return all.length === 1 ? all[0]!.slice(begin.length) : undefined;
}
