/**
 * Spreads a joined key over 64 bits, into two words. Stored with every entry of keyed state, so it must never change.
 * Not a cryptographic hash: keys are compared whole wherever hashes are equal.
 */
export function hashKey(joined: string, into: Uint32Array): void {
  let high = 0x243f6a88;
  let low = 0x85a308d3;
  for (let at = 0; at < joined.length; at += 1) {
    const unit = joined.charCodeAt(at);
    high = turn(Math.imul(high ^ unit, 0x9e3779b1), 13) + low;
    low = turn(Math.imul(low ^ unit, 0x85ebca77), 17) ^ high;
  }
  into[0] = spread(high ^ joined.length);
  into[1] = spread(low ^ into[0]!);
}

const turn = (word: number, bits: number) => (word << bits) | (word >>> (32 - bits));
function spread(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
