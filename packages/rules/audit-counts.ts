import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyRule } from '@tripline/contracts/rule';
import { z } from 'zod';
import type { Usual } from './builders/habits.ts';
import { recordSays } from './builders/record.ts';
import { actorOf, type Named, repositoryOf } from './builders/seen.ts';
import { quotaOf, valueCount } from './builders/value-count.ts';
import {
  habitDescription,
  habitFalseAlarms,
  habitLimits,
  habitSays,
  privateRepositoryOf,
  readingHabits,
  tokenOf,
} from './reading-habits.ts';

/** So many different things of one kind, by one account, within a time. */
type Count = {
  id: string;
  title: string;
  why: string;
  /** What one of them is, and what several are. */
  things: string;
  did: string;
  least: number;
  minutes: number;
  on: AnyRule['reads'];
  where?: NonNullable<AnyRule['where']>;
  value: (event: LoggedEvent) => Named | undefined;
  feeds: AnyRule['feeds'];
  attack: readonly string[];
  owasp: readonly string[];
  falseAlarms: readonly string[];
  limits: readonly string[];
  usual?: Usual;
  supersedes?: readonly string[];
  /** With what it was done, where another rule counts what is done with one alone. */
  via?: (event: LoggedEvent) => string | undefined;
};

const quota = z.int().min(2).max(1000);

const ruleOf = ({ why, things, did, least, minutes, ...of }: Count): AnyRule =>
  valueCount({
    ...of,
    ...{ severity: 'medium', principles: [2, 5] },
    description: `One account ${did} at least \`atLeast\` ${things} within \`windowMs\`. ${why}${of.usual === undefined ? '' : ` ${habitDescription}`}`,
    settings: {
      atLeast: quota.default(least),
      /** By account, `login:id` or an app’s `name[bot]`: so many instead. */
      quotas: z.record(z.string(), quota).default({}),
      windowMs: z
        .int()
        .min(1000)
        .max(86_400_000)
        .default(minutes * 60_000),
    },
    by: (event) => ((event.data as Attributes)['user.name'] === undefined ? undefined : actorOf(event)),
    tell: ({ by, value }) => `${by.name} ${did} ${value.name}`,
    atLeast: ({ atLeast, quotas }, { id, name }) => quotaOf(quotas, { id, login: name }, atLeast),
    withinMs: ({ windowMs }) => windowMs,
    found(who, those, { windowMs }, sights, how) {
      if (of.via !== undefined && new Set(sights.map(({ via }) => via)).size === 1) return undefined;
      return {
        ...(how === 'unusual' ? {} : { severity: 'low' }),
        subject: `user:${who.name}`,
        title: `${who.name} ${did} ${those.length} ${things} within ${Math.ceil(windowMs / 60_000)} minutes`,
        summary: `${who.name} ${did} ${those
          .map(({ name }) => name)
          .slice(0, 10)
          .join(', ')}. ${why}${habitSays[how]}`,
        remedy: [
          `Ask ${who.name} on another channel whether this is theirs; if not, end their sessions and revoke their tokens.`,
        ],
      };
    },
  });

/** A record is one act, by its own id, however often it is told. */
const act = (event: LoggedEvent): Named => {
  const data: Attributes = event.data;
  const branch = data['tripline.audit.record']?.['branch'];
  const place = repositoryOf(event)?.name ?? 'a repository';
  return {
    id: data['tripline.audit.id'] ?? event.id,
    name: typeof branch === 'string' ? `${branch.replace(/^refs\/heads\//, '')} of ${place}` : place,
  };
};

const isForced = ({ data }: LoggedEvent): boolean => {
  const record = (data as Attributes)['tripline.audit.record'] ?? {};
  return ['reasons.code', 'overridden_codes'].some((field) => recordSays(record, field, ['force_push']));
};

const branches = { attack: ['T1685', 'T1485'], owasp: ['CICD-SEC-1'], feeds: { needs: ['github-audit'] } } as const;
const recorded = ['dev.cdeventsx.tripline-audit.recorded', 'dev.cdeventsx.tripline-control.changed'] as const;

/** A change that somebody closed. Bots tidy up so each night. */
function closed({ data }: LoggedEvent, place: Named | undefined): Named | undefined {
  const { 'vcs.change.id': id, 'user.type': type }: Attributes = data;
  if (type === 'Bot' || place === undefined) return undefined;
  return { id: `${place.id} ${id}`, name: `${place.name}#${id}` };
}

/**
 * One that takes a right in the repository to close: its head lies there, and somebody else opened it. Of a fork's, whoever may write there
 * closes it by deleting the branch, whoever opened it.
 */
function isOthersOfHouse({ data }: LoggedEvent): boolean {
  const { 'tripline.head.fork': fork, 'tripline.change.author_id': author, 'user.id': closer }: Attributes = data;
  return fork === false && author !== undefined && closer !== undefined && author !== closer;
}

const closedInBulk = {
  ...{ things: 'changes', did: 'closed', least: 10, minutes: 10, on: ['dev.cdevents.change.abandoned'] },
  why: 'So work is lost, and so is what would have been reviewed.',
  ...{ feeds: { needs: ['github'] }, attack: ['T1485', 'T1531'], owasp: ['CICD-SEC-1'] },
  falseAlarms: ['Somebody who tidies up: resolve it as false. Bots are not counted.'],
  limits: ['Changes that are closed by an app, whose account is a bot’s.'],
} satisfies Partial<Count>;

const counts: readonly AnyRule[] = (
  [
    {
      ...{
        id: 'user-bulk-clone',
        title: 'One account cloned very many repositories',
        things: 'repositories',
        did: 'cloned',
      },
      ...{ least: 25, minutes: 9, on: ['dev.cdeventsx.tripline-repository.read'], value: privateRepositoryOf },
      why: 'Whoever takes an account over takes all that it may read, by as many tokens as it has; `token-bulk-clone` counts those of one token.',
      ...{ feeds: { needs: ['github-audit'] }, attack: ['T1213.003'], owasp: ['CICD-SEC-2'] },
      falseAlarms: [
        'A new computer that is set up, mirrors and scanners at their first time: a higher number under `quotas`, or an exception.',
        ...habitFalseAlarms,
      ],
      limits: [
        'Fewer within the time, or as many by several accounts.',
        'What one token alone read: that is told of by `token-bulk-clone`, and not twice.',
        ...habitLimits,
      ],
      usual: readingHabits,
      via: tokenOf,
    },
    {
      ...{ ...branches, id: 'protected-branches-forced', title: 'Protected branches forced again and again' },
      ...{ least: 10, minutes: 10, things: 'protected branches by force', did: 'pushed to', on: recorded },
      value: (event) => (isForced(event) ? act(event) : undefined),
      where: { attribute: 'tripline.audit.action', oneOf: ['protected_branch.policy_override'] },
      why: 'Whoever may go round a protection can overwrite the history of one branch after the other.',
      falseAlarms: [
        'A history that is rewritten on purpose in many repositories: an exception for who does so, for the day.',
      ],
      limits: ['Overrides for another reason than a forced push are told one by one, by the table of audit actions.'],
    },
    {
      ...{
        ...branches,
        id: 'protected-branches-tried',
        title: 'Pushes to protected branches rejected again and again',
      },
      ...{
        least: 5,
        minutes: 10,
        things: 'pushes to protected branches',
        did: 'was refused',
        on: recorded,
        value: act,
      },
      where: { attribute: 'tripline.audit.action', oneOf: ['protected_branch.rejected_ref_update'] },
      why: 'Somebody, or their token, tries what they may not.',
      falseAlarms: ['A pipeline that pushes where it may not, again and again: an exception for its account.'],
      limits: ['Pushes that a ruleset refuses are not in the audit log.'],
    },
    {
      ...{ ...closedInBulk, id: 'changes-closed-in-bulk', title: 'One account closed many changes at once' },
      value: (event) => closed(event, repositoryOf(event)),
    },
    {
      ...{
        ...closedInBulk,
        id: 'others-changes-closed-in-bulk',
        title: 'One account closed many changes of others at once',
      },
      value: (event) => (isOthersOfHouse(event) ? closed(event, repositoryOf(event)) : undefined),
      things: 'changes of others',
      why: 'So their work is lost, and so is what would have been reviewed.',
      limits: [
        ...closedInBulk.limits,
        'Own changes and those of forks, which people without a right there may close: `changes-closed-in-bulk` counts them too, and so do changes of which nobody tells who opened them.',
      ],
      supersedes: ['changes-closed-in-bulk'],
    },
  ] satisfies Count[]
).map(ruleOf);

const settingsOf = (id: string) => counts.find((rule) => rule.id === id)!.settings;

/** What supersedes another of them goes by its settings. */
export const rules: readonly AnyRule[] = counts.map((rule) => {
  const wider = rule.supersedes?.[0];
  return wider === undefined ? rule : { ...rule, settings: settingsOf(wider) };
});
