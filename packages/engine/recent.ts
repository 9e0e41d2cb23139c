/**
 * A bounded map that lets go of what was not asked for lately: two generations, of which the older is dropped whole when
 * the younger holds half of `max`. Costs nothing before it is filled, and no list to keep in order.
 */
export function createRecent<Value>(max: number) {
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();

  function set(key: string, value: Value): void {
    young.set(key, value);
    if (young.size * 2 < max) return;
    old = young;
    young = new Map();
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
