import { parentPort } from 'node:worker_threads';
import { listen } from './fake-service.ts';

/** In a thread of its own: a Slack that takes every message. Tells its URL first, then each call as it comes. */
let calls = 0;
const service = await listen(async ({ path, body, atMs }) => {
  calls += 1;
  parentPort!.postMessage({ atMs, method: path.slice(1), text: decodeURIComponent(body.replaceAll('+', ' ')) });
  return { status: 200, body: { ok: true, channel: 'C1', ts: `${calls}.000001` } };
});
parentPort!.postMessage(service.url);
