import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { describe, expect, test } from 'vitest';
import { rule as outlived } from './grant-outlived-job.ts';
import { rule } from './privilege-grant-outside-job.ts';

const settings = {
  'privilege-grant-outside-job': {
    grantingWorkflows: ['acme/access/.github/workflows/grant.yml'],
    grantingActors: ['acme-granter[bot]'],
    accessApps: ['acme-people[bot]'],
  },
};

describe('what the access broker gave', () => {
  test('excuses just that: account, thing, no greater right, until its end', () => {
    expectTimeline(
      rule,
      `
      09:00  grace             is given write on acme/app as a1 (for 60)
      09:01  acme-people[bot]  gives grace write on acme/app
      09:59  acme-people[bot]  takes grace off acme/app
      `,
      { settings },
    );
  });

  test('excuses no other account, thing, right or time; of the broker’s App that is critical', () => {
    const { findings } = expectTimeline(
      rule,
      `
      09:00  grace             is given write on acme/app as a1 (for 60)
      09:01  acme-people[bot]  gives mallory write on acme/app    ← FOUND collaborator:mallory@acme/app [critical/high]
      09:02  acme-people[bot]  gives grace write on acme/web      ← FOUND collaborator:grace@acme/web [critical/high]
      09:03  acme-people[bot]  gives grace admin on acme/app      ← FOUND collaborator:grace@acme/app [critical/high]
      10:30  ada               gives grace write on acme/infra    ← FOUND collaborator:grace@acme/infra [high]
      `,
      { settings },
    );
    expect(findings[0]!.response).toMatchObject([{ action: 'revoke-grant', grant: 'collaborator', user: 'mallory' }]);
    expectTimeline(
      rule,
      `
      09:00  grace             is given write on acme/app as a1 (for 30)
      09:10  grace             has a1 on acme/app ended
      09:20  acme-people[bot]  gives grace write on acme/app      ← FOUND collaborator:grace@acme/app [critical/high]
      `,
      { settings },
    );
  });

  test('a record that comes late takes it back; an extension holds until its own end', () => {
    expectTimeline(
      rule,
      `
      09:00  grace             is given write on acme/app as a1 (heard 09:30)   ← RETRACTED collaborator:grace@acme/app
      09:01  acme-people[bot]  gives grace write on acme/app                    ← FOUND collaborator:grace@acme/app
      `,
      { settings },
    );
    expectTimeline(
      rule,
      `
      09:00  grace             is given write on acme/app as a1 (for 30)
      09:20  grace             is given write on acme/app as a1 (for 60)
      10:10  acme-people[bot]  gives grace write on acme/app
      `,
      { settings },
    );
  });

  test('a team is excused as a repository is, and no other team', () => {
    expectTimeline(
      rule,
      `
      09:00  grace             is given member on acme/ops as a1 (a team; for 60)
      09:01  acme-people[bot]  adds grace to team ops of acme (permission push)
      09:01  acme-people[bot]  adds grace to team sre of acme (permission push)   ← FOUND team-member:grace@acme/sre [critical/high]
      `,
      { settings },
    );
  });

  test('outlives it where nobody takes it back', () => {
    expectTimeline(
      outlived,
      `
      09:00  grace             is given write on acme/app as a1 (for 30)
      09:01  acme-people[bot]  gives grace write on acme/app
      09:40  nothing happens                                       ← FOUND collaborator:grace@acme/app [high/high]
      `,
    );
    expectTimeline(
      outlived,
      `
      09:00  grace             is given write on acme/app as a1 (for 30)
      09:01  acme-people[bot]  gives grace write on acme/app
      09:29  acme-people[bot]  takes grace off acme/app
      09:40  nothing happens
      `,
    );
  });
});
