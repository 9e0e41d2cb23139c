import type { EnvironmentSetting } from '@tripline/runtime/setting';
import type { z } from 'zod';
import type { Source } from './source.ts';

/**
 * A feed as registry.ts holds it: light, since the settings of every command are made of it. A feed is a folder of this
 * package and a line of the registry; receiver, settings, doctor and pages read that and name no feed.
 */
export type Feed = {
  /** Its folder; begins the ids of its deliveries, and names its settings. */
  name: string;
  /**
   * What stands under its name in tripline.yaml. Absent where it has none, and of `github`, which is a provider too:
   * packages/config puts both halves together.
   */
  settings?: z.ZodType;
  /** What stands under its name in each of `workspaces`. */
  workspaceSettings?: z.ZodType;
  environment: readonly EnvironmentSetting[];
  load: () => Promise<Source>;
};
