import { z } from 'zod';
import { claimText, commitSha, fullRef, numberId, numericId, readClaims } from '../claims.ts';
import type { TrustedIssuer } from '../issuer.ts';
import { refuseToken } from '../refusal.ts';
import type { Caution } from '../workload.ts';
import { isMergeRequestSource } from './merge-requests.ts';
import type { GitLabIssuerSettings } from './settings.ts';

const namespace = z.object({ namespace_id: numericId });
/** GitLab writes booleans as text. */
const booleanText = z.enum(['true', 'false']).transform((text) => text === 'true');
const schema = z.object({
  namespace_path: claimText,
  project_id: numericId,
  project_path: claimText,
  pipeline_id: numericId,
  pipeline_source: z.string().regex(/^[a-z_]{1,64}$/),
  job_id: numericId,
  ref_path: fullRef,
  ref_protected: booleanText,
  sha: commitSha,
  ci_config_ref_uri: claimText,
  ci_config_sha: commitSha,
  runner_id: numberId,
  runner_environment: z.enum(['gitlab-hosted', 'self-hosted']),
  environment: claimText.optional(),
  environment_protected: booleanText.optional(),
  user_id: numericId,
  user_login: claimText,
});

/** GitLab CI/CD's id tokens: README.md. */
export function trustGitLab({ issuer: iss, namespaces, ...rest }: GitLabIssuerSettings): TrustedIssuer {
  const known = new Set(namespaces);
  return {
    iss,
    jwksUri: rest.jwksUri ?? `${iss}/oauth/discovery/keys`,
    thumbprints: rest.thumbprints,
    required: ['nbf', 'jti'],
    maxAgeMs: null,
    read(all) {
      const whose = readClaims(namespace, all);
      if ('refusal' in whose) return whose;
      const { namespace_id: ownerId } = whose.claims;
      if (!known.has(ownerId)) {
        const message = `The token is of a group that is not configured (id ${ownerId}): name it in identity.gitlab[].namespaces if it is yours`;
        return { refusal: refuseToken('owner-unknown', message) };
      }
      const read = readClaims(schema, all);
      if ('refusal' in read) return read;
      const { claims } = read;
      return {
        job: {
          provider: 'gitlab',
          owner: { id: ownerId, name: claims.namespace_path },
          repository: { id: claims.project_id, name: claims.project_path },
          run: { id: claims.pipeline_id },
          jobId: claims.job_id,
          event: claims.pipeline_source,
          ref: claims.ref_path,
          refProtected: claims.ref_protected,
          sha: claims.sha,
          workflow: { ref: claims.ci_config_ref_uri, sha: claims.ci_config_sha },
          runner: { id: claims.runner_id },
          runnerEnvironment: claims.runner_environment,
          environment:
            claims.environment === undefined
              ? null
              : { name: claims.environment, protected: claims.environment_protected ?? false },
          actor: { id: claims.user_id, name: claims.user_login },
          cautions: cautionsOf(claims),
        },
      };
    },
  };
}

function cautionsOf(claims: z.output<typeof schema>): Caution[] {
  const cautions: Caution[] = [];
  // A child pipeline says parent_pipeline, whatever started its parent: its ref says that it is of a merge request.
  if (isMergeRequestSource(claims.pipeline_source)) cautions.push({ kind: 'merge-request', claim: 'pipeline_source' });
  else if (claims.ref_path.startsWith('refs/merge-requests/'))
    cautions.push({ kind: 'merge-request', claim: 'ref_path' });
  if (!claims.ref_protected) cautions.push({ kind: 'unprotected-ref', claim: 'ref_protected' });
  if (claims.environment !== undefined && claims.environment_protected !== true)
    cautions.push({ kind: 'unprotected-environment', claim: 'environment_protected' });
  return cautions;
}
