import type { Look } from '@tripline/contracts/check';
import { type AuditPollSettings, targetNameOf } from './settings.ts';
import { auditTokens, type TokenSettings } from './tokens.ts';

/** Whether the audit log's stream would be taken. */
export function checkAuditStream(settings: TokenSettings): Look[] {
  const remedy = 'set TRIPLINE_GITHUB_AUDIT_TOKEN, and give GitHub the same as the token of a Splunk stream';
  return [{ name: 'feed GitHub audit log (streamed)', remedy, look: async () => lookAtStream(settings) }];
}

function lookAtStream(settings: TokenSettings): Awaited<ReturnType<Look['look']>> {
  const { length } = auditTokens({ ...settings, drills: false });
  return length === 0
    ? { state: 'off', detail: 'no token is configured: the records of a stream are refused' }
    : { state: 'ok', detail: `${length} token${length === 1 ? '' : 's'} configured` };
}

/** Which audit logs are read through the API, and by what. How far they are read is in the database (packages/health). */
export function checkAuditPolls({ 'github-audit': audit }: { 'github-audit'?: AuditPollSettings | undefined }): Look[] {
  return [{ name: 'feed GitHub audit log (read)', remedy: '', look: async () => lookAtPolls(audit) }];
}

function lookAtPolls(audit: AuditPollSettings | undefined): Awaited<ReturnType<Look['look']>> {
  const { polled = [], pollToken } = audit ?? {};
  if (polled.length === 0)
    return { state: 'off', detail: 'none is named under github-audit.polled; a stream needs none' };
  const by = pollToken === undefined ? 'the App' : 'github-audit.pollToken';
  return { state: 'ok', detail: `${polled.map(targetNameOf).join(', ')}, with ${by}` };
}
