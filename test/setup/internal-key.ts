/** With what tests sign what comes from within; see packages/contracts/internal.ts. */
export const internalKey = 'an-internal-key-for-tests-alone';
