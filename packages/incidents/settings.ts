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
        error: 'a silence lasts 30 days at most; name an earlier day, and what still stands then is told',
      })
      .describe('When it ends, RFC 3339, 30 days from now at most; what still stands then is told.'),
    reason: z.string().min(1).describe('Why; kept with each finding that it silences.'),
  })
  .superRefine((scope, context) => {
    const message = faultOfScope(scope);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
