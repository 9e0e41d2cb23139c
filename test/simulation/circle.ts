/** Whether who waits for whom leads from a process back to itself. */
export function isCircle(pid: number, blockers: ReadonlyMap<number, readonly number[]>): boolean {
  const met = new Set<number>();
  const open = [pid];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    for (const blocker of blockers.get(one) ?? []) {
      if (blocker === pid) return true;
      if (!met.has(blocker)) open.push(blocker);
      met.add(blocker);
    }
  }
  return false;
}
