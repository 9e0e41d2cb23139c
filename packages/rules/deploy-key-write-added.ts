import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { placeOf } from '@tripline/contracts/place';
import type { FindingDraft } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { match } from './builders/match.ts';
import { actorOf } from './builders/seen.ts';

export const rule = match({
  id: 'deploy-key-write-added',
  title: 'Deploy key with write access added',
  description:
    'Somebody added a deploy key that may write. It belongs to no person, has no second factor, outlives whoever added it, and pushes past nobody’s review. ' +
    'It is told and revoked at a person’s word: keys for GitOps controllers are added so, rarely.',
  severity: 'high',
  principles: [1],
  attack: ['T1098.004'],
  owasp: ['CICD-SEC-2'],
  falseAlarms: [
    'GitOps controllers (Flux, Argo CD image updater) that write back: an exception for who adds their keys, or for the repository that they write to.',
  ],
  on: ['dev.cdeventsx.tripline-grant.added', 'dev.cdeventsx.tripline-grant.changed'],
  where: { attribute: 'tripline.grant.kind', oneOf: ['deploy-key'] },
  find(event) {
    const { data } = event;
    // What a key may do that says nothing of it is not known, and a key writes unless it only reads.
    if (data['tripline.grant.permission'] === 'read') return undefined;
    const target = data['tripline.grant.target']!;
    const name = clip(data['tripline.grant.grantee']!, 100);
    const key = data['tripline.grant.id'] ?? name;
    const by = actorOf(event).name;
    return {
      subject: clip(`${target}#deploy-key:${key}`, 400),
      what: `${by} added deploy key “${name}”, which may write, to ${target}`,
      title: `${by} added a deploy key that may write to ${target}`,
      summary:
        `${by} added deploy key “${name}” to ${target}, and it may write. ` +
        'Whoever holds its private half pushes as nobody, without a second factor, for as long as it stands.',
      entities: [{ kind: 'grant', id: clip(`deploy-key:${target}:${key}`, 500) }],
      response: responseTo(event),
      remedy: [
        `Ask ${by} what the key is for; delete it unless they can say.`,
        'Prefer a key that only reads, or a GitHub App whose tokens end within an hour.',
      ],
    };
  },
});

/** Revokes the key, where it is known by its number. */
function responseTo(event: LoggedEvent): FindingDraft['response'] {
  const {
    'vcs.repository.name': repository,
    'vcs.repository.id': id,
    'tripline.grant.id': key,
  }: Attributes = event.data;
  if (repository === undefined || key === undefined) return [];
  const of = { repository, ...(id === undefined ? {} : { repositoryId: id }) };
  return [{ action: 'revoke-credential', credential: 'deploy-key', ...placeOf(event), ...of, credentialId: key }];
}
