import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { match } from './match.ts';

const meta = {
  ...{
    id: 'made-public',
    title: 'Made public',
    description: 'A repository was made public.',
    severity: 'high' as const,
  },
  ...{ principles: [1 as const], attack: ['T1567'], owasp: ['CICD-SEC-6'], falseAlarms: ['Publication as planned.'] },
};

test('what it finds depends on its settings, and is never surer than the feed', () => {
  const rule = match({
    ...meta,
    on: ['dev.cdeventsx.tripline-ref.pushed'],
    settings: { people: z.array(z.string()).default([]) },
    find: ({ data }, { people }) =>
      people.includes(data['user.name'] ?? '')
        ? { subject: data['vcs.repository.name']!, title: 'Pushed', summary: '', what: 'A push', severity: 'low' }
        : undefined,
  });
  const text = '09:00  mallory  pushes c1 to acme/app main';
  expectTimeline(rule, text);
  const settings = { 'made-public': { people: ['mallory'] } };
  const { findings } = expectTimeline(rule, `${text}   ← FOUND acme/app [low/high]`, { settings });
  expect(findings[0]!.evidence).toMatchObject([{ what: 'A push', url: 'https://github.com/acme/app' }]);
});
