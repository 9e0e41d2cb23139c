import type { LoggedEvent } from '@tripline/contracts/event';
import { placeOf } from '@tripline/contracts/place';
import { clip } from '@tripline/contracts/text';
import { type Match, match } from './builders/match.ts';
import { repositoryOf } from './builders/seen.ts';

export const rule = match({
  id: 'secret-leaked',
  title: 'Secret leaked',
  description:
    'The provider says that a secret which it found in a repository, or in an issue or comment there, was seen in public, or that it still opens something. ' +
    'An alert of a secret of which nobody knows whether it opens anything is not told here.',
  severity: 'high',
  principles: [5],
  attack: ['T1567.001', 'T1552.001'],
  owasp: ['CICD-SEC-6'],
  feeds: { needs: ['github'] },
  falseAlarms: [
    'Secrets that are meant to be found, in tests and examples: close their alerts as such, and keep them out of what is scanned.',
    'A stranger’s own token in an issue of a public repository: close the alert. It denies nobody access.',
  ],
  limits: [
    'Whether a secret still opens anything, where the provider does not ask its issuer.',
    'Whose secret it is, and who wrote it where: an alert names neither.',
    'Logs of a run that were deleted soon after it: the audit log tells of the deletion (`checks.delete_logs`, `workflows.delete_workflow_run`, rows of the table), and not of which run’s age.',
  ],
  on: ['dev.cdeventsx.tripline-control.changed'],
  where: { attribute: 'tripline.control.kind', oneOf: ['secret-scanning'] },
  find(event) {
    const repository = repositoryOf(event);
    return repository === undefined ? undefined : leaked(event, repository.name);
  },
});

/** A secret that was seen in public, or that opens something. */
function leaked(event: LoggedEvent, repository: string): Match | undefined {
  const { 'tripline.control.id': alertId, 'tripline.control.name': kind = 'a secret', ...data } = event.data;
  const { validity, publicly_leaked: isPublic } = data['tripline.control.settings'] ?? {};
  const action = data['tripline.control.action'];
  const inPublic = action === 'publicly_leaked' || (isPublic === 'true' && action === 'created');
  const opens = validity === 'active' && (action === 'created' || action === 'validated' || action === 'reopened');
  if (alertId === undefined || validity === 'inactive' || !(inPublic || opens)) return undefined;
  const what = `${clip(kind, 100)} of ${repository} ${inPublic ? 'was seen in public' : 'still opens something'}`;
  const where = { ...placeOf(event), repository, repositoryId: data['vcs.repository.id'] };
  return {
    ...{ subject: `${repository}#alert-${alertId}`, occasion: `alert ${alertId}`, what, title: what },
    summary: `The provider’s alert ${alertId} says: ${what}. Whoever found it can use it until it is revoked where it was issued.`,
    response: [{ action: 'revoke-credential', credential: 'leaked-token', ...where, alertId }],
    remedy: [
      'Revoke the secret where it was issued, before it is taken out of the repository: its history is known.',
      'Look in its issuer’s log for uses that are not yours since it was committed.',
    ],
  };
}
