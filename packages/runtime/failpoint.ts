/**
 * Where a process may be made to die, so that a test can kill it between any two steps: started with
 * `FAILPOINT=<name>:<count>` it kills itself with SIGKILL the `count`-th time it comes by `name`. Otherwise nothing.
 */
const [name, count] = (process.env['FAILPOINT'] ?? '').split(':');
let left = Number(count ?? 1);

export function failpoint(at: string): void {
  if (at !== name) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}
