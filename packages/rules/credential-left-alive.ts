import { inOwnOrder } from '@tripline/facts/bounds';
import { hashIn, type MintEnd, mintedCredentials } from '@tripline/facts/minted-credentials';
import { conclusion } from './builders/conclusion.ts';
import { credentialEntity, endLine, entitiesOfJob, entitiesOfMint, mintLine, runOf, whyEnded } from './minted-words.ts';

const isSame = (a: MintEnd, b: MintEnd) => a.kind === b.kind && a.hash === b.hash;

export const rule = conclusion({
  id: 'credential-left-alive',
  title: 'Credential outlives the job that it was minted for',
  description:
    'The access broker was to revoke a credential, and its provider did not say within a minute that it is dead. Until it does, or the credential expires, whoever took it out of the job may use it. ' +
    'It stands when the credential is dead at last, and says so then. ' +
    'Low: one was asked for, and the broker died or got no whole answer before it was recorded; nobody was given it, and its provider cannot be asked for it.',
  severity: 'high',
  principles: [3],
  attack: ['T1550.001'],
  owasp: ['CICD-SEC-6'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'The provider is away for longer than a minute: the broker goes on revoking, and the finding says when it is dead.',
    'The provider fails where it is asked for a credential, and made none: it cannot be told from one whose answer was lost, and is low.',
  ],
  limits: ['What is done with it meanwhile: `credential-use-outside-job` finds that by the audit log.'],
  about: mintedCredentials,
  where: ({ ends }) => ends.some(({ did }) => did !== 'revoked'),
  conclude({ mints, ends }, { key }) {
    // Both the grant and the hash know of it; the grant is told of each.
    if (hashIn(key) !== undefined) return [];
    const lost = ends
      .filter(({ did }) => did === 'lost')
      .filter((one, nth, all) => all.findIndex(({ kind }) => kind === one.kind) === nth)
      .map((one) => lostOf(one, key));
    const alive = ends.filter(({ did }) => did === 'outlived');
    const left = alive.flatMap((outlived) => {
      if (alive.find((one) => isSame(one, outlived)) !== outlived) return [];
      const mint = mints.find(({ kind, hash }) => kind === outlived.kind && (outlived.hash ?? hash) === hash);
      const dead = ends.filter((one) => one.did === 'revoked' && isSame(one, outlived)).toSorted(inOwnOrder)[0];
      const whose = mint === undefined ? 'of a job' : runOf(mint);
      const until = mint === undefined ? '' : ` It expires at ${new Date(mint.expiresMs).toISOString()}.`;
      const hash = mint?.hash ?? outlived.hash;
      return [
        {
          ...{
            subject: `access:${mint?.grant ?? grantIn(key)}`,
            occasion: `${outlived.kind} ${outlived.hash ?? ''}`.trim(),
          },
          title: `A ${outlived.kind} credential ${whose} could not be revoked for a minute`,
          summary: `At ${outlived.time} it was still alive, though ${whyEnded(outlived)}.${until}${dead === undefined ? ' Whoever has it may use it until then.' : ` It is dead since ${dead.time}.`}`,
          because: [
            ...(mint === undefined ? [] : [mintLine(key, mint)]),
            endLine(key, outlived),
            ...(dead === undefined ? [] : [endLine(key, dead)]),
          ],
          entities: [
            ...(hash === undefined ? [] : [credentialEntity(hash)]),
            ...(mint === undefined ? [] : entitiesOfMint(mint)),
          ],
          remedy: [
            'See why the provider does not revoke it: `tripline access grants --live` and the broker’s log; end it there by hand where that goes on.',
          ],
        },
      ];
    });
    return [...left, ...lost];
  },
});

const grantIn = (key: string): string => key.split(':').slice(3).join(':');

/** What nobody was given, and nobody can revoke, if it is there at all. */
function lostOf(lost: MintEnd, key: string) {
  const until = lost.expiresMs === undefined ? '' : ` until ${new Date(lost.expiresMs).toISOString()} at the latest`;
  return {
    ...{ subject: `access:${grantIn(key)}`, occasion: `${lost.kind} lost`, severity: 'low' as const },
    title: `A ${lost.kind} credential that nobody was given may live`,
    summary:
      `The broker asked for one for a job ${runOf(lost)}, and died or got no whole answer before it could record it. Its value was handed to nobody. ` +
      `If it was made, it lives${until}; what it may do is what its policy gives.`,
    because: [endLine(key, lost)],
    entities: entitiesOfJob(lost),
    remedy: [
      'Nothing, where it may do little: it expires. To end a GitHub token before, suspend the App’s installation, which shuts out all that bear its tokens, and lift that once it has expired.',
    ],
  };
}
