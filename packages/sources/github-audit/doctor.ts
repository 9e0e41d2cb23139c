import type { Look } from '@tripline/contracts/check';
import { type AuditPollSettings, targetNameOf } from './settings.ts';

/** Which audit logs are read through the API, and by what. How far they are read is in the database (packages/health). */
export function checkAuditPolls({ 'github-audit': audit }: { 'github-audit'?: AuditPollSettings | undefined }): Look[] {
  return [{ name: 'feed GitHub audit log (read)', remedy: '', look: async () => look(audit) }];
}

function look(audit: AuditPollSettings | undefined): Awaited<ReturnType<Look['look']>> {
  const { polled = [], pollToken } = audit ?? {};
  if (polled.length === 0)
    return { state: 'off', detail: 'none is named under github-audit.polled; a stream needs none' };
  const by = pollToken === undefined ? 'the App' : 'github-audit.pollToken';
  return { state: 'ok', detail: `${polled.map(targetNameOf).join(', ')}, with ${by}` };
}
