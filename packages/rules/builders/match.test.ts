import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { match, matchRow } from './match.ts';

const meta = {
  ...{
    id: 'made-public',
    title: 'Made public',
    description: 'A repository was made public.',
    severity: 'high' as const,
  },
  ...{ principles: [1 as const], attack: ['T1567'], owasp: ['CICD-SEC-6'], falseAlarms: ['Publication as planned.'] },
};

test('a row of data is a rule: its texts are filled from the event', () => {
  const rule = matchRow({
    ...meta,
    on: ['dev.cdeventsx.tripline-control.changed'],
    where: { attribute: 'tripline.control.action', oneOf: ['publicized'] },
    subject: '{vcs.repository.name}',
    says: '{user.name} made {vcs.repository.name} public',
    why: 'What {tripline.change.author} wrote there is everybody’s now.',
    remedy: ['Ask {user.name} whether that was meant.'],
  });
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada      creates ruleset main of acme/app
    09:01  mallory  makes acme/app public     ← FOUND acme/app [high/high]
    `,
  );
  expect(findings[0]).toMatchObject({
    title: 'mallory made acme/app public',
    summary: 'mallory made acme/app public. What something unnamed wrote there is everybody’s now.',
    remedy: ['Ask mallory whether that was meant.'],
    entities: [
      { kind: 'user', id: 'mallory' },
      { kind: 'repository', id: 'acme/app' },
    ],
  });
});

test('a row that names no attribute is refused before it judges anything', () => {
  const where = { attribute: 'user.name' as const, oneOf: ['ada'] };
  const row = { ...meta, on: ['dev.cdevents.branch.created' as const], where, subject: 'x', why: '', remedy: [] };
  expect(() => matchRow({ ...row, says: '{user.nmae} did it' })).toThrow('{user.nmae} is no attribute of events');
});

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
