import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** As Debian, Ubuntu and Google call it. */
const program = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).error === undefined,
);

/** Whether this machine has a Chromium; a suite that needs it says so: `describe.skipIf(!haveChromium())`. Under CI it must be there (.ci/run installs it). */
export function haveChromium(): boolean {
  if (program === undefined && process.env['CI'] === 'true') throw new Error('Chromium is not installed: see .ci/run');
  return program !== undefined;
}

type Answer = {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: { message: string };
};

/**
 * A headless Chromium as a phone of 390 × 844, with an authenticator that verifies its user. For tests only; pages on this
 * machine alone.
 */
export async function startChromium() {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-chromium-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-port=0'];
  if (program === undefined) throw new Error('Chromium is not installed');
  const chromium = spawn(program, [...flags, `--user-data-dir=${folder}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const { host } = new URL(await debuggerUrlOf(chromium));
  const targets = (await (await fetch(`http://${host}/json`)).json()) as {
    type: string;
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(targets.find(({ type }) => type === 'page')!.webSocketDebuggerUrl);
  await once(socket, 'open');
  /** What a person at a console would see: what was refused by the policy of a page, or failed. */
  const complaints: string[] = [];
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
    else if (answer.method === 'Log.entryAdded' || answer.method === 'Runtime.exceptionThrown')
      complaints.push(JSON.stringify(answer.params));
  });
  let last = 0;
  const tell = (method: string, params: object = {}) =>
    new Promise<unknown>((resolve, reject) => {
      last += 1;
      waiting.set(last, ({ result, error }) =>
        error === undefined ? resolve(result) : reject(new Error(error.message)),
      );
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  for (const domain of ['Page', 'Runtime', 'Log', 'WebAuthn']) await tell(`${domain}.enable`);
  const authenticator = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true };
  await tell('WebAuthn.addVirtualAuthenticator', {
    options: { ...authenticator, isUserVerified: true, automaticPresenceSimulation: true },
  });
  await tell('Emulation.setDeviceMetricsOverride', { width: 390, height: 844, deviceScaleFactor: 2, mobile: true });
  return {
    complaints,
    go: (url: string) => tell('Page.navigate', { url }),
    /** What an expression is on the page as it is now; undefined while there is none. */
    async evaluate(expression: string): Promise<unknown> {
      const got = await tell('Runtime.evaluate', { expression, returnByValue: true }).catch(() => undefined);
      return (got as { result?: { value?: unknown } } | undefined)?.result?.value;
    },
    async close() {
      socket.close();
      const gone = once(chromium, 'exit');
      chromium.kill();
      await gone;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function debuggerUrlOf(chromium: ChildProcess): Promise<string> {
  let said = '';
  for await (const part of chromium.stderr!) {
    said += String(part);
    const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
    if (url === undefined) continue;
    chromium.stderr!.resume();
    return url;
  }
  throw new Error(`Chromium did not start: ${said.slice(0, 500)}`);
}
