import type { IntentOf } from '@tripline/contracts/response';
import type { Access, Step } from '@tripline/integrations/provider';

type Connection = { apiUrl: string; token: string; fetch: typeof globalThis.fetch };

/** Stops a run of Forge: `POST /runs/{id}/stop`, and `GET /runs/{id}` says what became of it. */
export function stopRun({ runId, repository }: IntentOf<'stop-run'>, at: Connection | undefined): Step {
  const path = `/runs/${encodeURIComponent(runId)}`;
  return {
    code: 'A1',
    undo: 'irreversible; start it anew',
    targets: { people: [], runners: [], repositories: [repository] },
    request: { method: 'POST', path: `${path}/stop` },
    notReady: at === undefined ? 'No Forge is configured (forge)' : null,
    ownerIn: (workspace) => ({ name: 'forge', isOurs: workspace === 'acme', remedy: 'name it' }),
    withAccess: (work) => work(accessTo(path, at!)),
  };
}

function accessTo(path: string, { apiUrl, token, fetch }: Connection): Access {
  const call = (method: string, to: string) =>
    fetch(`${apiUrl}${to}`, { method, headers: { authorization: `Bearer ${token}` } });
  const isRunning = async () => ((await (await call('GET', path)).json()) as { running: boolean }).running;
  return {
    ask: async () =>
      (await isRunning()) ? { result: 'so', detail: 'it runs' } : { result: 'not-so', detail: 'it is over' },
    targets: () => ({ people: [], runners: [], repositories: [] }),
    async act(gate) {
      await gate();
      await call('POST', `${path}/stop`);
      return { kind: 'done', reason: 'accepted' };
    },
    check: async () =>
      (await isRunning()) ? { result: 'alive', detail: 'it runs' } : { result: 'dead', detail: 'it is over' },
    ownerId: async () => ({ result: 'known', value: undefined }),
    identify: async (people) => ({ result: 'known', value: [...people] }),
  };
}
