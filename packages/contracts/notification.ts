/** Name of a notification channel: its folder in packages/integrations. */
export type ChannelName = string;

/** `dry-run`: the channel is not configured; what it would have been sent is kept all the same. */
export type Mode = 'live' | 'dry-run';

/** What a message does in its channel. */
export type MessageKind =
  | 'posted'
  | 'updated'
  | 'thread-reply'
  /** A reply that the whole channel sees. */
  | 'broadcast'
  /** An incident's line in the history of a digest that reports it. */
  | 'folded'
  | 'trigger'
  | 'acknowledge'
  | 'resolve';
