import { topics } from '@tripline/stream/stream';
import { type ServiceProcess, until } from './service-process.ts';
import type { Whole } from './whole.ts';

/** Two detectors that share the partitions of one topic. */
export type TwoOwners = {
  first: ServiceProcess;
  second: ServiceProcess;
  /** Resolves when everything that the first one owned has been taken over; how long that took, in ms. */
  takenOver: () => Promise<number>;
};

/**
 * Starts a detector, which takes all partitions, and a second one, which takes some of them from it.
 * Who owns what is read off the epochs of the positions: each taking raises one.
 */
export async function startTwoOwners(whole: Whole): Promise<TwoOwners> {
  const epochs = async () => {
    const { rows } = await whole.db.pool.query<{ partition: number; epoch: number }>(
      "SELECT partition, epoch FROM positions WHERE consumer = 'detector' AND topic = $1",
      [topics.events],
    );
    return new Map(rows.map(({ partition, epoch }) => [partition, epoch]));
  };
  const partitions = await whole.partitions();
  const first = whole.start('detector');
  await until(async () => (await epochs()).size === partitions, { of: first, what: 'the first owner' });
  const alone = await epochs();
  const second = whole.start('detector');
  const raised = async (than: Map<number, number>) => {
    const now = await epochs();
    return [...now.keys()].filter((partition) => now.get(partition)! > than.get(partition)!);
  };
  const half = Math.floor(partitions / 2);
  await until(async () => (await raised(alone)).length >= half, { of: second, what: 'the second owner' });
  const shared = await epochs();
  const ofSecond = new Set(await raised(alone));
  const ofFirst = [...shared.keys()].filter((partition) => !ofSecond.has(partition));
  return {
    first,
    second,
    async takenOver() {
      const begun = performance.now();
      const isTaken = async () => {
        const taken = new Set(await raised(shared));
        return ofFirst.every((partition) => taken.has(partition));
      };
      await until(isTaken, { of: second, patienceMs: 60_000, what: 'the taking over' });
      return Math.round(performance.now() - begun);
    },
  };
}
