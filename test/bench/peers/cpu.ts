import { readFileSync } from 'node:fs';

/** CPU time that a process has used, in seconds; NaN where the system has no /proc, or the process is gone. Ticks are of 10 ms. */
export function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}

/** What a process holds in memory, MiB; NaN where the system does not tell. */
export function residentMiB(pid: number): number {
  try {
    const [, resident] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(resident) / 1024;
  } catch {
    return Number.NaN;
  }
}
