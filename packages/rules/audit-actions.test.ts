import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { describe, expect, test } from 'vitest';
import { rules } from './audit-actions.ts';

const linesOf = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8').split('\n');

test('a row is one line, as CONTRIBUTING.md shows it', () => {
  const lines = linesOf('audit-actions.ts').map((line) => line.trim());
  for (const { where, title, severity } of rules) {
    const begins = `['${where!.oneOf[0]}', '${title}', '${severity}'`;
    expect(lines.filter((line) => line.includes(begins) && /\](,|\]\],|\)?)$/.test(line))).toHaveLength(1);
  }
  const shown = linesOf('../../CONTRIBUTING.md').find((line) => line.startsWith("['org."));
  expect(lines).toContain(shown);
});

describe.each(rules.map((rule) => [rule.id, rule] as const))('%s', (_, rule) => {
  const action = String(rule.where!.oneOf[0]);

  test('finds its act, in an organisation and in a repository, and no other', () => {
    expectTimeline(
      rule,
      `
      09:00  ada      does repo.create in acme/app
      09:01  mallory  does ${action} in acme        ← FOUND acme [${rule.severity}/high]
      09:02  ada      does ${action}_other in acme
      09:03  mallory  does ${action} in acme/app    ← FOUND acme/app [${rule.severity}/high]
      `,
    );
  });

  test('needs the audit log, reads its records whatever they come as, and tells who did it', () => {
    expect(rule.feeds).toEqual({ needs: ['github-audit'] });
    expect(rule.reads).toContain('dev.cdeventsx.tripline-audit.recorded');
    expect(rule.where).toEqual({ attribute: 'tripline.audit.action', oneOf: [action] });
  });
});
