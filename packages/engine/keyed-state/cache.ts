export type CacheOptions<Value> = {
  /** What a value counts; 1 unless told otherwise. */
  weigh?: (value: Value) => number;
  /** How many maps share `max` at this moment; one unless told otherwise. */
  sharedBy?: () => number;
  /** Told of each value that is let go of, but for those that another took the place of. */
  dropped?: (value: Value) => void;
};

/**
 * A bounded map that lets go of what was not asked for lately: two generations, of which the older is dropped whole when
 * the younger holds half of `max`. Costs nothing before it is filled, and no list to keep in order.
 */
export function createCache<Value>(max: number, options: CacheOptions<Value> = {}) {
  const { weigh = () => 1, sharedBy = () => 1, dropped } = options;
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  let weight = 0;

  function set(key: string, value: Value): void {
    const before = young.get(key);
    weight += weigh(value) - (before === undefined ? 0 : weigh(before));
    young.set(key, value);
    if (weight * 2 * sharedBy() < max) return;
    if (dropped !== undefined) for (const [name, one] of old) if (!young.has(name)) dropped(one);
    old = young;
    young = new Map();
    weight = 0;
  }

  return {
    get(key: string): Value | undefined {
      const found = young.get(key);
      if (found !== undefined) return found;
      const older = old.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    set,
  };
}
