import type { Intent } from '@tripline/contracts/response';
import { createWorkspaces, type Workspaces } from '@tripline/sources/workspace';
import {
  type Access,
  NoAccess,
  type Owner,
  type Provider,
  type ProviderOptions,
  type Resolved,
  type Step,
} from '../provider.ts';
import { type Action, askWhetherSameRepository, identify, known, organizationId } from './actions/action.ts';
import { type GitHubApp, NoTokenError, ownInstallationOn, withAppToken } from './app-token.ts';
import { wordsFor } from './by-hand.ts';
import { describeRequest, type GitHubClient } from './client.ts';
import { checkGitHub } from './doctor.ts';
import { instanceOf } from './instance.ts';
import { actionOf } from './resolve.ts';
import { revokeByValue } from './revoke-by-value.ts';

/** The settings that GitHub's provider reads. */
type Needs = {
  github: {
    apiUrl: string;
    app?: { id: string; privateKey: string } | undefined;
    token?: string | undefined;
    enterprise?: string | undefined;
  };
} & Parameters<typeof createWorkspaces>[0];

/** GitHub as a provider of responses. What it can do: README.md. */
export const github: Provider<Needs> = {
  open(config, options) {
    const { apiUrl, app } = config.github;
    const opened: Opened = {
      ...{ config, options, instance: instanceOf(apiUrl), workspaces: createWorkspaces(config) },
      app: app && { ...app, apiUrl, fetch: options.fetch },
    };
    return { resolve: (intent) => resolve(intent, opened) };
  },
  doctor: checkGitHub,
};

type Opened = {
  config: Needs;
  options: ProviderOptions;
  /** Host of the GitHub that is configured. */
  instance: string;
  workspaces: Pick<Workspaces, 'of'>;
  app: GitHubApp | undefined;
};

function resolve(intent: Intent, opened: Opened): Resolved {
  if (intent.instance !== opened.instance) {
    const why = `Tripline is set up for ${opened.instance} (github.apiUrl), not for ${intent.instance}`;
    return { byHand: `${why}. ${wordsFor(intent)}`.slice(0, 1000) };
  }
  const action = actionOf(intent, opened.config.github.enterprise);
  return action === undefined ? { byHand: wordsFor(intent).slice(0, 1000) } : stepOf(action, intent, opened);
}

function stepOf(action: Action, intent: Intent, opened: Opened): Step {
  const { app, options } = opened;
  const scope = action.scope(intent);
  return {
    code: action.code,
    undo: action.undo(intent),
    targets: action.targets(intent),
    request: describeRequest(action.request(intent)),
    notReady: app === undefined ? 'No GitHub App is configured (github.app)' : null,
    ownerIn: (workspace) => ownerIn(workspace, scope.owner, opened),
    async withAccess(work) {
      const { clock, onLeftAlive } = options;
      try {
        // The guard refuses steps that are not ready.
        return await withAppToken(app!, scope, (client) => work(accessOf(action, intent, client, opened)), {
          ...{ manner: 'once', nowMs: clock.nowMs, onLeftAlive },
        });
      } catch (error) {
        throw error instanceof NoTokenError ? new NoAccess(error.outcome) : error;
      }
    },
  };
}

function accessOf(action: Action, intent: Intent, client: GitHubClient, { options, app, config }: Opened): Access {
  const { clock, fetch } = options;
  const asking = {
    ...{ client, clock, appId: app?.id },
    ownInstallationOn: (organization: string) => known(clock, () => ownInstallationOn(app!, organization)),
  };
  const { apiUrl } = config.github;
  /** By present names, once GitHub was asked. */
  let now = intent;
  return {
    async ask() {
      const answer = (await askWhetherSameRepository(intent, asking)) ?? (await action.ask(intent, asking));
      if (answer.result === 'so' && answer.now !== undefined) now = answer.now;
      return answer;
    },
    targets: () => action.targets(now),
    act: (gate) =>
      action.act(now, {
        ...asking,
        gate,
        revokeByValue: (tokens) => revokeByValue({ ...{ apiUrl, tokens, clock }, ...(fetch && { fetch }) }),
      }),
    check: () => action.check(now, { client }),
    ownerId: () => known(clock, () => organizationId(client, action.scope(intent).owner)),
    identify: (people) => known(clock, () => identify(client, people)),
  };
}

/** A renamed organisation is recognised by its id, which GitHub is asked for. */
function ownerIn(workspace: string, name: string, { config, workspaces }: Opened): Owner {
  const home = workspaces.of(name);
  const remedy = 'if it was renamed, name it under workspaces[].github.organizations, with its id';
  if (home !== undefined) return { name, isOurs: home === workspace, remedy };
  const { organizations = [] } = config.workspaces.find(({ id }) => id === workspace)?.github ?? {};
  const ids = organizations.flatMap(({ id }) => id ?? []);
  return ids.length > 0 ? { name, isOurs: true, ids, remedy } : { name, isOurs: false, remedy };
}
