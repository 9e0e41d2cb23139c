import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Whether a process runs. A zombie does not. */
export function isAlive(pid: number): boolean {
  return processBegan(pid) !== null;
}

/** Whether the system lists a process of this id, a zombie too. */
export function isListed(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When a process began, in the system's own format; another process with the same pid has another start time. Null when
 * no such process runs.
 */
export function processBegan(pid: number): string | null {
  if (!isListed(pid)) return null;
  try {
    // The command's name, in brackets, may hold anything: count fields after the last bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return isDead(state) ? null : (fields[18] ?? null);
  } catch {
    try {
      const [state, ...began] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
        .trim()
        .split(/ +/);
      return isDead(state) ? null : began.join(' ');
    } catch {
      return null;
    }
  }
}

/** Z: a zombie; X: about to vanish. */
const isDead = (state: string | undefined) => state === undefined || /^[ZX]/.test(state);
