import { defineRule } from '@tripline/contracts/rule';
import { msBetween } from '@tripline/contracts/time';
import type { z } from 'zod';
import { concludesBroad, named } from './broad-rights.ts';
import { type GrantingSettings, grantingSettings } from './granting.ts';

/** Longer than this a token outlives what it was made for. */
const longMs = 90 * 86_400_000;

export const rule = defineRule<null, GrantingSettings>({
  id: 'high-scope-token-approved',
  title: 'Personal access token approved that may write',
  description:
    'Somebody approved a fine-grained personal access token that may write, and neither a job of a granting workflow nor break-glass excuses it. Whoever has its text acts as its owner, without a second factor, until it ends. ' +
    'It is medium where it reaches what gives further rights (administration, workflows, secrets, runners, members …), or writes everywhere without an end within 90 days; low otherwise; a step graver where granting workflows are configured. ' +
    'It supersedes `privilege-grant-outside-job`, whose settings hold for it where it has none of its own.',
  severity: 'medium',
  confidence: 'high',
  principles: [1, 3],
  attack: ['T1098.001'],
  owasp: ['CICD-SEC-6', 'CICD-SEC-2'],
  feeds: {
    needs: ['github'],
    better: { 'github-audit': 'it tells what is done with the token, by its hash' },
  },
  falseAlarms: [
    'Tokens that your policy allows: an exception for who approves them, with an end; better, an App whose tokens end within an hour.',
  ],
  limits: [
    'Classic personal access tokens: nobody approves them, and no webhook tells of them.',
    'Where the organisation needs no approval, a token is told by nobody before it is used.',
    'A token that only reads, however much it opens.',
  ],
  reads: [],
  settings: grantingSettings as z.ZodType<GrantingSettings>,
  learns: false,
  supersedes: ['privilege-grant-outside-job'],
  concludes: concludesBroad({
    kinds: ['personal-access-token'],
    say(act, { writes, powerful, everywhere, expiresAt }) {
      if (writes.length === 0) return undefined;
      const isLong = expiresAt === undefined || msBetween(act, { time: expiresAt }) > longMs;
      const ends = expiresAt === undefined ? 'never ends' : `ends at ${expiresAt}`;
      const where = everywhere ? `all repositories of ${act.target}` : `some repositories of ${act.target}`;
      return {
        title: `${act.by.login} approved a token of ${act.grantee} on ${act.target} that may write ${named(powerful.length > 0 ? powerful : writes)}`,
        why: `The token may write ${named(writes)} on ${where}, and ${ends}. Whoever has its text has all that, without a second factor.`,
        severity: powerful.length > 0 || (everywhere && isLong) ? 'medium' : 'low',
      };
    },
  }),
});
