import { faultOfException } from '@tripline/contracts/exception';
import { alwaysTold, confidences, severities } from '@tripline/contracts/finding';
import { faultOfScope, longestSilenceMs } from '@tripline/contracts/silence';
import { z } from 'zod';

const matcher = (of: string) =>
  z.string().min(1).optional().describe(`${of}, whole, or ending in \`*\` for all that begin so.`);
/** One of `silences` of tripline.yaml. */
export const silenceSettings = z
  .strictObject({
    rule: matcher('Id of the rule'),
    subject: matcher("The finding's subject"),
    actor: matcher('Who acted, by login'),
    repository: matcher('The repository, `owner/name`'),
    runner: matcher('The runner'),
    environment: matcher('Name of the deployment environment'),
    workspace: z.string().optional().describe('Only in this workspace. Absent: in all.'),
    critical: z.boolean().default(false).describe('Whether critical findings are silenced too.'),
    until: z.iso
      .datetime({ offset: true })
      .refine((until) => !(Date.parse(until) > Date.now() + longestSilenceMs), {
        error: 'a silence lasts 30 days at most; name an earlier day, and what is still active then is reported',
      })
      .describe('When it ends, RFC 3339, 30 days from now at most; what is still active then is reported.'),
    reason: z.string().min(1).describe('Why; kept with each finding that it silences.'),
  })
  .superRefine((scope, context) => {
    const message = faultOfScope(scope);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

const oneOrMore = (of: string) =>
  z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .transform((given) => (typeof given === 'string' ? [given] : given))
    .optional()
    .describe(`${of}: one or several, each whole, or ending in \`*\`. All that a finding names must be among them.`);
const whole = (of: string) =>
  z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .transform((given) => (typeof given === 'string' ? [given] : given))
    .optional()
    .describe(
      `${of}: one or several, each whole. All that a finding names must be among them; one that names none does not fit.`,
    );
/** One of `exceptions` of tripline.yaml. */
export const exceptionSettings = z
  .strictObject({
    rules: z.array(z.string()).min(1).describe('Ids of the rules whose findings are in order.'),
    workspace: z.string().optional().describe('Only in this workspace. Absent: in all.'),
    when: z
      .strictObject({
        user: whole(
          'Who is named, as `login:id` (`ada:41`) or `github:github.com:user:41`, and apps as `name[bot]`: a login alone changes hands, and is refused',
        ),
        repository: oneOrMore('Repositories, `owner/name`'),
        ref: whole('Branches or tags, as `owner/name@refs/heads/main`, where a finding can prove which one it is'),
        workflow: whole(
          'Workflows by file and its ref, as `owner/name/.github/workflows/release.yml@refs/heads/main`, where a finding can prove it',
        ),
        runner: oneOrMore('Runners'),
        environment: oneOrMore('Deployment environments'),
        credential: oneOrMore('Credentials'),
        cidr: whole('Networks from which somebody acted, as `203.0.113.0/24`, where a finding names addresses'),
      })
      .describe('What must fit, all of it.'),
    owner: z.string().min(1).describe('Who answers for it.'),
    reason: z.string().min(1).describe('Why it is in order; kept with each finding.'),
    until: z.iso.datetime({ offset: true }).describe('When it ends, RFC 3339.'),
  })
  .superRefine((exception, context) => {
    const message = faultOfException(exception);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** One of `overrides` of tripline.yaml. */
export const overrideSettings = z
  .strictObject({
    rule: z.string().describe('Id of the rule.'),
    workspace: z.string().optional().describe('Only in this workspace. Absent: in all.'),
    severity: z.enum(severities).optional().describe('Of each of its findings, whatever the rule says.'),
    minConfidence: z
      .enum(confidences)
      .optional()
      .describe('Findings that are less sure are kept like excepted ones, and reported to nobody.'),
    page: z
      .boolean()
      .optional()
      .describe(
        'Whether they may page (PagerDuty, and new pages in Slack). `false`: they are reported, and page nobody.',
      ),
    settings: z.record(z.string(), z.unknown()).optional().describe("The rule's settings, over `rules.settings`."),
  })
  .refine(
    ({ severity, minConfidence, page, settings }) => (severity ?? minConfidence ?? page ?? settings) !== undefined,
    {
      error: 'it overrides nothing: give severity, minConfidence, page or settings',
    },
  )
  .refine(({ rule, page }) => page !== false || !alwaysTold.has(rule), {
    error: 'its findings always page, since what they report excuses others',
    path: ['page'],
  });
