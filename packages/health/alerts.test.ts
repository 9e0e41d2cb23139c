import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');
type Rule = {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
};
const { groups } = parse(readFileSync(join(import.meta.dirname, 'alerts.yaml'), 'utf8')) as {
  groups: { name: string; rules: Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);

/** Labels by metric, as the code registers them. */
const metrics = new Map<string, { labels: string[]; kind: string }>();
for (const top of ['packages', 'services']) {
  for (const file of readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.includes('node_modules') || file.endsWith('.test.ts')) continue;
    const source = readFileSync(join(root, top, file), 'utf8');
    for (const made of source.matchAll(/new (Counter|Gauge|Histogram)\(\{\s*name: '(\w+)',([\s\S]*?)\}\)/g)) {
      const [, kind, name, rest] = made as unknown as [string, string, string, string];
      const labels = /labelNames: \[([^\]]*)\]/.exec(rest)?.[1] ?? '';
      metrics.set(name, { kind, labels: [...labels.matchAll(/'(\w+)'/g)].map(([, label]) => label!) });
    }
  }
}

test('alerts name metrics that there are, by labels that they have', () => {
  expect(metrics.size).toBeGreaterThan(40);
  const used = rules.flatMap(({ expr }) => [...expr.matchAll(/(tripline_\w+)(?:\{([^}]*)\})?/g)]);
  expect(used.length).toBeGreaterThan(rules.length);
  for (const [, name, matchers = ''] of used) {
    expect(metrics.get(name!), name).toBeDefined();
    for (const [, label] of matchers.matchAll(/(\w+)\s*[=!]/g))
      expect(metrics.get(name!)!.labels, name).toContain(label);
  }
  for (const { expr, annotations } of rules) {
    const labels = [...expr.matchAll(/tripline_\w+/g)].flatMap(([name]) => metrics.get(name)!.labels);
    const grouped = [...expr.matchAll(/by \(([^)]+)\)/g)].flatMap(([, by]) => by!.split(/,\s*/));
    const told = [...`${annotations.summary} ${annotations.description}`.matchAll(/\$labels\.(\w+)/g)].map(
      ([, one]) => one!,
    );
    for (const label of [...grouped, ...told]) expect(labels, expr).toContain(label);
    // What a message names must be left by the expression.
    for (const label of told) expect(grouped, expr).toContain(label);
  }
});

test('counters are looked at by how they grow, gauges by what they are', () => {
  for (const { expr } of rules)
    for (const [whole, name] of expr.matchAll(/(tripline_\w+)(?:\{[^}]*\})?(?:\[\w+\])?/g)) {
      expect(metrics.get(name!)!.kind === 'Counter', expr).toBe(whole.endsWith(']'));
    }
});

test('each alert is named once, says how urgent it is and what to do', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, labels, annotations, for: pending } of rules) {
    expect(alert).toMatch(/^Tripline[A-Z]\w+$/);
    expect(['page', 'ticket'], alert).toContain(labels.severity);
    expect(annotations.summary.length, alert).toBeGreaterThan(10);
    expect(annotations.description.length, alert).toBeGreaterThan(40);
    if (pending !== undefined) expect(pending).toMatch(/^\d+m$/);
  }
});
