import { z } from 'zod';
import { claimText, commitSha, readClaims, uuid } from '../claims.ts';
import type { TrustedIssuer } from '../issuer.ts';
import { refuseToken } from '../refusal.ts';
import type { BuildkiteIssuerSettings } from './settings.ts';

/** A job can ask for a fresh token at any time. */
const maxAgeMs = 10 * 60_000;

const organization = z.object({ organization_id: uuid });
const schema = z.object({
  organization_slug: claimText,
  pipeline_id: uuid,
  pipeline_slug: claimText,
  build_id: uuid.optional(),
  build_number: z.int().min(1),
  build_branch: claimText,
  build_tag: claimText.nullish(),
  build_commit: commitSha,
  build_source: claimText.optional(),
  step_key: claimText.nullish(),
  job_id: uuid,
  agent_id: uuid,
  runner_environment: z.enum(['buildkite-hosted', 'self-hosted']).optional(),
});

const asked = 'ask for it with `--claim organization_id,pipeline_id`';

/** Buildkite's tokens: README.md. */
export function trustBuildkite({ issuer: iss, organizations, ...rest }: BuildkiteIssuerSettings): TrustedIssuer {
  const known = new Set(organizations);
  return {
    iss,
    jwksUri: rest.jwksUri ?? `${iss}/.well-known/jwks`,
    thumbprints: rest.thumbprints,
    required: ['nbf'],
    maxAgeMs,
    read(all) {
      const whose = readClaims(organization, all, asked);
      if ('refusal' in whose) return whose;
      const { organization_id: ownerId } = whose.claims;
      if (!known.has(ownerId)) {
        const message = `The token is of an organisation that is not configured (id ${ownerId}): name it in identity.buildkite[].organizations if it is yours`;
        return { refusal: refuseToken('owner-unknown', message) };
      }
      const read = readClaims(schema, all, asked);
      if ('refusal' in read) return read;
      const { claims } = read;
      return {
        job: {
          provider: 'buildkite',
          owner: { id: ownerId, name: claims.organization_slug },
          pipeline: { id: claims.pipeline_id, name: claims.pipeline_slug },
          run: { id: claims.build_id ?? null, number: claims.build_number },
          jobId: claims.job_id,
          runner: { id: claims.agent_id },
          runnerEnvironment: claims.runner_environment ?? null,
          event: claims.build_source ?? null,
          ref: claims.build_tag ? `refs/tags/${claims.build_tag}` : `refs/heads/${claims.build_branch}`,
          sha: claims.build_commit,
          stepKey: claims.step_key ?? null,
          // No branch has a colon: Buildkite writes `owner:branch` for one of a fork.
          cautions: claims.build_branch.includes(':') ? [{ kind: 'fork-head', claim: 'build_branch' }] : [],
        },
      };
    },
  };
}
