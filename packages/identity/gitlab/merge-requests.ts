/** Whether a pipeline of this source is of a merge request, whose code may be a fork’s. */
export const isMergeRequestSource = (source: string): boolean =>
  source === 'merge_request_event' || source === 'external_pull_request_event';
