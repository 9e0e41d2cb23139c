import { conclusion } from './builders/conclusion.ts';
import { common, howToRetire, said, standingLine } from './standing-words.ts';

/** The tier that asks the most, as lint has it (packages/access). */
const strictTier = 'production';

const ownRole = 'Have its trust demand the environment of production, and give the other tiers a role of their own.';
/** How production comes to have its own; else as of a secret. */
const apart: Readonly<Record<string, string>> = {
  'runner-group': 'Give production a group of its own, restricted to its workflows.',
  ...{ 'aws-role': ownRole, 'vault-role': ownRole },
};

export const rule = conclusion({
  ...common,
  principles: [4],
  id: 'tiers-share',
  title: 'Production shares a secret, runner group or role with a lesser tier',
  description:
    'Jobs of environments of two tiers, production among them, reach one secret, one group of runners, or one role of AWS or Vault that their id tokens open: whoever gets into the lesser tier has what production uses. ' +
    'Tiers are those of the policies of access, environments those of the repositories that it reaches. One finding for each thing and set of tiers; taken back once nothing but one tier reaches it.',
  severity: 'medium',
  attack: ['T1199'],
  owasp: ['CICD-SEC-7', 'CICD-SEC-5'],
  falseAlarms: [
    'A secret that opens nothing of production, such as a token for reading packages: resolve it as accepted, or keep it in an environment.',
  ],
  limits: [
    'What a secret opens is not known; of a role whose trust names all repositories of an owner, which these are.',
    'Caches and artifacts: `fork-cache-to-release` finds those of pull requests.',
  ],
  where: ({ tiers, isGone }) => !isGone && tiers.length > 1 && tiers.includes(strictTier),
  conclude(seen, { key }) {
    const others = seen.tiers.filter((tier) => tier !== strictTier).join(' and ');
    return [
      {
        ...{ subject: seen.thing, occasion: seen.tiers.toSorted().join(' ') },
        title: `Production shares ${said(seen)} with ${others}`,
        summary: `Jobs of production and of ${others} reach ${said(seen)}. What a job of ${others} leaves there or takes from there is production’s too.`,
        because: [standingLine(key, seen, `${said(seen)} was reached from ${seen.tiers.join(', ')}`)],
        remedy: [
          apart[seen.kind] ?? 'Keep it in the environment of production, and give the other tiers one of their own.',
          howToRetire(seen),
        ],
      },
    ];
  },
});
