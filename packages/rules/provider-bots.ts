/** Bots of providers themselves, which nobody runs under an account of their own, and nobody has a token of. */
export const botsOfProviders: ReadonlySet<string> = new Set([
  'dependabot[bot]',
  'github-advanced-security[bot]',
  'github-merge-queue[bot]',
]);
