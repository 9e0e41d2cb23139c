import { createHash } from 'node:crypto';
import { deliveryId } from './deliveries.ts';
import type { Stage } from './github-bodies.ts';
import type { ScenarioStep } from './scenario.ts';

/**
 * Records as GitHub's audit log streams them, built for a cast. Field by field after GitHub's documentation:
 * https://docs.github.com/en/enterprise-cloud@latest/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization
 */
type Json = Record<string, unknown>;
type StepText = Pick<ScenarioStep, 'name' | 'says' | 'atMs'>;

/** From where an act was done, as an organisation sees it that has the disclosure of addresses on. */
export type Client = {
  address: string;
  /** Of two letters. */
  country: string;
  /** `git/2.51.0`, a browser's, a tool's. */
  agent: string;
};

/** A token, by the name that a scenario gives it: one name, one hash and number. */
export type Token = {
  name: string;
  /** As GitHub says it. */
  type:
    | 'Personal access token (classic)'
    | 'Fine-grained personal access token'
    | 'OAuth access token'
    | 'GitHub App user-to-server token'
    | 'GitHub App server-to-server token';
};

export type ActOf = {
  action: string;
  by: string;
  /** None: of a session in the browser, or by SSH. */
  token?: Token;
  from?: Client;
  /** By its name alone; the organisation's. */
  repository?: string;
  /** When it was done, ms after the start; without it when it is sent. A record of days ago is negative. */
  doneAtMs?: number;
  /** What records of this action say beside. */
  more?: Json;
};

/** The SHA-256 of a token's text, as the log names it. */
export const tokenHash = (stage: Stage, { name }: Token): string =>
  createHash('sha256').update(`${stage.cast.organization} ${stage.cast.seed} token ${name}`).digest('base64');

/** One record of the audit log. */
export function auditRecord(stage: Stage, told: StepText, of: ActOf): ScenarioStep {
  const actor = stage.user(of.by);
  const doneMs = stage.cast.startMs + (of.doneAtMs ?? told.atMs);
  const { token, from } = of;
  const body: Json = {
    '@timestamp': doneMs,
    _document_id: deliveryId(stage.cast, told.name),
    action: of.action,
    actor: actor.login,
    actor_id: actor.id,
    actor_is_bot: actor.type === 'Bot',
    created_at: doneMs,
    org: stage.organization.login,
    org_id: stage.organization.id,
    ...(from && { actor_ip: from.address, actor_location: { country_code: from.country }, user_agent: from.agent }),
    ...(token && {
      hashed_token: tokenHash(stage, token),
      token_id: stage.id(`token ${token.name}`),
      programmatic_access_type: token.type,
    }),
    ...(of.repository !== undefined && ofRepository(stage, of.repository, told.atMs)),
    ...of.more,
  };
  return { ...told, source: 'github-audit', event: of.action, body };
}

function ofRepository(stage: Stage, name: string, atMs: number): Json {
  const { id, full_name, private: isPrivate } = stage.repository(name, atMs);
  return { repo: full_name, repo_id: id, repository: full_name, repository_id: id, public_repo: !isPrivate };
}

/** A private repository was cloned with git: what is public anybody may clone. */
export function clone(stage: Stage, told: StepText, of: Omit<ActOf, 'action'> & { repository: string }): ScenarioStep {
  const more = {
    transport_protocol: 1,
    transport_protocol_name: 'http',
    repository_public: false,
    public_repo: false,
    ...of.more,
  };
  return auditRecord(stage, told, { ...of, action: 'git.clone', more });
}
