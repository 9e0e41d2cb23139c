import { defineRule } from '@tripline/contracts/rule';
import type { z } from 'zod';
import { concludesBroad, named } from './broad-rights.ts';
import { type GrantingSettings, grantingSettings } from './granting.ts';

export const rule = defineRule<null, GrantingSettings>({
  id: 'app-permission-escalated',
  title: 'App installed, or its permissions raised',
  description:
    'Somebody installed an app that may write, accepted new permissions of one, or opened all repositories to it, and neither a job of a granting workflow nor break-glass excuses it. The app’s maker, and whoever breaks in there, has these rights from then on, with no person’s second factor. ' +
    'It is medium where the rights reach what gives further ones (administration, workflows, secrets, runners, members …), low otherwise; a step graver where granting workflows are configured. ' +
    'It supersedes `privilege-grant-outside-job`, whose settings hold for it where it has none of its own: `ownApps` are silent.',
  severity: 'medium',
  confidence: 'high',
  principles: [1],
  attack: ['T1199', 'T1098.001'],
  owasp: ['CICD-SEC-8'],
  feeds: { needs: ['github'] },
  falseAlarms: [
    'An app that was chosen on purpose: resolve it as accepted; `exemptActors` for whoever may install apps, `ownApps` for your own.',
  ],
  limits: [
    'Which permissions were new among those that were accepted: the webhook tells only what the app may do now.',
    'OAuth apps that a person authorises for themselves: the audit log tells.',
    'What the app does with its rights: see what is found of its account.',
  ],
  reads: [],
  settings: grantingSettings as z.ZodType<GrantingSettings>,
  learns: false,
  supersedes: ['privilege-grant-outside-job'],
  concludes: concludesBroad({
    kinds: ['app-installation', 'app-repositories'],
    say(act, { writes, powerful, everywhere }) {
      if (writes.length === 0) return undefined;
      const rights = named(powerful.length > 0 ? powerful : writes);
      const on = everywhere ? `all repositories of ${act.target}` : act.target;
      return {
        title:
          act.did === 'changed'
            ? `${act.by.login} accepted new permissions of app ${act.grantee} on ${act.target}: it may write ${rights}`
            : `${act.by.login} opened ${on} to app ${act.grantee}, which may write ${rights}`,
        why: `It may write ${named(writes)}. Whoever runs the app has these rights, or whoever breaks in there.`,
        severity: powerful.length > 0 ? 'medium' : 'low',
      };
    },
  }),
});
