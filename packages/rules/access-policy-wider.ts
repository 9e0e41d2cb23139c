import type { Attributes } from '@tripline/contracts/attributes';
import { match } from './builders/match.ts';

const words = {
  wider: { what: 'Policies of access that give more are in force', severity: 'low' },
  other: { what: 'Policies of access that give something else are in force', severity: 'low' },
  refused: { what: 'New policies of access were refused', severity: 'medium' },
} as const;

export const rule = match({
  id: 'access-policy-wider',
  title: 'Policies of access give more, or were refused',
  description:
    'The access broker put policies in force that give somebody more than the former ones did, or something else; or it refused new ones, because nobody reviewed their commit, they are wrong, or their repository is another one: then the former stay in force. ' +
    'Low where they came into force by review, and open until somebody acknowledges it; medium where they were refused.',
  severity: 'medium',
  principles: [1, 5],
  attack: ['T1098.003', 'T1484'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-5'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'A change that is meant: acknowledge it. It informs, and pages nobody.',
    'A change that was merged in haste, and is reviewed afterwards: it is refused until a reviewed commit follows.',
  ],
  limits: [
    'A commit of which nobody told whether it is reviewed: it waits, and the broker’s log and doctor say so.',
    'Policies of a local file: they decide dry runs alone.',
  ],
  on: ['dev.cdeventsx.tripline-policy.changed'],
  find({ data }) {
    const of: Attributes = data;
    const { 'tripline.policy.outcome': outcome, 'tripline.policy.change': change } = of;
    const kind = outcome === 'refused' ? 'refused' : change;
    if (kind !== 'wider' && kind !== 'other' && kind !== 'refused') return undefined;
    const { what, severity } = words[kind];
    const [sha256 = '', revision] = [of['tripline.access.policy_sha256'], of['tripline.access.policy_revision']];
    const at = revision === undefined ? `file ${sha256.slice(0, 12)}` : `commit ${revision.slice(0, 12)}`;
    const why = of['tripline.access.reason'] === undefined ? '' : ` ${of['tripline.access.reason']}`;
    return {
      ...{ subject: `policies:${sha256.slice(0, 64)}`, occasion: `${kind} ${revision ?? ''}`.trim(), severity },
      what: `${what}, of ${at}`,
      title: `${what} (${at})`,
      summary: `${what}, of ${at}.${why} ${kind === 'refused' ? 'The former policies stay in force.' : 'Who can get what is by them other than before.'}`,
      remedy: [
        '`tripline access diff` says who gets more; `tripline access who` who can get what.',
        kind === 'refused'
          ? 'Have the change reviewed by somebody else than its author, and merged; or mend what `tripline access lint` names.'
          : 'Acknowledge it if it is meant; else revert the change: the former policies are in force again once that is reviewed.',
      ],
    };
  },
});
