import { createHash } from 'node:crypto';
import { readAskedRight, readSpan } from '@tripline/access/ask-words';
import type { Config } from '@tripline/config/config';
import type { Actor } from '@tripline/contracts/incident';
import { askForMore, askForRight, endRequest } from '@tripline/db/access-requests';
import type { Db } from '@tripline/db/database';
import { parseCommand } from '@tripline/integrations/slack/command';
import { InteractionError } from '@tripline/integrations/slack/interaction';
import { escapeLine } from '@tripline/integrations/slack/text';
import type { Clock } from '@tripline/runtime/clock';
import { errorBody } from '@tripline/runtime/http';
import type { Logger } from '@tripline/runtime/logger';
import { redactText } from '@tripline/runtime/redact';
import { createWorkspaces } from '@tripline/sources/workspace';
import type { FastifyInstance } from 'fastify';
import { checkOrigin, inTime, linked, SlackRefusedError, signedBody } from './slack-requests.ts';

type CommandParts = { config: Config; db: Db; clock: Clock; logger: Logger };

const bodyLimitBytes = 64 * 1024;
const help = [
  '`/tripline request acme/api write --for 60m --reason INC-12`, `request team acme/responders …`, `request role acme/security_manager …`',
  '`/tripline extend ask-… --for 20m --reason …` · `/tripline end ask-…`',
].join('\n');

/**
 * `POST /slack/commands`: somebody typed `/tripline …`. Verify → parse → check origin and person → ask, extend or end, which a broker
 * decides on. Nothing is approved here: a click or a word in Slack proves no second factor. Sent again, a request is the same one.
 */
export function addAccessCommands(app: FastifyInstance, { config, db, clock, logger }: CommandParts): void {
  const { slack } = config;
  app.register(async (scope) => {
    // The signature covers the raw bytes, and is checked before they are parsed.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyLimitBytes }, (_request, body, done) =>
      done(null, body),
    );
    scope.post('/slack/commands', { bodyLimit: bodyLimitBytes }, async (request, reply) => {
      const signed = signedBody(request, slack, clock.nowMs());
      if ('status' in signed || slack === undefined) {
        const { status, answer } = signed as Extract<typeof signed, { status: number }>;
        return reply.code(status).send(answer);
      }
      const say = (text: string) => reply.code(200).send({ response_type: 'ephemeral', text });
      try {
        const command = parseCommand(signed.body);
        checkOrigin(command, slack);
        const actor = linked(command.user, slack);
        const key = createHash('sha256').update(signed.signature).digest('hex').slice(0, 32);
        const said = await inTime(carryOut({ config, db }, command.text, actor, { at: new Date(clock.nowMs()), key }));
        logger.info({ user: command.user.id, login: actor.name }, 'Slack command carried out');
        return say(said);
      } catch (error) {
        if (error instanceof InteractionError) return reply.code(400).send(errorBody('bad-command', error.message));
        if (error instanceof SlackRefusedError) {
          logger.warn({ reason: error.reason }, `Slack command refused: ${error.message}`);
          return error.said === undefined
            ? reply.code(403).send(errorBody(error.reason, error.message))
            : say(error.said);
        }
        logger.error({ err: error }, 'handling a Slack command failed; answered 200 with a sentence');
        return say('Not now: the database did not answer in time. Try again.');
      }
    });
  });
}

/** @returns what to say to whoever asked, and nobody else. */
async function carryOut(
  { config, db }: Pick<CommandParts, 'config' | 'db'>,
  text: string,
  actor: Actor,
  when: { at: Date; key: string },
): Promise<string> {
  const { words, flags } = split(text);
  const [verb, ...rest] = words[0] === 'access' ? words.slice(1) : words;
  if (config.broker.peopleApp === undefined) return 'Nothing is configured that gives people rights: broker.peopleApp.';
  if (verb === 'end') return end(db, rest, actor, when.at);
  if (verb !== 'request' && verb !== 'extend') return help;
  const span = readSpan(flags['for']);
  if ('fault' in span) return `Nothing was asked: ${escapeLine(span.fault, 500)}.`;
  const reason = redactText(flags['reason'] ?? '').trim();
  if (reason === '') return 'Nothing was asked: say why with --reason, which whoever approves it reads.';
  if (verb === 'extend') {
    const [request = ''] = rest;
    const asked = await askForMore(db, { request, forMs: span.ms, reason }, actor, when);
    return asked
      ? 'Asked: somebody has to approve that again.'
      : `Nobody has what ${escapeLine(request, 100)} asked for.`;
  }
  const asked = readAskedRight(rest);
  if ('fault' in asked) return `Nothing was asked: ${escapeLine(asked.fault, 500)}.`;
  const workspace = createWorkspaces(config).of(asked.target.split('/')[0]!);
  if (workspace === undefined) return `No workspace has the organisation of ${escapeLine(asked.target, 200)}.`;
  const id = await askForRight(db, { ...asked, workspace, grantee: actor.name, forMs: span.ms, reason }, actor, when);
  return `Asked, as ${id}: policies decide, and somebody else approves it. You are sent the number that they need.`;
}

async function end(db: Db, [request = '', more]: readonly string[], actor: Actor, at: Date): Promise<string> {
  if (request === '' || more !== undefined) return 'Say which request, by its id: `/tripline end ask-…`.';
  const ended = await endRequest(db, request, actor, at);
  return ended ? 'A broker that runs takes it back at once.' : `Nothing of ${escapeLine(request, 100)} is left to end.`;
}

/** Words, and what stands behind `--for` and `--reason`, the latter to the end or the next. Slack makes a dash of two. */
function split(text: string): { words: string[]; flags: Record<string, string> } {
  const [first = '', ...rest] = text.split(/(?:^|\s)(?:--|—|–)(?=for\b|reason\b)/);
  const words = first
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  const flags = Object.fromEntries(
    rest.map((one) => {
      const [name = '', ...value] = one.trim().split(/[\s=]+/);
      return [name, value.join(' ')];
    }),
  );
  return { words, flags };
}
