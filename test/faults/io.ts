import childProcess from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import fs from 'node:fs';
import fsPromises, { type FileHandle } from 'node:fs/promises';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import pg from 'pg';

/** Right before an I/O begins, and right after it succeeded. */
export type When = 'before' | 'after';
export type Watcher = (when: When, what: string) => void;

/**
 * Wraps what this process does to disk, database, network and other programs, and has `watch` told of each. `what` is
 *
 * - `sql <statement>`: a statement's name where it has one, else its verb and table; `sql COMMIT <first statement that
 *   wrote>` of a transaction's end
 * - `fs <function> <kind of file>`
 * - `http <method> <path>`, without numbers and ids
 * - `kafka <request>`, as its protocol names it
 * - `run <program>`
 *
 * To be called before what is watched is imported.
 */
export function watchIo(watch: Watcher): void {
  watchDatabase(watch);
  watchFiles(watch);
  watchHttp(watch);
  watchKafka(watch);
  const { spawn } = childProcess;
  childProcess.spawn = ((program: string, ...more: unknown[]) => {
    // What is run as another user, or by a shell, is an argument.
    const named = [program, ...(Array.isArray(more[0]) ? more[0] : [])].find((part) =>
      /\/(?:initdb|postgres)$/.test(String(part)),
    );
    const what = `run ${String(named ?? program)
      .split('/')
      .at(-1)}`;
    watch('before', what);
    const child = (spawn as (...all: unknown[]) => childProcess.ChildProcess)(program, ...more);
    watch('after', what);
    child.once('exit', () => watch('after', `${what} to its end`));
    return child;
  }) as typeof spawn;
  syncBuiltinESMExports();
}

type Query = (this: object, ...all: unknown[]) => unknown;

function watchDatabase(watch: Watcher): void {
  const wrote = new WeakMap<object, string>();
  const prototype = pg.Client.prototype as unknown as { query: Query };
  const { query } = prototype;
  prototype.query = function (this: object, ...all: unknown[]) {
    const what = `sql ${labelOf(all[0], this, wrote)}`;
    watch('before', what);
    const last = all.at(-1);
    if (typeof last === 'function') {
      const done = (error: unknown, result: unknown) => {
        if (!error) watch('after', what);
        last(error, result);
      };
      return query.apply(this, [...all.slice(0, -1), done]);
    }
    const sent = query.apply(this, all);
    if (!(sent instanceof Promise)) return sent;
    return sent.then((result: unknown) => {
      watch('after', what);
      return result;
    });
  };
}

/** `connection` tells one transaction's statements from another's. */
function labelOf(statement: unknown, connection: object, wrote: WeakMap<object, string>): string {
  const { text, name } = typeof statement === 'string' ? { text: statement } : (statement as pg.QueryConfig);
  const plain = (text ?? '').replace(/--.*$/gm, ' ').replaceAll('"', '').replace(/\s+/g, ' ').trim();
  if (/^begin\b/i.test(plain)) {
    wrote.delete(connection);
    return 'BEGIN';
  }
  if (/^commit\b/i.test(plain)) return `COMMIT ${wrote.get(connection) ?? 'nothing'}`;
  const [, verb, table] =
    /(?<!\b(?:for|do|key) )\b(insert|update|delete)(?: into| from)?(?: only)? ([a-z_.]+)/i.exec(plain) ?? [];
  // A hash of the text for a name says less than the text.
  const label = name === undefined || /^[0-9a-f]{16}/.test(name) ? derive(plain, verb, table) : name.replace(/\d+/, '');
  if (table !== undefined && !wrote.has(connection)) wrote.set(connection, label);
  return label;
}

/** `UPDATE told SET due_at`, `SELECT findings`, `SELECT pg_notify`. */
function derive(plain: string, verb: string | undefined, table: string | undefined): string {
  if (verb === undefined) {
    const read = [...plain.matchAll(/\b(?:from|join) ([a-z_.]+)/gi)].map(([, from]) => from!);
    const [, called] = /\b([a-z_]+\.[a-z_]+)\(/.exec(plain) ?? [];
    const from = read.find((one) => !/^(?:json_to_recordset|unnest|lateral)$/i.test(one)) ?? called;
    return from === undefined ? plain.split(/[(;$]/, 1)[0]!.trim() : `SELECT ${from}`;
  }
  const columns = [...plain.matchAll(/(?:\bset|,) ([a-z_]+) = /gi)].slice(0, 2).map(([, column]) => column);
  const set = verb.toUpperCase() === 'UPDATE' && columns.length > 0 ? ` SET ${columns.join(', ')}` : '';
  return `${verb.toUpperCase()} ${table}${set}`;
}

function watchFiles(watch: Watcher): void {
  const kindOf = (path: unknown) => /\.[a-z]+$/.exec(String(path))?.[0] ?? 'file';
  for (const name of ['unlink', 'rename', 'copyFile', 'writeFile'] as const) {
    const call = fsPromises[name] as (...all: unknown[]) => Promise<unknown>;
    (fsPromises as unknown as Record<string, unknown>)[name] = async (path: unknown, ...more: unknown[]) => {
      const what = `fs ${name} ${kindOf(path)}`;
      watch('before', what);
      const result = await call(path, ...more);
      watch('after', what);
      return result;
    };
  }
  const { open } = fsPromises;
  fsPromises.open = (async (path, flags, mode) => {
    const isNew = typeof flags === 'string' && flags.includes('x');
    const kind = fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ? 'folder' : kindOf(path);
    if (isNew) watch('before', `fs create ${kind}`);
    const file = await open(path, flags, mode);
    if (isNew) watch('after', `fs create ${kind}`);
    for (const name of ['write', 'datasync', 'sync'] as const) watchHandle(file, name, kind, watch);
    return file;
  }) as typeof open;
  const { renameSync } = fs;
  fs.renameSync = (from, to) => {
    const what = `fs rename ${String(to).split('/').at(-1)}`;
    watch('before', what);
    renameSync(from, to);
    watch('after', what);
  };
}

function watchHandle(file: FileHandle, name: 'write' | 'datasync' | 'sync', kind: string, watch: Watcher): void {
  const call = file[name].bind(file) as (...all: unknown[]) => Promise<unknown>;
  (file as unknown as Record<string, unknown>)[name] = async (...all: unknown[]) => {
    watch('before', `fs ${name} ${kind}`);
    const result = await call(...all);
    watch('after', `fs ${name} ${kind}`);
    return result;
  };
}

function watchHttp(watch: Watcher): void {
  const labelled = ({ request }: { request: { method: string; path: string } }) =>
    `http ${request.method} ${request.path.split('?')[0]!.replace(/\b\d+\b/g, 'N')}`;
  subscribe('undici:request:create', (message) => watch('before', labelled(message as never)));
  subscribe('undici:request:headers', (message) => watch('after', labelled(message as never)));
}

type KafkaConnection = { send: (call: { request: { apiName: string } }) => Promise<unknown> };

function watchKafka(watch: Watcher): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connection') as {
    prototype: KafkaConnection;
  };
  const { send } = prototype;
  prototype.send = async function (this: KafkaConnection, call) {
    const what = `kafka ${call.request.apiName}`;
    watch('before', what);
    const answer = await send.call(this, call);
    watch('after', what);
    return answer;
  };
}
