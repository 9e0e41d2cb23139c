import { failed, unknown } from '@tripline/access/reason';
import type { Workload } from '@tripline/identity/workload';
import { type Answer, refuse } from './answer.ts';
import type { ExchangeParts, ProvedJob } from './asking.ts';

/** Whose job asks, and of which workspace. */
export async function proveJob(
  { verify, workspaces }: Pick<ExchangeParts, 'verify' | 'workspaces'>,
  token: string,
  alsoFor?: string,
): Promise<{ job: ProvedJob; workspace: string } | { answer: Answer }> {
  const verified = await verify(token, alsoFor);
  if ('refusal' in verified) {
    const { status, reason, message, retryAfterS } = verified.refusal;
    const body = { error: { reason, message } };
    return { answer: { status, body, ...(retryAfterS === undefined ? {} : { retryAfterS }) } };
  }
  const { workload } = verified;
  if (!isOfGitHub(workload)) return { answer: jobUnknown(workload.provider) };
  const { owner } = workload;
  const whose = workspaces.whose({ kind: 'anybody' }, [{ login: owner.name, id: owner.id }]);
  if ('workspace' in whose) return { job: workload, workspace: whose.workspace };
  const found = `${owner.name} (id ${owner.id})`;
  const help = 'Name it under workspaces[].github.organizations in tripline.yaml, if it is yours.';
  const reasons = [failed('workspace', 'an organisation of a workspace', found, help)];
  return { answer: refuse('denied', 'The job is of an organisation that no workspace has', { reasons }) };
}

const isOfGitHub = (workload: Workload): workload is ProvedJob => workload.provider === 'github';

function jobUnknown(provider: string): Answer {
  const reasons = [
    unknown('job', 'one whose CI Tripline hears', `it is of ${provider}, of whose jobs Tripline hears nothing`),
  ];
  const message = `Who asks is proved, and nothing would tell when a job of ${provider} ends: nothing is given`;
  return refuse('job-unknown', message, { reasons });
}
