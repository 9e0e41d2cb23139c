import type { Entity } from '@tripline/contracts/finding';
import { type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import {
  type HourOfCredential,
  hourKey,
  hourOf,
  jobCredentials,
  secretName,
  tokenName,
} from '@tripline/facts/job-credentials';
import { hashIn, mintedCredentials } from '@tripline/facts/minted-credentials';
import { personOf } from '@tripline/facts/things';
import { z } from 'zod';
import { because } from './evidence.ts';
import { usesOutsideLife } from './minted-outside-job.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const name = z.string().min(1).max(300);

const settings = z.strictObject({
  /** Tokens that only jobs are to use: by the hash of their value or their id, as the audit log names them, and the secrets that hold them. */
  credentials: z
    .array(
      z.strictObject({
        token: name,
        secrets: z
          .array(name.regex(/^[^/\s]+\/[^/\s]+\/[^/\s]+$/, 'owner/name/SECRET'))
          .min(1)
          .max(100),
      }),
    )
    .max(100)
    .default([]),
  /** How long after its job a token may be used, and how far clocks may differ, ms. */
  graceMs: z
    .int()
    .min(0)
    .max(hourMs)
    .default(10 * minuteMs),
  /** How long a use is held for its job to be told, ms: a polled audit log tells late. */
  latenessMs: z
    .int()
    .min(0)
    .max(24 * hourMs)
    .default(hourMs),
  /** How long after it was given the secret a job may be under way, ms; six hours is the limit of hosted runners. */
  jobMs: z
    .int()
    .min(minuteMs)
    .max(72 * hourMs)
    .default(6 * hourMs),
  /** How far the clocks of the access broker and of the audit log may differ, ms: what the broker minted ends with its job. */
  mintedGraceMs: z.int().min(0).max(hourMs).default(minuteMs),
});
type Settings = z.output<typeof settings>;
type Context = ConcludeContext<Settings>;
type Use = HourOfCredential['uses'][number];

/** Whether a job that was given one of the secrets may have been under way. */
function isDuringJob(subject: string, use: Use, secrets: readonly string[], context: Context): boolean {
  const { graceMs, jobMs } = context.settings;
  const atMs = parseTime(use.time);
  for (let hour = hourOf(atMs - jobMs - graceMs); hour <= hourOf(atMs + graceMs); hour += 1) {
    for (const secret of secrets) {
      const known = context.watch(jobCredentials, hourKey(subject, secretName(secret), hour));
      for (const job of known?.jobs ?? []) {
        const sinceMs = atMs - parseTime(job.time);
        if (sinceMs >= -graceMs && sinceMs <= jobMs + graceMs) return true;
      }
    }
  }
  return false;
}

function conclude(subject: string, context: Context): Conclusion[] {
  const known = context.read(jobCredentials, subject);
  const { credentials, latenessMs } = context.settings;
  const secrets = credentials.filter(({ token }) => tokenName(token) === known?.named).flatMap((one) => one.secrets);
  if (known === undefined || secrets.length === 0) return [];
  const outside = known.uses.filter((use) => !isDuringJob(subject, use, secrets, context));
  const dueMs = ({ heardMs }: Use) => heardMs + latenessMs;
  const waiting = outside.map(dueMs).filter((ms) => ms > context.nowMs);
  if (waiting.length > 0) context.recheckAt(Math.min(...waiting));
  const found = outside.filter((use) => dueMs(use) <= context.nowMs);
  const first = found[0];
  if (first === undefined) return [];
  const token = known.named.slice('token:'.length);
  const who = first.by?.login ?? 'somebody unnamed';
  const from = first.address === undefined ? '' : ` from ${first.address}`;
  const people: Entity[] = found
    .slice(0, 5)
    .flatMap((use) => [
      ...(use.by === undefined ? [] : [personOf(use.by, subject)]),
      ...(use.address === undefined ? [] : [{ kind: 'address' as const, id: use.address }]),
    ]);
  return [
    {
      ...{ subject: token, occasion: `${new Date(parseTime(first.time)).toISOString().slice(0, 13)}` },
      title: 'A token that only jobs are to use was used while none of them ran',
      summary: `It was used as ${who} for ${first.action ?? 'an unnamed act'}${from} at ${first.time}. No job that was given ${clip(secrets.join(' or '), 300)} can have been under way: whoever used it took it out of a job, or had it before.`,
      because: found.slice(0, 20).map((use) => {
        const by = use.address === undefined ? '' : ` from ${use.address}`;
        return because(jobCredentials, subject, use, `it was used for ${use.action ?? 'an unnamed act'}${by}`);
      }),
      entities: [{ kind: 'credential', id: clip(token, 500) }, ...people],
      response: secrets.slice(0, 5).flatMap((secret) => {
        const [owner, repository, ...rest] = secret.split('/');
        const [provider = '', instance = ''] = subject.split(':', 2);
        const place = { provider, instance, repository: `${owner}/${repository}` };
        return [{ action: 'rotate-secret' as const, ...place, secret: clip(rest.join('/'), 300) }];
      }),
      remedy: [
        'End the token, make another, and put that into the secret.',
        'Read which runs were given the secret last, what they printed and what they sent where.',
      ],
    },
  ];
}

export const rule = defineRule<unknown, Settings>({
  id: 'credential-use-outside-job',
  title: 'Credential of a job used while no such job runs',
  description:
    'A credential that the access broker minted for a job was used after it was revoked, after it expired, or before there was any: exact, by its hash. It is high, and critical where it was used from another network than its job’s. ' +
    'Or a token that lies in a secret for jobs (`credentials` says which, since no feed tells that) was used more than `jobMs` after any job had been given the secret. Either was taken out of a job. ' +
    'A use of the latter is held for `latenessMs`, until its job could have been told, and one that is told later takes the finding back. One finding for each credential that was minted, one an hour for others.',
  severity: 'critical',
  confidence: 'high',
  principles: [3],
  attack: ['T1550.001', 'T1552.001'],
  owasp: ['CICD-SEC-6'],
  feeds: {
    needs: ['github-audit'],
    better: { access: 'tells which credential was minted for which job, and when it ended' },
  },
  falseAlarms: [
    'Clocks of the broker and the provider that differ by more than `mintedGraceMs`.',
    'A step that goes on in the background when its job ends, with what it was given: let it end with the job.',
    'What a job set off and left running elsewhere, such as a deployment that calls back: `graceMs`.',
    'A person who uses the same token: give the jobs one of their own.',
    'A secret of an organisation or environment: name it for each repository whose jobs are given it.',
  ],
  limits: [
    'Without the access broker, or `credentials`, nobody says which tokens are of jobs.',
    'While its job runs, a use of what was minted from elsewhere passes for the job’s own.',
    'A use of what is dead is refused, and the audit log tells of none: what is found was done with what could not be revoked, or in the moment before.',
    'For `jobMs` after a job was given the secret, a use from elsewhere passes for its own: set it to how long your jobs take. See `credential-context-drift`.',
    'The token that the provider makes for each job ends with the job, and nothing tells its uses apart.',
    'Tokens of clouds, vaults and registries: their own logs tell of their use, for which there is no feed yet.',
    'When the job ended: the audit log does not tell it of jobs on hosted machines.',
  ],
  reads: [],
  settings,
  learns: false,
  concludes: {
    uses: [jobCredentials, mintedCredentials],
    wants: {
      fact: jobCredentials,
      names: ({ credentials }) =>
        credentials.flatMap(({ token, secrets }) => [tokenName(token), ...secrets.map(secretName)]),
    },
    subjects: ({ fact, key, value }) => {
      if (fact === mintedCredentials.id) return hashIn(key) === undefined ? [] : [key];
      return (value as HourOfCredential | undefined)?.named.startsWith('token:') ? [key] : [];
    },
    conclude: (subject, context) =>
      hashIn(subject) === undefined ? conclude(subject, context) : usesOutsideLife(subject, context),
  },
});
