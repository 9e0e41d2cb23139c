import { type ControlChange, controls, type Relaxation } from '@tripline/facts/controls';
import { entityOf, personOf } from '@tripline/facts/things';
import type { Basis } from './builders/basis.ts';

/** What a finding says of a protection that was made weaker. */
export function relaxationInWords({ change, aspects, restoredBy }: Relaxation, key: string, repository: string) {
  const control = `${change.kind} ${change.name}`;
  const told = (seen: ControlChange, does: string): Basis => {
    const by = seen.by === undefined ? [] : [personOf(seen.by, key)];
    const entities = [...by, entityOf('repository', repository, key)];
    return { fact: controls, key, entities, seen, what: `${seen.by?.login ?? 'somebody unnamed'} ${does}` };
  };
  return {
    control,
    relaxed: told(change, `relaxed ${control} of ${repository} (${aspects.join(', ')})`),
    /** Empty while it is not put back. */
    back: restoredBy === undefined ? [] : [told(restoredBy, `put ${control} back`)],
  };
}
