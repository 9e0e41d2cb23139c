import type { Json, Stage } from '../stage.ts';
import { type Change, type Said, verb } from '../verb.ts';

/**
 * Protections. What a ruleset or branch protection says is kept from line to line: a change names `<field> <before> →
 * <after>`, and `puts back` makes the last change undone. `bypassed by` names who may go round a ruleset; GitHub's list of
 * changes leaves that out.
 */
export const controls = ['creates', 'relaxes', 'tightens', 'changes', 'deletes'].flatMap((does) => [
  verb(`${does} ruleset {name} of {repository}`, (said, stage) => {
    tellRuleset(said, stage, actionOf(does), said.changes());
  }),
  verb(`${does} protection {name} of {repository}`, (said, stage) => {
    tellProtection(said, stage, actionOf(does), said.changes());
  }),
]);
controls.push(
  verb('puts back ruleset {name} of {repository}', (said, stage) => {
    tellRuleset(said, stage, 'edited', undone(said, stage, 'ruleset'));
  }),
  verb('puts back protection {name} of {repository}', (said, stage) => {
    tellProtection(said, stage, 'edited', undone(said, stage, 'protection'));
  }),
  verb('disables protection of {repository}', (said, stage) => {
    tellSwitch(said, stage, 'disabled');
  }),
  verb('enables protection of {repository}', (said, stage) => {
    tellSwitch(said, stage, 'enabled');
  }),
  verb('makes {repository} public', (said, stage) => {
    stage.keep(`public ${said.the('repository')}`, true);
    stage.github('repository', said.who, {
      action: 'publicized',
      repository: stage.repository(said.the('repository')),
    });
  }),
  /** Option: `described <text>`. */
  verb('creates public repository {repository}', (said, stage) => {
    stage.keep(`public ${said.the('repository')}`, true);
    const repository = {
      ...stage.repository(said.the('repository')),
      ...{ description: said.option('described') ?? null, created_at: stage.time() },
    };
    stage.github('repository', said.who, { action: 'created', repository });
  }),
  /**
   * GitHub's alert of a secret. Options: `validity <active|inactive|unknown>`, `in public`, `action <GitHub's>` (created).
   */
  verb('has {secret} found in {repository}', (said, stage) => {
    const alert = {
      ...{ number: stage.id('alert', said.the('secret')) % 1000, secret_type: said.the('secret') },
      ...{ created_at: stage.time(), updated_at: stage.time(), validity: said.option('validity') ?? 'unknown' },
      publicly_leaked: said.option('in public') !== undefined,
    };
    const action = said.option('action') ?? 'created';
    stage.github('secret_scanning_alert', said.who, {
      action,
      alert,
      repository: stage.repository(said.the('repository')),
    });
  }),
  verb('makes {branch} the default of {repository}', (said, stage) => {
    const from = stage.repository(said.the('repository')).default_branch;
    stage.keep(`default branch ${said.the('repository')}`, said.the('branch'));
    const changes = { default_branch: { from } };
    stage.github('repository', said.who, {
      action: 'edited',
      changes,
      repository: stage.repository(said.the('repository')),
    });
  }),
  verb('renames repository {repository} to {name}', (said, stage) => {
    const from = said.the('repository');
    stage.rename('repository', from, said.the('name'));
    const changes = { repository: { name: { from: from.split('/')[1] } } };
    stage.github('repository', said.who, {
      action: 'renamed',
      changes,
      repository: stage.repository(said.the('name')),
    });
  }),
);

const actionOf = (does: string) => (does === 'creates' ? 'created' : does === 'deletes' ? 'deleted' : 'edited');
const placeOf = (said: Said, kind: string) => `${kind} ${said.the('repository')} ${said.the('name')}`;

function undone(said: Said, stage: Stage, kind: string): Change[] {
  const last = stage.kept<Change[]>(`changed ${placeOf(said, kind)}`);
  if (last === undefined)
    throw new Error(`nobody has changed ${kind} ${said.the('name')} of ${said.the('repository')}`);
  return last.map(({ name, before, after }) => ({ name, before: after, after: before }));
}

/** The control as it stands once `changes` were made, and GitHub's account of them. */
function changed(said: Said, stage: Stage, kind: string, first: Json, changes: readonly Change[]) {
  const place = placeOf(said, kind);
  const now: Json = { ...first, ...stage.kept<Json>(place) };
  const told: Json = {};
  for (const { name, before, after } of changes) {
    now[name] = typed(after);
    told[name] = { from: typed(before) };
  }
  stage.keep(place, now);
  if (changes.length > 0) stage.keep(`changed ${place}`, changes);
  return { now, told };
}
function typed(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d+$/.test(text) ? Number(text) : text;
}

/**
 * Options: `protecting <pattern>, <pattern>`, `bypassed by <actor>, <actor>` (`nobody` for none), `requiring <rule>, <rule>`
 * by GitHub's names of them, `pull_request 2` with two approvals.
 */
function tellRuleset(said: Said, stage: Stage, action: string, changes: readonly Change[]): void {
  const name = said.the('name');
  const list = (text: string) => text.split(',').map((one) => one.trim());
  const patterns = said.option('protecting');
  const bypass = said.option('bypassed by');
  const requiring = said.option('requiring');
  const first = {
    ...{ id: stage.id('ruleset', `${said.the('repository')} ${name}`), name, target: 'branch', enforcement: 'active' },
    ...{ bypass_actors: [], conditions: { ref_name: { include: [`refs/heads/${name}`], exclude: [] } } },
    ...{ rules: [{ type: 'pull_request' }], created_at: stage.time() },
    ...(patterns === undefined ? {} : { conditions: { ref_name: { include: list(patterns), exclude: [] } } }),
  };
  const { now, told } = changed(said, stage, 'ruleset', first, changes);
  if (requiring !== undefined) {
    now['rules'] = list(requiring).map((rule) => {
      const [type, approvals] = rule.split(' ');
      const parameters = { required_approving_review_count: Number(approvals) };
      return approvals === undefined ? { type } : { type, parameters };
    });
    stage.keep(placeOf(said, 'ruleset'), now);
  }
  if (bypass !== undefined) {
    const actors = bypass === 'nobody' ? [] : list(bypass);
    now['bypass_actors'] = actors.map((actor) => ({ actor_id: stage.id('actor', actor), actor_type: 'Integration' }));
    stage.keep(placeOf(said, 'ruleset'), now);
  }
  stage.github('repository_ruleset', said.who, {
    ...{
      action,
      repository_ruleset: { ...now, updated_at: stage.time() },
      repository: stage.repository(said.the('repository')),
    },
    ...(action === 'edited' ? { changes: told } : {}),
  });
}

function tellProtection(said: Said, stage: Stage, action: string, changes: readonly Change[]): void {
  const name = said.the('name');
  const first = {
    ...{ id: stage.id('protection', `${said.the('repository')} ${name}`), name, created_at: stage.time() },
    ...{ admin_enforced: true, pull_request_reviews_enforcement_level: 'everyone', required_approving_review_count: 1 },
    ...{ allow_force_pushes_enforcement_level: 'off', allow_deletions_enforcement_level: 'off' },
  };
  const { now, told } = changed(said, stage, 'protection', first, changes);
  stage.github('branch_protection_rule', said.who, {
    ...{ action, rule: { ...now, updated_at: stage.time() }, repository: stage.repository(said.the('repository')) },
    ...(action === 'edited' ? { changes: told } : {}),
  });
}

function tellSwitch(said: Said, stage: Stage, action: string): void {
  const repository = stage.repository(said.the('repository'));
  stage.github('branch_protection_configuration', said.who, { action, repository });
}
