import type { Intent } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { inOwnOrder } from '@tripline/facts/bounds';
import { hashIn, type MintUse, mintedCredentials, wantedAs } from '@tripline/facts/minted-credentials';
import { z } from 'zod';
import { account, isAccount } from './accounts.ts';
import { conclusion } from './builders/conclusion.ts';
import { credentialEntity, entitiesOfUses, useLine } from './minted-words.ts';

/** A record of longer ago may be of a token whose mint is forgotten. */
const latestMs = 72 * 3_600_000;

/** Ends all that the App’s key opens, until it has another. */
function uninstalling({ by, organization }: MintUse, key: string): Intent[] {
  if (by === undefined || organization === undefined || !by.login.endsWith('[bot]')) return [];
  const [provider = '', instance = ''] = key.split(':', 2);
  const app = clip(by.login.slice(0, -'[bot]'.length), 300);
  return [{ action: 'revoke-grant', grant: 'app-installation', provider, instance, organization, app }];
}

export const rule = conclusion({
  id: 'token-not-minted-by-broker',
  title: 'The access broker’s App acted with a token that the broker did not mint',
  description:
    'An App whose tokens only the access broker mints (`apps`) did something with one that no `credential.minted` names. The broker puts each into the log before it hands it out, and before it answers a gate with one, so somebody else has the App’s private key. ' +
    'One finding for each such token. A mint that is received later takes it back.',
  severity: 'critical',
  principles: [1, 5],
  attack: ['T1552.004', 'T1606'],
  owasp: ['CICD-SEC-6', 'CICD-SEC-2'],
  feeds: {
    needs: ['github-audit'],
    better: { access: 'names the tokens that were minted; without it each is one that was not' },
  },
  untilConfigured: {
    does: 'nothing',
    why: 'The audit log names Apps by their login: `slug` of each App under `broker.apps` says it, or `apps`.',
  },
  falseAlarms: [
    'Somebody else uses the App’s key on purpose, such as a tool that mints for itself: give that an App of its own.',
    'The detector’s state was made anew from a log that begins within the hour: tokens that were minted before that are unknown.',
  ],
  limits: [
    'What it only reads by the API: GitHub streams `api.request` where that is switched on.',
    'Minting alone: it is told by no feed before the token is used.',
    'Records that come more than 72 hours late.',
  ],
  settings: {
    /** Apps whose tokens only the broker mints: `name[bot]`, or the account as `login:id`. */
    apps: z.array(account).max(100).default([]),
  },
  about: mintedCredentials,
  wants: ({ apps }) => apps.map(wantedAs),
  where: ({ mints, uses }) => mints.length === 0 && uses.length > 0,
  conclude({ uses }, { key, settings, explain }) {
    const hash = hashIn(key);
    const ours = uses
      .filter(({ by }) => by !== undefined && settings.apps.some((entry) => isAccount(entry, by)))
      .filter(({ time, heardMs }) => heardMs - parseTime(time) <= latestMs)
      .toSorted(inOwnOrder);
    const first = ours[0];
    if (hash === undefined || first === undefined) {
      explain('the broker minted it');
      return [];
    }
    const who = first.by?.login ?? '';
    return [
      {
        ...{ subject: hash, occasion: 'not minted' },
        title: `${who} acted with a token that the access broker did not mint`,
        summary: `At ${first.time} it was used for ${first.action ?? 'an unnamed act'}${first.address === undefined ? '' : ` from ${first.address}`}. Each token that the broker hands out is in the log before: whoever made this one has the App’s private key.`,
        because: ours.slice(0, 20).map((use) => useLine(key, use)),
        entities: [credentialEntity(hash), ...entitiesOfUses(ours, key)],
        response: uninstalling(first, key),
        remedy: [
          `Delete the private keys of ${who} at the provider, now, and make another; tokens that exist live on for an hour unless the App is uninstalled or suspended.`,
          'Ask where the broker’s key can have been read: its host, its secret store, a backup. Keep the next one in transit of OpenBao or Vault.',
          'Read in the audit log what else the App did, by `hashed_token`.',
        ],
      },
    ];
  },
});
