/**
 * Feeds that a rule may say it needs: the names of their folders in `packages/sources`, and what the broker writes, with how a
 * sentence calls them. Ids of their events begin so. A rule says what it needs in these words alone, so that its catalogue and
 * `tripline rules show` can say which of them is missing.
 */
export const feedWords = {
  github: 'webhooks',
  'github-audit': 'the audit log',
  tripline: 'what people tell Tripline',
  access: 'the access broker',
} as const;
export type FeedName = keyof typeof feedWords;
export const feedNames = Object.keys(feedWords) as readonly FeedName[];

/** What else makes a rule better, beside feeds: what it asks of the provider while it judges. */
export const betterWords = { ...feedWords, 'github-api': 'API access' } as const;
export type BetterName = keyof typeof betterWords;
export const betterNames = Object.keys(betterWords) as readonly BetterName[];

/** “webhooks or the audit log”. */
export const oneOfFeeds = (names: readonly FeedName[]): string => names.map((name) => feedWords[name]).join(' or ');

/** What a rule would have of what it does not need: “With the audit log: names the token.” One sentence an entry. */
export const betterInWords = (better: Partial<Record<BetterName, string>> = {}): string[] =>
  betterNames.flatMap((name) => (better[name] === undefined ? [] : [`With ${betterWords[name]}: ${better[name]}.`]));
