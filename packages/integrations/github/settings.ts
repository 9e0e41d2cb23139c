import { type EnvironmentSetting, httpUrl, secret } from '@tripline/runtime/setting';
import { githubAppFeedSettings, githubFeedSettings } from '@tripline/sources/github/settings';
import { enterpriseName } from '@tripline/sources/github-audit/settings';
import { z } from 'zod';

const hook = z.strictObject({
  organization: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/, 'must be the login of an organisation')
    .describe('Login of the organisation.'),
  id: z.coerce
    .string()
    .regex(/^\d{1,20}$/, 'must be the numeric id of its webhook')
    .describe('Id of its webhook: the number in the address of its settings page.'),
});

/** What `github` of tripline.yaml says of calls to GitHub. */
const githubClientSettings = {
  apiUrl: httpUrl.default('https://api.github.com').describe('REST API; another one for GitHub Enterprise Server.'),
  token: secret
    .optional()
    .describe('A token that may only read, for the first import and look-ups when no App is configured.'),
  enterprise: enterpriseName
    .optional()
    .describe(
      'Short name of the enterprise that the App is installed on too, with enterprise_organization_installations: write. With it apps are uninstalled from its organisations; else a person does it.',
    ),
  hooks: z
    .array(hook)
    .default([])
    .describe(
      "Organisation webhooks whose failed deliveries are requested again; the App's own webhook is always covered.",
    ),
  hookToken: secret
    .optional()
    .describe(
      'A classic token with admin:org_hook, for `hooks` alone. Absent: the App does it, with organization_hooks: write.',
    ),
};

/** What `github.app` says of calls to GitHub. */
const githubAppClientSettings = {
  id: z.coerce
    .string()
    .regex(/^\d+$/, 'must be the numeric App ID')
    .describe('Id of the GitHub App that imports, looks up and remediates.'),
  privateKey: secret.describe("The App's private key, PEM."),
};

/** `github` of tripline.yaml: of the feed that delivers, and of the provider that is called. */
export const githubSettings = z
  .strictObject({
    ...githubFeedSettings,
    ...githubClientSettings,
    app: z.strictObject({ ...githubAppClientSettings, ...githubAppFeedSettings }).optional(),
  })
  .superRefine(checkGithubClient);

/** Checks of `github` that span several fields. */
function checkGithubClient(
  { hooks, hookToken, app }: { hooks: readonly object[]; hookToken?: string | undefined; app?: object | undefined },
  context: z.RefinementCtx,
): void {
  const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  if (hooks.length > 0 && hookToken === undefined && app === undefined)
    fault('hooks', 'nothing may ask for their deliveries: configure github.app or github.hookToken');
  if (hooks.length === 0 && hookToken !== undefined) fault('hookToken', 'name the webhooks that it is for under hooks');
}

export const githubClientEnvironment: readonly EnvironmentSetting[] = [
  { name: 'TRIPLINE_GITHUB_API_URL', path: 'github.apiUrl' },
  { name: 'TRIPLINE_GITHUB_TOKEN', path: 'github.token', secret: true },
  { name: 'TRIPLINE_GITHUB_ENTERPRISE', path: 'github.enterprise' },
  { name: 'TRIPLINE_GITHUB_APP_ID', path: 'github.app.id' },
  { name: 'TRIPLINE_GITHUB_APP_PRIVATE_KEY', path: 'github.app.privateKey', secret: true },
  { name: 'TRIPLINE_GITHUB_HOOK_TOKEN', path: 'github.hookToken', secret: true },
];
