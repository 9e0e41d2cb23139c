import { type GitHubClient, GitHubRefusedError } from './client.ts';

/** Where GraphQL is answered, beside a REST API: a GitHub of one's own has it at another path. */
export const graphqlApiUrl = (apiUrl: string): string => apiUrl.replace(/\/v3\/*$/, '');

/**
 * Asks by GraphQL what REST does not tell. `client`: of {@link graphqlApiUrl}.
 * @throws {GitHubRefusedError} also where a part of the answer is missing: what was not told is not taken for what is not there.
 */
export async function askGraphql<T>(client: GitHubClient, query: string, variables: object): Promise<T> {
  const request = { route: 'POST /graphql', parameters: { query, variables } };
  const answer = await client.send(request);
  const { data, errors = [] } = (answer.data ?? {}) as { data?: T | null; errors?: { message?: unknown }[] };
  if (answer.status === 200 && errors.length === 0 && data !== undefined && data !== null) return data;
  if (answer.status !== 200) throw new GitHubRefusedError(request, answer);
  const message = errors.map(({ message: said }) => String(said)).join('; ') || 'an answer without data';
  throw new GitHubRefusedError(request, { ...answer, status: 502, data: { message } });
}
