import type { Check } from '@tripline/contracts/check';
import type { FastifyInstance } from 'fastify';
import { createHttp, createOperations } from './http.ts';
import type { Metrics } from './metrics.ts';

/** Another process listens on the port. */
export class PortInUseError extends Error {
  readonly code = 'PORT_IN_USE';
}

export type Served = {
  /** URL of the public server (deliveries, buttons, /healthz, /readyz), without a path. */
  url: string;
  /** URL of the operations server: metrics, and why it is not ready. */
  operationsUrl: string;
  close: () => Promise<void>;
};

/**
 * Serves a process's routes on its port, and metrics and causes on an operations port, which by default only this
 * machine can reach: metrics would tell an outsider whether an attack was noticed. A service without routes of its own
 * listens too, for `/healthz` and `/readyz`: load balancers and Kubernetes probe from outside of the machine.
 * @throws {PortInUseError} naming the setting.
 */
export async function serve(
  config: { host: string; port: number; operations: { host: string; port: number } },
  parts: {
    metrics: Metrics;
    /** Resolves when the process can do its work; rejects with the reason. */
    ready: () => Promise<void>;
    /** Further problems, shown on the operations port only. */
    health?: () => Promise<Check[]>;
    routes?: Routes;
    /** What the variables of the public server begin with, for errors; `TRIPLINE` by default. */
    setting?: string;
  },
): Promise<Served> {
  const ready = sharedWhileAsked(parts.ready);
  const health = parts.health && sharedWhileAsked(parts.health);
  const operations = createOperations({ metrics: parts.metrics, ready, ...(health && { health }) });
  try {
    const operationsUrl = await listen(operations, config.operations, 'TRIPLINE_OPERATIONS');
    const { setting = 'TRIPLINE', routes = [] } = parts;
    const { url, close } = await serveRoutes(config, { ready, routes, setting });
    const closeBoth = async () => {
      await close();
      await operations.close();
    };
    return { url, operationsUrl, close: closeBoth };
  } catch (error) {
    await operations.close();
    throw error;
  }
}

type Routes = readonly ((app: FastifyInstance) => void)[];

/**
 * Serves routes on a port of their own, beside those of `serve`; with `/healthz` and `/readyz`, too.
 * @throws {PortInUseError} naming `setting`, with which the variables of host and port begin.
 */
export async function serveRoutes(
  at: { host: string; port: number },
  parts: { ready: () => Promise<void>; routes: Routes; setting: string },
): Promise<{ url: string; close: () => Promise<void> }> {
  const app = createHttp({ ready: sharedWhileAsked(parts.ready) });
  try {
    for (const add of parts.routes) add(app);
    return { url: await listen(app, at, parts.setting), close: () => app.close() };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** Concurrent callers share one check: a thousand requests from outside cause one query to log and database. */
function sharedWhileAsked<T>(ask: () => Promise<T>): () => Promise<T> {
  let asking: Promise<T> | undefined;
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

async function listen(app: FastifyInstance, at: { host: string; port: number }, setting: string): Promise<string> {
  const { host, port } = at;
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new PortInUseError(
        `port ${port} on ${host} is in use; stop what uses it, or set ${setting}_PORT to another`,
      );
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new PortInUseError(
        `Tripline cannot listen on port ${port} of ${host} (${code}); see ${setting}_HOST and ${setting}_PORT`,
      );
    }
    throw error;
  }
}
