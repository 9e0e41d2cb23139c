import type { Shared } from '@tripline/access/isolation';
import type { PlannedPolicies } from '@tripline/access/plan';
import {
  idleForMs,
  type Retirement,
  riskOf,
  type Standing,
  type StandingGap,
  standingKinds,
  traits,
} from '@tripline/access/standing';
import { plain } from '@tripline/runtime/plain';
import type { Io } from '../command.ts';
import { lineOf, type Style, styled, wrapped } from '../show.ts';

export type Plan = Retirement & PlannedPolicies;

/** What is shown of one organisation. `covered`: by id the policy that gives the same; `plans`: by id, empty where none is wanted. */
export type Listed = {
  organization: string;
  rows: readonly Standing[];
  gaps: readonly StandingGap[];
  shared: readonly Shared[];
  covered: ReadonlyMap<string, string>;
  plans: ReadonlyMap<string, Plan>;
  nowMs: number;
};

/** One object a line: `row`, `shared` or `gap`, each with its organisation. */
export function printJson({ organization, rows, gaps, shared, covered, plans, nowMs }: Listed, io: Io): void {
  const line = (one: object) => io.out(`${JSON.stringify({ organization, ...one })}\n`);
  for (const row of rows) {
    const [plan, policy] = [plans.get(row.id), covered.get(row.id)];
    const more = { ...(policy === undefined ? {} : { coveredBy: policy }), ...(plan === undefined ? {} : { plan }) };
    line({ row: { ...row, risk: riskOf(row), idleDays: days(idleForMs(row, nowMs)), ...more } });
  }
  for (const { row, tiers, by } of shared) line({ shared: { id: row.id, kind: row.kind, name: row.name, tiers, by } });
  for (const { what, why, remedy } of gaps) line({ gap: { what, why, remedy } });
}

const riskStyles: Record<ReturnType<typeof riskOf>, Style> = { high: 'red', medium: 'yellow', low: 'cyan' };

export function printTable({ organization, rows, gaps, shared, covered, plans, nowMs }: Listed, io: Io): void {
  io.out(lineOf(io, [{ text: `${organization}: ${rows.length} things stand`, style: 'bold' }]));
  for (const row of rows) {
    const risk = riskOf(row);
    const { kind, name, owner, scope } = row;
    const head = [
      { text: risk.padEnd(6), style: riskStyles[risk] },
      { text: `${standingKinds[kind]} ${name}` },
      { text: owner === null || owner === name ? undefined : `of ${owner}` },
    ];
    io.out(lineOf(io, head));
    const line = (text: string) => io.out(`        ${wrapped(io, text, 8)}\n`);
    const facts = [reachOf(row), scope.join(' '), ageOf(row, nowMs), useOf(row, nowMs), row.id];
    line(
      facts
        .filter((one) => one !== '')
        .map(plain)
        .join(' · '),
    );
    if (row.traits.length > 0) line(row.traits.map((trait) => traits[trait].says).join('; '));
    for (const { repository, workflow, event, environment } of row.usedBy) {
      const words = [repository, workflow ?? 'a workflow that is not told', event, environment && `to ${environment}`];
      line(`used by ${plain(words.filter((one) => one !== null && one !== '').join(' '))}`);
    }
    if (covered.has(row.id)) line(`policy ${covered.get(row.id)} gives the same for the length of a job`);
    const plan = plans.get(row.id);
    if (plan !== undefined) printPlan(plan, line, io);
  }
  for (const { row, tiers, by } of shared) {
    const where = by.map(({ tier, repository, environment }) => `${repository} ${environment} (${tier})`).join(', ');
    io.out(
      `${wrapped(io, `shared by ${tiers.join(' and ')}: ${standingKinds[row.kind]} ${plain(row.name)}, reached from ${plain(where)}`, 2)}\n`,
    );
  }
  for (const { what, why, remedy } of gaps)
    io.out(`${wrapped(io, `not read: ${what}: ${plain(why)}. To have it: ${remedy}`, 2)}\n`);
}

function printPlan({ trial, retire, check, wayBack, text, unknown }: Plan, line: (text: string) => void, io: Io): void {
  if (text !== undefined) {
    line('plan: 1. add under `policies`, run `tripline access lock`, and have both reviewed:');
    for (const one of text.trimEnd().split('\n')) io.out(`          ${plain(one)}\n`);
  }
  for (const one of unknown) line(`not known: ${plain(one)}`);
  line(`${text === undefined ? 'plan: ' : ''}trial: ${plain(trial)}`);
  for (const one of retire) line(`${styled(io, 'bold', 'retire')}: ${plain(one)}`);
  line(`check: ${plain(check)} Way back: ${plain(wayBack)}`);
}

function reachOf({ repositories, kind }: Standing): string {
  if (repositories === 'all') return 'every repository';
  if (repositories.length > 0)
    return repositories.length > 3
      ? `${repositories.slice(0, 3).join(' ')} and ${repositories.length - 3} more`
      : repositories.join(' ');
  return kind === 'app' ? 'selected repositories, which GitHub tells the app alone' : '';
}

function ageOf({ createdAt, expiresAt, kind }: Standing, nowMs: number): string {
  const made =
    createdAt === null ? '' : `${kind === 'secret' ? 'set' : 'made'} ${days(nowMs - Date.parse(createdAt))} days ago`;
  return expiresAt === null ? made : `${made}, ends ${expiresAt.slice(0, 10)}`;
}

function useOf(row: Standing, nowMs: number): string {
  if (row.lastUse === 'unknown') return 'last use unknown';
  if (row.lastUse === 'never') return 'never used';
  return `used ${days(nowMs - Date.parse(row.lastUse.at))} days ago`;
}

function days(ms: number): number;
function days(ms: number | undefined): number | null;
function days(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.max(0, Math.floor(ms / 86_400_000));
}
