import { heldRole, type RightKind } from './people-rights.ts';
import { rights, teamRoles } from './policy.ts';

/** What somebody asks for, by name. */
export type AskedRight = { kind: RightKind; target: string; permission: string };

/** The longest that may be asked for, ms: no policy allows more. */
const longestMs = 24 * 3_600_000;

/** Reads `acme/api write`, `team acme/responders [maintainer]` or `role acme/security_manager`. @returns what is wrong with it as `fault`. */
export function readAskedRight(words: readonly string[]): AskedRight | { fault: string } {
  const [of, ...rest] = words[0] === 'team' || words[0] === 'role' ? words : [undefined, ...words];
  const [target, permission, more] = rest;
  const isRole = of === 'role';
  const isNamed = target !== undefined && /^[\w.-]{1,100}\/[\w.-]{1,100}$/.test(target);
  if (!isNamed || more !== undefined || (isRole && permission !== undefined))
    return {
      fault:
        'say on what and which: `request acme/api write --for 60m --reason INC-12`; or `request team acme/responders`, or `request role acme/security_manager`',
    };
  if (isRole) return { kind: 'org-role', target, permission: heldRole };
  const [kind, known] = of === 'team' ? (['team-member', teamRoles] as const) : (['collaborator', rights] as const);
  const asked = permission ?? (kind === 'team-member' ? 'member' : '');
  if ((known as readonly string[]).includes(asked)) return { kind, target, permission: asked };
  return { fault: `'${asked}' is no right on ${target}: say one of ${known.join(', ')}` };
}

/** Reads `30m` or `1h`, in ms. @returns what is wrong with it as `fault`. */
export function readSpan(text: string | undefined): { ms: number } | { fault: string } {
  const [, count, unit] = /^([1-9]\d{0,4})([smh])$/.exec(text ?? '') ?? [];
  if (count === undefined || unit === undefined) return { fault: 'say how long with --for: 30m or 1h' };
  const ms = Number(count) * { s: 1000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'];
  return ms > longestMs ? { fault: '--for is longer than a day: no policy allows that' } : { ms };
}
