import type { Config } from '@tripline/config/config';
import type { Actor } from '@tripline/contracts/incident';
import { endRequest } from '@tripline/db/access-requests';
import type { Db } from '@tripline/db/database';
import { acknowledge, IncidentError, resolve, type Transition } from '@tripline/incidents/incidents';
import { describeActor, resolutionText } from '@tripline/integrations/incident-report';
import type { SlackAnswers } from '@tripline/integrations/slack/client';
import {
  type AccessPress,
  type Interaction,
  InteractionError,
  parseInteraction,
  reasonForm,
} from '@tripline/integrations/slack/interaction';
import { renderAnswer, renderReasonForm } from '@tripline/integrations/slack/message';
import type { Clock } from '@tripline/runtime/clock';
import { errorBody } from '@tripline/runtime/http';
import type { Logger } from '@tripline/runtime/logger';
import type { FastifyInstance } from 'fastify';
import { createRateLimiter } from './rate-limiter.ts';
import { checkOrigin, inTime, linked, SlackRefusedError, signedBody } from './slack-requests.ts';
import { readSlackChannel } from './store/messages.ts';

const shortestReason = 3;
const bodyLimitBytes = 256 * 1024;

export type InteractionParts = {
  db: Db;
  logger: Logger;
  clock: Clock;
  /** Absent: Slack is not configured. */
  slack: (NonNullable<Config['slack']> & { answers: SlackAnswers }) | undefined;
};

/**
 * `POST /slack/interactions`: somebody pressed a button or filled in a form. Verify → parse → check origin and person →
 * acknowledge or resolve in Postgres; the queue entries that this adds bring the channels in sync. The person is
 * answered in a message that only they see. `settle` waits for the answers under way.
 */
export function addInteractions(app: FastifyInstance, parts: InteractionParts): { settle: () => Promise<void> } {
  const { db, logger, clock, slack } = parts;
  /** Slack's rate limit allows no more; beyond it, only the updated message shows the result. */
  const limiter = createRateLimiter(clock, { intervalMs: 1000, burst: 20 });
  const underWay = new Set<Promise<unknown>>();

  function inBackground(call: () => ReturnType<SlackAnswers['postEphemeral']>, what: string): void {
    if (limiter.admit() > 0) {
      logger.warn(`${what} was dropped: too many Slack interactions at once`);
      return;
    }
    const sent = call().then((outcome) => {
      if (outcome.kind !== 'done') logger.warn({ reason: outcome.reason }, `${what} failed: ${outcome.message}`);
    });
    underWay.add(sent);
    void sent.finally(() => underWay.delete(sent));
  }

  app.register(async (scope) => {
    // The signature covers the raw bytes, and is checked before they are parsed.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyLimitBytes }, (_request, body, done) =>
      done(null, body),
    );
    scope.post('/slack/interactions', { bodyLimit: bodyLimitBytes }, async (request, reply) => {
      const signed = signedBody(request, slack, clock.nowMs());
      if ('status' in signed || slack === undefined) {
        const { status, answer } = signed as Extract<typeof signed, { status: number }>;
        return reply.code(status).send(answer);
      }
      let interaction: Interaction | AccessPress | undefined;
      const sayTo = (to: Pick<Interaction, 'channel' | 'user'>, said: string) =>
        inBackground(
          () => slack.answers.postEphemeral({ channel: to.channel, user: to.user.id }, renderAnswer(said)),
          'the answer to a button press',
        );
      try {
        interaction = parseInteraction(signed.body);
        const pressed = interaction;
        if (pressed.verb === 'open') return reply.code(200).send({});
        if (pressed.verb === 'end-access') {
          checkOrigin(pressed, slack);
          const by = linked(pressed.user, slack);
          const ended = await inTime(endRequest(db, pressed.request, by, new Date(clock.nowMs())));
          logger.info({ request: pressed.request, user: pressed.user.id, ended }, 'Slack press ends a request');
          sayTo(pressed, ended ? 'Done: a broker that runs takes it back.' : 'Nothing of it is left to end.');
          return reply.code(200).send({});
        }
        const actor = await inTime(whoMay(db, slack, pressed));
        const log = { incident: pressed.incident, verb: pressed.verb, user: pressed.user.id, login: actor.name };
        if (pressed.verb === 'ask') {
          const form = renderReasonForm(pressed, pressed.resolution);
          inBackground(() => slack.answers.ask(pressed.trigger, form), 'asking for a reason');
          return reply.code(200).send({});
        }
        const { said, stays } = await inTime(act(db, pressed, actor));
        if (stays) return reply.code(200).send({ response_action: 'errors', errors: { [reasonForm.block]: said } });
        logger.info(log, 'Slack interaction carried out');
        sayTo(pressed, said);
        return reply.code(200).send({});
      } catch (error) {
        if (error instanceof InteractionError) return reply.code(400).send(errorBody('bad-interaction', error.message));
        if (error instanceof SlackRefusedError) {
          logger.warn(
            { reason: error.reason, user: interaction?.user.id },
            `Slack interaction refused: ${error.message}`,
          );
          if (error.said === undefined || !interaction)
            return reply.code(403).send(errorBody(error.reason, error.message));
          sayTo(interaction, error.said);
          return reply.code(200).send({});
        }
        logger.error({ err: error }, 'handling a Slack interaction failed; answered 503');
        return reply
          .code(503)
          .send(errorBody('not-now', 'The database did not answer in time; press the button again'));
      }
    });
  });
  return {
    async settle() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

/**
 * The person behind a press, as `slack.people` knows them.
 * @throws {SlackRefusedError} it came from another workspace, app or channel, or the person is not linked.
 */
async function whoMay(db: Db, slack: NonNullable<Config['slack']>, press: Interaction): Promise<Actor> {
  checkOrigin(press, slack);
  const known = await readSlackChannel(db, press.incident);
  if (press.channel !== slack.channel && press.channel !== known)
    throw new SlackRefusedError(
      'wrong-channel',
      'it came from a channel in which Tripline did not report that incident',
    );
  return linked(press.user, slack);
}

/** A sentence for the person who pressed. `stays`: the form stays open, and shows it beneath its field. */
type Answer = { said: string; stays?: true };

/** Acts, and says what came of it. */
async function act(db: Db, interaction: Exclude<Interaction, { verb: 'ask' }>, actor: Actor): Promise<Answer> {
  const { incident } = interaction;
  if ('reason' in interaction && interaction.reason.length < shortestReason)
    return { said: 'Say why, so that others can judge it.', stays: true };
  try {
    if (interaction.verb === 'acknowledge') {
      const { changed, incident: now } = await acknowledge(db, incident, actor);
      if (changed) return { said: `Done: you have ${incident}.` };
      return { said: `${incident} is acknowledged already, ${since(now.acknowledged)}.` };
    }
    const reason = 'reason' in interaction ? interaction.reason : undefined;
    const done = await resolve(db, incident, interaction.resolution, actor, reason);
    return { said: resolvedSentence(done) };
  } catch (error) {
    if (!(error instanceof IncidentError)) throw error;
    const said = `Nothing was done: ${error.message}.`;
    return interaction.verb === 'resolve' && 'reason' in interaction ? { said, stays: true } : { said };
  }
}

function resolvedSentence({ changed, incident: { id, resolved } }: Transition): string {
  const how = resolved === null ? '' : `: ${resolutionText[resolved.resolution]}`;
  return changed ? `Done: ${id} is resolved${how}.` : `${id} was resolved already, ${since(resolved)}${how}.`;
}

function since(act: { at: string; by: Actor } | null): string {
  if (act === null) return 'by somebody';
  return `by ${describeActor(act.by)} at ${act.at.slice(0, 16).replace('T', ' ')} UTC`;
}
