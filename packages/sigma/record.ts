/** A record as a rule sees it: JSON, in whatever depth. */
export type SigmaRecord = { readonly [key: string]: unknown };

/** Nothing is looked at any deeper, as RSigma does it: the sender chooses how deep. */
const maxDepth = 64;

/**
 * What stands under a field: the name as it is written, else as a path with dots, through lists by each of their elements.
 * Own properties alone: what every object inherits (`constructor`) is no field. Null counts as nothing.
 */
export function fieldValue(record: SigmaRecord, field: string): unknown {
  if (Object.hasOwn(record, field)) return record[field] ?? undefined;
  if (!field.includes('.')) return undefined;
  const found: unknown[] = [];
  follow(record, field.split('.'), 0, found);
  return found.length > 1 ? found : found[0];
}

function follow(value: unknown, path: readonly string[], at: number, found: unknown[], depth = maxDepth): void {
  if (at === path.length) {
    if (value !== null && value !== undefined) found.push(value);
    return;
  }
  if (typeof value !== 'object' || value === null || depth === 0) return;
  if (Array.isArray(value)) {
    for (const element of value) follow(element, path, at, found, depth - 1);
    return;
  }
  if (Object.hasOwn(value, path[at]!)) follow((value as SigmaRecord)[path[at]!], path, at + 1, found, depth - 1);
}

/** Whether some text anywhere in the record, in values and never in keys, passes `test`. */
export function someText(value: unknown, test: (text: string) => boolean, depth = maxDepth): boolean {
  if (typeof value === 'string') return test(value);
  if (typeof value !== 'object' || value === null || depth === 0) return false;
  return Object.values(value).some((inner) => someText(inner, test, depth - 1));
}
