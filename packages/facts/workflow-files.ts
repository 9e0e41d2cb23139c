import { z } from 'zod';

/** A file of a workflow as settings name it: the repository's full name, its id where it is given, and the path of the file. */
const formOfWorkflow = /^([^/\s]+\/[^/\s:]+)(?::(\d+))?\/(\.?[^\s@]+\.ya?ml)$/i;

/** `Acme/Access/.github/workflows/grant.yml@main` is the workflow that it looks like. */
export const workflowFile = z
  .string()
  .transform((text) => text.trim().split('@', 1)[0]!)
  .pipe(
    z
      .string()
      .regex(
        formOfWorkflow,
        'owner/name/path/of/workflow.yml, such as acme/access/.github/workflows/grant.yml, or owner/name:id/path, with the id of the repository',
      ),
  );

export type WorkflowFile = { repository: string; id: string | undefined; path: string };

/** The parts of what `workflowFile` takes. */
export function readWorkflowFile(text: string): WorkflowFile {
  const [, repository = '', id, path = ''] = formOfWorkflow.exec(text) ?? [];
  return { repository, id, path };
}

/** A repository by its id, where one was told, and by every name that it has had. */
export type NamedRepository = { id: string | undefined; names: readonly string[] };

/** Whether settings mean this file: by the repository's id where they give it, or else by any name of it, in any case. */
export function isFileOf(text: string, repository: NamedRepository, path: string | undefined): boolean {
  const meant = readWorkflowFile(text);
  if (meant.path !== path) return false;
  if (meant.id !== undefined && repository.id !== undefined) return meant.id === repository.id;
  const name = meant.repository.toLowerCase();
  return repository.names.some((one) => one.toLowerCase() === name);
}
