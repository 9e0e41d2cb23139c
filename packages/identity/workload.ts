/**
 * Who asks: a job of a CI system, as its token proves. Names are there to be shown; what is matched are ids, which are
 * never given to another. Texts were written by whoever may start a run, and are no longer than their claims' schemas
 * allow.
 */
export type Workload = Proof & (GitHubJob | GitLabJob | BuildkiteJob | CircleCiJob);

/** What every token says. */
export type Proof = {
  /** `iss`, as it is configured. */
  issuer: string;
  /**
   * By what a token is known once it is spent: hex SHA-256 of its `jti`, or of the whole token where its issuer gives
   * none. Together with `issuer` it names one token.
   */
  tokenId: { of: 'jti' | 'token'; sha256: string };
  /** `sub`, for the record: its template can be changed by whoever administers the repository, so nothing matches it. */
  subject: string;
  issuedAtMs: number;
  expiresAtMs: number;
  /** What is refused unless a policy says otherwise. */
  cautions: readonly Caution[];
};

/** `claim` is the claim that shows it. */
export type Caution = { kind: CautionKind; claim: string };

export const cautionKinds = {
  'outsider-event': 'the run may have been started by somebody without write access',
  'merge-request': 'the run is of a merge request: its project may be a fork',
  'fork-head': 'the branch is of a fork',
  'unprotected-ref': 'the branch or tag is not protected',
  'unprotected-environment': 'the environment is not protected',
  'ssh-rerun': 'somebody may type into the job: it was started again with SSH',
} as const;
export type CautionKind = keyof typeof cautionKinds;

type Named = { id: string; name: string };

export type GitHubJob = {
  provider: 'github';
  owner: Named;
  /** `name` with its owner, `acme/api`. */
  repository: Named;
  run: { id: string; attempt: number };
  /** The job: last part of `check_run_url` in its webhooks. Null where the issuer does not tell it (Enterprise Server). */
  checkRunId: string | null;
  /** The workflow that was started, as `owner/repo/path@ref`. */
  caller: { ref: string; sha: string | null };
  /** The workflow that holds the job: the caller, or one that it calls. */
  workflow: { ref: string; sha: string };
  event: string;
  ref: string;
  sha: string;
  headRef: string | null;
  baseRef: string | null;
  environment: string | null;
  runnerEnvironment: 'github-hosted' | 'self-hosted';
  actor: Named;
};

export type GitLabJob = {
  provider: 'gitlab';
  /** The group or user whose project it is, by `namespace_id`. */
  owner: Named;
  repository: Named;
  run: { id: string };
  jobId: string;
  /** `pipeline_source`. */
  event: string;
  ref: string;
  refProtected: boolean;
  sha: string;
  /** The file that defines the pipeline, `host/group/project//.gitlab-ci.yml@ref`. */
  workflow: { ref: string; sha: string };
  runner: { id: string };
  runnerEnvironment: 'gitlab-hosted' | 'self-hosted';
  environment: { name: string; protected: boolean } | null;
  actor: Named;
};

export type BuildkiteJob = {
  provider: 'buildkite';
  owner: Named;
  /** The pipeline: Buildkite's tokens name no repository. */
  pipeline: Named;
  /** `id` only where the token was asked for with `--claim build_id`. */
  run: { id: string | null; number: number };
  jobId: string;
  /** The agent that runs the job. */
  runner: { id: string };
  runnerEnvironment: 'buildkite-hosted' | 'self-hosted' | null;
  event: string | null;
  /** `refs/tags/…` for the build of a tag, else `refs/heads/…`. */
  ref: string;
  sha: string;
  stepKey: string | null;
};

export type CircleCiJob = {
  provider: 'circleci';
  owner: { id: string };
  project: { id: string };
  /** `pipeline-id` and `workflow-id`; absent from older tokens. */
  run: { pipelineId: string | null; workflowId: string | null };
  jobId: string;
  /** The repository whose change started the pipeline, `github.com/acme/api`: a fork’s where forks are given tokens. */
  origin: string;
  ref: string;
  contextIds: readonly string[];
  actor: { id: string };
};
