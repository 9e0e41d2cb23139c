import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { criteria } from './check.ts';

/** CHECKS.md, from the criteria: a test holds the page against them. */
export function renderChecks(): string {
  const rows = Object.entries(criteria).map(([name, broken]) => `| ${name} | ${broken} |`);
  return `# Checks

What \`tripline doctor\` looks at, and when it calls it broken. Its exit status is 1 when anything is broken. With \`--json\`
each check is one object a line: \`name\`, which begins as below; \`state\`, which is \`ok\`, \`off\` (not configured, and need
not be) or \`broken\`; \`detail\`, what was found; and \`remedy\`, what to do about it, or null. With \`ok\`, a remedy is advice: the
check is shown with a \`!\`, and changes no status.

What the database knows (schema, rule, records, jobs, queue, outbox, notifications, organization, deliveries, import,
redelivery, polled feed, silence) is also reported by \`GET /readyz\` on the operations port, which answers 503 with what is broken, and on the screen of
\`tripline up\` as it starts. The public \`/readyz\` says only whether a process can do its work: ask that one for load balancers
and readiness probes.

Nothing that a stranger sends makes anything broken: deliveries that are refused or ignored are counted and shown, no more.

| check | broken when |
|---|---|
${rows.join('\n')}
`;
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, 'CHECKS.md'), renderChecks());
