import { clip } from '@tripline/contracts/text';
import { plain } from '@tripline/runtime/plain';

/** What went wrong as it is kept beside its row, whatever a provider said: what Postgres does not take would leave nothing noted. */
export const keptFault = (fault: string): string => clip(plain(fault), 500) || 'unknown';
