import { type EnvironmentSetting, secret, secretList } from '@tripline/runtime/setting';
import { z } from 'zod';

const organization = z.strictObject({
  organization: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/, 'must be the login of an organisation')
    .describe('Login of an organisation whose audit log is read.'),
});
/** Short name of an enterprise, as its address has it. */
export const enterpriseName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/, 'must be the short name of an enterprise, as in its address');
const enterprise = z.strictObject({
  enterprise: enterpriseName.describe(
    'Or the short name of an enterprise whose audit log is read, with that of its organisations.',
  ),
  workspace: z.string().describe('Id of the workspace to which its organisations belong.'),
});

/** What `github-audit` of tripline.yaml says of the log that is read page by page. */
const polling = {
  polled: z
    .array(z.union([organization, enterprise]))
    .default([])
    .describe(
      'Audit logs that are read through the API, for those that cannot be streamed: `{ organization }`, or `{ enterprise, workspace }`. An organisation’s is read with the App (organization_administration: read) unless `pollToken` is set.',
    ),
  pollToken: secret
    .optional()
    .describe(
      'A classic token of an owner with read:audit_log alone, for `polled`; an enterprise’s log can be read in no other way.',
    ),
};

/** And of the log that is streamed. */
const streaming = {
  tokens: secretList
    .optional()
    .describe(
      'Tokens of the audit log’s stream, which GitHub sends as to a Splunk HTTP Event Collector; several while one is being rotated. They are valid for any organisation but a drill; once a workspace has tokens of its own, for the workspaces that have none.',
    ),
};

/** `github-audit` of tripline.yaml. */
export const githubAuditSettings = z.strictObject({ ...streaming, ...polling }).optional();
export type AuditPollSettings = z.output<z.ZodObject<typeof polling>>;

/** `workspaces[].github-audit`. */
export const githubAuditWorkspaceSettings = z
  .strictObject({
    tokens: secretList
      .optional()
      .describe('Tokens of the audit log’s stream that are valid for this workspace, and for no other.'),
    enterprises: z
      .array(enterpriseName)
      .optional()
      .describe(
        'Short names of enterprises whose own records, which name no organisation, belong to this workspace. Needed where several workspaces share a stream.',
      ),
  })
  .optional();

export const githubAuditEnvironment: readonly EnvironmentSetting[] = [
  { name: 'TRIPLINE_GITHUB_AUDIT_TOKEN', path: 'github-audit.tokens', kind: 'list', secret: true },
  { name: 'TRIPLINE_GITHUB_AUDIT_POLL_TOKEN', path: 'github-audit.pollToken', secret: true },
];

/** What is wrong with them beside the other settings, each with the place and what to do. */
export function faultsOfAudit(settings: Parameters<typeof faultsOfPolls>[0] & NamesEnterprises): Fault[] {
  return [...faultsOfPolls(settings), ...faultsOfEnterprises(settings)];
}

type Fault = { path: (string | number)[]; message: string };
type NamesEnterprises = {
  workspaces: readonly { 'github-audit'?: { enterprises?: readonly string[] | undefined } | undefined }[];
};

function faultsOfEnterprises({ workspaces }: NamesEnterprises): Fault[] {
  const all = workspaces.flatMap((one, place) =>
    (one['github-audit']?.enterprises ?? []).map((name, nth) => ({ name: name.toLowerCase(), place, nth })),
  );
  return all
    .filter(({ name }, at) => all.findIndex((other) => other.name === name) !== at)
    .map(({ place, nth }) => ({
      path: ['workspaces', place, 'github-audit', 'enterprises', nth],
      message: 'is named twice; it can belong to one workspace only',
    }));
}

function faultsOfPolls(settings: {
  github: { app?: object | undefined };
  workspaces: readonly { id: string; github: { organizations: readonly { login: string }[] } }[];
  'github-audit'?: AuditPollSettings | undefined;
}): Fault[] {
  const { polled = [], pollToken } = settings['github-audit'] ?? {};
  const { workspaces } = settings;
  return polled.flatMap((one, nth) => {
    const fault = (field: string, message: string) => [{ path: ['github-audit', 'polled', nth, field], message }];
    if (polled.findIndex((other) => targetNameOf(other) === targetNameOf(one)) !== nth)
      return fault('organization' in one ? 'organization' : 'enterprise', 'is named twice');
    if ('enterprise' in one) {
      if (pollToken === undefined)
        return fault('enterprise', 'can be read with github-audit.pollToken alone: no App may read it');
      if (!workspaces.some(({ id }) => id === one.workspace))
        return fault('workspace', 'is the id of none of `workspaces`; name its organisations there');
      return [];
    }
    const login = one.organization.toLowerCase();
    const isKnown = workspaces.some(({ github }) =>
      github.organizations.some((known) => known.login.toLowerCase() === login),
    );
    if (workspaces.length > 0 && !isKnown)
      return fault('organization', 'belongs to no workspace; name it under workspaces[].github.organizations');
    if (pollToken === undefined && settings.github.app === undefined)
      return fault('organization', 'is read with an App or a token: set github.app or github-audit.pollToken');
    return [];
  });
}

/** By which its cursor is kept: the same over restarts. */
export const targetNameOf = (one: AuditPollSettings['polled'][number]): string =>
  'enterprise' in one ? `enterprise:${one.enterprise.toLowerCase()}` : one.organization.toLowerCase();
