import { byGravity } from '@tripline/contracts/finding';
import { privileged, triggersThatSee } from '@tripline/facts/privileged-triggers';
import { repositoryKeyOf } from '@tripline/facts/things';
import { fromFacts } from './builders/from-facts.ts';
import { targetOf } from './builders/seen.ts';
import { shellTexts } from './shell-text.ts';
import { fieldWords, type Injected, injectedIn, injectedSchema, readTypes, severityOf } from './untrusted-texts.ts';

const sparing = { lacks: shellTexts };

export const rule = fromFacts({
  id: 'untrusted-metadata-injection',
  title: 'Text that a shell would execute, where a workflow may put it into a script',
  description:
    'The name of a branch or tag, a title, a body, a comment, a commit’s message or author, the path of a CI file or a page of a wiki holds what a shell executes: `$(…)`, `$IFS`, `{curl,…}`, a quote that is closed and a command after it. ' +
    'A workflow that puts such text into a script by an expression runs it. High where it fetches, decodes or hides as ordinary text does not, and a workflow of the repository was seen to run with the repository’s rights for such events (`pull_request_target`, `issues`, `issue_comment` …); medium where only one of both holds; else low. ' +
    'In bodies and comments what is marked as code is left out, and the rest is medium at most; of commit messages, whose pusher may write anyway, it is low.',
  severity: 'high',
  principles: [4],
  attack: ['T1677', 'T1059'],
  owasp: ['CICD-SEC-4'],
  falseAlarms: [
    'Code in titles, such as `fix $(foo) in Makefile`: low, or medium where a workflow runs for strangers’ changes there; an exception for the repository.',
    'Tests of one’s own against such injections: an exception for who writes them.',
  ],
  limits: [
    'Whether a workflow puts the text into a script: files of workflows are not read.',
    'Names of files in changes of forks, labels and milestones: webhooks do not tell the former, and the others take rights.',
    'That a workflow runs for such events is known once it was seen to: of a repository whose first such run this is, the finding grows with it.',
  ],
  on: readTypes,
  passesOver: {
    'dev.cdevents.ticket.created': sparing,
    'dev.cdevents.ticket.updated': sparing,
    'dev.cdeventsx.tripline-comment.created': sparing,
    'dev.cdeventsx.tripline-wiki.changed': sparing,
  },
  uses: [privileged],
  keepMs: 30 * 86_400_000,
  key: (event) => {
    const subject = injectedIn(event)?.subject;
    return subject === undefined ? undefined : `${repositoryKeyOf(event)} ${subject}`;
  },
  observe: (event) => ({ kind: injectedIn(event)!.field, data: injectedIn(event)! }),
  data: injectedSchema,
  tell: ({ by, data: { field, excerpt } }) => `${by.name} wrote ${fieldWords[field]}: ${excerpt}`,
  conclude(sights, { key, watch }) {
    const repositoryKey = key.slice(0, key.indexOf(' '));
    const workflows = watch(privileged, repositoryKey)?.workflows ?? [];
    return [...Map.groupBy(sights, ({ data }) => data.field)].map(([field, those]) => {
      const runnerOf = ({ of }: Injected) => workflows.find(({ trigger }) => triggersThatSee[of].has(trigger));
      const gravityOf = ({ data }: { data: Injected }) => severityOf(data, runnerOf(data) !== undefined);
      const { by, data, repository } = those.toSorted((a, b) => byGravity(gravityOf(b), gravityOf(a)))[0]!;
      const runner = runnerOf(data);
      const { name } = repository!;
      const severity = severityOf(data, runner !== undefined);
      const { provider, instance } = targetOf(repository!, key);
      const account = { organization: name.slice(0, name.indexOf('/')), user: by.name, userId: by.id };
      const isStranger = severity === 'high' && data.isOutsiders && /^\d+$/.test(by.id);
      const ran = runner === undefined ? undefined : `${runner.path} was seen to run for ${runner.trigger}`;
      return {
        ...{ subject: `${name}${data.subject}`, occasion: field, severity },
        because: [...those, ...(ran ? [{ fact: privileged, key: repositoryKey, seen: runner!, what: ran }] : [])],
        title: `${by.name} wrote ${fieldWords[field]} that a shell would execute, in ${name}${data.subject}`,
        summary:
          `${by.name} wrote: ${data.excerpt}. A workflow that puts it into a script by an expression runs it` +
          (ran === undefined ? '.' : `, and ${ran} with the rights of ${name}.`),
        response: isStranger ? [{ action: 'block-user' as const, provider, instance, ...account }] : [],
        remedy: [
          `Read the runs that ${by.name} set off in ${name} since, and stop what still runs; rotate what they could read.`,
          'Hand such text to scripts by environment variables, never by an expression within `run:`.',
        ],
      };
    });
  },
});
