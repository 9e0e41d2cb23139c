import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Corpus, makeCorpus } from '../corpus.ts';
import { requestBytes, sendAll } from '../load.ts';
import { answers, freePort, start } from '../processes.ts';
import { eventOf } from '../records.ts';
import { startWhole } from '../whole.ts';
import type { Peer } from './peer.ts';

const secret = 'bench-webhook-secret';
const rule = 'build-from-unreviewed-commit';

/**
 * Deliveries a second from the first one sent until the last is judged, on the whole way through one process: `tripline
 * up` beside what a team makes of Octokit's middleware, a Map and fetch. Ours keeps, judges by all rules and records
 * before the clock stops, and must have found every unreviewed build and nothing else; theirs has called Slack by then,
 * and kept nothing. Deliveries of many connections overtake each other, as GitHub's do, which misleads it: how often is
 * said beside it.
 */
export function wholeWay(options: { deliveries: number; connections: number }): Peer[] {
  let seed = 500;
  const fresh = (): Corpus => {
    seed += 1;
    return makeCorpus({ deliveries: options.deliveries, workspaces: 200, attackEvery: 30, seed, startMs: Date.now() });
  };
  const close = async () => {};
  const misled = { missing: 0, wrong: 0, of: 0 };
  return [
    {
      name: 'tripline up, all rules, durable',
      unit: 'deliveries/s',
      note: 'receive, keep, judge and record; the log in its own Postgres',
      run: () => ours(fresh(), options),
      close,
    },
    {
      name: '@octokit/webhooks with a Map and fetch, one rule, nothing durable',
      unit: 'deliveries/s',
      /** Known once it has run. */
      get note() {
        const { missing, wrong, of } = misled;
        return `only builds of unreviewed commits; a restart forgets, and another order of deliveries misleads it: of ${of} such builds it missed ${missing}, and it told of ${wrong} that were none`;
      },
      async run() {
        const { perSecond, faults } = await theirs(fresh(), options);
        misled.missing += faults.missing;
        misled.wrong += faults.wrong;
        misled.of += faults.of;
        return perSecond;
      },
      close,
    },
  ];
}

const requestsOf = (corpus: Corpus) => corpus.deliveries.map((delivery) => requestBytes(delivery, secret));
const builds = (corpus: Corpus) => corpus.attacks.filter((attack) => attack.rule === rule).map(({ mark }) => mark);

async function ours(corpus: Corpus, options: { connections: number }): Promise<number> {
  const requests = requestsOf(corpus);
  const kept = corpus.deliveries.filter((delivery) => eventOf(delivery) !== undefined).length;
  const whole = await startWhole();
  try {
    const begun = performance.now();
    const { refused } = await sendAll({ port: whole.port, requests, connections: options.connections });
    if (refused > 0) throw new Error(`${refused} deliveries were refused:\n${whole.output()}`);
    const judged = async () => {
      const { rows } = await whole.db.pool.query<{ next: number }>(
        "SELECT coalesce(sum(next), 0)::int AS next FROM positions WHERE consumer = 'detector'",
      );
      return rows[0]!.next;
    };
    await until(async () => (await judged()) >= kept, 'not every event was judged');
    const seconds = (performance.now() - begun) / 1000;
    const { rows } = await whole.db.pool.query<{ run: string }>(
      "SELECT split_part(occasion, '/', 1) AS run FROM findings WHERE rule = $1 AND withdrawn_at IS NULL",
      [rule],
    );
    const faults = faultsOf(
      corpus,
      rows.map(({ run }) => run),
    );
    if (faults.missing + faults.wrong > 0)
      throw new Error(
        `of ${faults.of} unreviewed builds ${faults.missing} are missing, and ${faults.wrong} are told that were none`,
      );
    return requests.length / seconds;
  } finally {
    await whole.close();
  }
}

async function theirs(corpus: Corpus, options: { connections: number }) {
  const requests = requestsOf(corpus);
  const told: string[] = [];
  const slack = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      told.push(/Run (\d+) of/.exec(body)![1]!);
      response.writeHead(200).end('ok');
    });
  });
  await new Promise<void>((resolve) => slack.listen(0, '127.0.0.1', resolve));
  const port = await freePort();
  const server = start([join(import.meta.dirname, 'octokit-map.ts')], {
    env: {
      PORT: String(port),
      SECRET: secret,
      SLACK_URL: `http://127.0.0.1:${(slack.address() as AddressInfo).port}/`,
    },
  });
  try {
    await answers(`http://127.0.0.1:${port}/`, server);
    const begun = performance.now();
    const { refused } = await sendAll({ port, requests, connections: options.connections });
    if (refused > 0) throw new Error(`${refused} deliveries were refused:\n${server.output()}`);
    const seconds = (performance.now() - begun) / 1000;
    return { perSecond: requests.length / seconds, faults: faultsOf(corpus, told) };
  } finally {
    await server.stop();
    slack.closeAllConnections();
    await new Promise((resolve) => slack.close(resolve));
  }
}

async function until(met: () => Promise<boolean>, otherwise: string): Promise<void> {
  const untilMs = performance.now() + 60_000;
  while (!(await met())) {
    if (performance.now() > untilMs) throw new Error(`${otherwise} within a minute of the last delivery`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** How many unreviewed builds of the corpus were not found, and how many were that are none. */
function faultsOf(corpus: Corpus, found: readonly string[]): { of: number; missing: number; wrong: number } {
  const expected = builds(corpus);
  return {
    of: expected.length,
    missing: expected.filter((run) => !found.includes(run)).length,
    wrong: found.filter((run) => !expected.includes(run)).length,
  };
}
