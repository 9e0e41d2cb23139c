import { parse } from 'yaml';
import { z } from 'zod';
import type { Give, StsName } from '../policy.ts';
import {
  githubIssuer,
  ImportError,
  type Subject,
  subjectOfGlob,
  subjectOfPattern,
  type Trust,
  textsOfPattern,
} from './trust.ts';

/** `target`: the repository in which a file lies whose own text does not say. */
export type Source = { name: string; text: string; target?: string | undefined };

/** Stands for the file's own repository. */
const originWord = ['$', '{origin}'].join('');
const permissions = z.record(z.string(), z.string());
const octoSts = z.looseObject({
  ...{
    issuer: z.string().optional(),
    issuer_pattern: z.string().optional(),
    subject: z.string().optional(),
    subject_pattern: z.string().optional(),
  },
  ...{
    audience: z.string().optional(),
    claim_pattern: permissions.optional(),
    permissions,
    repositories: z.array(z.string()).optional(),
  },
});
const accessToken = z.looseObject({
  origin: z.string(),
  statements: z.array(z.looseObject({ subjects: z.array(z.string()), permissions })),
});
const vaultRole = z.looseObject({
  ...{
    bound_audiences: z.array(z.string()).nullish(),
    bound_subject: z.string().nullish(),
    bound_claims_type: z.string().nullish(),
  },
  ...{ bound_claims: z.record(z.string(), z.union([z.string(), z.array(z.string())])).nullish() },
  ...{ token_ttl: z.union([z.number(), z.string()]).nullish(), token_policies: z.array(z.string()).nullish() },
});
const oneOrMore = z
  .union([z.string(), z.array(z.string())])
  .transform((one) => (typeof one === 'string' ? [one] : one));
const iamTrust = z.looseObject({
  Statement: z.array(
    z.looseObject({
      Effect: z.string(),
      Principal: z.unknown(),
      Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
    }),
  ),
});
const iamRole = z.looseObject({ Role: z.looseObject({ Arn: z.string(), AssumeRolePolicyDocument: iamTrust }) });

/**
 * Reads a trust of octo-sts (`.sts.yaml`), of qoomon's access-token action (`access-token.yaml`), a JWT role of Vault (JSON) or a role of IAM
 * (`aws iam get-role`).
 * @throws {ImportError} it is none of them.
 */
export function readTrusts({ name, text, target }: Source): Trust[] {
  let read: unknown;
  try {
    read = parse(text, { maxAliasCount: 0 });
  } catch {
    throw new ImportError('it is neither YAML nor JSON');
  }
  const role = iamRole.safeParse(read);
  if (role.success) return ofIam(name, role.data.Role.AssumeRolePolicyDocument, role.data.Role.Arn);
  if (iamTrust.safeParse(read).success) return ofIam(name, iamTrust.parse(read), undefined);
  const statements = accessToken.safeParse(read);
  if (statements.success) return ofAccessToken(name, statements.data);
  const sts = octoSts.safeParse(read);
  if (sts.success) return [ofOctoSts(name, sts.data, target)];
  const vault = vaultRole.safeParse(unwrapped(read));
  if (vault.success && (vault.data.bound_claims ?? vault.data.bound_subject ?? vault.data.bound_audiences) != null)
    return [ofVault(name, vault.data)];
  throw new ImportError(
    'it is no trust of octo-sts, no access-token.yaml, no JWT role of Vault and no role or trust of IAM',
  );
}

/** `vault read -format=json` wraps a role in `data`. */
const unwrapped = (read: unknown) => (read as { data?: unknown } | null)?.data ?? read;
const start = (name: string) => ({
  name: name.replace(/\.(?:sts\.)?(?:ya?ml|json)$/, ''),
  looser: [] as string[],
  lacks: [] as string[],
});

function githubGive(
  repositories: readonly string[],
  given: Readonly<Record<string, string>>,
  lacks: string[],
): Give | undefined {
  const kept = Object.entries(given).flatMap(([name, level]) => {
    const word = name.replaceAll('-', '_');
    if (/^[a-z][a-z_]{0,49}$/.test(word) && ['read', 'write', 'admin'].includes(level))
      return [[word, level as 'read']];
    lacks.push(`permission ${name}: ${level} is none that an App gives`);
    return [];
  });
  const named = repositories.filter((one) => /^[\w.-]+\/[\w.-]+$/.test(one));
  if (named.length === 0) lacks.push('which repository it gives something on: say --target owner/name');
  if (kept.length === 0 || named.length === 0) return undefined;
  return { github: { repositories: [...named], permissions: Object.fromEntries(kept) } };
}

function ofOctoSts(name: string, sts: z.output<typeof octoSts>, target: string | undefined): Trust {
  const one = start(name);
  const owner = target?.split('/')[0];
  const repositories =
    sts.repositories?.map((repository) => (repository.includes('/') ? repository : `${owner ?? ''}/${repository}`)) ??
    (target === undefined ? [] : [target]);
  if (sts.issuer !== githubIssuer) {
    one.lacks.push(
      `its issuer is ${sts.issuer ?? sts.issuer_pattern ?? 'not said'}, and jobs of GitHub alone are imported`,
    );
    return { ...one, subjects: [], give: undefined };
  }
  if (sts.audience === undefined)
    one.looser.push('it names no audience: a token that was made for that service’s own domain sufficed');
  const subject =
    sts.subject === undefined ? subjectOfPattern(sts.subject_pattern ?? '.*', one.looser) : { whole: sts.subject };
  const claims = claimsOf(sts.claim_pattern ?? {}, one);
  if (claims === undefined) one.lacks.push('no policy is written, since it would admit more: write it by hand');
  return {
    ...one,
    ...(claims === undefined ? {} : { claims }),
    subjects: subject === undefined || claims === undefined ? [] : [subject],
    give: githubGive(repositories, sts.permissions, one.lacks),
    ...(target === undefined || !name.endsWith('.sts.yaml') ? {} : { sts: stsNameOf(target, one.name) }),
  };
}

type Claims = { -readonly [Name in keyof NonNullable<Trust['claims']>]: NonNullable<Trust['claims']>[Name] };

/** Notes what must hold of a claim, by one of these texts. @returns false where no condition of a policy is the same. */
function noteClaim(claims: Claims, claim: string, texts: readonly Subject[] | undefined): boolean {
  if (texts === undefined) return false;
  const wholes = texts.flatMap((one) => ('whole' in one ? [one.whole] : []));
  // Of two conditions on one claim both must hold, which none of ours says.
  if (claim === 'ref' && claims.refs === undefined) claims.refs = texts;
  else if ((claim === 'workflow_ref' || claim === 'job_workflow_ref') && claims.callers === undefined)
    claims.callers = texts;
  else if (wholes.length === texts.length && claim === 'event_name' && claims.events === undefined)
    claims.events = wholes;
  else if (wholes.length === texts.length && claim === 'repository' && claims.repositories === undefined)
    claims.repositories = wholes;
  else return false;
  return true;
}

/** Of a trust that says no subject, its repositories and refs say as much. */
function subjectsOf({ repositories = [], refs = [] }: Claims): Subject[] {
  return repositories.flatMap((repository) =>
    refs.map(
      (ref): Subject =>
        'whole' in ref
          ? { whole: `repo:${repository}:ref:${ref.whole}` }
          : { prefix: `repo:${repository}:ref:${ref.prefix}` },
    ),
  );
}

/** What a policy can say of them; undefined where it cannot say one. */
function claimsOf(patterns: Readonly<Record<string, string>>, { looser, lacks }: Pick<Trust, 'looser' | 'lacks'>) {
  const claims: Claims = {};
  let isWhole = true;
  for (const [claim, pattern] of Object.entries(patterns)) {
    if (noteClaim(claims, claim, textsOfPattern(pattern, looser))) continue;
    isWhole = false;
    const instead =
      claim === 'ref_protected' ? '; where needs.reviewed suffices, take the line out and import again' : '';
    lacks.push(`claim_pattern.${claim}: ${pattern}: no condition of a policy is the same${instead}`);
  }
  return isWhole ? claims : undefined;
}

/** What lies in an owner's `.github` is asked for by the owner. */
function stsNameOf(target: string, identity: string): StsName {
  const [owner = '', repository] = target.split('/');
  return { scope: repository === '.github' ? owner : target, identity };
}

function ofAccessToken(name: string, { origin, statements }: z.output<typeof accessToken>): Trust[] {
  return statements.map(({ subjects, permissions: given }) => {
    const one = start(name);
    const read = subjects.flatMap((subject): Subject[] => {
      // `**` crosses slashes there, and `*` does not: a prefix is no narrower than the latter.
      const text = subject.replaceAll(originWord, origin);
      if (!text.startsWith('repo:')) {
        one.lacks.push(`${subject}: it is no subject of GitHub’s usual form`);
        return [];
      }
      if (/(?<!\*)\*$/.test(text)) {
        one.lacks.push(`${subject}: * at the end stops at a slash there, and a prefix does not; list the refs`);
        return [];
      }
      const known = subjectOfGlob(text.replace(/\*\*$/, '*'), one.looser);
      return known === undefined ? [] : [known];
    });
    one.looser.push(
      'names alone are matched there: whoever takes a name that was given up is let in; here `access lock` pins ids',
    );
    return { ...one, subjects: read, give: githubGive([origin], given, one.lacks) };
  });
}

function ofVault(name: string, role: z.output<typeof vaultRole>): Trust {
  const one = start(name);
  const claims = Object.entries(role.bound_claims ?? {}).map(
    ([claim, value]) => [claim, typeof value === 'string' ? [value] : value] as const,
  );
  const isGlob = role.bound_claims_type === 'glob';
  if (!role.bound_audiences?.length)
    one.looser.push('bound_audiences is empty: a token that was made for anybody sufficed');
  const ofClaim = (wanted: string) => claims.find(([claim]) => claim === wanted)?.[1];
  const given = role.bound_subject ? [role.bound_subject] : (ofClaim('sub') ?? []);
  const textsOf = (texts: readonly string[], asGlob: boolean): Subject[] =>
    texts.flatMap((text) => (asGlob ? (subjectOfGlob(text, one.looser) ?? []) : { whole: text }));
  const told: Claims = {};
  const others = claims.flatMap(([claim, texts]) => {
    const read = textsOf(texts, isGlob);
    if (claim === 'sub' && !role.bound_subject) return [];
    return read.length === texts.length && noteClaim(told, claim, read) ? [] : [claim];
  });
  const subjects = given.length > 0 ? textsOf(given, isGlob && !role.bound_subject) : subjectsOf(told);
  if (subjects.length === 0)
    one.lacks.push(
      'it binds no subject, or none that can be said; of other claims no policy is made, write one by hand',
    );
  if (others.length > 0)
    one.lacks.push(
      `bound_claims ${others.join(', ')}: no condition of a policy is the same, so none is written; write it by hand`,
    );
  one.lacks.push(
    `a role of tokens ${one.name} with the policies ${(role.token_policies ?? []).join(', ') || '(none)'}: make it at Vault, as packages/integrations/vault says`,
  );
  const [, amount = 0, unit = 's'] = /^(\d+)([smh]?)$/.exec(String(role.token_ttl ?? '')) ?? [];
  const seconds = Number(amount) * ({ m: 60, h: 3600 }[unit] ?? 1);
  const give: Give | undefined = /^[\w/-]{1,200}$/.test(one.name)
    ? { vault: { role: one.name, for: spanOf(seconds) as never } }
    : undefined;
  return { ...one, claims: told, subjects: others.length > 0 ? [] : subjects, give };
}

/** At most an hour, which a policy’s `max` is unless told otherwise; as a policy writes it. */
const spanOf = (seconds: number): string => (seconds > 0 && seconds <= 3600 ? `${seconds}s` : '60m');

function ofIam(name: string, { Statement }: z.output<typeof iamTrust>, arn: string | undefined): Trust[] {
  return Statement.filter(({ Effect }) => Effect === 'Allow').map(({ Principal, Condition = {} }) => {
    const one = start(name);
    const federated = (Principal as { Federated?: unknown } | null)?.Federated;
    if (typeof federated !== 'string' || !federated.endsWith('oidc-provider/token.actions.githubusercontent.com')) {
      one.lacks.push('a statement that trusts another than GitHub’s id tokens: nothing is written for it');
      return { ...one, subjects: [], give: undefined };
    }
    const subjects: Subject[] = [];
    const claims: Claims = {};
    let [hasAudience, isUnsaid, isTwice] = [false, false, false];
    for (const [operator, keys] of Object.entries(Condition)) {
      for (const [key, values] of Object.entries(keys)) {
        const claim = key.slice(key.lastIndexOf(':') + 1).toLowerCase();
        const isKnown = operator === 'StringEquals' || operator === 'StringLike';
        if (claim === 'aud') hasAudience = true;
        else if (claim === 'sub' && isKnown) {
          isTwice = subjects.length > 0;
          for (const value of values)
            subjects.push(
              ...(operator === 'StringEquals' ? [{ whole: value }] : [subjectOfGlob(value, one.looser) ?? []].flat()),
            );
        } else if (!(isKnown && noteClaim(claims, claim, textsOf(operator, values, one.looser)))) {
          isUnsaid = true;
          one.lacks.push(
            `${operator} ${key}: no condition of a policy is the same, so none is written; write it by hand`,
          );
        }
      }
    }
    if (isTwice) one.lacks.push('two conditions on the subject, both of which must hold: write the policy by hand');
    if (!hasAudience) one.looser.push('no condition on aud: a token that was made for anybody sufficed');
    if (subjects.length === 0) subjects.push(...subjectsOf(claims));
    if (subjects.length === 0)
      one.looser.push('no condition on sub that can be said: jobs of any repository at GitHub may be let in');
    if (arn === undefined) one.lacks.push('which role it is of: give the output of `aws iam get-role`');
    const give: Give | undefined = arn === undefined ? undefined : { aws: { role: arn, for: '60m' as never } };
    return { ...one, claims, subjects: isUnsaid || isTwice ? [] : subjects, give };
  });
}

/** Undefined where one of them cannot be said. */
function textsOf(operator: string, values: readonly string[], looser: string[]): Subject[] | undefined {
  const read = values.map((value) => (operator === 'StringEquals' ? { whole: value } : subjectOfGlob(value, looser)));
  return read.some((one) => one === undefined) ? undefined : (read as Subject[]);
}
