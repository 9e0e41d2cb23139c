import { randomBytes } from 'node:crypto';
import type { MinterProvider, ProviderAnswer } from '../../minter.conformance.ts';

type Made = { meta: unknown; ttlS: number; lease?: true };

const json = (status: number, body: unknown): ProviderAnswer => ({ status, body: JSON.stringify(body) });
const fault = (status: number, message: string) => json(status, { errors: [`1 error occurred:\n\t* ${message}\n\n`] });
const id = () => randomBytes(18).toString('base64url').replace(/[-_]/g, 'x');

/**
 * As much of OpenBao as gives, ends and tells of tokens and leases, in the words of its own 2.7.2 (`dialect: 'openbao'`), or where
 * its documentation has others, of Vault. `npm run minters:oracle` plays the same suite against the real one.
 */
export function fakeVault({
  token: own,
  roles = ['deploy-api'],
  secrets = { 'database/creds/deploy-api': 600 },
  dialect = 'openbao',
}: {
  token: string;
  roles?: readonly string[];
  /** Seconds that a lease of each path lives. */
  secrets?: Readonly<Record<string, number>>;
  dialect?: 'openbao' | 'vault';
}): MinterProvider {
  const alive = new Map<string, Made>();
  const byValue = new Map<string, string>();

  function create(role: string, { ttl, meta }: { ttl: string; meta: unknown }): ProviderAnswer {
    if (!roles.includes(role)) return json(400, { errors: [`unknown role ${role}`] });
    const [accessor, value, ttlS] = [id(), `s.${id()}`, Number.parseInt(ttl, 10)];
    alive.set(accessor, { meta, ttlS });
    byValue.set(value, accessor);
    return json(200, {
      auth: {
        ...{ client_token: value, accessor, policies: ['deploy'], token_policies: ['deploy'], metadata: meta },
        ...{ lease_duration: ttlS, renewable: false, entity_id: '', token_type: 'service', orphan: true, num_uses: 0 },
      },
    });
  }

  function lease(path: string, ttlS: number): ProviderAnswer {
    const [name, password] = [`${path}/${id()}`, id()];
    alive.set(name, { meta: null, ttlS, lease: true });
    byValue.set(password, name);
    const data = { username: `v-${id()}`, password };
    return json(200, { lease_id: name, renewable: true, lease_duration: ttlS, data, auth: null });
  }

  return {
    answer({ method, path, headers, body }) {
      const route = path.replace(/^\/v1\//, '');
      const { accessor = '', lease_id: leaseId = '', ...asked } = JSON.parse(body || '{}') as Record<string, string>;
      if (headers['x-vault-token'] !== own) return json(403, { errors: ['permission denied'] });
      const role = /^auth\/token\/create\/([^/]+)$/.exec(route)?.[1];
      if (role !== undefined && method === 'POST') return create(role, asked as never);
      const ttlS = secrets[route];
      if (ttlS !== undefined && method === 'GET') return lease(route, ttlS);
      const known = alive.get(accessor);
      switch (`${method} ${route}`) {
        case 'POST auth/token/revoke-accessor':
          if (alive.delete(accessor)) return { status: 204 };
          if (dialect === 'vault') return fault(403, 'invalid accessor');
          return json(200, { warnings: ['No token found with this accessor'] });
        case 'POST auth/token/lookup-accessor':
          if (known === undefined) return fault(dialect === 'vault' ? 403 : 400, 'invalid accessor');
          return json(200, { data: { accessor, meta: known.meta, ttl: known.ttlS, orphan: true, id: '' } });
        case 'GET auth/token/accessors?list=true':
          return json(200, { data: { keys: [...alive].filter(([, { lease: is }]) => !is).map(([key]) => key) } });
        case 'POST sys/leases/revoke':
          alive.delete(leaseId);
          return { status: 204 };
        case 'POST sys/leases/lookup':
          if (!alive.has(leaseId)) return json(400, { errors: ['invalid lease'] });
          return json(200, { data: { id: leaseId, ttl: alive.get(leaseId)!.ttlS } });
        default:
          return fault(403, 'permission denied');
      }
    },
    alive: () => alive.size,
    admits: ({ token, password }) => alive.has(byValue.get(token ?? password ?? '') ?? ''),
  };
}
