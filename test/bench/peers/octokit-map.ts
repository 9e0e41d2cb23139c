import { createServer } from 'node:http';
import { createNodeMiddleware, Webhooks } from '@octokit/webhooks';

/**
 * What a team writes in an afternoon: Octokit's middleware, a Map of approvals, a Set of reviewed commits, and a call of
 * Slack for a build of any other. Nothing outlives the process, nothing is bounded, and what comes late or in another
 * order is judged wrongly.
 */
const webhooks = new Webhooks({ secret: process.env['SECRET']! });
/** By repository and number, the commits that somebody else approved. */
const approvals = new Map<string, Set<string>>();
const reviewed = new Set<string>();
const told = new Set<number>();

webhooks.on('pull_request_review.submitted', ({ payload: { review, pull_request, repository } }) => {
  if (review.state !== 'approved' || review.user?.login === pull_request.user?.login) return;
  const key = `${repository.full_name}#${pull_request.number}`;
  approvals.set(key, (approvals.get(key) ?? new Set()).add(review.commit_id));
});

webhooks.on('pull_request.closed', ({ payload: { pull_request, repository } }) => {
  const key = `${repository.full_name}#${pull_request.number}`;
  const approved = approvals.get(key)?.has(pull_request.head.sha) ?? false;
  approvals.delete(key);
  if (approved && pull_request.merged && pull_request.merge_commit_sha !== null)
    reviewed.add(pull_request.merge_commit_sha);
});

webhooks.on('workflow_run', async ({ payload: { workflow_run: run, repository } }) => {
  if (run.event !== 'push' || run.head_branch !== repository.default_branch) return;
  if (reviewed.has(run.head_sha) || told.has(run.id)) return;
  told.add(run.id);
  const text = `Run ${run.id} of ${repository.full_name} built ${run.head_sha}, which nobody else reviewed`;
  const answer = await fetch(process.env['SLACK_URL']!, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  await answer.arrayBuffer();
});

const middleware = createNodeMiddleware(webhooks, { path: '/webhooks/github' });
const server = createServer((request, response) => {
  if (request.method === 'GET') response.writeHead(204).end();
  else void middleware(request, response);
});
server.listen(Number(process.env['PORT']), '127.0.0.1');
