import { parentPort, workerData } from 'node:worker_threads';
import { loadConfig } from '@tripline/config/config';
import { openDatabase } from '@tripline/db/database';
import { readLog } from '@tripline/trail/read-log';
import { play } from './play.ts';
import { type Asked, rulesToPlay, setsFor, typesOf } from './replay.ts';

/** A thread of a replay: judges the partitions that it is told, one at a time. */
const asked = workerData as Asked;
const port = parentPort!;
const config = loadConfig(asked.env, asked.cwd);
const sets = rulesToPlay(await setsFor(config, asked), asked.only);
const types = typesOf(sets);
const db = openDatabase(asked.url, { applicationName: 'tripline-replay', maxConnections: 1 });

port.on('message', async (partition: number | null) => {
  if (partition === null) {
    await db.close();
    port.close();
    return;
  }
  const { topic, from, to, folder } = asked;
  const records = readLog(db, { topic, partition, from, to, types });
  const played = await play({ config, folder }, sets, records, to.getTime(), (count) =>
    port.postMessage({ records: count }),
  );
  port.postMessage({ played });
});
