import { describeGive } from '@tripline/access/diff';
import type { Known } from '@tripline/access/known';
import type { LockFile } from '@tripline/access/lock';
import type { Policy } from '@tripline/access/policy';
import { whoStands } from '@tripline/access/who-stands';
import type { GitHubJob } from '@tripline/identity/workload';
import { createWebSignIn, type WebSignIn } from '@tripline/integrations/github/web-sign-in';
import type { FastifyInstance } from 'fastify';
import type { RouteParts } from './step-up-parts.ts';
import { createPasskeys } from './step-up-passkey.ts';
import { createStepUpRoutes } from './step-up-routes.ts';
import { createSealer, createVisits } from './step-up-session.ts';
import { createSignIn } from './step-up-sign-in.ts';
import { isProof, openPrompt, readApproval, readLastSha, type ShownRun, type StandsFor } from './store/approvals.ts';

/** A job that a policy wants somebody to stand for. `instance`: host of its GitHub; `run`: key of its attempt (keys.ts). */
export type ToStandFor = {
  workspace: string;
  run: string;
  instance: string;
  job: Pick<GitHubJob, 'provider' | 'repository' | 'run' | 'sha' | 'ref' | 'event' | 'environment' | 'actor'> &
    Parameters<typeof whoStands>[1];
  policyName: string;
  policy: Policy;
  lock: LockFile;
};

/**
 * What the job is told. `number`: to be printed beside the link, and typed on the page. `waits`: no prompt can be opened yet;
 * `why` says for what.
 */
export type PromptLink = { state: 'open'; id: string; url: string; number: string } | { state: 'waits'; why: string };

export type StepUps = {
  /** Asks whoever the policy names to stand for the run. Asked again for the same, it is the same prompt. */
  open: (of: ToStandFor) => Promise<PromptLink>;
  /** Who stands for exactly this run, attempt, commit, environment and policy. */
  approvalFor: (of: StandsFor) => Promise<Known['approval']>;
  /** Adds the pages under `/step-up`. Call before `listen`. */
  routes: (app: FastifyInstance) => void;
};

export type StepUpParts = Omit<RouteParts, 'visits' | 'signIn' | 'passkeys' | 'atGitHub'> & {
  /** GitHub's REST API, which says whose account it is. */
  githubApiUrl: string;

  /** broker.sealingKeys: keys of sessions are derived of them. */
  sealingKeys: readonly string[];
  /** Calls the address it was made for, and nothing else. */
  openOutbound: (url: string) => typeof globalThis.fetch;
};

/** How people prove a second factor for a run: prompts, and the pages on which they are answered. */
export function createStepUps(parts: StepUpParts): StepUps {
  const { settings, sealingKeys, db, clock, openOutbound } = parts;
  const nowMs = () => clock.nowMs();
  const publicUrl = new URL(settings.publicUrl);
  const isSecure = publicUrl.protocol === 'https:';
  const visits = createVisits({
    ...{ sealer: createSealer(sealingKeys), nowMs, isSecure },
    isProof: (proof) => isProof(db, proof),
  });
  const passkeys = createPasskeys({ db, publicUrl, nowMs });
  const signIn = createSignIn(settings, {
    fetch: fetchAt([settings.oidc.issuer, ...settings.oidc.alsoAt], openOutbound),
    nowMs,
  });
  return {
    async open({ workspace, run, instance, job, policyName, policy, lock }) {
      const { mfa } = policy.needs;
      if (mfa === undefined) throw new Error(`policy ${policyName} asks for no second factor`);
      if (instance !== settings.instance)
        return { state: 'waits', why: `broker.stepUp knows the accounts of ${settings.instance}, not of ${instance}` };
      const of = standsFor({ workspace, run, job, policyName, policy });
      const shown: ShownRun = {
        ...{ repository: job.repository, run: job.run, sha: job.sha, ref: job.ref, event: job.event, instance },
        ...{ environment: job.environment, actor: job.actor, policy: policyName, tier: policy.tier },
        gives: policy.give.map(describeGive),
        lastSha: await readLastSha(db, of, job.repository.id),
        asked: whoStands(mfa, job, lock),
        phishingResistant: mfa.phishingResistant,
      };
      const linkTo = (id: string) => new URL(`/step-up/${id}`, settings.publicUrl).href;
      const opened = await openPrompt(db, of, shown, { nowMs: clock.nowMs(), linkTo });
      if (opened.state === 'waits')
        return { state: 'waits', why: `whoever is asked has to answer for ${opened.for} first` };
      if (opened.state === 'unanswered')
        return {
          state: 'waits',
          why: `nobody answered ${opened.prompts} times, and nobody is asked for this attempt any more: run it again`,
        };
      return { ...opened, url: linkTo(opened.id) };
    },
    approvalFor: (of) => readApproval(db, of, clock.nowMs()),
    routes: createStepUpRoutes({ ...parts, visits, signIn, passkeys, atGitHub: openWebSignIn(parts) }),
  };
}

function openWebSignIn({ settings, githubApiUrl, logger }: StepUpParts): WebSignIn | undefined {
  const { github, instance, publicUrl } = settings;
  if (github === undefined) return undefined;
  const { clientId, clientSecret, url = `https://${instance}` } = github;
  return createWebSignIn(
    {
      url,
      apiUrl: githubApiUrl,
      clientId,
      clientSecret,
      redirectUri: new URL('/step-up/callback/github', publicUrl).href,
    },
    {
      onLeftAlive: (reason) =>
        logger.error(
          { reason },
          'revoking a token of a sign-in at GitHub failed; it may read who somebody is until they end it',
        ),
    },
  );
}

/** What an approval for a job is of. */
export function standsFor({
  workspace,
  run,
  job,
  policyName,
  policy,
}: Pick<ToStandFor, 'workspace' | 'run' | 'policyName' | 'policy'> & {
  job: Pick<GitHubJob, 'sha' | 'environment'>;
}): StandsFor {
  const { sha, environment } = job;
  return { workspace, run, sha, environment, policy: { name: policyName, give: policy.give, mfa: policy.needs.mfa } };
}

/** Calls these origins alone, each by an outbound of its own: addresses that the provider names elsewhere are refused. */
function fetchAt(urls: readonly string[], openOutbound: StepUpParts['openOutbound']): typeof globalThis.fetch {
  const byOrigin = new Map(urls.map((url) => [new URL(url).origin, openOutbound(new URL(url).origin)]));
  return (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const call = byOrigin.get(new URL(url).origin);
    if (call === undefined)
      return Promise.reject(
        new Error(`${new URL(url).origin} is not the issuer’s own address: name it as broker.stepUp.oidc.alsoAt`),
      );
    return call(input, init);
  };
}
