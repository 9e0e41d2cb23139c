import type { Config } from '@tripline/config/config';
import type { Actor } from '@tripline/contracts/incident';
import { verifySlackSignature } from '@tripline/integrations/slack/interaction';
import { errorBody } from '@tripline/runtime/http';
import type { FastifyRequest } from 'fastify';

type Slack = NonNullable<Config['slack']>;

/** Slack shows the person an error when it has no answer after 3 s. */
const answerWithinMs = 2500;

/** Whoever asks is not allowed to: `reason` and message answer the request; `said`, where there is one, is shown to the person. */
export class SlackRefusedError extends Error {
  readonly reason: string;
  readonly said: string | undefined;
  constructor(reason: string, message: string, said?: string) {
    super(message);
    this.reason = reason;
    this.said = said;
  }
}

/** The body of a request that Slack signed within the last five minutes; else the status and body that answer it. */
export function signedBody(
  request: FastifyRequest,
  slack: Slack | undefined,
  nowMs: number,
): { body: Buffer; signature: string } | { status: number; answer: object } {
  if (slack === undefined)
    return { status: 404, answer: errorBody('not-configured', 'Slack is not configured: set slack.signingSecret') };
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const header = (name: string) => [request.headers[name]].flat()[0];
  const signature = header('x-slack-signature');
  const timestamp = header('x-slack-request-timestamp');
  if (verifySlackSignature({ signingSecret: slack.signingSecret, body, timestamp, signature, nowMs }))
    return { body, signature: signature! };
  const message = 'Slack did not sign this with slack.signingSecret in the last 5 minutes';
  return { status: 401, answer: errorBody('bad-signature', message) };
}

/** Whether it came from the configured workspace and app. @throws {SlackRefusedError} it did not. */
export function checkOrigin({ team, app }: { team: string; app: string }, slack: Slack): void {
  if (team !== slack.teamId)
    throw new SlackRefusedError('wrong-workspace', 'it came from another Slack workspace than slack.teamId');
  if (app !== slack.appId) throw new SlackRefusedError('wrong-app', 'it came from another Slack app than slack.appId');
}

/** The person, as `slack.people` knows them. @throws {SlackRefusedError} they are not linked. */
export function linked({ id }: { id: string }, { people }: Slack): Actor {
  const login = Object.hasOwn(people, id) ? people[id] : undefined;
  if (login !== undefined) return { via: 'slack', id, name: login, proof: `slack-user:${id} linked to ${login}` };
  const how = `add "${id}: your-login" under slack.people in tripline.yaml`;
  const said = `Nothing was done: Tripline does not know who you are. Whoever runs it can link you: ${how}.`;
  throw new SlackRefusedError('not-linked', 'slack.people does not name the person who asks', said);
}

/** The result of work, or a failure once Slack would wait no longer. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${answerWithinMs} ms`)), answerWithinMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // A failure after the timeout has nobody left to report to.
    work.catch(() => {});
  }
}
