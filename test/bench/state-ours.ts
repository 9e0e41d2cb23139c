import { openDatabase } from '@tripline/db/database';
import { recordsFrom, rule } from './state-events.ts';
import { detectorByHand, startStopwatch } from './state-hand.ts';

/** The detector over a store of so many keys: takes the partition, and then judges when it is told to, saying what that cost. */
const [url, count] = process.argv.slice(2);
const keys = Number(count);
const batchRecords = 2000;
const db = openDatabase(url!, { applicationName: 'bench' });
const detector = await detectorByHand(db, [rule]);
const begun = performance.now();
let next = await detector.take();
process.send!({ takeOverMs: performance.now() - begun });

process.on('message', async ({ events }: { events: number }) => {
  const records = recordsFrom(next, events, keys);
  next += events;
  const stopwatch = await startStopwatch(db);
  let longestMs = 0;
  for (let from = 0; from < events; from += batchRecords) {
    const batchBegun = performance.now();
    await detector.judge(records.slice(from, from + batchRecords));
    longestMs = Math.max(longestMs, performance.now() - batchBegun);
  }
  const { ownUs, postgresUs } = stopwatch();
  const memory = process.memoryUsage();
  process.send!({ ownUs: ownUs / events, postgresUs: postgresUs / events, longestMs, rssBytes: memory.rss });
});
process.once('disconnect', () => process.exit());
