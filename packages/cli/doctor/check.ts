import type { Check } from '@tripline/contracts/check';
import { sentenceFor } from '../errors.ts';

/** Runs a check of something external; an error makes it `broken`. */
export async function ask(
  name: Check['name'],
  remedy: string,
  work: () => Promise<Omit<Check, 'name'>>,
): Promise<Check> {
  try {
    return { name, ...(await work()) };
  } catch (error) {
    return { name, state: 'broken', detail: sentenceFor(error) ?? (error as Error).message, remedy };
  }
}
