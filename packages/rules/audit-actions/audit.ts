import type { Table } from '../builders/table.ts';

/**
 * What all tables of acts have in common that are known by the provider's own word for them. An audit record comes as the type of
 * event that says most about it, and bears the word whatever its type: so these are all types that a record can come as.
 */
export const audit = {
  ...{ id: 'audit', attribute: 'tripline.audit.action', feeds: { needs: ['github-audit'] } },
  on: [
    'dev.cdeventsx.tripline-audit.recorded',
    'dev.cdeventsx.tripline-control.changed',
    'dev.cdeventsx.tripline-grant.added',
    'dev.cdeventsx.tripline-grant.changed',
    'dev.cdeventsx.tripline-grant.removed',
    'dev.cdeventsx.tripline-credential.requested',
    'dev.cdeventsx.tripline-credential.issued',
    'dev.cdeventsx.tripline-credential.used',
    'dev.cdeventsx.tripline-identity.authenticated',
    'dev.cdeventsx.tripline-runner.registered',
    'dev.cdeventsx.tripline-runner.removed',
    'dev.cdeventsx.tripline-repository.read',
    'dev.cdevents.pipelinerun.queued',
    'dev.cdevents.pipelinerun.finished',
  ],
} as const satisfies Partial<Table>;

export const ask = 'Ask {user.name} whether that was meant, by another way than this account';
