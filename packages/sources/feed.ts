import type { EnvironmentSetting } from '@tripline/runtime/setting';
import type { z } from 'zod';
import type { Polled } from './polled.ts';
import type { Source } from './source.ts';

/**
 * An entry of registry.ts. It loads its code only when asked to, since every command reads the settings of all feeds. A
 * feed is a folder of this package and a line of the registry; receiver, settings, doctor and pages read the registry
 * and name no feed.
 */
export type Feed = {
  /** The name of its folder and of its settings in tripline.yaml; also the prefix of its deliveries' ids. */
  name: string;
  /**
   * Its settings in tripline.yaml. Absent where it has none, or where a provider of the same name defines the settings
   * of both.
   */
  settings?: z.ZodType;
  /** The fields that it adds to each of `workspaces`. No two feeds add the same. */
  workspaceFields?: Readonly<Record<string, z.ZodType>>;
  environment: readonly EnvironmentSetting[];
  /** What is wrong with its settings beside those of others, each with its place: nothing starts with a feed that cannot be read. */
  // biome-ignore lint/suspicious/noExplicitAny: each feed names the settings that it needs.
  faults?: (settings: any) => readonly { path: (string | number)[]; message: string }[];
  /** As it is posted; absent where nobody posts it. */
  load?: () => Promise<Source>;
  /** As it is asked; absent where it is only posted. */
  loadPolled?: () => Promise<Polled>;
};

/** The feeds that are posted, loaded. */
export async function loadPosted(feeds: readonly Feed[]): Promise<Source[]> {
  return Promise.all(feeds.flatMap(({ load }) => (load === undefined ? [] : [load()])));
}

/** The feeds that are asked, loaded. */
export async function loadPolled(feeds: readonly Feed[]): Promise<Polled[]> {
  return Promise.all(feeds.flatMap((feed) => (feed.loadPolled === undefined ? [] : [feed.loadPolled()])));
}
