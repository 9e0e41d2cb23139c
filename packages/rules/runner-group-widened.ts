import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { runnerGroupId } from '@tripline/facts/runner-keys';
import { keyOf } from '@tripline/facts/things';
import { z } from 'zod';
import { fromFacts } from './builders/from-facts.ts';
import type { Sight } from './builders/own-fact.ts';
import { type AuditRecord, recordSays } from './builders/record.ts';

/** What a record tells of a group: each is there only where it is told. */
const snapshotSchema = z.object({
  name: z.string(),
  owner: z.string(),
  toPublic: z.boolean().optional(),
  toAll: z.boolean().optional(),
  toAnyWorkflow: z.boolean().optional(),
});
type Snapshot = z.infer<typeof snapshotSchema>;

/** Ways in which a group reaches further than before, the gravest first. */
const widenings = [
  { field: 'toPublic', to: 'public repositories', severity: 'high' },
  { field: 'toAll', to: 'all repositories', severity: 'medium' },
  { field: 'toAnyWorkflow', to: 'any workflow', severity: 'medium' },
] as const;

export const rule = fromFacts({
  id: 'runner-group-widened',
  title: 'Runner group opened to more repositories or workflows',
  description:
    'A group of runners was opened: to public repositories, where strangers’ changes may run on its machines (high), to all repositories, or to any workflow of those that it serves. ' +
    'Each is found when it comes to be so, by what former records told of the group; the first record that tells of one is no comparison, so that a group which is open to any workflow from the start is not found.',
  severity: 'medium',
  principles: [4],
  attack: ['T1098'],
  owasp: ['CICD-SEC-7', 'CICD-SEC-5'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: ['Repositories that join a pool which serves everybody: an exception for who runs the pools.'],
  limits: ['A repository that is added to those which a group serves: the record names no repository.'],
  on: ['dev.cdeventsx.tripline-control.changed'],
  where: { attribute: 'tripline.control.kind', oneOf: ['runner-group'] },
  keepMs: 400 * 86_400_000,
  key: (event) => {
    const { 'tripline.audit.record': record, 'vcs.owner.id': owner, 'vcs.owner.name': name }: Attributes = event.data;
    const id = record?.['runner_group_id'];
    // Each organisation and enterprise numbers its own.
    return id == null ? undefined : keyOf(event, `${runnerGroupId(String(id))}@${owner ?? name ?? ''}`);
  },
  observe: (event) => ({ kind: 'snapshots', data: snapshotOf(event) }),
  data: snapshotSchema,
  tell: ({ by, data: { name, owner } }) => `${by.name} changed runner group ${name} of ${owner}`,
  // One each: what is received late may explain one of them and not the other.
  conclude: (sights) =>
    sights.flatMap((sight, place) => {
      const opened = widenings.filter(({ field }) => isOpened(field, sight, sights.slice(0, place)));
      const { by, data, eventId } = sight;
      return opened.map(({ field, to, severity }) => ({
        ...{ subject: `runner-group:${data.name}@${data.owner}`, occasion: `${eventId} ${field}`, severity },
        because: [sight],
        title: `${by.name} opened runner group ${data.name} of ${data.owner} to ${to}`,
        summary: `${by.name} opened runner group ${data.name} to ${to}: whoever may run something there now runs it on these machines, beside what others run.`,
        remedy: [
          `Ask ${by.name} what it was opened for; set it back unless somebody answers for it.`,
          'Keep machines that hold credentials in groups of their own, closed to public repositories.',
        ],
      }));
    }),
});

/** That it is so now, and was otherwise when it was told last: or, of what nobody opens by chance, was not told at all. */
function isOpened(
  field: (typeof widenings)[number]['field'],
  { data }: Sight<Snapshot>,
  before: readonly Sight<Snapshot>[],
) {
  const former = before.findLast((one) => one.data[field] !== undefined)?.data[field];
  return data[field] === true && (former === false || (former === undefined && field !== 'toAnyWorkflow'));
}

function snapshotOf({ data }: LoggedEvent): Snapshot {
  const {
    'tripline.audit.record': record = {},
    'tripline.control.name': name,
    'vcs.owner.name': owner,
  }: Attributes = data;
  const told = (field: string, open: string) =>
    Object.hasOwn(record, field) && record[field] !== null ? recordSays(record, field, [open]) : undefined;
  const snapshot = {
    name: clip(name ?? `number ${String((record as AuditRecord)['runner_group_id'])}`, 200),
    owner: clip(owner ?? String((record as AuditRecord)['business'] ?? ''), 200),
    toPublic: told('runner_group_allow_public', 'true'),
    toAll: told('visibility', 'all'),
    toAnyWorkflow: told('runner_group_restricted_to_workflows', 'false'),
  };
  return Object.fromEntries(Object.entries(snapshot).filter(([, value]) => value !== undefined)) as Snapshot;
}
