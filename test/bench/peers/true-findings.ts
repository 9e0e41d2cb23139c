import type { Corpus } from '../corpus.ts';
import type { Delivery } from '../timelines.ts';
import type { Found } from './peer.ts';

/** What tells one true finding of the corpus from another, whoever found it. */
function keyOf({ rule, subject, occasion }: Found): string {
  if (rule === 'build-from-unreviewed-commit') return `${rule} commit ${subject.split('@').at(-1)}`;
  if (rule === 'credential-new-runner') return `${rule} runner ${subject.split(':').at(-1)}`;
  return `${rule} event ${occasion}`;
}

/** The three rules that the peers restate. */
export const restatedRules: readonly string[] = [
  'build-from-unreviewed-commit',
  'credential-new-runner',
  'privilege-grant-outside-job',
];
/** Rules that find the same act too, each for a weakness of its own. */
const foundTooBy: { [rule: string]: readonly string[] } = { 'privilege-grant-outside-job': ['deploy-key-write-added'] };

/** What must be found of the corpus and nothing else, of `rules` or of all that there are. */
export function trueFindings(corpus: Corpus, rules?: readonly string[]): ReadonlySet<string> {
  const keys = corpus.attacks.flatMap(({ rule, mark, deciding }) =>
    [rule, ...(foundTooBy[rule] ?? [])]
      .filter((one) => rules === undefined || rules.includes(one))
      .map((one) => {
        if (one === 'build-from-unreviewed-commit') return `${one} commit ${commitOf(corpus.deliveries[deciding]!)}`;
        if (one === 'credential-new-runner') return `${one} runner ${mark}`;
        return `${one} event github:${corpus.deliveries[deciding]!.id}`;
      }),
  );
  return new Set(keys);
}

/** For `DetectorTask.check`: throws unless exactly the corpus's true findings were found, each once. */
export function checkFindings(corpus: Corpus, rules?: readonly string[]) {
  const expected = trueFindings(corpus, rules);
  return (findings: readonly Found[]): void => {
    const found = findings.map(keyOf);
    const missing = [...expected].filter((key) => !found.includes(key));
    const wrong = found.filter((key, place) => !expected.has(key) || found.indexOf(key) !== place);
    if (missing.length === 0 && wrong.length === 0) return;
    const told = (keys: string[]) => keys.slice(0, 5).join('; ');
    throw new Error(
      `of ${expected.size} true findings ${missing.length} are missing (${told(missing)}), and ${wrong.length} are wrong (${told(wrong)})`,
    );
  };
}

function commitOf(run: Delivery): string {
  return (JSON.parse(run.body.toString()) as { workflow_run: { head_sha: string } }).workflow_run.head_sha;
}
