import { readFile } from 'node:fs/promises';
import { type CallAnswer, createCall, type NoCallAnswer } from '../caller.ts';
import type { MinterOptions } from '../minter.ts';
import type { AwsSettings } from './settings.ts';
import { type AwsKeys, signedHeaders } from './sign.ts';

/** STS and IAM as the broker is known there. Made by {@link createAwsApi}. */
export type AwsApi = {
  /** One action with its parameters. Never rejects. */
  ask: (service: 'sts' | 'iam', action: string, parameters: Readonly<Record<string, string>>) => Promise<AwsAnswer>;
  /** A session's life is an hour at most where it is taken from a session. */
  isChained: boolean;
};
/** `unsent`: the broker could not take its own role, so that nothing was asked. */
export type AwsAnswer = (Omit<CallAnswer, 'headers'> | NoCallAnswer) & { unsent?: true };

const versions = { sts: '2011-06-15', iam: '2010-05-08' };
const contentType = 'application/x-www-form-urlencoded; charset=utf-8';
/** How long before its end a session is taken anew. */
const restMs = 5 * 60_000;

/**
 * The query protocol of STS and IAM: a form in, XML out, signed here. The library of AWS is not used: it brings a way out of its own,
 * which calls what its surroundings name (DECISIONS.md).
 */
export function createAwsApi(settings: AwsSettings, { clock, fetch, timeoutMs }: MinterOptions): AwsApi {
  const {
    region,
    stsUrl = `https://sts.${region}.amazonaws.com`,
    iamUrl,
    iamRegion,
    accessKey,
    webIdentity,
  } = settings;
  const of = {
    sts: { url: stsUrl, region, call: createCall({ url: stsUrl, service: 'STS', fetch, timeoutMs }) },
    iam: { url: iamUrl, region: iamRegion, call: createCall({ url: iamUrl, service: 'IAM', fetch, timeoutMs }) },
  };
  let held: { keys: AwsKeys; untilMs: number } | undefined;

  async function send(
    service: 'sts' | 'iam',
    form: Readonly<Record<string, string>>,
    keys?: AwsKeys,
  ): Promise<AwsAnswer> {
    const { url, region: signedFor, call } = of[service];
    const body = new URLSearchParams({ Version: versions[service], ...form }).toString();
    const { host } = new URL(url);
    const signing = { host, body, contentType, service, region: signedFor, nowMs: clock.nowMs() };
    // What calls sets the host itself.
    const { host: _, ...headers } =
      keys === undefined ? { host, 'content-type': contentType } : signedHeaders({ ...signing, keys });
    return call({ method: 'POST', path: '/', headers, body });
  }

  /** The broker's own keys: its user's, or those of the role that it takes by the token of its machine. */
  async function ownKeys(): Promise<AwsKeys | AwsAnswer> {
    if (accessKey !== undefined) return { accessKeyId: accessKey.id, secretAccessKey: accessKey.secret };
    if (held !== undefined && clock.nowMs() < held.untilMs - restMs) return held.keys;
    let token: string;
    try {
      token = (await readFile(webIdentity!.file, 'utf8')).trim();
    } catch {
      return { reason: 'unreachable', message: 'the file of broker.aws’s webIdentity cannot be read', unsent: true };
    }
    const answer = await send('sts', {
      ...{ Action: 'AssumeRoleWithWebIdentity', RoleArn: webIdentity!.role, RoleSessionName: 'tripline-broker' },
      WebIdentityToken: token,
    });
    const session = answer.status === 200 ? sessionIn(answer.text) : undefined;
    if (session === undefined) return { ...answer, unsent: true };
    held = { keys: session.keys, untilMs: session.expiresAtMs };
    return session.keys;
  }

  return {
    isChained: webIdentity !== undefined,
    async ask(service, action, parameters) {
      const keys = await ownKeys();
      return 'accessKeyId' in keys ? send(service, { Action: action, ...parameters }, keys) : keys;
    },
  };
}

/** The credentials in an answer of STS; undefined where they are not whole. */
export function sessionIn(xml: string): { keys: Required<AwsKeys>; expiresAtMs: number } | undefined {
  const accessKeyId = elementIn(xml, 'AccessKeyId');
  const secretAccessKey = elementIn(xml, 'SecretAccessKey');
  const sessionToken = elementIn(xml, 'SessionToken');
  const expiresAtMs = Date.parse(elementIn(xml, 'Expiration') ?? '');
  if (!accessKeyId || !secretAccessKey || !sessionToken || Number.isNaN(expiresAtMs)) return undefined;
  return { keys: { accessKeyId, secretAccessKey, sessionToken }, expiresAtMs };
}

const entities: readonly [string, string][] = [
  ...([
    ['&lt;', '<'],
    ['&gt;', '>'],
    ['&quot;', '"'],
    ['&apos;', "'"],
    ['&#10;', '\n'],
    ['&#xA;', '\n'],
  ] as [string, string][]),
  ['&amp;', '&'],
];

/** The text of the one element of that name; undefined where there is none, or several. */
export function elementIn(xml: string, name: string): string | undefined {
  const [open, close] = [`<${name}>`, `</${name}>`];
  const start = xml.indexOf(open);
  const end = xml.indexOf(close, start);
  if (start === -1 || end === -1 || xml.indexOf(open, start + 1) !== -1) return undefined;
  const text = xml.slice(start + open.length, end);
  if (text.includes('<')) return undefined;
  return entities.reduce((plain, [entity, character]) => plain.replaceAll(entity, character), text);
}

/** What an error is called, of those that AWS documents; its text is not repeated. */
export function codeOf(answer: AwsAnswer): string | undefined {
  const code = answer.status === undefined ? undefined : elementIn(answer.text, 'Code');
  return code !== undefined && /^[A-Za-z.]{1,60}$/.test(code) ? code : undefined;
}

export const isThrottled = (answer: AwsAnswer): boolean =>
  answer.status === 429 ||
  /^(?:Throttling|ThrottlingException|RequestLimitExceeded|TooManyRequestsException)$/.test(codeOf(answer) ?? '');

/** What an answer says, in words that bear nothing of a request. */
export function saidBy(answer: AwsAnswer): string {
  if (answer.status === undefined) return answer.message;
  const code = codeOf(answer);
  return `AWS answered ${answer.status}${code === undefined ? '' : ` ${code}`}`;
}
