import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { githubSecrets, triplineSecrets } from './secrets.ts';
import { createWorkspaces, type NamedOwner, type PinnedOrganization } from './workspace.ts';

const owner = (login: string, id?: number): NamedOwner => ({ login, id: id === undefined ? undefined : String(id) });
const anybody = { kind: 'anybody' } as const;
const secretScope = (...ids: string[]) => ({ kind: 'workspaces', ids, beyond: false }) as const;
const organizations = (...logins: string[]) => ({ organizations: logins.map((login) => ({ login })) });

describe('whose a delivery is', () => {
  test('an organisation stays where it was first heard of, whatever it is called next, over restarts too', () => {
    const step = fc.record({ id: fc.integer({ min: 1, max: 4 }), login: fc.constantFrom('a', 'b', 'c', 'd', 'E') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.nat(30), (steps, restartAt) => {
        const pinned: PinnedOrganization[] = [];
        const open = () =>
          createWorkspaces({ workspaces: [], drills: true }, { pinned: [...pinned], pin: (one) => pinned.push(one) });
        let workspaces = open();
        const home = new Map<number, string>();
        steps.forEach(({ id, login }, place) => {
          if (place === restartAt) workspaces = open();
          const whose = workspaces.whose(anybody, [owner(login, id)]);
          const isPinned = pinned.some((one) => one.id === String(id));
          expect(whose).toEqual({ workspace: home.get(id) ?? login.toLowerCase() });
          if (isPinned && 'workspace' in whose) home.set(id, whose.workspace);
        });
        // One id for a login, one login for an id.
        expect(new Set(pinned.map(({ id }) => id)).size).toBe(pinned.length);
        expect(new Set(pinned.map(({ login }) => login)).size).toBe(pinned.length);
      }),
    );
  });

  test('a secret never speaks for a workspace that it does not belong to', () => {
    const logins = ['acme', 'acme-labs', 'globex', 'initech', 'tripline-drill-x'];
    const workspaces = [
      { id: 'acme', github: organizations('acme', 'acme-labs') },
      { id: 'globex', github: organizations('globex') },
    ];
    const named = fc.record({ login: fc.constantFrom(...logins), id: fc.option(fc.integer({ min: 1, max: 5 })) });
    const delivery = fc.record({
      by: fc.constantFrom(['acme'], ['globex'], ['acme', 'globex']),
      owners: fc.array(named, { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(delivery, { maxLength: 30 }), (deliveries) => {
        const pins = new Map<string, string>();
        const all = createWorkspaces({ workspaces, drills: true }, { pin: ({ id, login }) => pins.set(id, login) });
        const homes: Record<string, string> = { acme: 'acme', 'acme-labs': 'acme', globex: 'globex' };
        for (const { by, owners } of deliveries) {
          const whose = all.whose(
            secretScope(...by),
            owners.map(({ login, id }) => owner(login, id ?? undefined)),
          );
          if (!('workspace' in whose)) continue;
          expect(by).toContain(whose.workspace);
          for (const { login, id } of owners) {
            const known = id === null ? undefined : pins.get(String(id));
            expect(homes[known ?? login]).toBe(whose.workspace);
          }
        }
      }),
    );
  });

  test('the drill key is valid for one drill at a time, and for nobody else', () => {
    const { whose } = createWorkspaces({ workspaces: [], drills: true });
    const drills = { kind: 'drills' } as const;
    expect(whose(drills, [owner('tripline-drill-x', 1), owner('Tripline-Drill-X', 1)])).toEqual({
      workspace: 'tripline-drill-x',
    });
    for (const owners of [
      [],
      [owner('acme', 1)],
      [owner('tripline-drill-x', 1), owner('acme', 2)],
      [owner('tripline-drill-x', 1), owner('tripline-drill-y', 2)],
      [owner('tripline-drill-../x', 1)],
    ]) {
      expect(whose(drills, owners)).toMatchObject({ refusal: { status: 401, reason: 'wrong-organization' } });
    }
  });

  test('what was pinned to a workspace that is configured otherwise now follows the settings', () => {
    const pinned = [{ id: '77', login: 'acme', workspace: 'acme' }];
    const config = { workspaces: [{ id: 'firm', github: organizations('Acme') }], drills: true };
    const { whose } = createWorkspaces(config, { pinned });
    expect(whose(anybody, [owner('acme-new', 77)])).toEqual({ workspace: 'firm' });
    expect(whose(anybody, [owner('acme', 78)])).toEqual({ ignored: 'unknown-organization' });
    const given = {
      workspaces: [{ id: 'firm', github: { organizations: [{ login: 'acme', id: '78' }] } }],
      drills: true,
    };
    expect(createWorkspaces(given, { pinned }).whose(anybody, [owner('acme', 78)])).toEqual({ workspace: 'firm' });
  });
});

describe('the secrets of a feed', () => {
  const acme = { id: 'acme', github: { webhookSecrets: ['of acme'] }, breakGlassKeys: ['key of acme'] };
  const labs = { id: 'labs', github: {} };
  const off = { drills: false, drillKey: 'drill' };

  test('the common one speaks for anybody, until a workspace has its own', () => {
    const github = { webhookSecrets: ['common'] };
    expect(githubSecrets({ github, workspaces: [labs], ...off })).toEqual([{ secret: 'common', secretScope: anybody }]);
    expect(githubSecrets({ github, workspaces: [acme, labs], ...off })).toEqual([
      { secret: 'common', secretScope: secretScope('labs') },
      { secret: 'of acme', secretScope: secretScope('acme') },
    ]);
  });

  test('one that moves from the common place to a workspace speaks for both', () => {
    const github = { webhookSecrets: ['of acme'] };
    expect(githubSecrets({ github, workspaces: [acme, labs], ...off })).toEqual([
      { secret: 'of acme', secretScope: secretScope('labs', 'acme') },
    ]);
  });

  test('Tripline’s own route takes no webhook’s secret; drills only while they are on', () => {
    const github = { webhookSecrets: ['common'], app: { webhookSecrets: ['of the app'] } };
    const all = { github, workspaces: [acme, labs], drillKey: 'drill' };
    expect(triplineSecrets({ ...all, drills: true })).toEqual([
      { secret: 'key of acme', secretScope: { kind: 'break-glass', ids: ['acme'] } },
      { secret: 'drill', secretScope: { kind: 'drills' } },
    ]);
    expect(triplineSecrets({ ...all, drills: false }).map(({ secret }) => secret)).toEqual(['key of acme']);
  });
});
