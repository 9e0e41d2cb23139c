import { z } from 'zod';

/**
 * The parts that GitHub's bodies share. A schema names only what Tripline relies on; zod leaves out the rest. What
 * GitHub may leave out or send as null is `nullish`.
 */
export const number = z.union([z.int(), z.string().regex(/^\d{1,20}$/)]);
export const string = z.string();
export const maybe = z.string().nullish();
export const flag = z.boolean().nullish();
/** RFC 3339 with any offset, or seconds since the epoch, as older and newer bodies mix them. */
export const instant = z.union([z.string(), z.number()]).nullish();
/** Names become parts of URLs and keys, so they must look like names. */
export const login = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?$/);
export const revision = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
/** A repository is never called `.` or `..`, which in a URL would name another one. */
export const fullName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}\/(?:\.{0,2}[\w-][\w.-]{0,99}|\.{3}[\w.-]{0,97})$/);

/** A user, organisation or bot. */
export const account = z.object({ login, id: number.nullish(), type: maybe });
export const someone = account.nullish();
export const app = z.object({ slug: maybe, name: maybe }).nullish();

export const repository = z.object({
  full_name: fullName,
  owner: account,
  html_url: maybe,
  private: flag,
  visibility: maybe,
  default_branch: maybe,
  pushed_at: instant,
  created_at: instant,
});
export const headRepository = z.object({ full_name: fullName }).nullish();
export const repositoryNames = z.array(z.object({ full_name: maybe })).nullish();
export const permissions = z.record(z.string(), z.string()).nullish();
/** What changed, by field: GitHub gives `{ from }` and sometimes `{ to }`. */
export const changes = z.record(z.string(), z.unknown()).nullish();

/** What every body may have around its subject. */
const around = {
  repository: repository.nullish(),
  organization: z.object({ login }).nullish(),
  sender: someone,
  installation: z.object({ account: someone }).nullish(),
};
export type Around = z.infer<z.ZodObject<typeof around>>;

/** The schema of a body: its own fields and what every body may have. */
export function bodyOf<Fields extends z.ZodRawShape>(fields: Fields) {
  return z.object({ ...around, ...fields }) as z.ZodObject<Omit<typeof around, keyof Fields> & Fields>;
}

/** `refs/heads/main` → branch `main`; undefined for what is neither branch nor tag. */
export function splitRef(ref: string): { type: 'branch' | 'tag'; name: string } | undefined {
  if (ref.startsWith('refs/heads/')) return { type: 'branch', name: ref.slice(11) };
  if (ref.startsWith('refs/tags/')) return { type: 'tag', name: ref.slice(10) };
  return undefined;
}
