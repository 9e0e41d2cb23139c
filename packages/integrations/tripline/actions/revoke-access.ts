import type { Intent, StepTargets } from '@tripline/contracts/response';
import type { AccessGrants, Asked, Check, GrantsOf, Known, Step } from '../../provider.ts';

type RevokeAccess = Extract<Intent, { action: 'revoke-grant'; grant: 'access' }>;
type Alive = Awaited<ReturnType<AccessGrants['alive']>>;

/** Grants are found by keys that are made of ids: a name can change hands. */
export const isOfIds = ({ key }: RevokeAccess): boolean => !key.includes(':name:');

/**
 * A16: sets what the access broker gave ending, of one workspace alone. The broker revokes it at its providers, within a second
 * where it runs, so that it may be alive when it is asked for right after.
 */
export function revokeAccess(intent: RevokeAccess, grants: AccessGrants): Step {
  return {
    code: 'A16',
    undo: 'irreversible; a job that still runs asks the broker again, which gives nothing while an incident that its policy minds is open',
    targets: targetsOf(intent),
    request: { method: 'END', path: `grants of ${intent.of} ${intent.name}` },
    notReady: null,
    // Of another workspace nothing is ended: `withAccess` is told which it is.
    ownerIn: (workspace) => ({ name: workspace, isOurs: true, remedy: '' }),
    withAccess(work, workspace) {
      const of = { workspace, key: intent.key };
      const targets = targetsOf(intent);
      return work({
        ask: () => ask(grants, of),
        targets: () => targets,
        async act(gate) {
          await gate();
          try {
            const ended = await grants.end(of);
            if (ended === 0) return { kind: 'done', reason: 'already-gone', message: 'all of it was ending already' };
            return { kind: 'done', message: `${count(ended)} set ending` };
          } catch (error) {
            return { kind: 'retry', reason: 'database', message: messageOf(error) };
          }
        },
        check: () => check(grants, of),
        ownerId: async () => ({ result: 'known', value: undefined }),
        async identify(people): Promise<Known<(typeof people)[number][]>> {
          const nameless = people.find(({ id }) => id === undefined);
          if (nameless === undefined) return { result: 'known', value: [...people] };
          const detail = `whether ${nameless.login} is among those whom remediation.protected names by their id`;
          return { result: 'unknown', reason: 'no-id', detail: `Tripline does not know ${detail}` };
        },
      });
    },
  };
}

/** Whom and what the thing is, as the guard compares it. */
function targetsOf({ of, key, name }: RevokeAccess): StepTargets {
  const none: StepTargets = { people: [], runners: [], repositories: [] };
  switch (of) {
    case 'person':
      return { ...none, people: [{ login: name, id: /:user:([^:]+)$/.exec(key)?.[1] }] };
    case 'runner':
      return { ...none, runners: [{ name, id: /:runner:([^:]*):/.exec(key)?.[1] }] };
    default:
      return { ...none, repositories: [name.split('#')[0]!] };
  }
}

async function ask(grants: AccessGrants, of: GrantsOf): Promise<Asked> {
  try {
    const alive = await grants.alive(of);
    if (alive.length === 0) return { result: 'not-so', detail: 'nothing that it was given is alive' };
    return { result: 'so', detail: describe(alive) };
  } catch (error) {
    return { result: 'unknown', reason: 'database', detail: messageOf(error) };
  }
}

async function check(grants: AccessGrants, of: GrantsOf): Promise<Check> {
  try {
    const alive = await grants.alive(of);
    if (alive.length === 0)
      return { result: 'dead', detail: 'the providers said of all that it was given that it is dead' };
    return {
      result: 'alive',
      detail: `${describe(alive)}; the broker goes on revoking, see \`tripline access grants\``,
    };
  } catch (error) {
    return { result: 'unknown', detail: messageOf(error) };
  }
}

/** `2 grants are alive (deploy-api in production)`, naming five policies. */
function describe(alive: Alive): string {
  const named = [...new Set(alive.map(({ policy, tier }) => `${policy} in ${tier}`))];
  const more = named.length > 5 ? ' and others' : '';
  return `${count(alive.length)} alive (${named.slice(0, 5).join(', ')}${more})`;
}

const count = (grants: number): string => (grants === 1 ? '1 grant is' : `${grants} grants are`);

const messageOf = (error: unknown): string => `the database did not answer: ${(error as Error).message}`.slice(0, 500);
