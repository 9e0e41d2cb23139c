import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(import.meta.url);

type Schema = { $ref?: string; properties?: Record<string, unknown> };
type Operation = {
  parameters?: unknown[];
  security?: unknown[];
  requestBody?: { content: Record<string, { schema: Schema }> };
};
type Description = {
  paths: Record<string, Record<string, Operation>>;
  components: Record<string, Record<string, unknown>>;
};

/** GitHub.com, or Enterprise Cloud, which has what the other has not. */
const products = {
  'api.github.com': () => require.resolve('@octokit/openapi/generated/api.github.com.json'),
  ghec: () => require.resolve('@octokit/openapi/generated/ghec.json'),
};
type Product = keyof typeof products;

/** By operation the names of what its body may say, as GitHub describes it; none of one that takes none. */
export function bodiesOf(operations: readonly string[]): Map<string, string[]> {
  const descriptions = (['api.github.com', 'ghec'] as const).map(described);
  return new Map(
    operations.map((operation) => {
      const [method, path] = operation.split(' ') as [string, string];
      const description = descriptions.find(({ paths }) => paths[path]?.[method.toLowerCase()] !== undefined);
      if (description === undefined) throw new Error(`GitHub describes no ${operation}`);
      const { requestBody } = description.paths[path]![method.toLowerCase()]!;
      const written = requestBody?.content['application/json']?.schema;
      const name = written?.$ref?.split('/').at(-1);
      const schema = name === undefined ? written : (description.components['schemas']![name] as Schema);
      return [operation, Object.keys(schema?.properties ?? {})];
    }),
  );
}

/** GitHub's description says nothing of credentials and of headers that its documentation asks for; these operations take none. */
const unauthenticated = ['POST /credentials/revoke'];

/**
 * GitHub's published OpenAPI description (13 MB), trimmed to `operations` such as `GET /orgs/{org}/members` and what they
 * refer to, with the credential and headers that GitHub's documentation demands of every request.
 * @throws {Error} when GitHub describes no such operation.
 */
function trimmedDescription(operations: readonly string[], product: Product): unknown {
  const whole = described(product);
  const paths: Description['paths'] = {};
  for (const operation of operations) {
    const [method, path] = operation.split(' ') as [string, string];
    const known = whole.paths[path]?.[method.toLowerCase()] ?? ofEnterprise(whole, path, method.toLowerCase());
    if (known === undefined) throw new Error(`GitHub describes no ${operation}`);
    const header = (name: string) => ({ name, in: 'header', required: true, schema: { type: 'string', minLength: 1 } });
    paths[path] ??= {};
    paths[path][method.toLowerCase()] = {
      ...known,
      parameters: [...(known.parameters ?? []), header('X-GitHub-Api-Version'), header('User-Agent')],
      security: unauthenticated.includes(operation) ? [] : [{ token: [] }],
    };
  }
  const components: Description['components'] = {};
  const pending: unknown[] = [paths];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, item] of Object.entries(value)) {
      if (name !== '$ref' || typeof item !== 'string') {
        pending.push(item);
        continue;
      }
      const [, , kind, id] = item.split('/') as [string, string, string, string];
      if (components[kind]?.[id] !== undefined) continue;
      components[kind] ??= {};
      components[kind][id] = whole.components[kind]![id];
      pending.push(components[kind][id]);
    }
  }
  components['securitySchemes'] = { token: { type: 'apiKey', in: 'header', name: 'Authorization' } };
  return { openapi: '3.0.3', info: { title: 'GitHub', version: '1' }, servers: [], paths, components };
}

function described(product: Product): Description {
  return JSON.parse(readFileSync(products[product](), 'utf8')) as Description;
}

/** An operation that GitHub describes for Enterprise Cloud alone; what it refers to is added to `whole`. */
function ofEnterprise(whole: Description, path: string, method: string): Operation | undefined {
  const enterprise = described('ghec');
  for (const [kind, those] of Object.entries(enterprise.components)) {
    whole.components[kind] = { ...those, ...whole.components[kind] };
  }
  whole.paths = { ...enterprise.paths, ...whole.paths };
  return whole.paths[path]?.[method];
}

/**
 * Serves `operations` of GitHub's description with Prism on a local port: a request that does not fit the description is
 * noted in `wrong` and not answered. Other requests get an example that GitHub gives.
 */
export async function serveGitHub(operations: readonly string[], product: Product = 'api.github.com') {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-openapi-'));
  const file = join(folder, 'github.json');
  writeFileSync(file, JSON.stringify(trimmedDescription(operations, product)));
  const cli = join(require.resolve('@stoplight/prism-cli/package.json'), '../dist/index.js');
  const prism = spawn(process.execPath, [cli, 'mock', '--port', '0', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const url = await listening(prism);
  const requests: string[] = [];
  const wrong: string[] = [];

  return {
    url,
    /** Every request that fitted the description, as `METHOD /path`. */
    requests,
    /** Every request that did not, with what Prism says is wrong with it. */
    wrong,
    /** To be injected. Asks for the answer with status `wanted`, where given. Throws on a request that does not fit. */
    fetch:
      (wanted?: number): typeof globalThis.fetch =>
      async (input, init) => {
        const headers = new Headers(init?.headers);
        if (wanted !== undefined) headers.set('prefer', `code=${wanted}`);
        const response = await fetch(input, { ...init, headers });
        const request = `${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`;
        // Faults of the answer are no fault of ours: not every example that GitHub gives fits its own description.
        const violations = JSON.parse(response.headers.get('sl-violations') ?? '[]') as { location: string[] }[];
        const faults = violations.filter(({ location }) => location[0] === 'request');
        const unasked = response.status >= 400 && response.status !== wanted;
        if (faults.length > 0 || unasked || response.headers.get('content-type')?.includes('problem+json')) {
          const fault = faults.length > 0 ? JSON.stringify(faults) : await response.text();
          wrong.push(`${request}: ${response.status} ${fault}`);
          throw new Error("the request does not fit GitHub's description");
        }
        requests.push(request);
        return response;
      },
    close: async () => {
      const gone = new Promise((resolve) => prism.once('exit', resolve));
      prism.kill();
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
export type DescribedGitHub = Awaited<ReturnType<typeof serveGitHub>>;

function listening(prism: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (chunk: Buffer) => {
      said += chunk.toString();
      const url = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    };
    prism.stdout!.on('data', hear);
    prism.stderr!.on('data', hear);
    prism.once('exit', () => reject(new Error(`Prism ended: ${said}`)));
  });
}
