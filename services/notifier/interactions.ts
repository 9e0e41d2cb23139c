import type { Db } from '@tripline/db/database';
import { acknowledge, IncidentError, resolve } from '@tripline/db/incidents';
import {
  type Interaction,
  InteractionError,
  parseInteraction,
  verifySlackSignature,
} from '@tripline/integrations/slack/interaction';
import type { Clock } from '@tripline/runtime/clock';
import { errorBody } from '@tripline/runtime/http';
import type { Logger } from '@tripline/runtime/logger';
import type { FastifyInstance } from 'fastify';

/** Slack shows the person an error when it has no answer after 3 s. */
const answerWithinMs = 2500;
const bodyLimitBytes = 256 * 1024;

/**
 * `POST /slack/interactions`: somebody pressed a button. Verify → read → acknowledge or resolve in Postgres; the jobs
 * that this leaves bring Slack and PagerDuty in step.
 */
export function addInteractions(
  app: FastifyInstance,
  parts: { db: Db; logger: Logger; clock: Clock; signingSecret: string | undefined },
): void {
  const { db, logger, clock, signingSecret } = parts;
  app.register(async (scope) => {
    // The signature is over the raw bytes, and holds before anything of them is read.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyLimitBytes }, (_request, body, done) =>
      done(null, body),
    );
    scope.post('/slack/interactions', { bodyLimit: bodyLimitBytes }, async (request, reply) => {
      if (signingSecret === undefined)
        return reply.code(404).send(errorBody('not-configured', 'Slack is not configured: set slack.signingSecret'));
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const header = (name: string) => [request.headers[name]].flat()[0];
      const signed = verifySlackSignature({
        signingSecret,
        body,
        timestamp: header('x-slack-request-timestamp'),
        signature: header('x-slack-signature'),
        nowMs: clock.nowMs(),
      });
      if (!signed)
        return reply
          .code(401)
          .send(errorBody('bad-signature', 'Slack did not sign this with slack.signingSecret in the last 5 minutes'));
      try {
        const interaction = parseInteraction(body);
        await inTime(act(db, interaction));
        logger.info(
          { incident: interaction.incident, verb: interaction.verb, by: interaction.actor.id },
          'told by Slack',
        );
        return reply.code(200).send({});
      } catch (error) {
        if (error instanceof InteractionError) return reply.code(400).send(errorBody('bad-interaction', error.message));
        if (error instanceof IncidentError) return reply.code(409).send(errorBody('not-possible', error.message));
        logger.error({ err: error }, 'a button of Slack was not carried out');
        return reply
          .code(503)
          .send(errorBody('not-now', 'The database did not answer in time; press the button again'));
      }
    });
  });
}

async function act(db: Db, interaction: Interaction): Promise<void> {
  const { incident, actor } = interaction;
  if (interaction.verb === 'acknowledge') await acknowledge(db, incident, actor);
  else await resolve(db, incident, interaction.resolution, actor);
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${answerWithinMs} ms`)), answerWithinMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // When it ends late after all, nobody is left to hear of its error.
    work.catch(() => {});
  }
}
