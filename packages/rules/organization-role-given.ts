import { parseTime } from '@tripline/contracts/time';
import { accessAt, type GivenAccess, givenAccess } from '@tripline/facts/given-access';
import { grantKey } from '@tripline/facts/grants';
import { entityOf, instanceOf, keyOf, personOf, providerOf } from '@tripline/facts/things';
import { type Assigned, assignedBy, assignedSchema, said, withoutRole } from './assigned-role.ts';
import { fromFacts } from './builders/from-facts.ts';
import type { Sight } from './builders/own-fact.ts';

/** The broker gives nothing while its clock and the provider's are further apart, ms. */
const skewMs = 30_000;
const action = 'organization_role.assign';

export const rule = fromFacts({
  id: 'organization-role-given',
  title: 'Role in the organisation given',
  description:
    'Somebody or some team was given a role of the organisation, by `organization_role.assign` of the audit log: they may do more now than membership alone allows, for as long as nobody takes it back. ' +
    'What the access broker recorded that it gave somebody excuses just that: this role of this organisation to this account, by their ids, until its end. A record that lacks one of the ids is excused by nothing.',
  severity: 'medium',
  principles: [1, 3],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2'],
  feeds: {
    needs: ['github-audit'],
    better: { access: 'tells which role was given to whom, by a second person’s word, and until when' },
  },
  falseAlarms: [
    'Roles that are given as people change teams: an exception for who gives them, or let them be asked for (`people` of the policies of access).',
  ],
  limits: [
    'The same role given again to the same account by another hand, while the broker’s right stands: it gives them nothing that they have not.',
  ],
  on: ['dev.cdeventsx.tripline-audit.recorded'],
  where: { attribute: 'tripline.audit.action', oneOf: [action] },
  keepMs: 20 * 86_400_000,
  uses: [givenAccess],
  key(event) {
    const { roleId, userId, organization, role, user } = assignedBy(event);
    if (roleId === undefined || userId === undefined) return keyOf(event, `role-given:${event.id}`);
    const place = { provider: providerOf(event), instance: instanceOf(event) };
    return grantKey(
      place,
      { kind: 'org-role', target: `${organization}/${role}`, targetId: roleId },
      { id: userId, name: user },
    );
  },
  observe: (event) => ({ kind: 'assignments', data: assignedBy(event) }),
  data: assignedSchema,
  tell: (sight) => said(sight),
  conclude(sights, { key, watch, explain }) {
    return sights.flatMap((sight) => {
      const given = givenTo(watch(givenAccess, key), sight);
      if (given === undefined) return [found(sight)];
      explain(`the access broker gave it, as ${given}`);
      return [];
    });
  },
});

/** The broker's grant that a record tells of: roles that GitHub defines have one id in all organisations. */
function givenTo(known: GivenAccess | undefined, { time, data }: Sight<Assigned>): string | undefined {
  if (known === undefined || data.userId === undefined || data.roleId === undefined) return undefined;
  const isOfIt = ({ organizationId, target }: GivenAccess['given'][number]) =>
    organizationId !== undefined && data.organizationId !== undefined
      ? organizationId === data.organizationId
      : target.split('/')[0]!.toLowerCase() === data.organization.toLowerCase();
  const own = { ...known, given: known.given.filter(isOfIt) };
  return accessAt(own, { permission: undefined, ms: parseTime(time), skewMs })?.first.grant;
}

function found(sight: Sight<Assigned>) {
  const { data, by } = sight;
  const { provider, instance, organization, address } = data;
  const place = `${provider}:${instance}`;
  const what = said(sight);
  const holder =
    data.user === undefined
      ? []
      : [personOf({ login: data.user, ...(data.userId === undefined ? {} : { id: data.userId }) }, place)];
  return {
    ...{ subject: organization, occasion: sight.fact ?? sight.eventId, because: [sight], title: what },
    summary: `${what}. They may do more now than membership alone allows, for as long as nobody takes it back. The access broker recorded no such right.`,
    severity: 'medium' as const,
    entities: [
      ...holder,
      // By it an exception for a network holds.
      ...(address === undefined ? [] : [entityOf('address', address)]),
    ],
    response: withoutRole(data),
    remedy: [`Ask ${by.name} whether that was meant, by another way than this account; take it back unless it was.`],
  };
}
