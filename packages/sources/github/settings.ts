import { type EnvironmentSetting, secretList } from '@tripline/runtime/setting';
import { z } from 'zod';

/** What `github` of tripline.yaml says of the feed: who may deliver, by which secrets. */
export const githubFeedSettings = {
  webhookSecrets: secretList
    .optional()
    .describe(
      'Secrets of the webhooks; several while one is being rotated. They are valid for any organisation but a drill; once a workspace has secrets of its own, for the workspaces that have none.',
    ),
};

/** What `github.app` says of the feed. */
export const githubAppFeedSettings = {
  webhookSecrets: secretList
    .optional()
    .describe(
      "Secrets of the App's own webhook, valid for every configured workspace; a delivery that names no organisation is kept where there is just one workspace.",
    ),
};

/** An organisation by its login and, where it is known, the id to which the login is pinned. */
type Organization = { login: string; id?: string };
const organization = z
  .union([
    z.string().min(1),
    z.strictObject({
      login: z.string().min(1),
      id: z.coerce.string().regex(/^\d{1,20}$/, 'must be the numeric id of the organisation'),
    }),
  ])
  .transform((given): Organization => (typeof given === 'string' ? { login: given } : given));

/** `workspaces[].github`. */
export const githubWorkspaceSettings = z.strictObject({
  organizations: z
    .array(organization)
    .min(1)
    .describe(
      'Its GitHub organisations: logins, or `{ login, id }`. A login is pinned to its id at the first delivery, so that a renamed organisation is followed.',
    ),
  webhookSecrets: secretList
    .optional()
    .describe(
      'Secrets of the webhooks of its organisations, or of its enterprise, valid for no other workspace; several while one is being rotated.',
    ),
});

export const githubFeedEnvironment: readonly EnvironmentSetting[] = [
  { name: 'TRIPLINE_GITHUB_WEBHOOK_SECRET', path: 'github.webhookSecrets', kind: 'list', secret: true },
  {
    name: 'TRIPLINE_GITHUB_APP_WEBHOOK_SECRET',
    path: 'github.app.webhookSecrets',
    kind: 'list',
    secret: true,
  },
];
