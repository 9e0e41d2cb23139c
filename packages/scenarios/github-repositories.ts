import { type Stage, type StepText, step } from './github-bodies.ts';
import type { ScenarioStep } from './scenario.ts';

export type RepositoryOf = {
  /** Its name now. */
  repository: string;
  by: string;
  description?: string;
  isPrivate?: boolean;
  /** What it was called, for `renamed`; a repository that was renamed keeps the number of its first name. */
  formerly?: string;
};

/** What somebody did to a repository as a whole. */
export function repositoryEvent(
  stage: Stage,
  told: StepText,
  action: 'created' | 'renamed' | 'publicized',
  of: RepositoryOf,
): ScenarioStep {
  return step(stage, told, 'repository', of.by, {
    action,
    ...(action === 'renamed' ? { changes: { repository: { name: { from: of.formerly } } } } : {}),
    repository: described(stage, told, of, action === 'created'),
  });
}

/** That a private repository is public now, GitHub tells by an event of its own too. */
export function publicEvent(stage: Stage, told: StepText, of: RepositoryOf): ScenarioStep {
  return step(stage, told, 'public', of.by, { repository: described(stage, told, of, false) });
}

function described(stage: Stage, { atMs }: StepText, of: RepositoryOf, isNew: boolean) {
  const body = stage.repository(of.repository, atMs);
  const isPrivate = of.isPrivate ?? false;
  return {
    ...body,
    ...(of.formerly === undefined ? {} : { id: stage.repository(of.formerly, atMs).id }),
    ...(isNew ? { created_at: stage.time(atMs) } : {}),
    private: isPrivate,
    visibility: isPrivate ? 'private' : 'public',
    description: of.description ?? null,
    allow_forking: true,
  };
}
