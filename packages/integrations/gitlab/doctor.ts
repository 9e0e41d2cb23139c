import type { Look } from '@tripline/contracts/check';
import { z } from 'zod';
import { createJsonApi } from '../caller.ts';
import { brokenWhileAway, type MinterOptions, tiersOf } from '../minter.ts';
import type { GitLabSettings } from './settings.ts';

const self = z.object({ scopes: z.array(z.string()), active: z.boolean(), expires_at: z.string().nullish() });
const weekMs = 7 * 86_400_000;

/** Whether GitLab takes the broker's token, and how long it still will. */
export function checkGitLab(settings: GitLabSettings, { clock, fetch, timeoutMs }: MinterOptions): Look {
  const { url, token } = settings;
  const remedy = 'check url and token in broker.gitlab';
  return {
    ...{ name: `minter GitLab ${new URL(url).host} (${tiersOf(settings)})`, remedy },
    look: async () => {
      const ask = createJsonApi({ url, service: 'GitLab', fetch, timeoutMs });
      const headers = { 'private-token': token };
      const answer = await ask({ method: 'GET', path: '/api/v4/personal_access_tokens/self', headers });
      const said = answer.status === undefined ? answer.message : `it answers ${answer.status}`;
      const away = brokenWhileAway(answer, { said, setting: 'broker.gitlab.url' });
      if (away !== undefined) return away;
      const read = self.safeParse(answer.status === 200 ? answer.data : undefined);
      if (!read.success) {
        return { state: 'broken', detail: `it does not know the broker’s token: ${said}`, remedy };
      }
      const { scopes, active, expires_at: ends } = read.data;
      if (!active) return { state: 'broken', detail: 'the broker’s token is revoked or has expired', remedy };
      if (!scopes.includes('api')) {
        return { state: 'broken', detail: 'the broker’s token has no scope api', remedy: 'make one with scope api' };
      }
      if (ends && Date.parse(ends) - clock.nowMs() < weekMs) {
        return { state: 'broken', detail: `the broker’s token ends on ${ends}`, remedy: 'rotate it' };
      }
      return { state: 'ok', detail: ends ? `its token ends on ${ends}` : 'its token does not end' };
    },
  };
}
