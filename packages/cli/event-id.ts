/** The id of an event as people name it: its own, or the provider's of a delivery of GitHub's. */
export const eventIdOf = (named: string): string =>
  /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(named) ? `github:${named}` : named;
