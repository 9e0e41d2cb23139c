import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { promptPage, signInPage } from './pages/step-up-page.ts';
import { eventOfAnswer } from './step-up-events.ts';
import { addLinkRoutes } from './step-up-link-routes.ts';
import { confirming, linking, type RouteParts } from './step-up-parts.ts';
import { addPasskeyRoutes } from './step-up-passkey-routes.ts';
import { gone, redirect, say, send } from './step-up-reply.ts';
import { isSame, type Session } from './step-up-session.ts';
import { ProviderAwayError, SignInRefusedError, type SignInState } from './step-up-sign-in.ts';
import { accountOf } from './step-up-who.ts';
import { type Answer, answerPrompt, type Proof, readPrompt, type StepUp } from './store/approvals.ts';

/** A form has a token and a number; what a passkey says has some kilobytes. */
const bodyLimitBytes = 16 * 1024;
/** How long somebody may take at the provider, ms. */
const signInMs = 10 * 60_000;

const idForm = z.string().regex(/^[\w-]{24}$/);
const form = z.object({ token: z.string().max(200), number: z.string().max(20).default('') });

type ById = FastifyRequest<{ Params: { id: string } }>;

/** The pages on which somebody stands for a run, or says that it was not they. */
export function createStepUpRoutes(parts: RouteParts): (app: FastifyInstance) => void {
  const { settings, db, clock, logger, visits, signIn, take } = parts;
  const publicUrl = new URL(settings.publicUrl);
  let links: ReturnType<typeof addLinkRoutes>;

  async function show(request: ById, reply: FastifyReply) {
    const stepUp = await openOne(request.params.id);
    if (stepUp === undefined) return say(reply, 410, ...gone);
    const held = await visits.current(request, stepUp.id);
    if (held === undefined) return send(reply, 200, signInPage(stepUp.id));
    return showPrompt(reply, 200, stepUp, held);
  }

  async function beginSignIn(request: ById, reply: FastifyReply) {
    const stepUp = await openOne(request.params.id);
    if (stepUp === undefined) return say(reply, 410, ...gone);
    return goToProvider(reply, stepUp.id, stepUp.shown.phishingResistant);
  }

  async function goToProvider(reply: FastifyReply, of: string, wantsResistant: boolean) {
    const { url, state } = await signIn.begin(of, wantsResistant);
    visits.keep(reply, 'sign-in', state, signInMs);
    return redirect(reply, url);
  }

  async function finishSignIn(request: FastifyRequest, reply: FastifyReply) {
    const state = visits.take(request, reply, 'sign-in') as SignInState | undefined;
    if (state === undefined) {
      const what = 'This browser began no sign-in, or took too long. Open the link once more.';
      return say(reply, 400, 'Begin again', what);
    }
    const signedIn = await signIn.finish(new URL(request.url, publicUrl).searchParams, state);
    const known = await accountOf(settings, db, signedIn);
    if (known === undefined) {
      const offered = state.of.includes(':') ? undefined : links.offer(reply, state.of, signedIn);
      if (offered !== undefined) return offered;
      logger.warn('somebody signed in for a step-up whom no account is linked with');
      const what = `The provider knows you, and nobody told Tripline which GitHub account is yours. Have it added as broker.stepUp.people: subject ${signedIn.subject}.`;
      return say(reply, 403, 'Who are you at GitHub?', what);
    }
    const { isPhishingResistant, provedAtMs } = signedIn;
    const { restsOn, ...account } = known;
    const proof: Proof = { account, method: 'oidc', isPhishingResistant, provedAtMs, restsOn };
    for (const [kind, path] of [
      [confirming, 'confirm'],
      [linking, 'links'],
    ] as const) {
      if (!state.of.startsWith(kind)) continue;
      visits.begin(reply, { of: state.of, proof });
      return redirect(reply, `/step-up/${path}/${state.of.slice(kind.length)}`);
    }
    const stepUp = await openOne(state.of);
    if (stepUp === undefined) return say(reply, 410, ...gone);
    const fault = letIn(reply, stepUp, proof);
    return fault === undefined ? redirect(reply, `/step-up/${stepUp.id}`) : say(reply, 403, 'You are not asked', fault);
  }

  /** Lets in whoever is asked. @returns what to say to others. */
  function letIn(reply: FastifyReply, { id, shown: { asked } }: StepUp, proof: Proof): string | undefined {
    const { account } = proof;
    const self = asked.people.find((one) => one.id === account.id);
    if (self === undefined) {
      logger.warn({ stepUp: id, account: account.id }, 'somebody signed in for a run that others are asked about');
      const whom = asked.people.map(({ name }) => name).join(', ');
      return `You are ${account.name}; asked is ${whom}, and nobody else can answer.`;
    }
    visits.begin(reply, { of: id, proof: { ...proof, account: self } });
    return undefined;
  }

  async function answer(request: ById, reply: FastifyReply, is: Answer['is']) {
    const stepUp = await openOne(request.params.id);
    if (stepUp === undefined) return say(reply, 410, ...gone);
    const held = await visits.current(request, stepUp.id);
    const again = { path: `/step-up/${stepUp.id}`, label: 'Open it again' };
    if (held === undefined)
      return say(reply, 401, 'Sign in again', 'You are not signed in for this run, or not any more.', again);
    const sent = form.safeParse(request.body);
    if (!sent.success || !isOurs(request) || !isSame(sent.data.token, held.formToken))
      return say(reply, 403, 'Not from this page', 'The answer did not come from the page that asks for it.', again);
    const { proof } = held.session;
    if (is === 'approved' && !isStrongEnough(stepUp, proof)) return showPrompt(reply, 403, stepUp, held);
    const given: Answer = is === 'approved' ? { is, number: sent.data.number.trim() } : { is };
    const nowMs = clock.nowMs();
    const answered = await answerPrompt(db, stepUp.id, given, proof, {
      nowMs,
      record: (one) => parts.append([eventOfAnswer(one, is, proof, nowMs)]),
    });
    if (answered === 'wrong-number') {
      const note =
        'That is not the number that stands beside the link. If you do not see one, say that it was not you.';
      return showPrompt(reply, 422, stepUp, held, note);
    }
    if (answered === 'closed')
      return say(reply, 410, 'Closed', 'The number was wrong three times. The job asks again, with another one.');
    if (answered === 'late') return say(reply, 410, ...gone);
    parts.answered(is, Math.max(0, nowMs - stepUp.askedAt.getTime()) / 1000);
    logger.info({ stepUp: stepUp.id, account: proof.account.id, answer: is }, 'a second factor was answered');
    if ('request' in stepUp.shown) return say(reply, 200, ...saidOfRequest[is]);
    if (is === 'approved')
      return say(reply, 200, 'You stand for this run', 'The job goes on by itself. You can close this page.');
    return say(reply, 200, 'Denied', 'The run gets nothing, and an incident says that it was not you.');
  }

  /** Browsers say from which site a form or a script sends. */
  const isOurs = ({ headers: { origin } }: FastifyRequest) => origin === undefined || origin === publicUrl.origin;

  async function openOne(id: string): Promise<StepUp | undefined> {
    const stepUp = idForm.safeParse(id).success ? await readPrompt(db, id) : undefined;
    return stepUp?.state === 'open' && stepUp.expiresAt.getTime() > clock.nowMs() ? stepUp : undefined;
  }

  function showPrompt(
    reply: FastifyReply,
    status: number,
    stepUp: StepUp,
    { session: { proof }, formToken }: { session: Session; formToken: string },
    note?: string,
  ) {
    const as = { account: proof.account, isStrongEnough: isStrongEnough(stepUp, proof), formToken, note };
    return send(reply, status, promptPage(stepUp.id, stepUp.shown, as));
  }

  return (app) => {
    app.register(async (scope) => {
      // Whoever asks has proved nothing yet: Fastify's own parsers would take a megabyte of them.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser(
        'application/json',
        { parseAs: 'string', bodyLimit: bodyLimitBytes },
        scope.getDefaultJsonParser('error', 'error'),
      );
      scope.addContentTypeParser(
        'application/x-www-form-urlencoded',
        { parseAs: 'string', bodyLimit: bodyLimitBytes },
        (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(body as string))),
      );
      scope.addHook('onRequest', async (request, reply) => {
        const allowed = take(request.raw);
        if (allowed.ok) return undefined;
        reply.header('retry-after', allowed.retryAfterS);
        return say(reply, 429, 'Too often', `Try again in ${allowed.retryAfterS} s.`);
      });
      scope.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
        if (error instanceof SignInRefusedError) {
          logger.warn({ reason: error.reason }, 'a sign-in for a run counts for nothing');
          return say(reply, 403, 'The sign-in does not count', error.message);
        }
        const status = error.statusCode ?? 503;
        if (status < 500) return say(reply, status, 'Not understood', 'The request is not one that this page sends.');
        const isAway = error instanceof ProviderAwayError;
        logger.error(
          { name: error.name, ...(isAway ? { fault: error.message } : {}) },
          'a page of a step-up failed; answered 503',
        );
        return say(
          reply,
          503,
          'Not now',
          'Tripline cannot do this now; its log says why. Nothing was approved. Try again.',
        );
      });
      scope.get('/step-up/:id', show);
      scope.get('/step-up/:id/sign-in', beginSignIn);
      scope.get('/step-up/callback', finishSignIn);
      scope.post('/step-up/:id/approve', (request: ById, reply) => answer(request, reply, 'approved'));
      scope.post('/step-up/:id/refuse', (request: ById, reply) => answer(request, reply, 'refused'));
      links = addLinkRoutes(scope, {
        ...{ ...parts, publicUrl, openOne, isOurs },
        signInToConfirm: (reply, of) => goToProvider(reply, of, false),
      });
      addPasskeyRoutes(scope, {
        ...{ ...parts, publicUrl, openOne, letIn, isOurs },
        signInToConfirm: (reply, key) => goToProvider(reply, `${confirming}${key}`, false),
      });
    });
  };
}

const saidOfRequest: Record<Answer['is'], [title: string, message: string]> = {
  approved: ['They are given it', 'It ends by itself. You can close this page.'],
  refused: ['Denied', 'Nothing is given.'],
};
const isStrongEnough = ({ shown }: StepUp, { isPhishingResistant }: Proof): boolean =>
  isPhishingResistant || !shown.phishingResistant;
