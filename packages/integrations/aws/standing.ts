import { type ClaimCondition, openedBy } from '@tripline/access/id-token-trust';
import type { Retirement, Standing, StandingGap, StandingLook } from '@tripline/access/standing';
import { type AwsApi, codeOf, elementIn, saidBy } from './api.ts';

const issuer = 'token.actions.githubusercontent.com';
const mostPages = 50;
const mostRoles = 1000;

/**
 * What stands in an account: roles that id tokens of GitHub's open, and access keys of users. Nothing is changed; what may not be
 * read is a gap.
 */
export async function readAwsStanding({ ask }: Pick<AwsApi, 'ask'>): Promise<StandingLook> {
  const gaps: StandingGap[] = [];
  const rows: Standing[] = [];
  const roles = await listRoles(ask);
  if (typeof roles === 'string')
    gaps.push({ what: 'AWS roles', why: roles, remedy: 'allow iam:ListRoles', kinds: ['aws-role'] });
  for (const role of typeof roles === 'string' ? [] : roles.slice(0, mostRoles)) {
    const trusts = trustsOf(role.trust);
    if (trusts.length === 0) continue;
    const used = await lastUseOf(ask, role.name);
    if (typeof used === 'string' && used !== 'never') {
      const gap = { what: 'when AWS roles were used last', remedy: 'allow iam:GetRole', kinds: [] };
      if (!gaps.some(({ what }) => what === gap.what)) gaps.push({ ...gap, why: used });
    }
    for (const [nth, conditions] of trusts.entries()) {
      rows.push({
        ...{ kind: 'aws-role', id: `aws-role/${role.arn}${nth === 0 ? '' : `#${nth + 1}`}`, name: role.name },
        ...{ owner: null, createdAt: role.createdAt, expiresAt: null, seenAs: null, usedBy: [], environments: [] },
        lastUse: typeof used === 'object' ? { at: used.at, by: 'provider' } : used === 'never' ? 'never' : 'unknown',
        ...openedBy(conditions),
      });
    }
  }
  const keys = await readKeys(ask);
  if ('why' in keys) gaps.push(keys);
  else rows.push(...keys.rows);
  return { rows, gaps, covers: await coveredHere(ask) };
}

/** Beginnings of all ids in the account in which the broker is known; none where AWS does not say which that is. */
async function coveredHere(ask: AwsApi['ask']): Promise<string[]> {
  const answer = await ask('sts', 'GetCallerIdentity', {});
  const arn = answer.status === 200 ? (elementIn(answer.text, 'Arn') ?? '') : '';
  const [, partition, account] = /^arn:([a-z-]+):(?:iam|sts)::(\d{12}):/.exec(arn) ?? [];
  return account === undefined
    ? []
    : ['aws-role', 'aws-access-key'].map((kind) => `${kind}/arn:${partition}:iam::${account}:`);
}

type Role = { arn: string; name: string; createdAt: string | null; trust: unknown };

async function listRoles(ask: AwsApi['ask']): Promise<Role[] | string> {
  const roles: Role[] = [];
  let marker: string | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const answer = await ask('iam', 'ListRoles', {
      MaxItems: '100',
      ...(marker === undefined ? {} : { Marker: marker }),
    });
    if (answer.status !== 200) return saidBy(answer);
    for (const member of membersOf(answer.text)) {
      const [arn, name] = [elementIn(member, 'Arn'), elementIn(member, 'RoleName')];
      const trust = jsonOf(elementIn(member, 'AssumeRolePolicyDocument'));
      if (arn === undefined || name === undefined) continue;
      roles.push({ arn, name, createdAt: timeOf(elementIn(member, 'CreateDate')), trust });
    }
    marker = elementIn(answer.text, 'Marker');
    if (elementIn(answer.text, 'IsTruncated') !== 'true' || marker === undefined) break;
  }
  return roles;
}

/** AWS keeps a role's last use for 400 days; `never`: in none of them. */
async function lastUseOf(ask: AwsApi['ask'], name: string): Promise<{ at: string } | string> {
  const answer = await ask('iam', 'GetRole', { RoleName: name });
  if (answer.status !== 200) return saidBy(answer);
  const used = timeOf(elementIn(answer.text, 'LastUsedDate'));
  return used === null ? 'never' : { at: used };
}

/** What each statement that trusts GitHub's id tokens demands of them; none of a role that trusts none. */
function trustsOf(trust: unknown): ClaimCondition[][] {
  const statements = [(trust as { Statement?: unknown } | undefined)?.Statement].flat() as Record<string, unknown>[];
  return statements.flatMap((one) => {
    if (typeof one !== 'object' || one === null || one['Effect'] !== 'Allow') return [];
    const federated = [(one['Principal'] as { Federated?: unknown } | undefined)?.Federated].flat();
    const isOfGithub = federated.some((arn) => typeof arn === 'string' && arn.includes(`oidc-provider/${issuer}`));
    return isOfGithub ? [conditionsOf(one['Condition'])] : [];
  });
}

function conditionsOf(condition: unknown): ClaimCondition[] {
  const told = (typeof condition === 'object' && condition !== null ? condition : {}) as Record<string, unknown>;
  return Object.entries(told).flatMap(([operator, keys]) => {
    if (typeof keys !== 'object' || keys === null) return [];
    // Each of these claims stands in every token of GitHub's, once: who demands something of all or any of its values, or if it is there, demands it.
    const how = operator
      .toLowerCase()
      .replace(/^for(?:any|all)values?:/, '')
      .replace(/ifexists$/, '');
    const isOther = !['stringequals', 'stringequalsignorecase', 'stringlike'].includes(how);
    return Object.entries(keys).flatMap(([key, values]): ClaimCondition[] => {
      const claim = key.slice(key.lastIndexOf(':') + 1).toLowerCase();
      const texts = [values].flat().filter((one) => typeof one === 'string');
      if (!key.toLowerCase().startsWith(issuer)) return [{ claim: key, values: texts, isGlob: false, isOther: true }];
      return [{ claim, values: texts, isGlob: how === 'stringlike', ...(isOther ? { isOther } : {}) }];
    });
  });
}

/** Access keys by IAM's report of credentials, which is made within minutes of being asked for and kept for four hours. */
async function readKeys(ask: AwsApi['ask']): Promise<{ rows: Standing[] } | StandingGap> {
  const gap = (why: string, remedy: string): StandingGap => ({
    ...{ what: 'AWS access keys', why, remedy, kinds: ['aws-access-key'] },
  });
  let answer = await ask('iam', 'GetCredentialReport', {});
  const isMissing = answer.status !== undefined && /^ReportNotPresent|ReportExpired/.test(codeOf(answer) ?? '');
  if (isMissing || (answer.status === 410 && codeOf(answer) !== undefined)) {
    const made = await ask('iam', 'GenerateCredentialReport', {});
    if (made.status !== 200) return gap(saidBy(made), 'allow iam:GenerateCredentialReport and iam:GetCredentialReport');
    answer = await ask('iam', 'GetCredentialReport', {});
    if (answer.status !== 200) return gap('IAM makes its report of credentials now', 'look again in some minutes');
  }
  const content = answer.status === 200 ? elementIn(answer.text, 'Content') : undefined;
  if (content === undefined) return gap(saidBy(answer), 'allow iam:GetCredentialReport');
  const [head = '', ...lines] = Buffer.from(content, 'base64').toString('utf8').trim().split('\n');
  const columns = head.trim().split(',');
  return {
    rows: lines.flatMap((line) => {
      const cells = line.trim().split(',');
      const of = (name: string) => cells[columns.indexOf(name)];
      return [1, 2].flatMap((nth) => (of(`access_key_${nth}_active`) === 'true' ? [keyRow(of, nth)] : []));
    }),
  };
}

function keyRow(of: (name: string) => string | undefined, nth: number): Standing {
  const [user, arn] = [of('user') ?? '', of('arn') ?? ''];
  const isRoot = user === '<root_account>';
  const used = of(`access_key_${nth}_last_used_date`);
  const at = timeOf(used);
  return {
    ...{ kind: 'aws-access-key', id: `aws-access-key/${arn}/${nth}`, name: isRoot ? 'of the account’s root' : user },
    ...{ owner: isRoot ? null : user, repositories: [], scope: [], seenAs: null, usedBy: [], environments: [] },
    createdAt: timeOf(of(`access_key_${nth}_last_rotated`)),
    expiresAt: null,
    lastUse: at === null ? (used === 'N/A' ? 'never' : 'unknown') : { at, by: 'provider' },
    traits: [...(isRoot ? (['administers'] as const) : []), 'never-expires'],
  };
}

/** How a row of AWS is retired, as commands of AWS's own. `broker`: ARN by which the broker is known there. */
export function retirementOfAws(row: Standing, broker = '{ARN of the broker’s own user or role}'): Retirement {
  const check = `Look again: \`tripline access standing\` has no row ${row.id} any more.`;
  if (row.kind === 'aws-access-key') {
    const user = row.owner ?? '{root: in the console alone}';
    return {
      trial:
        'Let its jobs ask the broker for a session of a role, and see that its last use stays as it is for two weeks.',
      retire: [
        `aws iam list-access-keys --user-name ${user}`,
        `aws iam update-access-key --user-name ${user} --status Inactive --access-key-id {its id}`,
      ],
      ...{ check, wayBack: 'The same command with --status Active; delete it once nobody missed it.' },
    };
  }
  const trust = {
    Version: '2012-10-17',
    Statement: [
      {
        ...{ Effect: 'Allow', Principal: { AWS: broker }, Action: ['sts:AssumeRole', 'sts:SetSourceIdentity'] },
        Condition: { StringLike: { 'sts:SourceIdentity': '*' } },
      },
    ],
  };
  return {
    trial: `Add the statement below to those there are, give the role by a policy (\`aws iam get-role --role-name ${row.name} > ${row.name}.json && tripline access import ${row.name}.json\`), and let its jobs ask the broker for two weeks.`,
    retire: [`aws iam update-assume-role-policy --role-name ${row.name} --policy-document '${JSON.stringify(trust)}'`],
    ...{ check, wayBack: 'The same command with the trust that `aws iam get-role` printed.' },
  };
}

function jsonOf(encoded: string | undefined): unknown {
  try {
    return JSON.parse(decodeURIComponent(encoded ?? ''));
  } catch {
    return undefined;
  }
}

function timeOf(told: string | undefined): string | null {
  const ms = Date.parse(told ?? '');
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
}

/** The members of a list, as texts of XML. */
const membersOf = (text: string): string[] =>
  text
    .split('<member>')
    .slice(1)
    .map((member) => member.split('</member>', 1)[0]!);
