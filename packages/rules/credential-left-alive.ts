import { inOwnOrder } from '@tripline/facts/bounds';
import { hashIn, type MintEnd, mintedCredentials } from '@tripline/facts/minted-credentials';
import { conclusion } from './builders/conclusion.ts';
import { credentialEntity, endLine, entitiesOfMint, mintLine, runOf, whyEnded } from './minted-words.ts';

const isSame = (a: MintEnd, b: MintEnd) => a.kind === b.kind && a.hash === b.hash;

export const rule = conclusion({
  id: 'credential-left-alive',
  title: 'Credential outlives the job that it was minted for',
  description:
    'The access broker was to revoke a credential, and its provider did not say within a minute that it is dead. Until it does, or the credential expires, whoever took it out of the job may use it. ' +
    'It stands when the credential is dead at last, and says so then.',
  severity: 'high',
  principles: [3],
  attack: ['T1550.001'],
  owasp: ['CICD-SEC-6'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'The provider is away for longer than a minute: the broker goes on revoking, and the finding says when it is dead.',
  ],
  limits: [
    'What is done with it meanwhile: `credential-use-outside-job` finds that by the audit log.',
    'One that was asked for and never recorded: `mint-outcome-unknown` says so.',
  ],
  about: mintedCredentials,
  where: ({ ends }) => ends.some(({ did }) => did === 'outlived'),
  conclude({ mints, ends }, { key }) {
    // Both the grant and the hash know of it; the grant is told of each.
    if (hashIn(key) !== undefined) return [];
    const alive = ends.filter(({ did }) => did === 'outlived');
    return alive.flatMap((outlived) => {
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
  },
});

const grantIn = (key: string): string => key.split(':').slice(3).join(':');
