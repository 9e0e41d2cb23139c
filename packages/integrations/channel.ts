import type { Look } from '@tripline/contracts/check';
import type { Severity } from '@tripline/contracts/finding';
import type { Actor, IncidentEventKind, IncidentState } from '@tripline/contracts/incident';
import type { ChannelName, MessageKind, Mode } from '@tripline/contracts/notification';
import type { EnvironmentSetting } from '@tripline/runtime/setting';
import type { z } from 'zod';
import type { DigestReport, IncidentReport } from './incident-report.ts';
import type { Outcome } from './outcome.ts';

/**
 * A place where people are notified of incidents. A channel decides which message it lacks of an incident (`compare`),
 * builds it in its own format (`render`) and sends it (`send`); claims, records, rate limits and retries are the
 * notifier's. `Content` is plain data that the channel's `compare` passes to its `render`.
 */
export type Channel<Content = unknown> = {
  name: ChannelName;
  mode: Mode;
  /** Each limit covers the calls that the service counts together; the notifier waits for it before a call. */
  limits: Readonly<Record<string, RateLimit>>;
  /** The limit of an incident's first message; while it is used up, new incidents wait in the queue. */
  firstMessageLimit: string;
  /** The limit that a kind of message counts against, and how much of its burst it leaves to more urgent kinds. */
  limitOf(kind: MessageKind): { limit: string; reserve: number };
  /** The kind of an incident's first message, so that claiming the incident and noting this intent is one statement. */
  firstMessage?: MessageKind;
  /** The next message that the channel lacks of an incident. Pure. */
  compare(incident: IncidentSnapshot, notified: Notified, now: Now): Comparison<Content>;
  /** The same for many incidents that are grouped in one message. Absent: each incident has messages of its own. */
  compareDigest?(digest: DigestSnapshot, notified: Notified, now: Now): Comparison<Content>;
  /** Pure. `possiblyRepeated`: it is unknown whether the same message was sent before; the message says so. */
  render(message: Message<Content>, options: { possiblyRepeated: boolean }): MessageBody;
  /** One call. Never rejects. `reference`: the service's own name of the message, where later ones need it. */
  send(message: Message<Content>, body: MessageBody): Promise<SendResult>;
  /** Whether a call that ended with this reason may have been carried out all the same. */
  mayHaveBeenDone(reason: string): boolean;
};

export type MessageBody = Record<string, unknown>;
export type SendResult = { outcome: Outcome; reference?: Reference };
/** How a service names a message or alert, such as Slack's `channel` and `ts`. */
export type Reference = Readonly<Record<string, string>>;

/** One call per `intervalMs`; up to `burst` unused calls may be made at once. */
export type RateLimit = { intervalMs: number; burst: number };

/**
 * An entry of channels.ts. It loads its code only when asked to, since every command reads the settings of all
 * channels.
 */
export type RegisteredChannel = {
  /** The name of its folder, and of its settings in tripline.yaml. */
  name: ChannelName;
  settings: z.ZodType;
  environment: readonly EnvironmentSetting[];
  load: () => Promise<ChannelDefinition>;
};

/** How a registered channel is opened. Its folder's name is its name, and that of its settings. */
// biome-ignore lint/suspicious/noExplicitAny: each channel names the settings that it needs, which its schema has checked.
export type ChannelDefinition<Settings = any> = {
  name: ChannelName;
  /** What `tripline doctor` says of it. */
  doctor: (settings: Settings | undefined) => Look[];
  /** `settings` undefined: not configured, so the channel is a dry run that sends nothing. */
  open(settings: Settings | undefined, options: ChannelOptions): Channel;
};

export type ChannelOptions = {
  /** How long one call may take. */
  timeoutMs: number;
  /** Shortens the channel's own intervals in tests. */
  intervalMs?: number | undefined;
  /** Replaces the HTTP client in tests; without it only the configured service can be called. */
  fetch?: typeof globalThis.fetch | undefined;
};

/** An incident as it is now, and what happened to it. */
export type IncidentSnapshot = {
  report: IncidentReport;
  /** Rises with each change. */
  version: number;
  /** Counts the incident's pages after its first. */
  pageGeneration: number;
  /** Oldest first. */
  events: readonly IncidentEvent[];
};

/** Something that happened to an incident. `id` rises. */
export type IncidentEvent = { id: number; kind: IncidentEventKind; actor: Actor; detail: Record<string, unknown> };

/** Many incidents that are reported in one message. */
export type DigestSnapshot = DigestReport & {
  /** Incidents that the message does not report yet, or not at their present version. */
  news: readonly DigestNews[];
  /** Incidents that page again since the message reported them; most severe first. */
  pages: readonly DigestPage[];
  /** Time since it last reported pages, ms; null before the first. */
  pagedAgoMs: number | null;
};
export type DigestNews = {
  incident: string;
  version: number;
  state: IncidentState;
  severity: Severity;
  generation: number;
};
export type DigestPage = { incident: string; title: string; severity: Severity; generation: number };

/** What a channel was sent of one incident, or of one digest. */
export type Notified = {
  /** The incident's version; 0 before the first message. */
  version: number;
  /** The incident's state; null before the first message. */
  state: IncidentState | null;
  /** Id of the last event that was reported; 0 before the first. */
  lastEvent: number;
  /** When the first attempt was queued, and when the last message was sent. */
  createdAt: Date;
  sentAt: Date | null;
  reference: Reference | undefined;
  /** The intent whose result was never recorded: the message may have been sent. */
  intent: string | null;
  /** The incident's page generation. */
  generation: number;
  /** Generations of older alerts that are, or may still be, open at the service. */
  superseded: readonly number[];
};

/** A change of `Notified`. Absent fields stay as they are. */
export type Progress = {
  version: number;
  state?: IncidentState;
  lastEvent?: number;
  reference?: Reference;
  generation?: number;
  superseded?: readonly number[];
};

export type Now = { nowMs: number; batching: Batching };

/** How long changes that no person made wait for further ones, ms, so that an incident takes few calls. */
export type Batching = {
  /** From one call about an incident to the next. */
  gatherMs: number;
  /** From a page after the first, which contains all news, until the message above it is updated. */
  restMs: number;
  /** For this long after an incident was opened, only the message itself is updated: no reply repeats its news. */
  openingMs: number;
};

export type Comparison<Content = unknown> =
  | { kind: 'message'; message: Message<Content> }
  | { kind: 'in-sync' }
  /** Nothing need be sent, and the comparison goes on from `after`. */
  | { kind: 'skip'; after: Progress }
  /** The news waits for more. */
  | { kind: 'wait'; afterMs: number };

/** A message that a channel lacks. */
export type Message<Content = unknown> = {
  kind: MessageKind;
  content: Content;
  /** For people, one line. */
  line: string;
  /** The intent that is noted before sending; the kind, unless more must be known after a crash. */
  intent?: string;
  /** The message that it changes or answers. */
  reference?: Reference | undefined;
  /** The incident's version that it reports; one that is given up takes the rest of that version with it. */
  version: number;
  /** Where the channel stands once it is sent. */
  after: Progress;
  /** Where the channel stands when it is given up and the rest goes on; absent, the rest is given up with it. */
  givenUp?: Progress;
  /** Sending it twice shows it twice, so a possible repeat is marked. */
  repeats: boolean;
  /** Where the message that it changes or answers is gone, the incident is posted again. */
  replaceable?: boolean;
  /** It reports findings for the first time: the latency is measured. */
  isNews?: boolean;
  /** What of a digest it reports. */
  digested?: { news: readonly DigestNews[] } | { pages: readonly DigestPage[] };
};
