/**
 * Events of GitHub Actions that people without write access may cause, in a public repository or by a fork; `workflow_run` passes
 * theirs on.
 */
export const outsiderEvents: ReadonlySet<string> = new Set([
  ...['pull_request', 'pull_request_target', 'pull_request_review', 'pull_request_review_comment'],
  ...['issue_comment', 'issues', 'discussion', 'discussion_comment', 'fork', 'gollum', 'watch', 'workflow_run'],
]);
