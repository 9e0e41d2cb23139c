import type { EnvironmentSetting } from '@tripline/runtime/setting';
import type { z } from 'zod';
import type { Polled } from './polled.ts';
import type { Source } from './source.ts';

/**
 * A feed as registry.ts holds it: light, since the settings of every command are made of it. A feed is a folder of this
 * package and a line of the registry; receiver, settings, doctor and pages read that and name no feed.
 */
export type Feed = {
  /** Its folder; begins the ids of its deliveries, and names its settings. */
  name: string;
  /**
   * What stands under its name in tripline.yaml. Absent where it has none, and where a provider of the same name has them
   * whole: that one's folder puts both halves together.
   */
  settings?: z.ZodType;
  /** The fields that it adds to each of `workspaces`. No two feeds add the same. */
  workspaceFields?: Readonly<Record<string, z.ZodType>>;
  environment: readonly EnvironmentSetting[];
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
