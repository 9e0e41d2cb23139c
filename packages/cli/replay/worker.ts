import { parentPort, workerData } from 'node:worker_threads';
import { loadConfig } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { play } from './play.ts';
import { type Asked, rulesToPlay } from './replay.ts';

/** A thread of a replay: judges the partitions that it is told, one at a time. */
const asked = workerData as Asked;
const port = parentPort!;
const config = loadConfig(asked.env, asked.cwd);
const sets = await rulesToPlay(config, asked);
const db = openDatabase(asked.url, { applicationName: 'tripline-replay', maxConnections: 1 });

port.on('message', async (partition: number | null) => {
  if (partition === null) {
    await db.close();
    port.close();
    return;
  }
  const { topic, from, to, folder } = asked;
  const played = await play({ db, config, folder }, sets, { topic, partition, from, to }, (records) =>
    port.postMessage({ records }),
  );
  port.postMessage({ played });
});
