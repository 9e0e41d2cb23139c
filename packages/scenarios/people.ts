import { type Token, tokenHash } from './audit-records.ts';
import type { Stage } from './github-bodies.ts';
import type { ScenarioStep } from './scenario.ts';

/** Somebody resolves the playing's first incident as true and done with: the token that it is about is rotated. */
export function resolvedAsRotated(
  stage: Stage,
  told: Pick<ScenarioStep, 'name' | 'says' | 'atMs'>,
  { by, token }: { by: string; token: Token },
): ScenarioStep {
  return {
    ...{ ...told, source: 'person', event: 'incident-resolved' },
    body: {
      ...{ 'user.id': by, 'user.name': by },
      ...{ 'tripline.act.kind': 'incident-resolved', 'tripline.act.resolution': 'true' },
      ...{ 'tripline.act.target': 'INC-1', 'tripline.act.via': 'cli', 'tripline.act.proof': 'os-user' },
      'tripline.act.reason': 'All tokens are rotated',
      'tripline.act.entities': [{ kind: 'credential', id: tokenHash(stage, token) }],
    },
  };
}
