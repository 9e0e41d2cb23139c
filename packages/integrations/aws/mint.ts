import type { Clock } from '@tripline/runtime/clock';
import type { MintAnswer, Minted, Minter, MinterOptions, MintOrder, Revocable, Revoked } from '../minter.ts';
import type { Check } from '../provider.ts';
import { type AwsAnswer, type AwsApi, codeOf, elementIn, isThrottled, saidBy, sessionIn } from './api.ts';
import {
  collapsed,
  type Denials,
  isDenied,
  mostCharacters,
  noDenials,
  policyName,
  readDenials,
  withSession,
  writeDenials,
} from './denials.ts';

/** AWS gives no shorter session, and no longer one to whoever is in a session itself. */
const shortestS = 900;
const longestS = 43_200;
const longestChainedS = 3600;
const throttledMs = 5000;
/** Two clocks may differ by so much before what one of them says is over is taken for over. */
const skewMs = 60_000;
/** As AWS takes session names and source identities. */
const sessionName = /^[\w+=,.@-]{2,64}$/;

type Order = MintOrder<'aws'>;
type Refused = Extract<MintAnswer, { result: 'refused' }>;
type Failed = Extract<Revoked, { result: 'not-yet' }>;

/**
 * Sessions of roles, by `AssumeRole`: named by the grant, with the run as source identity, narrowed by an inline policy where the
 * policy names one. A session cannot be ended at STS: it is denied everything, by its name, in an inline policy of its role, until it
 * expires. What was given still signs, and IAM takes seconds to spread the denial: this is said as `denied`.
 */
export function createAwsMinter(
  { ask, isChained }: AwsApi,
  { clock, exclusively = (_, work) => work() }: { clock: Clock } & Pick<MinterOptions, 'exclusively'>,
): Minter<'aws'> {
  const inTurn = createTurns();

  async function mint(order: Order): Promise<MintAnswer> {
    const { give, grantId, untilMs } = order;
    if (!sessionName.test(grantId)) return refused('unusable-name', `AWS takes no session by the name of ${grantId}`);
    const policy = give.policy === undefined ? undefined : order.files?.[give.policy];
    if (give.policy !== undefined && policy === undefined) {
      return refused('policy-not-read', `${give.policy}, which the policy names, was not found beside it`);
    }
    const asked = Math.floor(Math.min(give.for, untilMs - clock.nowMs()) / 1000);
    const seconds = Math.min(Math.max(asked, shortestS), isChained ? longestChainedS : longestS);
    const answer = await ask('sts', 'AssumeRole', {
      ...{ RoleArn: give.role, RoleSessionName: grantId, DurationSeconds: String(seconds) },
      SourceIdentity: sourceIdentityOf(order.run),
      ...(policy === undefined ? {} : { Policy: policy }),
    });
    if (answer.status !== 200) return refusalOf(answer, give.role);
    const session = sessionIn(answer.text);
    if (session === undefined)
      return { result: 'unknown', reason: 'unreadable', message: 'AWS’s answer is of no known form' };
    const { keys, expiresAtMs } = session;
    const handle = handleOf(order, expiresAtMs, seconds);
    const fault = faultOf(answer.text, order, expiresAtMs - clock.nowMs(), seconds);
    if (fault !== undefined) return takeBack(handle, fault);
    const minted: Minted = {
      credential: { ...keys, expiresAt: new Date(expiresAtMs).toISOString() },
      ...{ handle, tokenHash: keys.accessKeyId, expiresAtMs },
      scopes: [`role:${give.role}`, ...(give.policy === undefined ? [] : [`policy:${give.policy}`])],
    };
    return { result: 'minted', minted };
  }

  async function takeBack(handle: Revocable['handle'], fault: string): Promise<MintAnswer> {
    const message = `AWS gave a session that ${fault}`;
    const { result } = await revoke({ handle });
    if (result === 'dead') return refused('other-than-asked', `${message}. It is denied everything`);
    return { result: 'unknown', reason: 'other-than-asked', message: `${message}. It could not be denied anything` };
  }

  async function revoke({ handle }: Revocable): Promise<Revoked> {
    const { role, session, expiresAt, givenAt } = handle;
    if (role === undefined || session === undefined)
      return failed(false, 'no-handle', 'it is not known whose session it is');
    const [expiresAtMs, givenAtMs] = [Date.parse(expiresAt ?? ''), Date.parse(givenAt ?? '')];
    if (clock.nowMs() > expiresAtMs + skewMs) return { result: 'dead', by: 'dead-already' };
    const deny = async (): Promise<Revoked> => {
      const before = await read(role);
      if ('result' in before) return before;
      if (isDenied(before, session, givenAtMs)) return { result: 'dead', by: 'denied' };
      const after = withSession(before, session, expiresAtMs, clock.nowMs());
      const all = () => write(role, collapsed(after, Math.max(clock.nowMs(), givenAtMs)));
      if (writeDenials(after).length > mostCharacters) return all();
      const written = await write(role, after);
      // Other inline policies of the role share the room.
      return written.result === 'not-yet' && written.reason === 'no-room' ? all() : written;
    };
    // In turn here first, so that those who wait for others hold nothing meanwhile.
    return inTurn(role, async () => {
      try {
        return await exclusively(`aws/${role}`, deny);
      } catch {
        return failed(true, 'no-turn', 'the lock in Postgres, by which denials of a role are written in turn, failed');
      }
    });
  }

  async function read(role: string): Promise<Denials | Failed> {
    const answer = await ask('iam', 'GetRolePolicy', { RoleName: nameOf(role), PolicyName: policyName });
    if (isWithoutPolicy(answer)) return noDenials;
    if (answer.status !== 200) return failureOf(answer);
    const text = elementIn(answer.text, 'PolicyDocument');
    if (text === undefined) return failed(true, 'unreadable', 'AWS’s answer is of no known form');
    const denials = readDenials(decoded(text));
    const message = `the inline policy ${policyName} of ${role} is not as Tripline writes it: delete it`;
    return denials ?? failed(false, 'other-policy', message);
  }

  async function write(role: string, denials: Denials): Promise<Revoked> {
    const answer = await ask('iam', 'PutRolePolicy', {
      ...{ RoleName: nameOf(role), PolicyName: policyName, PolicyDocument: writeDenials(denials) },
    });
    if (answer.status === 200 && answer.text.includes('<PutRolePolicyResponse'))
      return { result: 'dead', by: 'denied' };
    if (codeOf(answer) === 'LimitExceeded') return failed(true, 'no-room', saidBy(answer));
    return failureOf(answer);
  }

  async function check({ handle }: Revocable): Promise<Check> {
    const { role, session, expiresAt, givenAt } = handle;
    if (role === undefined || session === undefined)
      return { result: 'unknown', detail: 'it is not known whose it is' };
    if (clock.nowMs() > Date.parse(expiresAt ?? '') + skewMs)
      return { result: 'dead', detail: `it expired at ${expiresAt}` };
    const denials = await read(role);
    if ('result' in denials) return { result: 'unknown', detail: denials.message };
    if (isDenied(denials, session, Date.parse(givenAt ?? '')))
      return { result: 'dead', detail: 'its role denies it everything' };
    return { result: 'alive', detail: `its role does not deny it anything, and it expires at ${expiresAt}` };
  }

  /** STS does not say which sessions there are; by its name one can be denied all the same, whether there is one or not. */
  async function recover(order: Order) {
    const seconds = Math.min(Math.max(Math.floor(order.give.for / 1000), shortestS), longestS);
    const expiresAtMs = clock.nowMs() + seconds * 1000 + skewMs;
    return { result: 'known' as const, found: [{ handle: handleOf(order, expiresAtMs, seconds) }] };
  }

  return { kind: 'aws', mint, revoke, check, recover };
}

function handleOf({ give, grantId }: Order, expiresAtMs: number, seconds: number): Revocable['handle'] {
  const at = (ms: number) => new Date(ms).toISOString();
  return { role: give.role, session: grantId, expiresAt: at(expiresAtMs), givenAt: at(expiresAtMs - seconds * 1000) };
}

/** What a session is, other than was asked for. */
function faultOf(xml: string, { give, grantId }: Order, livesMs: number, seconds: number): string | undefined {
  const [, partition, , , account, path] = give.role.split(':') as [string, string, string, string, string, string];
  const arn = `arn:${partition}:sts::${account}:assumed-role/${path.split('/').at(-1)}/${grantId}`;
  if (elementIn(xml, 'Arn') !== arn) return 'is not of the role that was asked for';
  if (!elementIn(xml, 'AssumedRoleId')?.endsWith(`:${grantId}`)) return 'does not bear the grant’s id';
  if (livesMs > seconds * 1000 + skewMs) return `lives for ${Math.round(livesMs / 1000)} s, not ${seconds}`;
  return livesMs > 0 ? undefined : 'has expired: check this machine’s clock';
}

const nameOf = (role: string) => role.split('/').at(-1)!;

/** `acme/api#29679449` as AWS takes it, its end first where it is too long. */
function sourceIdentityOf(run: string): string {
  const plain = run.replaceAll(/[^\w+=,.@-]/g, '-').slice(-64);
  return plain.length < 2 ? `run-${plain}` : plain;
}

/** Documents come percent-encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** There is no such policy yet; or no such role, which the writing of one then says. */
const isWithoutPolicy = (answer: AwsAnswer): boolean => answer.status === 404 && codeOf(answer) === 'NoSuchEntity';

function refusalOf(answer: AwsAnswer, role: string): MintAnswer {
  const message = `AWS gives no session of ${role}: ${saidBy(answer)}`;
  if (answer.unsent)
    return { ...refused('not-logged-in', message), retry: answer.status === undefined || answer.status >= 429 };
  if (answer.status === undefined) return { result: 'unknown', reason: answer.reason, message };
  if (isThrottled(answer)) return { ...refused('rate-limited', message), retry: true, afterMs: throttledMs };
  if (answer.status >= 500 || (answer.status >= 200 && answer.status < 300)) {
    return { result: 'unknown', reason: 'provider-failed', message };
  }
  if (answer.status === 403) {
    const help = 'let the broker assume it and set its source identity, as packages/integrations/aws/README.md says';
    return refused('forbidden', `${message}; ${help}`);
  }
  return refused(answer.status < 400 ? 'moved' : 'rejected', message);
}

function failureOf(answer: AwsAnswer): Failed {
  const message = `AWS does not deny it: ${saidBy(answer)}`;
  if (answer.status === undefined) return failed(true, answer.reason, message);
  if (isThrottled(answer)) return { ...failed(true, 'rate-limited', message), afterMs: throttledMs };
  if (answer.status >= 500) return failed(true, 'provider-failed', message);
  if (answer.status === 409) return failed(true, 'conflict', message);
  if (answer.status === 200) return failed(true, 'unreadable', message);
  return failed(false, answer.status === 403 ? 'forbidden' : 'rejected', message);
}

function failed(retry: boolean, reason: string, message: string): Failed {
  return { result: 'not-yet', retry, reason, message };
}

function refused(reason: string, message: string): Refused {
  return { result: 'refused', retry: false, reason, message };
}

/** One after the other for each key, in this process. `work` does not reject. */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return <Result>(key: string, work: () => Promise<Result>): Promise<Result> => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work);
    last.set(key, mine);
    return mine;
  };
}
