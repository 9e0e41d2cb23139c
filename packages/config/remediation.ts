import { confidences, severities } from '@tripline/contracts/finding';
import { formerNames, intentNames } from '@tripline/contracts/response';
import { z } from 'zod';

const action = z.enum(intentNames, {
  error: ({ input }) => {
    const now = typeof input === 'string' ? formerNames[input] : undefined;
    return now === undefined ? undefined : `is called ${now} now`;
  },
});

const policy = z.strictObject({
  rule: z.string().min(1).describe('Id of the rule.'),
  minSeverity: z.enum(severities).default('high').describe('Only findings at least so severe.'),
  minConfidence: z.enum(confidences).default('high').describe('Only findings at least so sure.'),
  actions: z.array(action).min(1).describe('What may be done.'),
});

/** A number in YAML is an id, since a name may consist of digits too. */
const providerId = z.int().positive().transform(String);
type Person = { login: string | undefined; id: string | undefined };
type Runner = { name: string | undefined; id: string | undefined };
const person = z
  .union([z.string().min(1), z.int().positive(), z.strictObject({ login: z.string().min(1), id: providerId })])
  .transform((given): Person => {
    if (typeof given === 'object') return given;
    return typeof given === 'string' ? { login: given, id: undefined } : { login: undefined, id: String(given) };
  });
const runner = z
  .union([z.string().min(1), z.int().positive()])
  .transform(
    (given): Runner =>
      typeof given === 'string' ? { name: given, id: undefined } : { name: undefined, id: String(given) },
  );

const protectedThings = z.strictObject({
  users: z
    .array(person)
    .default([])
    .describe(
      'People whom no automatic action may touch: a login, the number of an account, or `{ login, id }`, which goes by the number where that is known.',
    ),
  repositories: z
    .array(z.string().regex(/^[^/\s]+\/[^/\s]+$/, 'must be owner/name'))
    .default([])
    .describe('Repositories that no automatic action may touch, owner/name.'),
  runners: z
    .array(runner)
    .default([])
    .describe('Self-hosted runners that no automatic action may touch: a name, or the number of one.'),
});

/** `remediation` of tripline.yaml. */
export const remediationSettings = z.strictObject({
  mode: z
    .enum(['dry-run', 'automatic'])
    .default('dry-run')
    .describe('`dry-run` records what would have been done; `automatic` does it where the policy says so.'),
  policy: z
    .array(policy)
    .default([])
    .describe('What may be done without asking, by rule, severity, confidence and action.'),
  protected: protectedThings.prefault({}),
  maxPerHour: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe(
      'At most so many calls of one action in one workspace an hour. What comes beyond it pages, and waits for a free place, the gravest first.',
    ),
});
