import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import { errorBody } from '@tripline/runtime/http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { confirmPage, confirmSignInPage, makePasskeyPage, passkeyMadePage } from './pages/passkey-page.ts';
import { eventOfPasskey } from './step-up-events.ts';
import { confirming, type RouteParts } from './step-up-parts.ts';
import { type Challenge, challengeMs } from './step-up-passkey.ts';
import { gone, redirect, say, send, sendJson } from './step-up-reply.ts';
import { isSame } from './step-up-session.ts';
import { SignInRefusedError } from './step-up-sign-in.ts';
import type { Proof, StepUp } from './store/approvals.ts';
import { decidePasskey, readWaiting } from './store/passkeys.ts';

const text = z.string().max(8192);
const about = { id: text, rawId: text, type: z.literal('public-key'), clientExtensionResults: z.object({}) };
const useForm = z.object({
  ...about,
  response: z.object({ authenticatorData: text, clientDataJSON: text, signature: text, userHandle: text.optional() }),
});
const makeForm = z.object({ ...about, response: z.object({ attestationObject: text, clientDataJSON: text }) });
const answerForm = z.object({ token: z.string().max(200) });
const keyForm = z.string().regex(/^[\w-]{24}$/);

type Parts = RouteParts & {
  publicUrl: URL;
  openOne: (id: string) => Promise<StepUp | undefined>;
  letIn: (reply: FastifyReply, stepUp: StepUp, proof: Proof) => string | undefined;
  isOurs: (request: FastifyRequest) => boolean;
  signInToConfirm: (reply: FastifyReply, key: string) => Promise<FastifyReply>;
};
type ById = FastifyRequest<{ Params: { id: string } }>;
type ByKey = FastifyRequest<{ Params: { key: string } }>;

/** Passkeys: made by whoever is signed in for a prompt, confirmed by somebody else, used to sign in for prompts. */
export function addPasskeyRoutes(scope: FastifyInstance, parts: Parts): void {
  const { db, clock, logger, visits, passkeys, publicUrl, openOne, letIn, isOurs } = parts;
  /** What is signed for: the prompt, and all that it is bound to. */
  const signedFor = ({ id, binding }: StepUp) => `${id} ${binding}`;
  const refuse = (reply: FastifyReply, status: number, reason: string, message: string) =>
    sendJson(reply, status, errorBody(reason, message));

  /** A request of the page's own script, for a prompt that is open. */
  const withPrompt =
    (work: (stepUp: StepUp, request: ById, reply: FastifyReply) => Promise<FastifyReply>) =>
    async (request: ById, reply: FastifyReply) => {
      if (request.headers.origin === undefined || !isOurs(request))
        return refuse(reply, 403, 'not-from-this-page', 'This did not come from the page that asks for it.');
      const stepUp = await openOne(request.params.id);
      if (stepUp === undefined) return refuse(reply, 410, 'gone', gone[1]);
      try {
        return await work(stepUp, request, reply);
      } catch (error) {
        if (!(error instanceof SignInRefusedError)) throw error;
        logger.warn({ stepUp: stepUp.id, reason: error.reason }, 'a passkey counts for nothing');
        return refuse(reply, 403, error.reason, error.message);
      }
    };
  const challengeOf = (request: FastifyRequest, reply: FastifyReply, kind: string): Challenge => {
    const kept = visits.take(request, reply, kind) as Challenge | undefined;
    if (kept === undefined) throw new SignInRefusedError('no-challenge', 'This took too long: open the link again.');
    return kept;
  };
  const ownerOf = ({ shown, workspace }: StepUp, { account }: Proof) => ({
    instance: shown.instance,
    account,
    workspace,
  });

  scope.post(
    '/step-up/:id/passkey/use/options',
    withPrompt(async (stepUp, _, reply) => {
      const { options, challenge } = await passkeys.askUse(signedFor(stepUp));
      visits.keep(reply, 'passkey-use', challenge, challengeMs);
      return sendJson(reply, 200, options);
    }),
  );
  scope.post(
    '/step-up/:id/passkey/use',
    withPrompt(async (stepUp, request, reply) => {
      const challenge = challengeOf(request, reply, 'passkey-use');
      const response = readBy(useForm, request.body) as AuthenticationResponseJSON;
      const { id, accountId, accountName } = await passkeys.use(
        signedFor(stepUp),
        stepUp.shown.instance,
        challenge,
        response,
      );
      const account = { id: accountId, name: accountName };
      const provedAtMs = clock.nowMs();
      const fault = letIn(reply, stepUp, {
        ...{ account, method: 'passkey', isPhishingResistant: true, provedAtMs, restsOn: id },
      });
      if (fault !== undefined) return refuse(reply, 403, 'not-asked', fault);
      return sendJson(reply, 200, { to: `/step-up/${stepUp.id}` });
    }),
  );

  scope.get('/step-up/:id/passkey', async (request: ById, reply) => {
    const stepUp = await openOne(request.params.id);
    if (stepUp === undefined) return say(reply, 410, ...gone);
    const held = await visits.current(request, stepUp.id);
    if (held === undefined) return redirect(reply, `/step-up/${stepUp.id}`);
    return send(reply, 200, makePasskeyPage(stepUp.id, held.session.proof.account.name));
  });
  scope.post(
    '/step-up/:id/passkey/make/options',
    withPrompt(async (stepUp, request, reply) => {
      const held = await visits.current(request, stepUp.id);
      if (held === undefined) return refuse(reply, 401, 'not-signed-in', 'Sign in again: you are not any more.');
      const { options, challenge } = await passkeys.askMake(signedFor(stepUp), ownerOf(stepUp, held.session.proof));
      visits.keep(reply, 'passkey-make', challenge, challengeMs);
      return sendJson(reply, 200, options);
    }),
  );
  scope.post(
    '/step-up/:id/passkey/make',
    withPrompt(async (stepUp, request, reply) => {
      const held = await visits.current(request, stepUp.id);
      if (held === undefined) return refuse(reply, 401, 'not-signed-in', 'Sign in again: you are not any more.');
      const challenge = challengeOf(request, reply, 'passkey-make');
      const owner = ownerOf(stepUp, held.session.proof);
      const key = await passkeys.make(signedFor(stepUp), owner, challenge, readBy(makeForm, request.body));
      logger.info({ account: owner.account.id }, 'a passkey was made, and waits for somebody else to confirm it');
      return sendJson(reply, 200, { to: `/step-up/made/${key}` });
    }),
  );
  scope.get('/step-up/made/:key', async (request: ByKey, reply) => {
    const passkey = await waiting(request.params.key);
    if (passkey === undefined) return say(reply, 410, ...noPasskey);
    return send(reply, 200, passkeyMadePage(new URL(`/step-up/confirm/${request.params.key}`, publicUrl).href));
  });

  scope.get('/step-up/confirm/:key', async (request: ByKey, reply) => {
    const { key } = request.params;
    const passkey = await waiting(key);
    if (passkey === undefined) return say(reply, 410, ...noPasskey);
    const held = await visits.current(request, `${confirming}${key}`);
    if (held === undefined) return send(reply, 200, confirmSignInPage(key));
    const { account } = held.session.proof;
    if (account.id === passkey.accountId) return say(reply, 403, ...somebodyElse);
    const shown = { owner: passkey.accountName, madeAt: passkey.madeAt, as: account.name, formToken: held.formToken };
    return send(reply, 200, confirmPage(key, shown));
  });
  scope.get('/step-up/confirm/:key/sign-in', async (request: ByKey, reply) => {
    if ((await waiting(request.params.key)) === undefined) return say(reply, 410, ...noPasskey);
    return parts.signInToConfirm(reply, request.params.key);
  });
  const decide = async (request: ByKey, reply: FastifyReply, isTheirs: boolean) => {
    const { key } = request.params;
    const held = await visits.current(request, `${confirming}${key}`);
    const again = { path: `/step-up/confirm/${key}`, label: 'Open it again' };
    if (held === undefined) return say(reply, 401, 'Sign in again', 'You are not signed in any more.', again);
    const sent = answerForm.safeParse(request.body);
    if (!sent.success || !isOurs(request) || !isSame(sent.data.token, held.formToken))
      return say(reply, 403, 'Not from this page', 'The answer did not come from the page that asks for it.', again);
    const by = held.session.proof.account;
    const passkey = await waiting(key);
    if (passkey?.accountId === by.id) return say(reply, 403, ...somebodyElse);
    const nowMs = clock.nowMs();
    const isTaken = await decidePasskey(db, key, { isTheirs, by, nowMs }, (one, isFirst) =>
      parts.append([eventOfPasskey(one, by, isFirst, nowMs)]),
    );
    if (!isTaken) return say(reply, 410, ...noPasskey);
    logger.info({ account: passkey?.accountId, by: by.id, isTheirs }, 'somebody answered whose a passkey is');
    return isTheirs
      ? say(reply, 200, 'Confirmed', 'The passkey counts from now on.')
      : say(
          reply,
          200,
          'Not theirs',
          'The passkey counts for nothing. Tell whoever runs Tripline: somebody signed in as them.',
        );
  };
  scope.post('/step-up/confirm/:key/yes', (request: ByKey, reply) => decide(request, reply, true));
  scope.post('/step-up/confirm/:key/no', (request: ByKey, reply) => decide(request, reply, false));

  const waiting = async (key: string) =>
    keyForm.safeParse(key).success ? readWaiting(db, key, clock.nowMs()) : undefined;
}

function readBy<T>(form: z.ZodType<T>, body: unknown): T {
  const read = form.safeParse(body);
  if (!read.success) throw new SignInRefusedError('not-understood', 'This is not what a passkey answers.');
  return read.data;
}

const noPasskey = ['Nothing to confirm here', 'It was answered, is more than a day old, or never was.'] as const;
const somebodyElse = ['Somebody else must confirm it', 'Nobody confirms a passkey of their own.'] as const;
