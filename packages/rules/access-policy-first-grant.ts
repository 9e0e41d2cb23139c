import type { Attributes } from '@tripline/contracts/attributes';
import { defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { tell } from './evidence.ts';

const dayMs = 86_400_000;
/** A policy that nothing was given by for so long is told again: nobody remembers it. */
const keepMs = 180 * dayMs;
/** What is used daily is written again seldom. */
const renewMs = 30 * dayMs;

export const rule = defineRule<{ lastMs: number }, Record<string, never>>({
  id: 'access-policy-first-grant',
  title: 'First credential by a policy of access',
  description:
    'The access broker gave a job a credential by a policy by which it never gave anything before, as that policy says it now; nor within the last 180 days. ' +
    'Once for each policy and each change of it. Whoever takes the broker’s host, or writes a policy for themselves, shows here first.',
  severity: 'low',
  confidence: 'high',
  principles: [1, 5],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-5'],
  feeds: { needs: ['access'] },
  falseAlarms: ['A policy that is new, or was changed, and meant: acknowledge it. It informs, and pages nobody.'],
  limits: ['A version of Tripline that reads policies otherwise than the former one: each policy is told once more.'],
  reads: ['dev.cdeventsx.tripline-credential.minted'],
  settings: z.strictObject({}) as z.ZodType<Record<string, never>>,
  state: z.object({ lastMs: z.number() }),
  rememberMs: keepMs,
  learns: false,
  keys(event) {
    const of: Attributes = event.data;
    const { 'tripline.access.policy': policy, 'tripline.access.entry_sha256': entry } = of;
    return policy === undefined || entry === undefined ? [] : [`${clip(policy, 200)} ${clip(entry, 64)}`];
  },
  judge(event, context) {
    const [key] = context.keys;
    if (key === undefined) return;
    const atMs = parseTime(event.time);
    const known = context.get(key);
    if (known === undefined || atMs - known.lastMs > renewMs) context.set(key, { lastMs: atMs }, keepMs);
    if (known !== undefined) return;
    const of: Attributes = event.data;
    const policy = clip(of['tripline.access.policy'] ?? '', 200);
    const { 'vcs.repository.name': repository, 'cicd.pipeline.run.id': run, 'user.name': person } = of;
    const job = `${clip(repository ?? 'a repository without a name', 300)}#${clip(run ?? '', 50)}`;
    const revision = of['tripline.access.policy_revision'];
    const at = revision === undefined ? '' : ` at commit ${revision.slice(0, 12)}`;
    const kind = clip(of['tripline.credential.kind'] ?? '', 100);
    context.find({
      subject: `policy ${policy}`,
      occasion: clip(of['tripline.access.entry_sha256'] ?? '', 64),
      confidence: 'high',
      title: `Policy ${policy} gave its first credential`,
      summary: `A ${kind} credential was given to ${job} by policy ${policy}${at}. Nothing was given by it before, as it stands.`,
      evidence: [
        tell(event, `policy ${policy} gave ${job} a ${kind} credential, set off by ${clip(person ?? '', 200)}`),
      ],
      // It informs: an incident that names the job would deny it what it asks for next.
      entities: [],
      response: [],
      remedy: [
        `Acknowledge it if the policy and its job are meant: \`tripline access explain ${job}\` says by what it was granted.`,
        'If nobody of yours wrote it: `tripline access revoke all --reason …`, and look who merged the policy and who can reach the broker.',
      ],
    });
  },
});
