/**
 * How strong a control is, by aspect: the higher the number, the less gets past it. An aspect that is not named counts as
 * nothing, so what opens a way round is below it. Only numbers of one aspect can be compared.
 */
export type Strengths = Record<string, number>;

const most = 150;

/** What a control of `kind` says, or null where it is not in force. Settings are GitHub's, each as text or JSON. */
export function strengthsOf(kind: string, settings: Readonly<Record<string, string>>): Strengths | null {
  const strengths =
    kind === 'ruleset' ? ofRuleset(settings) : kind === 'branch-protection' ? ofProtection(settings) : {};
  return strengths === null ? null : Object.fromEntries(Object.entries(strengths).slice(0, most));
}

/** What it said before, where `changes` (former values by field) say enough: of what is not among them it said the same. */
export function toldBefore(
  kind: string,
  settings: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string>> | undefined,
): Strengths | null | undefined {
  if (changes === undefined || kind === 'branch-protection-switch') return undefined;
  const former: Record<string, string> = { ...settings, ...changes };
  if (kind === 'ruleset') {
    // Of these GitHub tells what came and went, not what was.
    former['conditions'] = settings['conditions'] ?? '';
    former['rules'] = rulesBefore(settings['rules'], changes['rules']);
  }
  return strengthsOf(kind, former);
}

type Rule = { type?: unknown; parameters?: Record<string, unknown> | null };

/** Rules that keep commits out; those that only make them pass checks are left out. */
const gates = new Set([
  ...['pull_request', 'update', 'creation', 'deletion', 'non_fast_forward', 'required_signatures', 'merge_queue'],
  ...['workflows', 'file_path_restriction', 'required_deployments'],
]);

function ofRuleset(settings: Readonly<Record<string, string>>): Strengths | null {
  if (settings['enforcement'] !== 'active') return null;
  const strengths: Strengths = {};
  const conditions = readJson(settings['conditions']) as
    | { ref_name?: { include?: unknown; exclude?: unknown } }
    | undefined;
  for (const pattern of textsOf(conditions?.ref_name?.include)) strengths[`covering ${pattern}`] = 1;
  for (const pattern of textsOf(conditions?.ref_name?.exclude)) strengths[`leaving out ${pattern}`] = -1;
  const rules = listOf<Rule>(settings['rules']);
  const bypasses = listOf<{ actor_id?: unknown; actor_type?: unknown; bypass_mode?: unknown }>(
    settings['bypass_actors'],
  );
  // Padded until it was cut, it would hide what was taken out.
  if (rules === undefined || bypasses === undefined) strengths['readable'] = -1;
  for (const { type, parameters } of rules ?? []) {
    if (typeof type !== 'string' || !gates.has(type)) continue;
    strengths[`rule ${type}`] = 1;
    if (type === 'pull_request') ofReviews(parameters ?? {}, strengths);
  }
  for (const { actor_id, actor_type, bypass_mode } of bypasses ?? []) {
    strengths[`bypass ${String(actor_type)} ${String(actor_id ?? '')}`.trim()] =
      bypass_mode === 'pull_request' ? -1 : -2;
  }
  return strengths;
}

function ofReviews(parameters: Record<string, unknown>, strengths: Strengths): void {
  strengths['approvals'] = Number(parameters['required_approving_review_count'] ?? 0) || 0;
  for (const [field, value] of Object.entries(parameters)) {
    if (reviewSwitches.has(field)) strengths[field] = value === true ? 1 : 0;
  }
}
const reviewSwitches = new Set([
  'dismiss_stale_reviews_on_push',
  'require_code_owner_review',
  'require_last_push_approval',
]);

/** Of a classic protection. Levels: off, then for all but administrators, then for everyone. */
const levels: Record<string, number> = { off: 0, non_admins: 1, everyone: 2 };
const demands = [
  ...[
    'pull_request_reviews_enforcement_level',
    'signature_requirement_enforcement_level',
    'lock_branch_enforcement_level',
  ],
];
const allowances = ['allow_force_pushes_enforcement_level', 'allow_deletions_enforcement_level'];
const switches = [
  ...['admin_enforced', 'dismiss_stale_reviews_on_push', 'require_code_owner_review', 'require_last_push_approval'],
  ...['authorized_actors_only', 'authorized_dismissal_actors_only', 'ignore_approvals_from_contributors'],
];

function ofProtection(settings: Readonly<Record<string, string>>): Strengths {
  const strengths: Strengths = { approvals: Number(settings['required_approving_review_count'] ?? 0) || 0 };
  const level = (field: string) => levels[settings[field] ?? 'off'] ?? 0;
  for (const field of demands) strengths[field] = level(field);
  for (const field of allowances) strengths[field] = -level(field);
  for (const field of switches) strengths[field] = settings[field] === 'true' ? 1 : 0;
  // Its pattern, by which it is called: it can be edited away and back.
  if (settings['name'] !== undefined) strengths[`covering ${settings['name']}`] = 1;
  if (settings['authorized_actors_only'] === 'true') {
    for (const actor of textsOf(readJson(settings['authorized_actor_names']))) strengths[`may push: ${actor}`] = -1;
  }
  return strengths;
}

/** A control as what stands in for another is held against it. */
type Control = { kind: string; strengths: Strengths };

/**
 * Whether one control asks at least what another asked, whatever each covers. Of two kinds in the terms that both have: where
 * somebody may go round the one, the same people must have been able to go round the other.
 */
export function isAsStrong(one: Control, other: Control): boolean {
  const [now, then] = one.kind === other.kind ? [one.strengths, other.strengths] : [demandsOf(one), demandsOf(other)];
  const aspects = [...Object.keys(now), ...Object.keys(then)].filter((aspect) => !isOfCoverage(aspect));
  return aspects.every((aspect) => (now[aspect] ?? 0) >= (then[aspect] ?? 0));
}
export const isOfCoverage = (aspect: string): boolean =>
  aspect.startsWith('covering ') || aspect.startsWith('leaving out ');

const isAdministrators = (aspect: string): boolean =>
  aspect === 'bypass RepositoryRole 5' || aspect.startsWith('bypass OrganizationAdmin');

/** What a ruleset or a classic protection demands, in terms that both have. */
function demandsOf({ kind, strengths }: Control): Strengths {
  const has = (aspect: string) => ((strengths[aspect] ?? 0) > 0 ? 1 : 0);
  const shared = Object.fromEntries(['approvals', ...reviewSwitches].map((aspect) => [aspect, strengths[aspect] ?? 0]));
  if (kind === 'ruleset') {
    const ways = Object.entries(strengths).filter(([aspect]) => aspect.startsWith('bypass '));
    const [theirs, others] = [
      ways.filter(([one]) => isAdministrators(one)),
      ways.filter(([one]) => !isAdministrators(one)),
    ];
    return {
      ...{ ...shared, reviews: has('rule pull_request'), signatures: has('rule required_signatures') },
      ...{ force: has('rule non_fast_forward'), deletion: has('rule deletion') },
      ...{ restricted: has('rule update'), readable: strengths['readable'] ?? 0 },
      ...{
        administrators: Math.min(0, ...theirs.map(([, far]) => far)),
        round: Math.min(0, ...others.map(([, far]) => far)),
      },
    };
  }
  const isKeptOut = (allowance: string) => ((strengths[allowance] ?? 0) < 0 ? 0 : 1);
  return {
    ...{ ...shared, reviews: has('pull_request_reviews_enforcement_level') },
    signatures: has('signature_requirement_enforcement_level'),
    ...{
      force: isKeptOut('allow_force_pushes_enforcement_level'),
      deletion: isKeptOut('allow_deletions_enforcement_level'),
    },
    restricted: has('authorized_actors_only'),
    administrators: has('admin_enforced') - 1 < 0 ? -2 : 0,
  };
}

function rulesBefore(now: string | undefined, changes: string | undefined): string {
  const told = readJson(changes) as { added?: unknown; deleted?: unknown } | undefined;
  const rules = listOf<Rule>(now) ?? [];
  const added = new Set(asList<Rule>(told?.added).map((rule) => JSON.stringify(rule.type)));
  const deleted = asList<Rule>(told?.deleted);
  return JSON.stringify([...rules.filter((rule) => !added.has(JSON.stringify(rule.type))), ...deleted]);
}

/** A list that is JSON; undefined where it is none, and empty where nothing was told. */
function listOf<T extends object>(text: string | undefined): T[] | undefined {
  if (text === undefined || text === '') return [];
  const value = readJson(text);
  return Array.isArray(value) ? asList<T>(value) : value === null ? [] : undefined;
}
const asList = <T extends object>(value: unknown): T[] =>
  Array.isArray(value) ? value.filter((one): one is T => typeof one === 'object' && one !== null) : [];
const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

/** Undefined where it is no JSON. */
export function readJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
