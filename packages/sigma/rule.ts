import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventTypes, type LoggedEvent } from '@tripline/contracts/event';
import type { Severity } from '@tripline/contracts/finding';
import { internalEventTypes } from '@tripline/contracts/internal';
import type { AnyRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { match } from '@tripline/rules/builders/match';
import type { Level, LogSource, SigmaRule } from './read-rules.ts';

/** Whatever an audit record is read as, it carries its action and itself; what Tripline writes itself is none. */
const reads = (Object.keys(eventTypes) as EventType[]).filter((type) => !internalEventTypes.has(type));

const severities: Readonly<Record<Level, Severity>> = {
  informational: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  critical: 'critical',
};

/** The id of the rule that a Sigma rule becomes: by its own UUID, which stays when title and file change, else by its title. */
export function ruleIdOf({ id, title }: { id?: string | undefined; title?: string | undefined }): string | undefined {
  if (id !== undefined && isUuid.test(id)) return `sigma-${id.toLowerCase()}`;
  const words = (title ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 80);
  const slug = words.replace(/^-/, '').replace(/-$/, '');
  return slug === '' ? undefined : `sigma-${slug}`;
}
const isUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Why no feed tells what a rule's log source means, as the end of a sentence; undefined where one does. */
export function faultOfLogSource({ product, service, category }: LogSource): string | undefined {
  const isGitHub = product?.toLowerCase() === 'github';
  if (isGitHub && category === undefined && (service === undefined || service.toLowerCase() === 'audit'))
    return undefined;
  const named = Object.entries({ product, service, category }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${clip(value, 60)}`],
  );
  return `no feed tells the log source ${named.length === 0 ? 'that it leaves open' : `\`${named.join(', ')}\``}; \`product: github, service: audit\` is told by the audit log`;
}

/** A Sigma rule as the engine runs it, under the id that {@link ruleIdOf} gives it. One record that matches is one finding. */
export function ruleOfSigma(sigma: SigmaRule, id: string): AnyRule {
  const { file, description, level, tags, falsePositives, actions, matches } = sigma;
  const severity = severities[level];
  const title = clip(sigma.title, 200);
  const source = `Sigma rule ${sigma.id === undefined ? '' : `${clip(sigma.id, 100)} `}of ${file}`;
  const about = description === undefined ? '' : ` ${clip(description.replaceAll(/\s+/g, ' ').trim(), 1500)}`;
  const where = actions && { attribute: 'tripline.audit.action' as const, oneOf: actions };
  const rule = match({
    ...{ id, title, severity, confidence: 'high', kind: 'sigma', on: reads, feeds: { needs: ['github-audit'] } },
    ...{ principles: [], attack: techniquesOf(tags), owasp: [] },
    description: `${source}.${about}`,
    falseAlarms:
      falsePositives.length > 0 ? falsePositives.map((cause) => clip(cause, 500)) : ['Its author names none.'],
    ...(where === undefined ? {} : { where }),
    find(event: LoggedEvent) {
      const data: Attributes = event.data;
      const record = data['tripline.audit.record'];
      const action = data['tripline.audit.action'];
      const found = data['tripline.audit.id'];
      if (record === undefined || action === undefined) return undefined;
      if (!matches(Object.hasOwn(record, 'action') ? record : { ...record, action })) return undefined;
      const place = data['vcs.repository.name'] ?? data['vcs.owner.name'] ?? data['user.name'] ?? event.source;
      const says = `${title}: ${clip(place, 200)}, by ${clip(data['user.name'] ?? 'somebody unnamed', 200)}`;
      return {
        ...{ subject: place, title: says, severity },
        what: [`${says} (\`${clip(action, 100)}\`)`, ...(found === undefined ? [] : [`record ${found}`])].join('; '),
        summary: `${says}. The record \`${clip(action, 100)}\` matches the ${source}.${about}`,
        remedy: [
          'Read the record in the audit log by its id, and ask whoever did it, by another way than this account.',
        ],
      };
    },
  });
  // Without an action to be found by, it is asked of audit records, and of nothing else.
  return where === undefined ? { ...rule, has: 'tripline.audit.action' } : rule;
}

/** `attack.t1098.001` is a technique; what else is tagged, such as a tactic, is none. */
const techniquesOf = (tags: readonly string[]): string[] => [
  ...new Set(
    tags.flatMap((tag) => {
      const [, id] = /^attack\.(t\d{4}(?:\.\d{3})?)$/i.exec(tag) ?? [];
      return id === undefined ? [] : [id.toUpperCase()];
    }),
  ),
];
