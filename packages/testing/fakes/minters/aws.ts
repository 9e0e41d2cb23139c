import { randomBytes } from 'node:crypto';
import type { MinterProvider, ProviderAnswer } from '../../minter.conformance.ts';

type Session = { userid: string; role: string; issuedMs: number; expiresMs: number };
type Statement = {
  Condition: { StringLike?: { 'aws:userid': string[] }; DateLessThan?: { 'aws:TokenIssueTime': string } };
};

const xml = (status: number, body: string): ProviderAnswer => ({
  ...{ status, body, headers: { 'content-type': 'text/xml' } },
});
const fault = (status: number, code: string, message: string) =>
  xml(
    status,
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
  );

/**
 * As much of STS and IAM as gives sessions of roles, and lets them in or not by the roles' inline policies, as their documentation
 * describes it. `roles`: ARNs of roles that the broker may take.
 */
export function fakeAws({
  accessKeyId,
  roles,
  nowMs = Date.now,
  mostCharacters = 10_240,
}: {
  accessKeyId: string;
  roles: readonly string[];
  nowMs?: () => number;
  mostCharacters?: number;
}): MinterProvider & { policies: Map<string, string> } {
  const sessions = new Map<string, Session>();
  const policies = new Map<string, string>();

  function assumeRole(form: URLSearchParams): ProviderAnswer {
    const role = form.get('RoleArn')!;
    if (!roles.includes(role)) return fault(403, 'AccessDenied', 'not authorized to perform: sts:AssumeRole');
    const seconds = Number(form.get('DurationSeconds'));
    if (seconds < 900 || seconds > 43_200) return fault(400, 'ValidationError', 'DurationSeconds');
    const name = form.get('RoleSessionName')!;
    const id = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
    const [issuedMs, expiresMs] = [nowMs(), nowMs() + seconds * 1000];
    sessions.set(id, { userid: `AROAEXAMPLE:${name}`, role: role.split('/').at(-1)!, issuedMs, expiresMs });
    const arn = role.replace(':iam:', ':sts:').replace(/:role\/(?:.*\/)?/, ':assumed-role/');
    return xml(
      200,
      `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
  <SourceIdentity>${form.get('SourceIdentity')}</SourceIdentity>
  <AssumedRoleUser><Arn>${arn}/${name}</Arn><AssumedRoleId>AROAEXAMPLE:${name}</AssumedRoleId></AssumedRoleUser>
  <Credentials><AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${randomBytes(30).toString('base64')}</SecretAccessKey>
  <SessionToken>${randomBytes(200).toString('base64')}</SessionToken><Expiration>${new Date(expiresMs).toISOString()}</Expiration></Credentials>
  <PackedPolicySize>6</PackedPolicySize></AssumeRoleResult></AssumeRoleResponse>`,
    );
  }

  const isIn = ({ userid, role, issuedMs, expiresMs }: Session) => {
    if (nowMs() >= expiresMs) return false;
    const text = policies.get(role);
    const { Statement: all } = JSON.parse(text ?? '{"Statement":[]}') as { Statement: Statement[] };
    return !all.some(({ Condition: { StringLike: like, DateLessThan: before } }) => {
      if (like !== undefined) return like['aws:userid'].some((one) => userid.endsWith(one.replace(/^\*/, '')));
      return Math.floor(issuedMs / 1000) * 1000 < Date.parse(before!['aws:TokenIssueTime']);
    });
  };

  return {
    policies,
    answer({ headers, body }) {
      if (!headers.authorization?.includes(`Credential=${accessKeyId}/`)) {
        return fault(403, 'InvalidClientTokenId', 'The security token included in the request is invalid.');
      }
      const form = new URLSearchParams(body);
      const role = form.get('RoleName') ?? '';
      const name = form.get('PolicyName');
      switch (form.get('Action')) {
        case 'AssumeRole':
          return assumeRole(form);
        case 'PutRolePolicy': {
          const document = form.get('PolicyDocument')!;
          if (document.replaceAll(/\s/g, '').length > mostCharacters) {
            return fault(
              409,
              'LimitExceeded',
              `Maximum policy size of ${mostCharacters} bytes exceeded for role ${role}`,
            );
          }
          policies.set(role, document);
          return xml(200, '<PutRolePolicyResponse><ResponseMetadata/></PutRolePolicyResponse>');
        }
        case 'GetRolePolicy': {
          const document = policies.get(role);
          if (document === undefined) {
            return fault(404, 'NoSuchEntity', `The role policy with name ${name} cannot be found.`);
          }
          return xml(
            200,
            `<GetRolePolicyResponse><GetRolePolicyResult><RoleName>${role}</RoleName><PolicyName>${name}</PolicyName><PolicyDocument>${encodeURIComponent(document)}</PolicyDocument></GetRolePolicyResult></GetRolePolicyResponse>`,
          );
        }
        case 'GetCallerIdentity':
          return xml(
            200,
            '<GetCallerIdentityResponse><Arn>arn:aws:iam::111122223333:user/broker</Arn></GetCallerIdentityResponse>',
          );
        default:
          return fault(400, 'InvalidAction', 'Could not find operation');
      }
    },
    alive: () => [...sessions.values()].filter(isIn).length,
    admits: ({ accessKeyId: id }) => sessions.has(id ?? '') && isIn(sessions.get(id!)!),
  };
}
