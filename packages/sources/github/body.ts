import { z } from 'zod';
import { identifier, text } from '../untrusted.ts';

/**
 * The parts that GitHub's bodies share. A schema names only what Tripline relies on; zod leaves out the rest. What
 * GitHub may leave out or send as null is `nullish`, and names have any form: they are encoded where they become part of
 * an address or a key, and never a reason to drop what GitHub tells.
 */
export const number = z.union([z.number(), z.string()]);
export const string = z.string();
export const maybe = z.string().nullish();
export const flag = z.boolean().nullish();
/** RFC 3339 with any offset, or seconds since the epoch, as older and newer bodies mix them. */
export const instant = z.union([z.string(), z.number()]).nullish();
/** What no body of this event has: one that has it is another event's. */
export const absent = z.never().optional();

/** A user, organisation, bot or, without a login, an enterprise. */
export const account = z.object({ login: maybe, id: number.nullish(), type: maybe, html_url: maybe });
export const someone = account.nullish();
export const app = z.object({ slug: maybe, name: maybe }).nullish();

export const repository = z.object({
  id: number.nullish(),
  full_name: string,
  owner: someone,
  html_url: maybe,
  private: flag,
  visibility: maybe,
  default_branch: maybe,
  pushed_at: instant,
  created_at: instant,
});
export const headRepository = z.object({ id: number.nullish(), full_name: maybe }).nullish();
export const repositoryNames = z.array(z.object({ full_name: maybe })).nullish();
export const permissions = z.record(z.string(), z.unknown()).nullish();
/** What changed, by field: GitHub gives `{ from }` and sometimes `{ to }`. */
export const changes = z.record(z.string(), z.unknown()).nullish();
/** Which texts an edit changed; undefined where GitHub does not tell what it changed. */
export function editedTexts(action: string, changes: Record<string, unknown> | null | undefined) {
  if (action !== 'edited' || !changes) return undefined;
  return (['title', 'body'] as const).filter((text) => Object.hasOwn(changes, text));
}

/** What every body may have around its subject. */
const around = {
  repository: repository.nullish(),
  organization: someone,
  sender: someone,
  installation: z.object({ account: someone }).nullish(),
};
export type Around = z.infer<z.ZodObject<typeof around>>;

/** The schema of a body: its own fields and what every body may have. */
export function bodyOf<Fields extends z.ZodRawShape>(fields: Fields) {
  return z.object({ ...around, ...fields }) as z.ZodObject<Omit<typeof around, keyof Fields> & Fields>;
}

/**
 * A body as its schema has it, or undefined when it is not of that form. An optional field of an unknown form is left
 * out, and the rest is parsed again: when GitHub changes one field, the rest of the event must still be read.
 */
export function fit<Body>(schema: z.ZodType<Body>, body: Record<string, unknown>): Body | undefined {
  const first = schema.safeParse(body);
  if (first.success) return first.data;
  for (const issue of first.error.issues) {
    if (issue.code === 'invalid_type' && issue.expected === 'never') return undefined;
    leaveOut(body, issue.path);
  }
  const second = schema.safeParse(body);
  return second.success ? second.data : undefined;
}

/** Removes the innermost property on `path`: a list with an unknown element is removed as a whole, not shortened. */
function leaveOut(body: unknown, path: readonly PropertyKey[]): void {
  let holder = body;
  let innermost: (() => void) | undefined;
  for (const key of path) {
    if (typeof holder !== 'object' || holder === null) break;
    const owner = holder as Record<PropertyKey, unknown>;
    if (!Array.isArray(holder)) innermost = () => delete owner[key];
    holder = owner[key];
  }
  innermost?.();
}

/** A commit's hash; any other text is cleaned like an identifier. */
export function revisionOf(value: string | null | undefined): string | undefined {
  return typeof value === 'string' && commitHash.test(value) ? value : identifier(value);
}
const commitHash = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/**
 * Whether this can be a repository's name. In a URL, `.` and `..` would name another one, and `/` would add a segment.
 */
export function canBeRepository(fullName: string): boolean {
  if (fullName.length > 256 || !/^[^/\s]+\/[^/\s]+$/.test(fullName)) return false;
  return (
    !fullName.startsWith('./') && !fullName.startsWith('../') && !fullName.endsWith('/.') && !fullName.endsWith('/..')
  );
}

/**
 * A repository's full name for an attribute; absent where it is no possible name. A name of GitHub's form is an
 * identity, and is not redacted even where it looks like a credential: otherwise renaming a repository could prevent
 * every response to it.
 */
export function repositoryName(fullName: string | null | undefined): string | undefined {
  if (typeof fullName !== 'string' || !canBeRepository(fullName)) return undefined;
  return repositoryForm.test(fullName) ? fullName : text(fullName);
}
const repositoryForm = /^[A-Za-z0-9-]{1,39}(?:_[A-Za-z0-9]{3,8})?\/[\w.-]{1,100}$/;

/** `refs/heads/main` → branch `main`; undefined for what is neither branch nor tag. */
export function splitRef(ref: string | null | undefined): { type: 'branch' | 'tag'; name: string } | undefined {
  if (!ref) return undefined;
  if (ref.startsWith('refs/heads/')) return { type: 'branch', name: ref.slice(11) };
  if (ref.startsWith('refs/tags/')) return { type: 'tag', name: ref.slice(10) };
  return undefined;
}
