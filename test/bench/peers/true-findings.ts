import type { Corpus } from '../corpus.ts';
import type { Delivery } from '../timelines.ts';
import type { Found } from './peer.ts';

/** What tells one true finding of the corpus from another, whoever found it. */
function keyOf({ rule, subject, occasion }: Found): string {
  if (rule === 'build-from-unreviewed-commit') return `${rule} commit ${subject.split('@').at(-1)}`;
  if (rule === 'credential-new-runner') return `${rule} runner ${subject.split(':').at(-1)}`;
  return `${rule} event ${occasion}`;
}

/** For `DetectorTask.check`: throws unless exactly the corpus's true findings of `rules` were found, each once. */
export function checkFindings(corpus: Corpus, rules: readonly string[] = ruleIds) {
  const expected = new Set(
    corpus.attacks
      .filter(({ rule }) => rules.includes(rule))
      .map(({ rule, mark, deciding }) => {
        if (rule === 'build-from-unreviewed-commit') return `${rule} commit ${commitOf(corpus.deliveries[deciding]!)}`;
        if (rule === 'credential-new-runner') return `${rule} runner ${mark}`;
        return `${rule} event github:${corpus.deliveries[deciding]!.id}`;
      }),
  );
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

const ruleIds = ['build-from-unreviewed-commit', 'credential-new-runner', 'privilege-grant-outside-job'];
