import { secretList } from '@tripline/runtime/setting';

/** Fields of `workspaces[]` for break-glass records. */
export const triplineWorkspaceSettings = {
  breakGlassKeys: secretList
    .optional()
    .describe(
      'Keys that sign break-glass records of this workspace (`tripline break-glass`), and nothing else; receiver and detector need them. Absent: none is taken.',
    ),
};
