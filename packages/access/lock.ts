import { z } from 'zod';
import { readYaml } from './yaml.ts';

/**
 * Which ids the names of a policy mean. Names change hands: whoever takes a name that was given up is not who the policy was
 * written for. So a policy counts only together with its lock file, and a name that is not pinned is nobody's.
 */
const id = z.string().regex(/^[\w-]{1,100}$/, 'say the provider’s id, in quotes');
const lockFile = z.strictObject({
  /** Repositories by full name. `owner`: the id of the account, namespace or organisation that has it. */
  github: z.record(z.string(), z.strictObject({ id, owner: id })).default({}),
  /** Projects by path. */
  gitlab: z.record(z.string(), z.strictObject({ id, owner: id })).default({}),
  /** Pipelines, `organisation/pipeline`. */
  buildkite: z.record(z.string(), z.strictObject({ id, owner: id })).default({}),
  /** Teams of GitHub's, `organisation/team`, by the slug in their address. `owner`: the id of the organisation. */
  teams: z.record(z.string(), z.strictObject({ id, owner: id })).default({}),
  /** Roles of organisations, `organisation/role`. */
  roles: z.record(z.string(), z.strictObject({ id, owner: id })).default({}),
  /** People of GitHub's by login. */
  people: z.record(z.string(), z.strictObject({ id })).default({}),
});
export type LockFile = z.output<typeof lockFile>;
export const emptyLock: LockFile = { github: {}, gitlab: {}, buildkite: {}, teams: {}, roles: {}, people: {} };

/**
 * Reads a lock file.
 * @throws {AccessFileError} it is no YAML of this form.
 */
export const readLock = (text: string): LockFile => readYaml(text, lockFile);
