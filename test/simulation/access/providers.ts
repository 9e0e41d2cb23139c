import { AsyncLocalStorage } from 'node:async_hooks';
import type { MintAnswer, Minter, MintOrder, Revoked } from '@tripline/integrations/minter';
import { credentialHash } from '@tripline/runtime/redact';
import { type Answer, createWire, fates, ok, type Request } from '../wire.ts';
import type { Life, World } from '../world.ts';
import { currentRequest } from './request.ts';

/** A credential as its provider knows it; `grant`: for whom it was asked, which GitHub itself does not know. */
export type Given = {
  value: string;
  kind: 'github' | 'vault';
  grant: string;
  madeMs: number;
  deadMs: number | undefined;
};
export type Providers = ReturnType<typeof createProviders>;

const hourMs = 3_600_000;

/**
 * A GitHub that mints installation tokens and ends them for their bearer alone, and a vault that can be asked what it has under a
 * grant's id. Both may fail, and do what they were asked before their answer is lost.
 */
export function createProviders(options: {
  world: World;
  roughness: () => number;
  /** Hears of what is about to be minted for a request, and of what is revoked that let somebody in. */
  onMint: () => void;
  onRevoked: (given: Given) => void;
}) {
  const { world, roughness, onMint, onRevoked } = options;
  const all = new Map<string, Given>();

  function make(kind: Given['kind'], grant: string): Given {
    onMint();
    const value = `${kind}_${String(all.size + 1).padStart(36, '0')}`;
    const given: Given = { value, kind, grant, madeMs: world.nowMs(), deadMs: undefined };
    all.set(given.value, given);
    return given;
  }

  function end(given: Given | undefined): boolean {
    if (given === undefined || given.deadMs !== undefined) return false;
    given.deadMs = world.nowMs();
    onRevoked(given);
    return true;
  }

  function gitHub({ method, path, body, authorization }: Request): Answer {
    if (path === '/app/installations') return ok([{ id: 1, account: { id: 65, login: 'acme' } }]);
    if (method === 'DELETE' && path === '/installation/token') {
      const token = /^token (.+)$/.exec(authorization ?? '')?.[1] ?? '';
      return end(all.get(token)) ? { status: 204, body: '' } : { status: 401, body: '{"message":"Bad credentials"}' };
    }
    if (!path.endsWith('/access_tokens')) return { status: 404, body: '{"message":"Not Found"}' };
    const { repository_ids: ids, permissions } = JSON.parse(body) as { repository_ids: number[]; permissions: object };
    const { value } = make('github', currentGrant());
    const expires_at = new Date(world.nowMs() + hourMs).toISOString();
    const said = { token: value, expires_at, permissions, repositories: ids.map((id) => ({ id })) };
    return { status: 201, body: JSON.stringify(said) };
  }

  /** One call of the vault by a process, with what may befall it on the way. */
  function call<Result>(life: Life, what: string, act: () => Result, lost: (why: string) => Result): Promise<Result> {
    const acting = AsyncLocalStorage.bind(act);
    return world.operate(life, `vault: ${what}`, async () => {
      if (!world.random.chance(roughness())) return acting();
      const { done, answer } = world.random.pick(fates);
      world.trace(`  … ${done ? 'done' : 'not done'}, answer: ${answer}`);
      if (done) acting();
      return lost(String(answer));
    });
  }

  function vaultOf(life: Life): Minter<'vault'> {
    const lost = (why: string) => ({ result: 'not-yet', retry: true, reason: 'failed', message: why }) as const;
    return {
      kind: 'vault',
      mint: ({ grantId }: MintOrder<'vault'>): Promise<MintAnswer> =>
        call<MintAnswer>(
          life,
          'mint',
          () => {
            const { value } = make('vault', grantId);
            const minted = { credential: { token: value }, handle: { accessor: value }, scopes: ['deploy'] };
            const expiresAtMs = world.nowMs() + hourMs;
            return { result: 'minted', minted: { ...minted, tokenHash: credentialHash(value), expiresAtMs } };
          },
          (message) => ({ result: 'unknown', reason: 'failed', message }),
        ),
      revoke: ({ handle }): Promise<Revoked> =>
        call<Revoked>(
          life,
          'revoke',
          () => ({ result: 'dead', by: end(all.get(handle['accessor'] ?? '')) ? 'revoked' : 'dead-already' }),
          lost,
        ),
      check: async () => ({ result: 'unknown', detail: 'nobody asks' }),
      recover: ({ grantId }) =>
        call<Awaited<ReturnType<NonNullable<Minter['recover']>>>>(
          life,
          'recover',
          () => {
            const those = [...all.values()].filter(({ grant, kind }) => grant === grantId && kind === 'vault');
            return { result: 'known', found: those.map(({ value }) => ({ handle: { accessor: value } })) };
          },
          (detail) => ({ result: 'unknown', detail }),
        ),
    };
  }

  return {
    all,
    vaultOf,
    fetchOf: createWire({ world, roughness, answer: (_, request) => gitHub(request) }),
  };
}

const currentGrant = (): string => currentRequest()?.grant ?? 'none';
