import { z } from 'zod';
import { boundedText } from '../bounded.ts';
import { createOutbound, type Outbound, withoutEndSlashes } from '../outbound.ts';

/** Whether somebody is on duty now; `unknown` with why, where PagerDuty does not tell. */
export type OnDuty = { is: 'on' } | { is: 'off' } | { is: 'unknown'; why: string };
/** Never rejects. `user`: id at PagerDuty; on duty by one of the schedules, by id, is enough. */
export type DutyReader = (user: string, schedules: readonly string[]) => Promise<OnDuty>;

type DutyAccess = {
  token: string;
  apiUrl: string;
  timeoutMs?: number;
  /** For tests; only the configured service may be called otherwise. */
  fetch?: Outbound | undefined;
};

const mostBytes = 1_000_000;
const answer = z.object({
  oncalls: z.array(z.object({ user: z.object({ id: z.string() }), schedule: z.object({ id: z.string() }).nullish() })),
  more: z.boolean().nullish(),
});

/**
 * Asks PagerDuty’s REST API who is on duty. What it answers of others, or of other schedules, counts for nothing.
 * https://developer.pagerduty.com/api-reference/3a6b910f11050-list-all-of-the-on-calls
 */
export function createDutyReader(access: DutyAccess): DutyReader {
  return async (user, schedules) => {
    const query = new URLSearchParams({ limit: '100' });
    for (const one of schedules) query.append('schedule_ids[]', one);
    query.append('user_ids[]', user);
    try {
      const { status, text } = await ask(access, query);
      if (status !== 200) return { is: 'unknown', why: whyNot(status) };
      const told = answer.safeParse(jsonOf(text));
      if (!told.success) return { is: 'unknown', why: 'PagerDuty answered something else than who is on duty' };
      const isTheirs = ({ user: { id }, schedule }: z.output<typeof answer>['oncalls'][number]) =>
        id === user && schedule != null && schedules.includes(schedule.id);
      if (told.data.oncalls.some(isTheirs)) return { is: 'on' };
      return told.data.more ? { is: 'unknown', why: 'PagerDuty has more shifts than it tells at once' } : { is: 'off' };
    } catch (error) {
      const isLate = (error as Error).name === 'TimeoutError';
      return { is: 'unknown', why: isLate ? 'PagerDuty did not answer in time' : 'PagerDuty cannot be reached' };
    }
  };
}

/** Whether the key is taken, by a question that changes nothing. @returns what is wrong; undefined where nothing is. */
export async function faultOfDuty(access: DutyAccess): Promise<string | undefined> {
  const { status } = await ask(access, new URLSearchParams({ limit: '1' }));
  return status === 200 ? undefined : whyNot(status);
}

async function ask({ token, apiUrl, timeoutMs = 5000, fetch }: DutyAccess, query: URLSearchParams) {
  const outbound = fetch ?? createOutbound(apiUrl);
  const response = await outbound(`${withoutEndSlashes(apiUrl)}/oncalls?${query}`, {
    headers: { accept: 'application/json', authorization: `Token token=${token}`, 'user-agent': 'tripline/0.1' },
    // A redirect would carry the key to an address that nobody configured.
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  return { status: response.status, text: await boundedText(response, mostBytes) };
}

function whyNot(status: number): string {
  const what = `PagerDuty answered ${status}`;
  return status === 401 || status === 403 ? `${what}: check broker.duty.token` : what;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
