import type { Trait } from '@tripline/access/standing';
import { type Look, lastUseOf, powerOf, readThing, row, scopeOf, timeOf } from './look.ts';

const mostTokens = 5000;
const mostRepositoriesOfToken = 1000;

type FineGrained = {
  id: number | bigint;
  token_id?: number | bigint;
  owner: { login: string };
  repository_selection: 'none' | 'all' | 'subset';
  permissions: Readonly<Record<'organization' | 'repository' | 'other', Readonly<Record<string, string>> | undefined>>;
  access_granted_at: string;
  token_name: string;
  token_expired: boolean;
  token_expires_at: string | null;
  token_last_used_at?: string | null;
};

/** Fine-grained tokens that people made and the organisation let in. Those that have expired open nothing any more. */
export function readFineGrainedTokens({ client, organization: org, add, attempt }: Look): Promise<void> {
  const permission = 'organization_personal_access_tokens: read';
  const remedy = `configure the GitHub App with ${permission}: GitHub lists them for Apps alone`;
  return attempt(
    { what: 'fine-grained tokens', kinds: ['fine-grained-token'], permission, remedy, missing: 'GitHub answered 404' },
    async () => {
      const listed = { route: 'GET /orgs/{org}/personal-access-tokens', parameters: { org } };
      for await (const token of client.list<FineGrained>(listed, { maxItems: mostTokens })) {
        if (token.token_expired) continue;
        const scope = [
          ...scopeOf(token.permissions.repository),
          ...scopeOf(token.permissions.organization),
          ...scopeOf(token.permissions.other),
        ];
        const isEverywhere = token.repository_selection === 'all';
        const traits: Trait[] = [
          ...powerOf(scope),
          ...(isEverywhere ? (['every-repository'] as const) : []),
          ...(token.token_expires_at === null ? (['never-expires'] as const) : []),
        ];
        const repositories = token.repository_selection === 'subset' ? await repositoriesOf(token.id) : [];
        add(
          row({
            ...{ kind: 'fine-grained-token', id: `fine-grained-token/${token.id}`, name: token.token_name },
            ...{ owner: token.owner.login, repositories: isEverywhere ? 'all' : repositories, scope, traits },
            createdAt: timeOf(token.access_granted_at),
            expiresAt: timeOf(token.token_expires_at),
            lastUse: lastUseOf(token.token_last_used_at),
            seenAs: token.token_id === undefined ? null : `token:${token.token_id}`,
          }),
        );
      }
    },
  );

  async function repositoriesOf(id: number | bigint): Promise<string[]> {
    const listed = {
      route: 'GET /orgs/{org}/personal-access-tokens/{pat_id}/repositories',
      parameters: { org, pat_id: id },
    };
    const names: string[] = [];
    for await (const { full_name } of client.list<{ full_name: string }>(listed, { maxItems: mostRepositoriesOfToken }))
      names.push(full_name);
    return names;
  }
}

type Authorized = {
  login: string;
  credential_id: number | bigint;
  credential_type: string;
  credential_authorized_at: string;
  scopes?: string[];
  credential_accessed_at?: string | null;
  authorized_credential_title?: string | null;
  authorized_credential_note?: string | null;
  authorized_credential_expires_at?: string | null;
};

/** Classic tokens and SSH keys of people, which GitHub lists only where single sign-on authorises them. */
export function readAuthorizedCredentials({ client, organization: org, add, attempt }: Look): Promise<void> {
  const part = {
    what: 'classic tokens and SSH keys of members',
    kinds: ['authorized-credential'] as const,
    permission: 'organization_administration: read',
    missing: 'GitHub lists them only for organisations of Enterprise Cloud with SAML single sign-on',
    remedy: 'forbid classic tokens under Personal access tokens → Settings of the organisation',
  };
  return attempt(part, async () => {
    const listed = { route: 'GET /orgs/{org}/credential-authorizations', parameters: { org } };
    for await (const one of client.list<Authorized>(listed, { maxItems: mostTokens })) {
      const title = one.authorized_credential_note ?? one.authorized_credential_title;
      const expiresAt = timeOf(one.authorized_credential_expires_at);
      const isClassic = one.credential_type === 'personal access token';
      add(
        row({
          ...{ kind: 'authorized-credential', id: `authorized-credential/${one.credential_id}` },
          name: title ? `${one.credential_type} ${title}` : one.credential_type,
          ...{ owner: one.login, repositories: 'all', scope: (one.scopes ?? []).toSorted() },
          createdAt: timeOf(one.credential_authorized_at),
          lastUse: lastUseOf(one.credential_accessed_at),
          expiresAt,
          traits: [
            ...(isClassic ? (['all-of-its-owner'] as const) : (['writes'] as const)),
            ...(expiresAt === null ? (['never-expires'] as const) : []),
          ],
        }),
      );
    }
  });
}

type Installation = {
  id: number | bigint;
  app_slug: string;
  account?: { login?: string };
  repository_selection: 'all' | 'selected';
  permissions: Readonly<Record<string, string>>;
  created_at: string;
  suspended_at?: string | null;
};

/** Apps that act in the organisation. Which repositories of those that were selected, only the app itself may list. */
export function readApps({ client, organization: org, add, attempt }: Look): Promise<void> {
  return attempt(
    { what: 'installed apps', kinds: ['app'], permission: 'organization_administration: read' },
    async () => {
      const listed = { route: 'GET /orgs/{org}/installations', parameters: { org } };
      for await (const one of client.list<Installation>(listed, { under: 'installations' })) {
        if (one.suspended_at) continue;
        const scope = scopeOf(one.permissions);
        const isEverywhere = one.repository_selection === 'all';
        add(
          row({
            ...{ kind: 'app', id: `app/${one.id}`, name: one.app_slug, scope },
            ...{ repositories: isEverywhere ? 'all' : [], createdAt: timeOf(one.created_at) },
            seenAs: `login:${one.app_slug}[bot]`,
            traits: [...powerOf(scope), ...(isEverywhere ? (['every-repository'] as const) : []), 'never-expires'],
          }),
        );
      }
    },
  );
}

/** What the subject of a job's id token says: names, which change hands, or ids too. */
export function readSubjectTemplate({ client, organization: org, add, attempt }: Look): Promise<void> {
  const part = {
    what: 'the subject of id tokens',
    kinds: ['oidc-subject'] as const,
    permission: 'organization_administration: read',
    missing: 'GitHub answered 404',
  };
  return attempt(part, async () => {
    const request = { route: 'GET /orgs/{org}/actions/oidc/customization/sub', parameters: { org } };
    const template = await readThing<{ include_claim_keys?: string[]; use_immutable_subject?: boolean }>(
      client,
      request,
    );
    if (template.use_immutable_subject === true) return;
    const scope = (template.include_claim_keys ?? []).toSorted();
    const name = `of ${org}’s jobs`;
    add(
      row({
        kind: 'oidc-subject',
        id: `oidc-subject/${org}`,
        name,
        scope,
        repositories: 'all',
        traits: ['names-in-subject'],
      }),
    );
  });
}
