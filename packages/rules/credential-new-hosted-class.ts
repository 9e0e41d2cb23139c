import { type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { credentialInWords, credentials } from '@tripline/facts/credentials';
import { isLearned } from '@tripline/facts/runner-standing';
import { entityOf } from '@tripline/facts/things';
import { z } from 'zod';
import { because } from './evidence.ts';

const settings = z.strictObject({});

function conclude(key: string, context: ConcludeContext<unknown>): readonly Conclusion[] {
  const { id, contexts } = context.read(credentials, key) ?? { id: '', contexts: [] };
  const usual = contexts.filter((one) => one.isListed || isLearned(one, context)).map(({ runner }) => runner);
  // Of what is usual nowhere nothing is known, and nothing unusual.
  if (context.learning || usual.length === 0) return [];
  const name = credentialInWords(id);
  return contexts
    .filter(({ isHosted, runner }) => isHosted && !usual.includes(runner))
    .map((one) => ({
      ...{ subject: one.runner, occasion: id, confidence: 'low' },
      title: clip(`${name} was used on a class of hosted runners that is new to it`, 300),
      summary: `${name} was used on ${one.runner}; until then it was used elsewhere alone. Somebody may have moved its workflow, or have its value.`,
      because: [because(credentials, key, one, `${name} was used on ${one.runner}`)],
      entities: [
        { kind: 'runner', id: one.runner },
        { kind: 'credential', id: clip(id, 500) },
        ...(one.run === undefined ? [] : [entityOf('run', one.run, one.runKey)]),
      ],
      response: [],
      remedy: ['If the workflow moved to this class of runner on purpose, resolve this as false.'],
    }));
}

export const rule = defineRule<unknown, unknown>({
  id: 'credential-new-hosted-class',
  title: 'Credential used on a class of hosted runners that is new to it',
  description:
    'A credential is used on a machine of the provider’s of another class (group and labels) than any on which it was usual. ' +
    'Each of those machines is new, so they count by their class alone. What is usual is learned for the learning period or from an inventory, then frozen, and never from a run in which something stands found.',
  severity: 'medium',
  confidence: 'low',
  principles: [2, 3],
  attack: ['T1078.004', 'T1528'],
  owasp: ['CICD-SEC-6', 'CICD-SEC-2'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: ['A workflow that moves to another class of hosted runner: resolve it as false.'],
  reads: [],
  settings,
  learns: true,
  concludes: { uses: [credentials], subjects: ({ key }) => [key], conclude },
});
