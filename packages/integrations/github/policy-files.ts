import { posix } from 'node:path';
import { z } from 'zod';
import { type GitHubClient, GitHubRefusedError, ownerAndRepo } from './client.ts';
import { type GitHubAccess, withReader } from './reader.ts';

/** Where policies lie, and the name of their lock file beside them. */
export type PolicyPlace = { repository: string; branch: string; path: string; lockPath: string };
/** What stands at the head of the branch. `lock`: empty where there is no such file. `files`: those that are there, by path. */
export type PolicyCommit = {
  repositoryId: string;
  revision: string;
  policies: string;
  lock: string;
  files: Readonly<Record<string, string>>;
};

const number = z.union([z.number(), z.bigint(), z.string()]).transform(String);
const repositoryAnswer = z.object({ id: number });
const refAnswer = z.object({
  object: z.object({ sha: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/), type: z.literal('commit') }),
});
const fileAnswer = z.object({ type: z.literal('file'), encoding: z.literal('base64'), content: z.string() });

/** GitHub answered, and not what was asked for. */
export class UnfitAnswerError extends Error {
  readonly code = 'UNFIT_ANSWER';
}

/**
 * Reads the policies, their lock and the files that they name, at the head of the branch: they are of one commit. Undefined where that
 * is `known` already. `filesOf`: which files a text of policies names, relative to it.
 * @throws {CannotReadError} {@link UnfitAnswerError}
 */
export function readPolicyCommit(
  access: GitHubAccess,
  place: PolicyPlace,
  known: string | undefined,
  {
    filesOf,
    ...options
  }: {
    nowMs: () => number;
    onLeftAlive: (reason: string) => void;
    filesOf: (policies: string) => readonly string[];
  },
): Promise<PolicyCommit | undefined> {
  const { repository, branch } = place;
  const where = ownerAndRepo(repository);
  const scope = { owner: where.owner, repository, permissions: { contents: 'read' } as const };
  return withReader(access, scope, options, async (client) => {
    const { object } = await ask(client, refAnswer, 'GET /repos/{owner}/{repo}/git/ref/{ref}', {
      ...{ ...where, ref: `heads/${branch}` },
    });
    if (object.sha === known) return undefined;
    const { id } = await ask(client, repositoryAnswer, 'GET /repos/{owner}/{repo}', where);
    const fileAt = async (path: string) => {
      const parameters = { ...where, path, ref: object.sha };
      const file = await ask(client, fileAnswer, 'GET /repos/{owner}/{repo}/contents/{path}', parameters);
      return Buffer.from(file.content, 'base64').toString('utf8');
    };
    const policies = await fileAt(place.path);
    const fileIfThere = (path: string) =>
      fileAt(path).catch((error) => {
        if (error instanceof GitHubRefusedError && error.answer.status === 404) return undefined;
        throw error;
      });
    const lock = (await fileIfThere(place.lockPath)) ?? '';
    const files: Record<string, string> = {};
    for (const path of filesOf(policies)) {
      const text = await fileIfThere(posix.join(posix.dirname(place.path), path));
      if (text !== undefined) files[path] = text;
    }
    return { repositoryId: id, revision: object.sha, policies, lock, files };
  });
}

async function ask<T>(
  client: GitHubClient,
  schema: z.ZodType<T>,
  route: string,
  parameters: Record<string, unknown>,
): Promise<T> {
  const answer = await client.send({ route, parameters });
  if (answer.status >= 300) throw new GitHubRefusedError({ route, parameters }, answer);
  const read = schema.safeParse(answer.data);
  if (!read.success) throw new UnfitAnswerError(`GitHub answered ${route} with another form than it documents`);
  return read.data;
}
