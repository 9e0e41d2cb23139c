import { join } from 'node:path';
import type { Db } from '@tripline/db/database';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { type SlackMessage, startPagerDuty, startSlack } from './fake-services.ts';
import { pointsOf } from './points.ts';
import { recordFindings, someFinding } from './recorded-findings.ts';
import { startProcess, until } from './service-process.ts';
import { setDifferences } from './standing.ts';
import type { Victim } from './victim.ts';

const child = join(import.meta.dirname, 'notifier.child.ts');
/** How a repeated message begins to say so; packages/integrations/slack/message.ts has the sentence. */
const repeatMark = 'Possibly a repeat';
/** So many calls may be under way when the notifier dies: the concurrency of its jobs. */
const callsAtOnce = 4;
/** More waiting incidents than these are folded into one message. */
const storm = 30;

/** The notifier, with a Slack that fails now and then and a PagerDuty that refuses some. */
export const notifier: Victim = {
  service: 'notifier',
  compared: 'every incident told as it is, in Slack and PagerDuty; nothing twice but marked',
  points: pointsOf('notifier'),
  passings: 12,
  canPass: (point, passing) => passing <= 2 || !/fold|give-up|park/.test(point),
  async open(ground) {
    const { db, url, close } = await freshDatabaseOn(ground.postgresUrl);
    const [slack, pagerduty] = await Promise.all([startSlack({ failEvery: 9 }), startPagerDuty()]);
    let made = 0;
    let deaths = 0;
    /** Some new incidents, and a finding that joins an older one. */
    const make = async (count: number) => {
      for (let nth = 0; nth < count; nth += 1) {
        made += 1;
        const title = made % 7 === 0 ? `refused ${made}` : `taken ${made}`;
        await recordFindings(db, [someFinding(`s${made}`, { person: `p${made}`, title })]);
        if (made % 3 === 0)
          await recordFindings(db, [someFinding(`j${made}`, { person: `p${made - 1}`, title: `joined ${made}` })]);
      }
    };
    const start = (failpoint: string) =>
      startProcess([child], {
        DATABASE_URL: url,
        // A slow Slack has incidents wait, so many that they are folded.
        ...(/fold|park/.test(failpoint) ? { SLACK_INTERVAL_MS: '500' } : {}),
        ...(failpoint === '' ? {} : { FAILPOINT: failpoint }),
        TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-faults-token',
        TRIPLINE_SLACK_TEAM_ID: 'T1',
        TRIPLINE_SLACK_APP_ID: 'A1',
        TRIPLINE_SLACK_CHANNEL: 'C1',
        TRIPLINE_SLACK_SIGNING_SECRET: 'faults-signing-secret',
        TRIPLINE_SLACK_API_URL: `${slack.url}/`,
        TRIPLINE_PAGERDUTY_ROUTING_KEY: 'faults-routing-key',
        TRIPLINE_PAGERDUTY_API_URL: pagerduty.url,
      });

    return {
      async dieAt(failpoint) {
        const isFolding = failpoint.includes('fold');
        if (isFolding) await make(storm);
        const victim = start(failpoint);
        let end: number | string | undefined;
        victim.ended.then((how) => (end = how));
        const endMs = performance.now() + 20_000;
        while (end === undefined && performance.now() < endMs) {
          if ((await outOfStep(db)).length < (isFolding ? 2 * storm : 8)) await make(2);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        const isDead = end !== undefined;
        if (!isDead) await victim.kill();
        else if (end !== 'SIGKILL') throw new Error(`the notifier ended with ${end}:\n${victim.said()}`);
        deaths += 1;
        return isDead;
      },
      async finish() {
        const last = start('');
        let lacking: string[] = [];
        await until(
          async () => {
            lacking = await outOfStep(db);
            return lacking.length === 0;
          },
          { patienceMs: 60_000 },
        ).catch(() => {});
        await last.kill();
        return [
          ...lacking,
          ...(await slackDifferences(db, [...slack.messages.values()], deaths)),
          ...(await pagerDutyDifferences(db, pagerduty.taken)),
        ];
      },
      async close() {
        await Promise.all([slack.close(), pagerduty.close()]);
        await close();
      },
    };
  },
};

/** What somebody does not know yet, as text. */
async function outOfStep(db: Db): Promise<string[]> {
  const { rows } = await db.pool.query<{ what: string }>(
    `SELECT s.sink || ' lacks ' || i.id || coalesce(' of digest ' || t.digest, '') || ' ' || coalesce(t.version, 0) || ' < ' || i.version
              || coalesce(' after ' || t.failure, '') AS what
     FROM incidents AS i CROSS JOIN (VALUES ('slack'), ('pagerduty')) AS s(sink)
     LEFT JOIN told AS t ON t.incident = i.id AND t.sink = s.sink WHERE coalesce(t.version, 0) < i.version`,
  );
  return rows.map(({ what }) => what);
}

type Incident = { id: string; title: string; findings: string[]; ts: string | null; digest: number | null };

async function readIncidents(db: Db): Promise<Incident[]> {
  const { rows } = await db.pool.query<Incident>(
    `SELECT i.id, i.title, array_agg(f.title) AS findings, min(t.ts) AS ts, min(t.digest) AS digest
     FROM incidents AS i JOIN findings AS f ON f.incident = i.id JOIN told AS t ON t.incident = i.id AND t.sink = 'slack'
     GROUP BY i.id, i.title`,
  );
  return rows;
}

async function slackDifferences(db: Db, messages: SlackMessage[], deaths: number): Promise<string[]> {
  const lines: string[] = [];
  const posts = messages.filter(({ thread }) => thread === undefined);
  let repeated = 0;
  for (const { id, findings, ts, digest } of await readIncidents(db)) {
    if (digest !== null) continue;
    const own = posts.filter(({ first }) => first.includes(`(${id})`));
    const standing = own.find((message) => message.ts === ts);
    if (standing === undefined) lines.push(`Slack: ${id} stands in no message`);
    for (const title of findings) {
      if (standing && !standing.now.includes(title)) lines.push(`Slack: ${id} does not tell of “${title}”`);
    }
    const unmarked = own.filter(({ first }) => !first.includes(repeatMark)).length;
    if (unmarked > 1) lines.push(`Slack: ${id} was posted ${unmarked} times without a mark`);
    repeated += Math.max(0, own.length - 1);
  }
  if (repeated > callsAtOnce * deaths) lines.push(`Slack: ${repeated} messages were posted again in ${deaths} deaths`);
  return lines;
}

async function pagerDutyDifferences(db: Db, events: { event_action: string; dedup_key: string }[]): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string }>("SELECT id FROM incidents WHERE title NOT LIKE '%refused%'");
  const heard = new Set(events.map(({ event_action, dedup_key }) => `${event_action} ${dedup_key}`));
  return setDifferences(
    'PagerDuty: alert',
    [...heard],
    rows.map(({ id }) => `trigger tripline:${id}`),
  );
}
