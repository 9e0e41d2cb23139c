/** What `tripline doctor` found out about one thing. */
export type Check = {
  /** The setting, connection or folder. */
  what: string;
  /** `ok`; `note`: works, but somebody should know; `off`: not configured, and need not be; `broken`: must be mended. */
  state: 'ok' | 'note' | 'off' | 'broken';
  /** What was found. */
  says: string;
  /** What to do about it; on `broken` always. */
  mend?: string;
};

/** Runs a check that asks something outside, and takes its failure for an answer. */
export async function ask(what: string, mend: string, work: () => Promise<Omit<Check, 'what'>>): Promise<Check> {
  try {
    return { what, ...(await work()) };
  } catch (error) {
    return { what, state: 'broken', says: (error as Error).message, mend };
  }
}
