import { type StsName, stsName } from '@tripline/access/policy';
import type { Reason } from '@tripline/access/reason';
import { z } from 'zod';
import { type Answer, refuse } from './answer.ts';

/**
 * What octo-sts's clients ask, and are answered: a scope and an identity by GET or POST, for `{ token }`, or for an error as a gateway of
 * gRPC writes it. As its action 7a6ea3b and chainguard's `SecurityTokenService` have it.
 */

/** They ask their tokens for the domain that they are told, and call `https://<domain>/sts/exchange`. */
export const stsAudienceOf = (audience: string | undefined): string =>
  (audience ?? '').replace(/^https:\/\//, '').replace(/\/$/, '');

const fields = z.looseObject({
  scope: z.string().optional(),
  scopes: z.array(z.string()).optional(),
  identity: z.string().optional(),
});

/**
 * What is asked for, by the query of `url` and a body of JSON or of a form; undefined where that is not one scope and one identity: of two
 * none is chosen.
 */
export function stsNameIn(
  url: string,
  { body, contentType = '' }: { body?: Buffer; contentType?: string | undefined } = {},
): StsName | undefined {
  const text = body?.toString('utf8').trim() ?? '';
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(contentType);
  const written = text === '' || isForm ? {} : fieldsIn(text);
  if (written === undefined) return undefined;
  const texts = [new URLSearchParams(url.split('?').slice(1).join('?')), new URLSearchParams(isForm ? text : '')];
  const all = (name: string) => texts.flatMap((one) => one.getAll(name));
  const scopes = [...all('scope'), ...all('scopes').flatMap((list) => list.split(',')), ...(written.scopes ?? [])];
  const [scope, ...otherScopes] = distinct([...scopes, written.scope]);
  const [identity, ...otherIdentities] = distinct([...all('identity'), written.identity]);
  if (otherScopes.length > 0 || otherIdentities.length > 0) return undefined;
  const read = stsName.safeParse({ scope, identity });
  return read.success ? read.data : undefined;
}

function fieldsIn(text: string): z.output<typeof fields> | undefined {
  try {
    return fields.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const distinct = (texts: readonly (string | undefined)[]): string[] =>
  [...new Set(texts.filter((text) => text !== undefined && text !== ''))] as string[];

export const stsMalformed = refuse(
  'body-malformed',
  'Say one scope (owner/name, or owner) and one identity, in the query or in the body',
);

/** gRPC's codes, as its gateways write them beside a status of HTTP. */
const codes: Record<number, number> = { 400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 410: 9, 413: 3, 429: 8, 503: 14 };

type Body = {
  github?: { token: string };
  error?: { reason: string; message: string };
  reasons?: readonly Reason[];
  decision?: string;
  links?: { stepUp?: string };
  number?: string;
  waits?: string;
};

/** An answer of the exchange as octo-sts's clients read it. They print the message, so it has every reason. */
export function stsAnswer(answer: Answer): Answer {
  const { github } = answer.body as Body;
  if (answer.status === 201 && github !== undefined) return { status: 200, body: { token: github.token } };
  const { status, body, ...more } = (answer.body as Body).error === undefined ? withoutError(answer.body) : answer;
  const { error, reasons = [] } = body as Body;
  const message = [
    `${error!.message}${hintOf(error!.reason)}`,
    ...reasons.map(({ message, help }) => `${message}. ${help}`),
  ].join(' – ');
  return { status, body: { code: codes[status] ?? 2, message, details: [], ...body }, ...more };
}

/** They send one token again and again after a failure: the reason is in the first answer. */
const hintOf = (reason: string): string =>
  reason === 'token-spent' ? '; where a client asked again by itself, the first answer says why' : '';

/** What is neither given nor refused: they would take it for a token. */
function withoutError(body: Body): Answer {
  const { reasons = [] } = body;
  if (body.decision !== undefined)
    return refuse('dry-run', `The broker is a dry run and gives nothing; it would have been ${body.decision}`, {
      reasons,
    });
  const where = body.links?.stepUp === undefined ? body.waits : `${body.links.stepUp} (number ${body.number})`;
  return refuse(
    'step-up-wanted',
    `Somebody must prove a second factor, and this client does not wait for it: ${where}`,
    { reasons },
  );
}
