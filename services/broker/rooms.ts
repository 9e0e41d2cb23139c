/** How many requests of one may be in hand at once. */
export type RoomSizes = { ofJob: number; ofRepository: number };

export type Rooms = {
  /**
   * Takes a place in the room of a job, null where its token does not say which it is, and in that of its repository, until `leave` is
   * called; undefined where either is full.
   */
  enter: (job: string | null, repository: string) => { leave: () => void } | undefined;
};

/**
 * Each request that is decided waits for what is not told yet, for seconds, and reads it again meanwhile: so a repository whose jobs ask
 * for what will never be known would take all the room there is. What one may have in hand is bounded; others are not asked to wait.
 */
export function createRooms({ ofJob, ofRepository }: RoomSizes): Rooms {
  const inHand = new Map<string, number>();
  const count = (key: string, by: number) => {
    const now = (inHand.get(key) ?? 0) + by;
    if (now === 0) inHand.delete(key);
    else inHand.set(key, now);
  };
  return {
    enter(job, repository) {
      const rooms = [
        [`repository ${repository}`, ofRepository] as const,
        ...(job === null ? [] : [[`job ${job}`, ofJob] as const]),
      ];
      if (rooms.some(([key, most]) => (inHand.get(key) ?? 0) >= most)) return undefined;
      for (const [key] of rooms) count(key, 1);
      return {
        leave() {
          for (const [key] of rooms) count(key, -1);
        },
      };
    },
  };
}
