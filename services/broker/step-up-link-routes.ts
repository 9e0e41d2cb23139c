import { createHash, randomBytes } from 'node:crypto';
import { type GitHubPerson, type WebSignIn, WebSignInError } from '@tripline/integrations/github/web-sign-in';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { confirmLinkPage, linkMadePage, linkPage, linkSignInPage, whoPage } from './pages/link-page.ts';
import { eventOfLink } from './step-up-events.ts';
import { linking, type RouteParts } from './step-up-parts.ts';
import { gone, redirect, say, send } from './step-up-reply.ts';
import { isSame } from './step-up-session.ts';
import { ProviderAwayError, type SignedIn, SignInRefusedError } from './step-up-sign-in.ts';
import type { Proof, StepUp } from './store/approvals.ts';
import { decideLink, keepLink, type Link, readWaitingLink } from './store/links.ts';

/** How long somebody may take at GitHub, ms. */
const awayMs = 10 * 60_000;
const keyForm = z.string().regex(/^[\w-]{24}$/);
const form = z.object({ token: z.string().max(200), number: z.string().max(20).default('') });

/** What a browser keeps: whom the provider proved, and on its way to GitHub by which state. */
type Subject = { of: string; subject: string; subjectName: string | null };
type Away = { of: string; state: string; verifier: string };

type Parts = RouteParts & {
  publicUrl: URL;
  openOne: (id: string) => Promise<StepUp | undefined>;
  isOurs: (request: FastifyRequest) => boolean;
  signInToConfirm: (reply: FastifyReply, of: string) => Promise<FastifyReply>;
};
type ById = FastifyRequest<{ Params: { id: string } }>;
type ByKey = FastifyRequest<{ Params: { key: string } }>;

/**
 * Who is whom, shown by signing in at both in one browser, and confirmed by somebody else whom Tripline knows. It is begun from a
 * prompt, whose people alone may be linked: to nobody else is a page of it open.
 */
export function addLinkRoutes(scope: FastifyInstance, parts: Parts) {
  const { db, clock, logger, visits, settings, publicUrl, atGitHub, openOne, isOurs } = parts;
  const known = ({ subject, subjectName }: { subject: string; subjectName: string | null }) =>
    subjectName === null ? subject : `${subjectName} (${subject})`;

  /** Whoever signed in is nobody yet. Undefined where they cannot show who they are. */
  function offer(reply: FastifyReply, of: string, signedIn: SignedIn): FastifyReply | undefined {
    if (atGitHub === undefined) return undefined;
    const { subject, claims } = signedIn;
    const said = { of, subject, subjectName: nameIn(claims) };
    visits.keep(reply, 'subject', said satisfies Subject, awayMs);
    return send(reply, 200, whoPage(of, known(said)));
  }

  scope.get('/step-up/:id/link', async (request: ById, reply) => {
    const stepUp = await openOne(request.params.id);
    if (stepUp === undefined || atGitHub === undefined) return say(reply, 410, ...gone);
    const said = visits.look(request, 'subject') as Subject | undefined;
    if (said?.of !== stepUp.id) return redirect(reply, `/step-up/${stepUp.id}`);
    const held = await visits.current(request, `${linking}${stepUp.id}`);
    if (held !== undefined) {
      const { id: accountId, name: login } = held.session.proof.account;
      return send(
        reply,
        200,
        linkPage(stepUp.id, { subject: known(said), login, accountId, formToken: held.formToken }),
      );
    }
    const [state, verifier] = [randomBytes(24).toString('base64url'), randomBytes(32).toString('base64url')];
    visits.keep(reply, 'github', { of: stepUp.id, state, verifier } satisfies Away, awayMs);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    return redirect(reply, atGitHub.addressFor({ state, challenge }));
  });

  scope.get('/step-up/callback/github', async (request, reply) => {
    const away = visits.take(request, reply, 'github') as Away | undefined;
    const query = new URL(request.url, publicUrl).searchParams;
    const [code, state] = ['code', 'state'].map((name) => query.getAll(name));
    if (away === undefined || atGitHub === undefined || state?.length !== 1 || !isSame(state[0]!, away.state))
      return say(
        reply,
        400,
        'Begin again',
        'This browser did not go to GitHub from here, or took too long. Open the link once more.',
      );
    const stepUp = await openOne(away.of);
    const said = visits.look(request, 'subject') as Subject | undefined;
    if (stepUp === undefined || said?.of !== stepUp.id) return say(reply, 410, ...gone);
    if (code?.length !== 1)
      throw new SignInRefusedError('github-declined', 'GitHub did not let you sign in. Open the link once more.');
    const person = await personOf(atGitHub, { code: code[0]!, verifier: away.verifier });
    const { asked } = stepUp.shown;
    if (!asked.people.some(({ id }) => id === person.id)) {
      logger.warn({ stepUp: stepUp.id, account: person.id }, 'somebody showed an account that is not asked');
      return say(
        reply,
        403,
        'You are not asked',
        `At GitHub you are ${person.login}; asked is ${asked.people.map(({ name }) => name).join(', ')}.`,
      );
    }
    if (settings.people.some(({ account }) => account === person.id)) return say(reply, 403, ...named);
    const proof: Proof = {
      ...{ account: { id: person.id, name: person.login }, method: 'oidc', isPhishingResistant: false },
      ...{ provedAtMs: clock.nowMs(), restsOn: null },
    };
    visits.begin(reply, { of: `${linking}${stepUp.id}`, proof });
    return redirect(reply, `/step-up/${stepUp.id}/link`);
  });

  scope.post('/step-up/:id/link', async (request: ById, reply) => {
    const stepUp = await openOne(request.params.id);
    if (stepUp === undefined) return say(reply, 410, ...gone);
    const again = { path: `/step-up/${stepUp.id}`, label: 'Open it again' };
    const held = await visits.current(request, `${linking}${stepUp.id}`);
    const said = visits.take(request, reply, 'subject') as Subject | undefined;
    if (held === undefined || said?.of !== stepUp.id)
      return say(reply, 401, 'Sign in again', 'You are not signed in at both any more.', again);
    const sent = form.safeParse(request.body);
    if (!sent.success || !isOurs(request) || !isSame(sent.data.token, held.formToken))
      return say(reply, 403, ...notOurs, again);
    const { account } = held.session.proof;
    const { subject, subjectName } = said;
    const sides = { instance: stepUp.shown.instance, account, issuer: settings.oidc.issuer, subject, subjectName };
    const kept = await keepLink(db, { ...sides, workspace: stepUp.workspace }, clock.nowMs());
    if (kept === undefined)
      return say(reply, 429, 'Too many wait', 'Ten links of this account wait to be confirmed. They end within a day.');
    logger.info(
      { account: account.id },
      'somebody showed which account is theirs, which waits for somebody else to confirm it',
    );
    return send(reply, 200, linkMadePage(new URL(`/step-up/links/${kept.confirmKey}`, publicUrl).href, kept.number));
  });

  const waiting = async (key: string) =>
    keyForm.safeParse(key).success ? readWaitingLink(db, key, clock.nowMs()) : undefined;
  const showLink = (
    reply: FastifyReply,
    status: number,
    key: string,
    link: Link,
    as: { name: string; formToken: string; note?: string },
  ) => {
    const { accountName: login, accountId, instance, madeAt } = link;
    const { name, ...more } = as;
    return send(
      reply,
      status,
      confirmLinkPage(key, { login, accountId, instance, madeAt, subject: known(link), as: name, ...more }),
    );
  };

  scope.get('/step-up/links/:key', async (request: ByKey, reply) => {
    const { key } = request.params;
    const link = await waiting(key);
    if (link === undefined) return say(reply, 410, ...noLink);
    const held = await visits.current(request, `${linking}${key}`);
    if (held === undefined) return send(reply, 200, linkSignInPage(key));
    const { account } = held.session.proof;
    if (account.id === link.accountId) return say(reply, 403, ...somebodyElse);
    return showLink(reply, 200, key, link, { name: account.name, formToken: held.formToken });
  });
  scope.get('/step-up/links/:key/sign-in', async (request: ByKey, reply) => {
    if ((await waiting(request.params.key)) === undefined) return say(reply, 410, ...noLink);
    return parts.signInToConfirm(reply, `${linking}${request.params.key}`);
  });
  const decide = async (request: ByKey, reply: FastifyReply, isTheirs: boolean) => {
    const { key } = request.params;
    const again = { path: `/step-up/links/${key}`, label: 'Open it again' };
    const held = await visits.current(request, `${linking}${key}`);
    if (held === undefined) return say(reply, 401, 'Sign in again', 'You are not signed in any more.', again);
    const sent = form.safeParse(request.body);
    if (!sent.success || !isOurs(request) || !isSame(sent.data.token, held.formToken))
      return say(reply, 403, ...notOurs, again);
    const by = held.session.proof.account;
    const link = await waiting(key);
    if (link === undefined) return say(reply, 410, ...noLink);
    if (link.accountId === by.id) return say(reply, 403, ...somebodyElse);
    const nowMs = clock.nowMs();
    const answer = isTheirs ? { isTheirs, number: sent.data.number.trim() } : { isTheirs };
    const decided = await decideLink(db, key, answer, { by, nowMs }, (one, isChanged) =>
      parts.append([eventOfLink(one, by, isChanged, nowMs)]),
    );
    if (decided === 'late') return say(reply, 410, ...noLink);
    if (decided === 'closed')
      return say(reply, 410, 'Closed', 'The number was wrong three times. Whoever it is has to begin again.');
    if (decided === 'wrong-number')
      return showLink(reply, 422, key, link, {
        name: by.name,
        formToken: held.formToken,
        note: 'That is not the number. If nobody told you one, say that they are not.',
      });
    logger.info({ account: link.accountId, by: by.id, isTheirs }, 'somebody answered who is whom');
    return isTheirs
      ? say(reply, 200, 'Confirmed', 'They can stand for runs from now on.')
      : say(reply, 200, 'Not them', 'It counts for nothing. Tell whoever runs Tripline: somebody signed in as them.');
  };
  scope.post('/step-up/links/:key/yes', (request: ByKey, reply) => decide(request, reply, true));
  scope.post('/step-up/links/:key/no', (request: ByKey, reply) => decide(request, reply, false));
  return { offer };
}

async function personOf(atGitHub: WebSignIn, of: { code: string; verifier: string }): Promise<GitHubPerson> {
  try {
    return await atGitHub.personOf(of);
  } catch (error) {
    if (!(error instanceof WebSignInError)) throw error;
    if (error.isAway) throw new ProviderAwayError(error.message);
    throw new SignInRefusedError('github-refused', `${error.message}. Open the link once more.`);
  }
}

/** As the provider calls somebody, for people to read. */
function nameIn(claims: Record<string, unknown>): string | null {
  const said = ['email', 'preferred_username', 'name']
    .map((name) => claims[name])
    .find((text) => typeof text === 'string' && text !== '');
  return typeof said === 'string' ? said.slice(0, 200) : null;
}

const noLink = ['Nothing to confirm here', 'It was answered, is more than a day old, or never was.'] as const;
const somebodyElse = ['Somebody else must confirm it', 'Nobody confirms who they are themselves.'] as const;
const notOurs = ['Not from this page', 'The answer did not come from the page that asks for it.'] as const;
const named = [
  'The settings say who this is',
  'The account stands in broker.stepUp.people with somebody else’s sign-in. Have it changed there.',
] as const;
