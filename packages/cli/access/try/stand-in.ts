import { createSign, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listedAt } from './stand-in-lists.ts';

/**
 * GitHub as far as the story of `tripline access try` needs it, on this machine: the issuer of id tokens, an App's tokens that
 * live and die, the jobs that it knows, a policy's repository, and the questions of a deployment's gate. It holds nothing of
 * anybody's, and listens on loopback.
 */
export type StandIn = {
  url: string;
  /** The App's private key, PEM, as GitHub gives it once. */
  privateKey: string;
  /** With what a job asks for its id tokens, as its runner has it. */
  requestToken: string;
  /** The job that asks, as its tokens say it. */
  claims: Record<string, unknown>;
  /** What GitHub says of repositories, by full name. */
  repositories: Map<string, Repository>;
  /** State of each job that it knows, by id. */
  jobs: Map<string, 'in_progress' | 'completed'>;
  /** When each token that was minted died, in ms of `performance.now()`; undefined while it lives. */
  tokens: Map<string, { diedMs: number | undefined }>;
  /** Verdicts that the gate was given, oldest first. */
  verdicts: Word[];
  close: () => Promise<void>;
};

type Repository = { id: number; head: string; files: Record<string, string> };
export type Word = { run: string; environment_name: string; state?: string; comment: string };

/** A token is as short as that. */
const idTokenS = 300;
const appTokenMs = 3_600_000;
const base64url = (text: string | Buffer): string => Buffer.from(text).toString('base64url');

type Answer = { status: number; body?: unknown };
const notFound: Answer = { status: 404, body: { message: 'Not Found' } };
const unauthorized: Answer = { status: 401, body: { message: 'Bad credentials' } };

type Asked = { method: string; path: string; query: URLSearchParams; authorization: string; body: string };

export async function startStandIn(owner: { login: string; id: number }): Promise<StandIn> {
  const issuer = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const app = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const standIn: StandIn = {
    url: '',
    privateKey: app.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    requestToken: randomBytes(24).toString('hex'),
    claims: {},
    repositories: new Map(),
    jobs: new Map(),
    tokens: new Map(),
    verdicts: [],
    close: async () => {},
  };

  /** An id token of the job that runs, for whom it asks. */
  function idToken(audience: string): string {
    const nowS = Math.floor(Date.now() / 1000);
    const times = { iat: nowS, nbf: nowS - 60, exp: nowS + idTokenS };
    const payload = { ...standIn.claims, jti: randomUUID(), aud: audience, ...times };
    const signed = [{ alg: 'RS256', typ: 'JWT', kid: 'stand-in' }, payload]
      .map((part) => base64url(JSON.stringify(part)))
      .join('.');
    return `${signed}.${base64url(createSign('RSA-SHA256').update(signed).sign(issuer.privateKey))}`;
  }

  function mint(asked: Asked): Answer {
    if (!asked.authorization.startsWith('bearer ey')) return unauthorized;
    const { repository_ids: ids = [], permissions = {} } = JSON.parse(asked.body || '{}') as {
      repository_ids?: number[];
      permissions?: Record<string, string>;
    };
    const token = `ghs_${randomBytes(27).toString('base64url').slice(0, 36)}`;
    standIn.tokens.set(token, { diedMs: undefined });
    const named = [...standIn.repositories].filter(([, { id }]) => ids.length === 0 || ids.includes(id));
    return {
      status: 201,
      body: {
        ...{ token, permissions, repository_selection: 'selected' },
        expires_at: new Date(Date.now() + appTokenMs).toISOString().replace(/\.\d+/, ''),
        repositories: named.map(([name]) => repositoryOf(name)),
      },
    };
  }

  function repositoryOf(fullName: string) {
    const { id } = standIn.repositories.get(fullName)!;
    const [, name] = fullName.split('/');
    return {
      id,
      name,
      full_name: fullName,
      private: true,
      default_branch: 'main',
      owner: { ...owner, type: 'Organization' },
    };
  }

  /** The token that a request bears, as long as it lives. */
  const living = ({ authorization }: Asked): { diedMs: number | undefined } | undefined => {
    const of = standIn.tokens.get(authorization.replace(/^token /, ''));
    return of?.diedMs === undefined ? of : undefined;
  };

  const routes: [method: string, path: RegExp, answer: (asked: Asked, ...parts: string[]) => Answer][] = [
    ['GET', /^\/\.well-known\/jwks$/, () => ({ status: 200, body: { keys: [publicKey()] } })],
    [
      'GET',
      /^\/id-token$/,
      ({ authorization, query }) =>
        authorization === `bearer ${standIn.requestToken}`
          ? { status: 200, body: { value: idToken(query.get('audience') ?? '') } }
          : unauthorized,
    ],
    ['GET', /^\/app\/installations$/, () => ({ status: 200, body: [{ id: 1, account: owner }] })],
    ['GET', /^\/orgs\/[^/]+\/installation$/, () => ({ status: 200, body: { id: 1, account: owner } })],
    ['POST', /^\/app\/installations\/1\/access_tokens$/, (asked) => mint(asked)],
    [
      'DELETE',
      /^\/installation\/token$/,
      (asked) => {
        const token = living(asked);
        if (token === undefined) return unauthorized;
        token.diedMs = performance.now();
        return { status: 204 };
      },
    ],
    [
      'GET',
      /^\/installation\/repositories$/,
      (asked) =>
        living(asked) === undefined ? unauthorized : { status: 200, body: { total_count: 0, repositories: [] } },
    ],
    [
      'GET',
      /^\/repos\/([^/]+\/[^/]+)$/,
      (_asked, name) => (standIn.repositories.has(name!) ? { status: 200, body: repositoryOf(name!) } : notFound),
    ],
    [
      'GET',
      /^\/repositories\/(\d+)$/,
      (_asked, id) => {
        const [name] = [...standIn.repositories].find(([, one]) => String(one.id) === id) ?? [];
        return name === undefined ? notFound : { status: 200, body: repositoryOf(name) };
      },
    ],
    [
      'GET',
      /^\/repos\/([^/]+\/[^/]+)\/actions\/jobs\/(\d+)$/,
      (_asked, _name, id) => {
        const status = standIn.jobs.get(id!);
        if (status === undefined) return notFound;
        return { status: 200, body: { id: Number(id), status, conclusion: status === 'completed' ? 'success' : null } };
      },
    ],
    [
      'GET',
      /^\/repos\/([^/]+\/[^/]+)\/(?:git\/ref\/heads\/main|commits\/main|branches\/main)$/,
      (asked, name) => {
        const head = standIn.repositories.get(name!)?.head;
        if (head === undefined) return notFound;
        if (asked.path.includes('/git/ref/'))
          return { status: 200, body: { ref: 'refs/heads/main', object: { type: 'commit', sha: head } } };
        return { status: 200, body: asked.path.includes('/branches/') ? { commit: { sha: head } } : { sha: head } };
      },
    ],
    [
      'GET',
      /^\/repos\/([^/]+\/[^/]+)\/contents\/(.+)$/,
      (_asked, name, path) => {
        const text = standIn.repositories.get(name!)?.files[path!];
        if (text === undefined) return notFound;
        const content = Buffer.from(text).toString('base64');
        return {
          status: 200,
          body: { type: 'file', path, encoding: 'base64', size: Buffer.byteLength(text), content },
        };
      },
    ],
    [
      'POST',
      /^\/repos\/[^/]+\/[^/]+\/actions\/runs\/(\d+)\/deployment_protection_rule$/,
      (asked, run) => {
        standIn.verdicts.push({ run: run!, ...(JSON.parse(asked.body) as Omit<Word, 'run'>) });
        return { status: 204 };
      },
    ],
    [
      'GET',
      /^\/repos\/[^/]+\/[^/]+\/actions\/runs\/\d+\/pending_deployments$/,
      () => ({ status: 200, body: [{ environment: { name: 'production' } }] }),
    ],
    [
      'GET',
      /^\/repos\/([^/]+\/[^/]+)\/actions\/runs\/(\d+)$/,
      (_asked, name, run) => ({
        status: 200,
        body: { id: Number(run), run_attempt: 1, status: 'waiting', repository: repositoryOf(name!) },
      }),
    ],
  ];
  const publicKey = () => ({
    ...issuer.publicKey.export({ format: 'jwk' }),
    kid: 'stand-in',
    alg: 'RS256',
    use: 'sig',
  });

  function answer(asked: Asked): Answer {
    for (const [method, path, of] of routes) {
      const found = method === asked.method ? path.exec(asked.path) : null;
      if (found !== null) return of(asked, ...found.slice(1));
    }
    const repositories = [...standIn.repositories.keys()].map(repositoryOf);
    const listed = listedAt(asked.path, asked.query, { login: owner.login, repositories });
    if (asked.method === 'GET' && listed !== undefined) return { status: 200, body: listed };
    return notFound;
  }

  const server = createServer((request, response) => {
    readWhole(request).then(
      (body) => send(response, answer(askedOf(request, body))),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  standIn.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  standIn.close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return standIn;
}

function askedOf({ method = '', url = '/', headers }: IncomingMessage, body: string): Asked {
  const { pathname, searchParams } = new URL(url, 'http://stand-in');
  return {
    method,
    path: decodeURIComponent(pathname),
    query: searchParams,
    authorization: headers.authorization ?? '',
    body,
  };
}

async function readWhole(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const text = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(text);
}
