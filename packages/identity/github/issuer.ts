import { z } from 'zod';
import { claimText, commitSha, fullRef, numericId, readClaims } from '../claims.ts';
import type { TrustedIssuer } from '../issuer.ts';
import { type IdentityRefusal, refuseToken } from '../refusal.ts';
import type { Caution } from '../workload.ts';
import { outsiderEvents } from './outsider-events.ts';
import type { GitHubIssuerSettings } from './settings.ts';

/** A job can ask for a fresh token at any time; GitHub's own live five minutes. */
const maxAgeMs = 10 * 60_000;

const owner = z.object({ repository_owner_id: numericId });
const oneWord = z.string().regex(/^[a-z_]{1,64}$/);
/** `owner/repo/.github/workflows/file.yml@ref`. */
const workflowRef = claimText.refine((ref) => ref.includes('@'));
const claimsOf = (namesJobs: boolean) =>
  z.object({
    repository_id: numericId,
    repository: claimText,
    repository_owner: claimText,
    run_id: numericId,
    run_attempt: numericId.transform(Number),
    check_run_id: namesJobs ? numericId : numericId.optional(),
    workflow_ref: workflowRef,
    workflow_sha: commitSha.optional(),
    job_workflow_ref: workflowRef,
    job_workflow_sha: commitSha,
    event_name: oneWord,
    ref: fullRef,
    sha: commitSha,
    head_ref: z.union([claimText, z.literal('')]).optional(),
    base_ref: z.union([claimText, z.literal('')]).optional(),
    environment: claimText.optional(),
    runner_environment: z.enum(['github-hosted', 'self-hosted']),
    actor_id: numericId,
    actor: claimText,
    sub: claimText,
  });

/** GitHub Actions' tokens: README.md. */
export function trustGitHub({ issuer: iss, owners, namesJobs, ...rest }: GitHubIssuerSettings): TrustedIssuer {
  const schema = claimsOf(namesJobs);
  const known = new Set(owners);
  return {
    iss,
    jwksUri: rest.jwksUri ?? `${iss}/.well-known/jwks`,
    thumbprints: rest.thumbprints,
    required: ['nbf', 'jti'],
    maxAgeMs,
    read(all) {
      const whose = readClaims(owner, all);
      if ('refusal' in whose) return whose;
      const ownerId = whose.claims.repository_owner_id;
      if (!known.has(ownerId)) return { refusal: unknownOwner(ownerId) };
      const read = readClaims(schema, all);
      if ('refusal' in read) return read;
      const { claims } = read;
      const refusal = faultOfSubject(claims.sub, { ownerId, repositoryId: claims.repository_id });
      if (refusal !== undefined) return { refusal };
      return {
        job: {
          provider: 'github',
          owner: { id: ownerId, name: claims.repository_owner },
          repository: { id: claims.repository_id, name: claims.repository },
          run: { id: claims.run_id, attempt: claims.run_attempt },
          checkRunId: claims.check_run_id ?? null,
          caller: { ref: claims.workflow_ref, sha: claims.workflow_sha ?? null },
          workflow: { ref: claims.job_workflow_ref, sha: claims.job_workflow_sha },
          event: claims.event_name,
          ref: claims.ref,
          sha: claims.sha,
          headRef: claims.head_ref || null,
          baseRef: claims.base_ref || null,
          environment: claims.environment ?? null,
          runnerEnvironment: claims.runner_environment,
          actor: { id: claims.actor_id, name: claims.actor },
          cautions: cautionsOf(claims.event_name),
        },
      };
    },
  };
}

function cautionsOf(event: string): Caution[] {
  return outsiderEvents.has(event) ? [{ kind: 'outsider-event', claim: 'event_name' }] : [];
}

function unknownOwner(id: string): IdentityRefusal {
  const message = `The token is of an organisation that is not configured (id ${id}): name it in identity.github[].owners if it is yours`;
  return refuseToken('owner-unknown', message);
}

/**
 * Ids that stand in `sub` must be those of the claims. Its template is the repository's to change, so that nothing else
 * of it is looked at: `repo:acme@65/api@74:…` (immutable subjects) and `repository_id:74` (a template that names them).
 */
function faultOfSubject(
  subject: string,
  { ownerId, repositoryId }: { ownerId: string; repositoryId: string },
): IdentityRefusal | undefined {
  const [, owner = ownerId, repository = repositoryId] =
    /^repo:[^/@:]+@(\d+)\/[^/@:]+@(\d+)(?::|$)/.exec(subject) ?? [];
  const named = [
    { id: owner, expected: ownerId },
    { id: repository, expected: repositoryId },
    ...idsAfter('repository_owner_id', subject).map((id) => ({ id, expected: ownerId })),
    ...idsAfter('repository_id', subject).map((id) => ({ id, expected: repositoryId })),
  ];
  if (named.every(({ id, expected }) => id === expected)) return undefined;
  return refuseToken(
    'claims-disagree',
    'The ids in the token’s sub are not those of repository_owner_id and repository_id: no genuine token says both',
  );
}

/** What follows each `name:` that begins a part of the subject. */
function idsAfter(name: string, subject: string): string[] {
  const parts = subject.split(':');
  return parts.flatMap((part, at) => (part === name && at + 1 < parts.length ? [parts[at + 1]!] : []));
}
