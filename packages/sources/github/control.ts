import { z } from 'zod';
import { identifier, text, textRecord, texts } from '../untrusted.ts';
import { account, bodyOf, changes, flag, instant, maybe, number, repository, string } from './body.ts';
import { type Draft, defineEvent } from './family.ts';
import { organizationFields, toldOfPeople } from './grant.ts';

const type = 'dev.cdeventsx.tripline-control.changed';

/** GitHub gives `{ field: { from } }`; what has another shape is kept as it is. */
function formerValues(changed: Record<string, unknown> | null | undefined): Record<string, string> | undefined {
  if (!changed) return undefined;
  return textRecord(
    Object.fromEntries(
      Object.entries(changed).map(([field, change]) => {
        const from = typeof change === 'object' && change !== null && 'from' in change ? change.from : change;
        return [field, from];
      }),
    ),
  );
}

/** What every control event says. */
function control(kind: Draft['tripline.control.kind'], action: string, name: string | null | undefined): Draft {
  return {
    'tripline.control.kind': kind,
    'tripline.control.action': text(action),
    'tripline.control.name': text(name),
  };
}

export const branchProtectionRule = defineEvent({
  marks: ['action', 'rule'],
  schema: bodyOf({
    action: string,
    rule: z.looseObject({ id: number.nullish(), name: maybe, created_at: instant, updated_at: instant }),
    changes,
  }),
  normalise: ({ action, rule, changes }) => ({
    type,
    time: action === 'created' ? rule.created_at : action === 'edited' ? rule.updated_at : undefined,
    data: {
      ...control('branch-protection', action, rule.name),
      'tripline.control.id': identifier(rule.id),
      'tripline.control.patterns': texts([rule.name]),
      'tripline.control.changes': formerValues(changes),
      'tripline.control.settings': textRecord(rule),
    },
  }),
});

/** All of a repository's branch protections went on or off at once. */
export const branchProtectionConfiguration = defineEvent({
  marks: ['action', 'repository'],
  lacks: ['changes'],
  schema: bodyOf({ action: string }),
  normalise: ({ action, repository }) =>
    action === 'enabled' || action === 'disabled'
      ? { type, data: control('branch-protection-switch', action, repository?.full_name) }
      : undefined,
});

/** Facts parse a ruleset's rules and bypass actors as JSON, so these texts get higher limits than others. */
const rulesetLimits = { rules: 16_384, bypass_actors: 16_384, conditions: 8192 };

export const repositoryRuleset = defineEvent({
  marks: ['action', 'repository_ruleset'],
  schema: bodyOf({
    action: string,
    changes,
    repository_ruleset: z.looseObject({
      id: number.nullish(),
      name: maybe,
      created_at: instant,
      updated_at: instant,
      enforcement: maybe,
      conditions: z.looseObject({ ref_name: z.object({ include: z.array(string).nullish() }).nullish() }).nullish(),
    }),
  }),
  normalise: ({ action, repository_ruleset: ruleset, changes }) => ({
    type,
    time: action === 'created' ? ruleset.created_at : action === 'edited' ? ruleset.updated_at : undefined,
    data: {
      ...control('ruleset', action, ruleset.name),
      'tripline.control.id': identifier(ruleset.id),
      'tripline.control.patterns': texts(ruleset.conditions?.ref_name?.include),
      'tripline.control.changes': formerValues(changes),
      // GitHub's `changes` omit bypass actors: a rule that needs them compares the present values.
      'tripline.control.settings': textRecord(ruleset, rulesetLimits),
    },
  }),
});

const repositoryActions = new Set([
  'anonymous_access_disabled',
  'anonymous_access_enabled',
  'archived',
  'created',
  'deleted',
  'edited',
  'privatized',
  'publicized',
  'renamed',
  'transferred',
  'unarchived',
]);

/** What a repository says of itself is told where it may matter: when it is made, changed or shown. */
const describedRepository = repository.extend({ description: maybe, allow_forking: flag }).nullish();

export const repositoryEvent = defineEvent({
  marks: ['action', 'repository'],
  schema: bodyOf({ action: string, changes, repository: describedRepository }),
  normalise({ action, repository, changes }) {
    if (!repositoryActions.has(action)) return undefined;
    return {
      type,
      time: action === 'created' ? repository?.created_at : undefined,
      data: {
        ...control(
          action === 'publicized' || action === 'privatized' ? 'visibility' : 'repository',
          action,
          repository?.full_name,
        ),
        'tripline.control.changes': formerValues(changes),
        'tripline.repository.description': text(repository?.description),
        'tripline.repository.forking_allowed': repository?.allow_forking ?? undefined,
      },
    };
  },
});

export const publicEvent = defineEvent({
  marks: ['repository'],
  lacks: ['changes', 'zen', 'hook'],
  schema: bodyOf({ repository: describedRepository }),
  normalise: ({ repository }) => ({
    type,
    data: {
      ...control('visibility', 'publicized', repository?.full_name),
      'tripline.repository.description': text(repository?.description),
      'tripline.repository.forking_allowed': repository?.allow_forking ?? undefined,
    },
  }),
});

/** A webhook of ours was deleted: from now on it delivers nothing. */
export const meta = defineEvent({
  marks: ['action', 'hook', 'hook_id'],
  lacks: ['zen'],
  schema: bodyOf({
    action: string,
    hook_id: number.nullish(),
    hook: z.object({ type: maybe, events: z.array(string).nullish() }),
  }),
  normalise: ({ action, hook, hook_id }) => ({
    type,
    data: {
      ...control('hook', action, hook.type),
      'tripline.control.id': identifier(hook_id),
      'tripline.control.changes': hook.events ? textRecord({ events: hook.events }) : undefined,
    },
  }),
});

export const organization = defineEvent({
  marks: ['action', 'organization'],
  carries: ['membership', 'invitation', 'user'],
  schema: bodyOf({ action: string, ...organizationFields, changes }),
  normalise(body) {
    const people = toldOfPeople(body);
    if (people) return people;
    if (body.action !== 'renamed' && body.action !== 'deleted') return undefined;
    // `repository` events have the actions renamed and deleted too; the type distinguishes them.
    if (body.repository) return 'unexpected-shape';
    return {
      type,
      data: {
        ...control('organization', body.action, body.organization?.login),
        'tripline.control.changes': formerValues(body.changes),
      },
    };
  },
});

export const orgBlock = defineEvent({
  marks: ['action', 'blocked_user'],
  schema: bodyOf({ action: string, blocked_user: account }),
  normalise: ({ action, blocked_user: user }) => ({
    type,
    data: { ...control('block', action, user.login), 'tripline.control.id': identifier(user.id) },
  }),
});

export const securityAndAnalysis = defineEvent({
  marks: ['changes', 'repository'],
  schema: bodyOf({ changes: z.record(z.string(), z.unknown()) }),
  normalise: ({ repository, changes }) => ({
    type,
    data: {
      ...control('security-setting', 'changed', repository?.full_name),
      'tripline.control.changes': formerValues(changes),
    },
  }),
});

export const customProperty = defineEvent({
  marks: ['action', 'definition'],
  schema: bodyOf({ action: string, definition: z.looseObject({ property_name: maybe }) }),
  normalise: ({ action, definition }) => ({
    type,
    data: {
      ...control('custom-property', action, definition.property_name),
      'tripline.control.settings': textRecord(definition),
    },
  }),
});

const values = z.array(z.object({ property_name: maybe, value: z.unknown() })).nullish();
const record = (list: z.infer<typeof values>) =>
  textRecord(Object.fromEntries((list ?? []).map(({ property_name, value }) => [property_name ?? '', value])));

export const customPropertyValues = defineEvent({
  marks: ['action', 'new_property_values', 'old_property_values'],
  schema: bodyOf({ action: string, new_property_values: values, old_property_values: values }),
  normalise: ({ action, repository, organization, new_property_values, old_property_values }) => ({
    type,
    data: {
      ...control('custom-property', action, repository?.full_name ?? organization?.login),
      'tripline.control.changes': record(old_property_values),
      'tripline.control.settings': record(new_property_values),
    },
  }),
});

/** Requests to bypass push protection, a ruleset or an alert, and the decisions on them. */
export const exemptionRequest = defineEvent({
  marks: ['action', 'exemption_request'],
  carries: ['exemption_response'],
  schema: bodyOf({
    action: string,
    exemption_request: z.looseObject({
      id: number.nullish(),
      request_type: maybe,
      resource_identifier: maybe,
      created_at: instant,
    }),
    exemption_response: z.looseObject({ created_at: instant }).nullish(),
  }),
  normalise: ({ action, exemption_request: request, exemption_response: response }) => ({
    type,
    time:
      action === 'created' ? request.created_at : action === 'response_submitted' ? response?.created_at : undefined,
    data: {
      ...control('exemption', action, request.request_type ?? request.resource_identifier),
      'tripline.control.id': identifier(request.id),
      'tripline.control.settings': textRecord(response ? { ...request, response } : request),
    },
  }),
});

/** Anonymous read access of an Enterprise Server was enabled or disabled. */
export const enterprise = defineEvent({
  marks: ['action'],
  lacks: ['repository', 'organization', 'changes'],
  schema: bodyOf({ action: string }),
  normalise: ({ action }) =>
    action === 'anonymous_access_enabled' || action === 'anonymous_access_disabled'
      ? { type, data: control('security-setting', action, 'anonymous access') }
      : undefined,
});
