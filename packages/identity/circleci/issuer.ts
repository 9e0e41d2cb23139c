import { z } from 'zod';
import { claimText, fullRef, readClaims, uuid } from '../claims.ts';
import type { TrustedIssuer } from '../issuer.ts';
import { refuseToken } from '../refusal.ts';
import type { CircleCiIssuerSettings } from './settings.ts';

const schema = z.object({
  sub: claimText,
  'oidc.circleci.com/project-id': uuid,
  'oidc.circleci.com/job-id': uuid,
  'oidc.circleci.com/org-id': uuid.optional(),
  'oidc.circleci.com/pipeline-id': uuid.optional(),
  'oidc.circleci.com/workflow-id': uuid.optional(),
  'oidc.circleci.com/vcs-origin': claimText,
  'oidc.circleci.com/vcs-ref': fullRef,
  'oidc.circleci.com/context-ids': z.array(uuid).max(100),
  'oidc.circleci.com/ssh-rerun': z.boolean(),
});
/** `org/<id>/project/<id>/user/<id>`; tokens of the second version go on with origin and ref. */
const subjectForm = /^org\/([0-9a-f-]{36})\/project\/([0-9a-f-]{36})\/user\/([0-9a-f-]{36})(?:\/|$)/;

/** CircleCI's tokens: README.md. */
export function trustCircleCi({ organization, ...rest }: CircleCiIssuerSettings): TrustedIssuer {
  const iss = `https://oidc.circleci.com/org/${organization}`;
  return {
    iss,
    jwksUri: rest.jwksUri ?? `${iss}/.well-known/jwks-pub.json`,
    thumbprints: rest.thumbprints,
    required: [],
    maxAgeMs: null,
    read(all) {
      const read = readClaims(schema, all);
      if ('refusal' in read) return read;
      const { claims } = read;
      const [, orgId, subjectProjectId, userId] = subjectForm.exec(claims.sub) ?? [];
      if (userId === undefined) {
        const message = 'The token’s sub has another form than the issuer documents';
        return { refusal: refuseToken('claim-malformed', message) };
      }
      const projectId = claims['oidc.circleci.com/project-id'];
      const claimedOrgId = claims['oidc.circleci.com/org-id'] ?? organization;
      if (orgId !== organization || claimedOrgId !== organization || subjectProjectId !== projectId) {
        const message =
          'The token’s issuer, sub, org-id and project-id name different organisations or projects: no genuine token does';
        return { refusal: refuseToken('claims-disagree', message) };
      }
      return {
        job: {
          provider: 'circleci',
          owner: { id: organization },
          project: { id: projectId },
          run: {
            pipelineId: claims['oidc.circleci.com/pipeline-id'] ?? null,
            workflowId: claims['oidc.circleci.com/workflow-id'] ?? null,
          },
          jobId: claims['oidc.circleci.com/job-id'],
          origin: claims['oidc.circleci.com/vcs-origin'],
          ref: claims['oidc.circleci.com/vcs-ref'],
          contextIds: claims['oidc.circleci.com/context-ids'],
          actor: { id: userId },
          cautions: claims['oidc.circleci.com/ssh-rerun']
            ? [{ kind: 'ssh-rerun', claim: 'oidc.circleci.com/ssh-rerun' }]
            : [],
        },
      };
    },
  };
}
