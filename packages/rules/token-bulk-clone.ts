import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { usualPlace } from '@tripline/contracts/place';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import type { Named } from './builders/seen.ts';
import { type Counted, quotaOf, valueCount } from './builders/value-count.ts';
import {
  habitDescription,
  habitFalseAlarms,
  habitLimits,
  habitSays,
  privateRepositoryOf,
  readingHabits,
  tokenOf,
} from './reading-habits.ts';
import { endingTokensOf } from './token-words.ts';

export const rule = valueCount({
  id: 'token-bulk-clone',
  title: 'One token cloned many repositories',
  description:
    'One token cloned, fetched or downloaded at least `repositories` different repositories within `windowMs`. ' +
    'Whoever finds a token takes what it opens, all at once, before it is revoked. ' +
    'A read that names no token is counted for the account; no webhook tells of reads. ' +
    habitDescription,
  severity: 'critical',
  principles: [2],
  attack: ['T1213.003'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-6'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: [
    'Mirrors, scanners and backups, at their first time: a higher number for their account or token under `quotas`, or an exception for the account.',
    ...habitFalseAlarms,
    'A build that checks out more repositories than `repositories`: raise it.',
  ],
  limits: [
    'Fewer repositories than `repositories` within `windowMs`, or as many with several tokens, where the feed tells which: no count tells these from work.',
    ...habitLimits,
  ],
  on: ['dev.cdeventsx.tripline-repository.read'],
  settings: {
    repositories: z.int().min(2).max(100).default(10),
    /** By the token's hash, or by account: `login:id`, an id, or a login where the feed tells no id. So many repositories instead. */
    quotas: z.record(z.string(), z.int().min(2).max(1000)).default({}),
    windowMs: z.int().min(1000).max(86_400_000).default(360_000),
  },
  by: readerOf,
  usual: readingHabits,
  value: privateRepositoryOf,
  tell: ({ by, value }) => `${by.name} read ${value.name}`,
  atLeast: ({ repositories, quotas }, by) =>
    quotaOf(quotas, { id: by.id.slice(by.id.indexOf(' ') + 1), login: loginOf(by) }, repositories),
  withinMs: ({ windowMs }) => windowMs,
  found: (reader, repositories, { windowMs }, sights, how) => ({
    subject: how === 'again' ? `user:${loginOf(reader)}` : reader.id,
    ...(how === 'unusual' ? {} : { severity: how === 'again' ? 'low' : 'medium' }),
    title: `${loginOf(reader)} cloned ${repositories.length} repositories within ${Math.ceil(windowMs / 60_000)} minutes`,
    summary:
      `${reader.name} read ${repositories
        .map(({ name }) => name)
        .slice(0, 10)
        .join(', ')}. ` + `Whoever finds a token takes all that it opens before it is revoked.${habitSays[how]}`,
    entities: reader.id.startsWith('token ') ? [{ kind: 'credential', id: reader.id.slice('token '.length) }] : [],
    response: how === 'again' ? [] : responseTo(sights[0]!),
    remedy: [
      `Ask ${loginOf(reader)} on another channel whether this is theirs; if not, revoke the token.`,
      'Take every secret that lies in these repositories as known to others.',
    ],
  }),
});

/** The token where the feed names one, by its hash or its id, else the account. */
function readerOf(event: LoggedEvent): Named | undefined {
  const data: Attributes = event.data;
  const login = clip(data['user.name'] ?? 'somebody unnamed', 200);
  const token = tokenOf(event);
  if (token !== undefined) return { id: `token ${token}`, name: `A token of ${login}` };
  const account = data['user.id'] ?? data['user.name']?.toLowerCase();
  return account === undefined ? undefined : { id: `account ${account}`, name: login };
}

function responseTo({ by: { id, name: login }, repository, place = usualPlace }: Counted) {
  // Where no event told an id, it is the login.
  const by = id === login.toLowerCase() ? { login } : { login, id };
  return endingTokensOf(by, repository?.name.split('/')[0], place);
}
const loginOf = ({ name }: Named) => name.replace(/^A token of /, '');
