/**
 * `size` points of a plan that is told place by place, or all where there are no more: no place twice before each was taken once, and few of
 * them still from all over the list and of many passings. Always the same ones.
 */
export function spread<Point>(plan: readonly (readonly Point[])[], size: number): Point[] {
  const places = inSteps(plan).map(inSteps);
  const rounds = Math.max(0, ...places.map(({ length }) => length));
  return Array.from({ length: rounds }, (_, round) =>
    places.flatMap((passings, place) =>
      round < passings.length ? [passings[(place + round) % passings.length]!] : [],
    ),
  )
    .flat()
    .slice(0, size);
}

/** All of them, in steps of the golden section. */
function inSteps<T>(all: readonly T[]): T[] {
  let step = Math.max(1, Math.round(all.length * 0.618));
  while (hasCommonDivisor(all.length, step)) step += 1;
  return all.map((_, nth) => all[(nth * step) % all.length]!);
}

const hasCommonDivisor = (a: number, b: number): boolean => (b === 0 ? a > 1 : hasCommonDivisor(b, a % b));
