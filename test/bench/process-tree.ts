import { readdirSync, readFileSync } from 'node:fs';

/** Proportional set size of a process and all below it: pages that several share count once altogether. */
export function treeMib(root: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  const kib = (pid: number) => Number(/^Pss:\s+(\d+)/m.exec(readProc(`/proc/${pid}/smaps_rollup`) ?? '')?.[1] ?? 0);
  return treeOf(root).reduce((sum, pid) => sum + kib(pid) / 1024, 0);
}

/** CPU time that a process and all below it have used, ms. Ticks are of 10 ms. */
export function treeCpuMs(root: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  return treeOf(root).reduce((sum, pid) => {
    const fields = readProc(`/proc/${pid}/stat`)?.split(') ')[1]?.split(' ');
    return sum + (fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) * 10);
  }, 0);
}

/** The same of those below it that have ended, ms. */
export function endedCpuMs(root: number): number {
  const fields = readProc(`/proc/${root}/stat`)?.split(') ')[1]?.split(' ');
  return fields === undefined ? Number.NaN : (Number(fields[13]) + Number(fields[14])) * 10;
}

/** A process and all below it. */
function treeOf(root: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = readProc(`/proc/${pid}/stat`);
      return stat === undefined ? [] : [{ pid: Number(pid), parent: Number(stat.split(') ')[1]!.split(' ')[1]) }];
    });
  const tree = [root];
  for (const pid of tree) tree.push(...parents.filter(({ parent }) => parent === pid).map((child) => child.pid));
  return tree;
}

/** Undefined for a process that has ended. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
