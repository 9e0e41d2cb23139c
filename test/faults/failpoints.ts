import { appendFileSync } from 'node:fs';
import { watchIo } from './io.ts';
import { points } from './points.ts';

/**
 * Lets a process die between any two steps, so that a play can kill it there: started with `--import` of this file and
 * `FAILPOINT=<name>:<count>`, it kills itself with SIGKILL the `count`-th time it comes by that point of points.ts. What
 * runs knows nothing of it: the points lie in wrappers of what it calls. `IO_SEEN=<file>` has every I/O written there, one
 * a line, for whoever adds a point.
 */
const [name = '', count] = (process.env['FAILPOINT'] ?? '').split(':');
const point = points[name];
if (name !== '' && point === undefined) throw new Error(`there is no failpoint ${name}`);
let left = Number(count ?? 1);
const seenPath = process.env['IO_SEEN'];
const seen = new Set<string>();

watchIo((when, what) => {
  if (seenPath !== undefined && !seen.has(what)) {
    seen.add(what);
    appendFileSync(seenPath, `${what}\n`);
  }
  if (point === undefined || when !== point.when || !point.what.test(what)) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
});
