-- What the migrations add up to. Written by `npm run docs`; a test compares it with a migrated database.

CREATE SEQUENCE incident_numbers;

CREATE SEQUENCE silence_numbers;

CREATE TABLE access_credentials (
  grant_id text NOT NULL,
  nth integer NOT NULL,
  kind text NOT NULL,
  scope jsonb NOT NULL,
  state text NOT NULL,
  handle jsonb,
  sealed bytea,
  token_hash text,
  minted_at timestamp with time zone,
  expires_at timestamp with time zone,
  dead_at timestamp with time zone,
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamp with time zone NOT NULL DEFAULT now(),
  claimed_by uuid,
  claimed_until timestamp with time zone,
  last_fault text,
  CONSTRAINT access_credentials_attempts_check CHECK ((attempts >= 0)),
  CONSTRAINT access_credentials_kind_check CHECK ((kind = ANY (ARRAY['github'::text, 'aws'::text, 'vault'::text, 'gitlab'::text]))),
  CONSTRAINT access_credentials_last_fault_check CHECK ((last_fault <> ''::text)),
  CONSTRAINT access_credentials_nth_check CHECK ((nth >= 0)),
  CONSTRAINT access_credentials_state_check CHECK ((state = ANY (ARRAY['minting'::text, 'live'::text, 'ending'::text, 'stuck'::text, 'dead'::text, 'lost'::text]))),
  CONSTRAINT access_credentials_token_hash_check CHECK ((token_hash <> ''::text)),
  CONSTRAINT claims_end CHECK (((claimed_by IS NULL) = (claimed_until IS NULL))),
  CONSTRAINT dead_holds_nothing CHECK (((state <> 'dead'::text) OR ((sealed IS NULL) AND (dead_at IS NOT NULL)))),
  CONSTRAINT live_is_recorded CHECK (((state = ANY (ARRAY['minting'::text, 'lost'::text, 'dead'::text])) OR ((token_hash IS NOT NULL) AND (expires_at IS NOT NULL)))),
  CONSTRAINT access_credentials_grant_id_fkey FOREIGN KEY (grant_id) REFERENCES access_grants(id),
  CONSTRAINT access_credentials_pkey PRIMARY KEY (grant_id, nth)
);

CREATE TABLE access_ends (
  key text NOT NULL,
  ended_at timestamp with time zone NOT NULL,
  heard_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT access_ends_key_check CHECK ((key <> ''::text)),
  CONSTRAINT access_ends_pkey PRIMARY KEY (key)
);

CREATE TABLE access_extension_answers (
  extension text NOT NULL,
  state text NOT NULL,
  approved_by jsonb,
  why text,
  at timestamp with time zone NOT NULL,
  CONSTRAINT access_extension_answers_state_check CHECK ((state = ANY (ARRAY['asked'::text, 'given'::text, 'denied'::text, 'expired'::text]))),
  CONSTRAINT access_extension_answers_why_check CHECK ((why <> ''::text)),
  CONSTRAINT access_extension_answers_extension_fkey FOREIGN KEY (extension) REFERENCES access_extensions(id),
  CONSTRAINT access_extension_answers_pkey PRIMARY KEY (extension)
);

CREATE TABLE access_extensions (
  id text NOT NULL,
  request text NOT NULL,
  for_ms integer NOT NULL,
  reason text NOT NULL,
  asked_by jsonb NOT NULL,
  asked_at timestamp with time zone NOT NULL,
  CONSTRAINT access_extensions_for_ms_check CHECK ((for_ms > 0)),
  CONSTRAINT access_extensions_id_check CHECK ((id <> ''::text)),
  CONSTRAINT access_extensions_reason_check CHECK ((reason <> ''::text)),
  CONSTRAINT access_extensions_request_fkey FOREIGN KEY (request) REFERENCES access_requests(id),
  CONSTRAINT access_extensions_pkey PRIMARY KEY (id)
);

CREATE TABLE access_gates (
  id text NOT NULL,
  workspace text NOT NULL,
  instance text NOT NULL,
  repository_id text NOT NULL,
  repository text NOT NULL,
  owner_id text NOT NULL,
  owner text NOT NULL,
  run_id text NOT NULL,
  environment text NOT NULL,
  installation text NOT NULL,
  deployment_id text,
  heard_at timestamp with time zone NOT NULL,
  attempt integer,
  state text NOT NULL DEFAULT 'open'::text,
  decision text,
  sent_at timestamp with time zone,
  commented_at timestamp with time zone,
  answered_at timestamp with time zone,
  tries integer NOT NULL DEFAULT 0,
  due_at timestamp with time zone NOT NULL,
  claimed_by uuid,
  claimed_until timestamp with time zone,
  last_fault text,
  CONSTRAINT access_gates_attempt_check CHECK ((attempt > 0)),
  CONSTRAINT access_gates_decision_check CHECK ((decision = ANY (ARRAY['granted'::text, 'denied'::text]))),
  CONSTRAINT access_gates_deployment_id_check CHECK ((deployment_id <> ''::text)),
  CONSTRAINT access_gates_environment_check CHECK ((environment <> ''::text)),
  CONSTRAINT access_gates_id_check CHECK ((id <> ''::text)),
  CONSTRAINT access_gates_installation_check CHECK ((installation ~ '^[1-9][0-9]{0,19}$'::text)),
  CONSTRAINT access_gates_instance_check CHECK ((instance <> ''::text)),
  CONSTRAINT access_gates_last_fault_check CHECK ((last_fault <> ''::text)),
  CONSTRAINT access_gates_owner_check CHECK ((owner <> ''::text)),
  CONSTRAINT access_gates_owner_id_check CHECK ((owner_id <> ''::text)),
  CONSTRAINT access_gates_repository_check CHECK ((repository <> ''::text)),
  CONSTRAINT access_gates_repository_id_check CHECK ((repository_id ~ '^[1-9][0-9]{0,15}$'::text)),
  CONSTRAINT access_gates_run_id_check CHECK ((run_id ~ '^[1-9][0-9]{0,19}$'::text)),
  CONSTRAINT access_gates_state_check CHECK ((state = ANY (ARRAY['open'::text, 'answered'::text, 'over'::text]))),
  CONSTRAINT access_gates_tries_check CHECK ((tries >= 0)),
  CONSTRAINT access_gates_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT claims_end CHECK (((claimed_by IS NULL) = (claimed_until IS NULL))),
  CONSTRAINT said_is_decided CHECK (((sent_at IS NULL) OR (decision IS NOT NULL))),
  CONSTRAINT access_gates_pkey PRIMARY KEY (id)
);

CREATE TABLE access_grants (
  id text NOT NULL,
  workspace text NOT NULL,
  policy text NOT NULL,
  policy_sha256 text NOT NULL,
  policy_revision text,
  tier text NOT NULL,
  job_key text NOT NULL,
  run_key text NOT NULL,
  job jsonb NOT NULL,
  things text[] NOT NULL DEFAULT '{}'::text[],
  until text NOT NULL,
  on_incident text NOT NULL,
  asked_at timestamp with time zone NOT NULL DEFAULT now(),
  longest_until timestamp with time zone NOT NULL,
  ending_at timestamp with time zone,
  ending_why text,
  incident_severity text,
  CONSTRAINT access_grants_ending_why_check CHECK ((ending_why <> ''::text)),
  CONSTRAINT access_grants_id_check CHECK ((id <> ''::text)),
  CONSTRAINT access_grants_job_key_check CHECK ((job_key <> ''::text)),
  CONSTRAINT access_grants_on_incident_check CHECK ((on_incident = ANY (ARRAY['atOnce'::text, 'afterJob'::text]))),
  CONSTRAINT access_grants_policy_check CHECK ((policy <> ''::text)),
  CONSTRAINT access_grants_policy_revision_check CHECK ((policy_revision <> ''::text)),
  CONSTRAINT access_grants_policy_sha256_check CHECK ((policy_sha256 ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT access_grants_run_key_check CHECK ((run_key <> ''::text)),
  CONSTRAINT access_grants_tier_check CHECK ((tier <> ''::text)),
  CONSTRAINT access_grants_until_check CHECK ((until = ANY (ARRAY['job'::text, 'run'::text]))),
  CONSTRAINT access_grants_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT ending_says_why CHECK (((ending_at IS NULL) = (ending_why IS NULL))),
  CONSTRAINT incident_severity_is_one CHECK ((incident_severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  CONSTRAINT access_grants_pkey PRIMARY KEY (id)
);

CREATE TABLE access_links (
  id text NOT NULL,
  workspace text NOT NULL,
  confirm_key text NOT NULL,
  number text NOT NULL,
  wrong_numbers integer NOT NULL DEFAULT 0,
  instance text NOT NULL,
  account_id text NOT NULL,
  account_name text NOT NULL,
  issuer text NOT NULL,
  subject text NOT NULL,
  subject_name text,
  made_at timestamp with time zone NOT NULL,
  confirmed_by jsonb,
  confirmed_at timestamp with time zone,
  ended_at timestamp with time zone,
  CONSTRAINT access_links_account_id_check CHECK ((account_id <> ''::text)),
  CONSTRAINT access_links_account_name_check CHECK ((account_name <> ''::text)),
  CONSTRAINT access_links_confirm_key_check CHECK ((confirm_key <> ''::text)),
  CONSTRAINT access_links_id_check CHECK ((id <> ''::text)),
  CONSTRAINT access_links_instance_check CHECK ((instance <> ''::text)),
  CONSTRAINT access_links_issuer_check CHECK ((issuer <> ''::text)),
  CONSTRAINT access_links_number_check CHECK ((number ~ '^[0-9]{4}$'::text)),
  CONSTRAINT access_links_subject_check CHECK ((subject <> ''::text)),
  CONSTRAINT access_links_subject_name_check CHECK ((subject_name <> ''::text)),
  CONSTRAINT access_links_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT access_links_wrong_numbers_check CHECK ((wrong_numbers >= 0)),
  CONSTRAINT link_confirmations_say_who CHECK (((confirmed_by IS NULL) = (confirmed_at IS NULL))),
  CONSTRAINT access_links_pkey PRIMARY KEY (id),
  CONSTRAINT access_links_confirm_key_key UNIQUE (confirm_key)
);

CREATE TABLE access_passkeys (
  id text NOT NULL,
  workspace text NOT NULL,
  confirm_key text NOT NULL,
  instance text NOT NULL,
  account_id text NOT NULL,
  account_name text NOT NULL,
  public_key bytea NOT NULL,
  counter bigint NOT NULL,
  made_at timestamp with time zone NOT NULL,
  confirmed_by jsonb,
  confirmed_at timestamp with time zone,
  last_used_at timestamp with time zone,
  ended_at timestamp with time zone,
  CONSTRAINT access_passkeys_account_id_check CHECK ((account_id <> ''::text)),
  CONSTRAINT access_passkeys_account_name_check CHECK ((account_name <> ''::text)),
  CONSTRAINT access_passkeys_confirm_key_check CHECK ((confirm_key <> ''::text)),
  CONSTRAINT access_passkeys_counter_check CHECK ((counter >= 0)),
  CONSTRAINT access_passkeys_id_check CHECK ((id <> ''::text)),
  CONSTRAINT access_passkeys_instance_check CHECK ((instance <> ''::text)),
  CONSTRAINT access_passkeys_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT confirmations_say_who CHECK (((confirmed_by IS NULL) = (confirmed_at IS NULL))),
  CONSTRAINT access_passkeys_pkey PRIMARY KEY (id),
  CONSTRAINT access_passkeys_confirm_key_key UNIQUE (confirm_key)
);

CREATE TABLE access_policies (
  nth bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  repository_id text NOT NULL,
  repository text NOT NULL,
  branch text NOT NULL,
  path text NOT NULL,
  revision text NOT NULL,
  policies text NOT NULL,
  lock text NOT NULL,
  sha256 text NOT NULL,
  reviewed text NOT NULL,
  taken_at timestamp with time zone NOT NULL DEFAULT now(),
  mac text NOT NULL,
  files jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT access_policies_branch_check CHECK ((branch <> ''::text)),
  CONSTRAINT access_policies_files_check CHECK ((jsonb_typeof(files) = 'object'::text)),
  CONSTRAINT access_policies_mac_check CHECK ((mac <> ''::text)),
  CONSTRAINT access_policies_path_check CHECK ((path <> ''::text)),
  CONSTRAINT access_policies_repository_check CHECK ((repository <> ''::text)),
  CONSTRAINT access_policies_repository_id_check CHECK ((repository_id <> ''::text)),
  CONSTRAINT access_policies_reviewed_check CHECK ((reviewed <> ''::text)),
  CONSTRAINT access_policies_revision_check CHECK ((revision ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'::text)),
  CONSTRAINT access_policies_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT access_policies_pkey PRIMARY KEY (nth)
);

CREATE TABLE access_policy_faults (
  place text NOT NULL,
  revision text,
  fault text NOT NULL,
  since timestamp with time zone NOT NULL DEFAULT now(),
  kind text,
  CONSTRAINT access_policy_faults_fault_check CHECK ((fault <> ''::text)),
  CONSTRAINT access_policy_faults_kind_check CHECK ((kind = ANY (ARRAY['unreadable'::text, 'unreviewed'::text, 'review-unknown'::text, 'other-repository'::text, 'unusable'::text]))),
  CONSTRAINT access_policy_faults_place_check CHECK ((place <> ''::text)),
  CONSTRAINT access_policy_faults_revision_check CHECK ((revision <> ''::text)),
  CONSTRAINT access_policy_faults_pkey PRIMARY KEY (place)
);

CREATE TABLE access_promotions_told (
  workspace text NOT NULL,
  repository_id text NOT NULL,
  repository text NOT NULL,
  environment text NOT NULL,
  told_sha256 text NOT NULL,
  told_at timestamp with time zone NOT NULL,
  CONSTRAINT access_promotions_told_environment_check CHECK ((environment <> ''::text)),
  CONSTRAINT access_promotions_told_repository_check CHECK ((repository <> ''::text)),
  CONSTRAINT access_promotions_told_repository_id_check CHECK ((repository_id <> ''::text)),
  CONSTRAINT access_promotions_told_told_sha256_check CHECK ((told_sha256 ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT access_promotions_told_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT access_promotions_told_pkey PRIMARY KEY (workspace, repository_id, environment)
);

CREATE TABLE access_prompt_messages (
  prompt text NOT NULL,
  channel text NOT NULL,
  ts text NOT NULL,
  shows text NOT NULL DEFAULT 'open'::text,
  CONSTRAINT access_prompt_messages_channel_check CHECK ((channel <> ''::text)),
  CONSTRAINT access_prompt_messages_shows_check CHECK ((shows = ANY (ARRAY['open'::text, 'approved'::text, 'refused'::text, 'closed'::text]))),
  CONSTRAINT access_prompt_messages_ts_check CHECK ((ts <> ''::text)),
  CONSTRAINT access_prompt_messages_prompt_fkey FOREIGN KEY (prompt) REFERENCES access_step_ups(id) ON DELETE CASCADE,
  CONSTRAINT access_prompt_messages_pkey PRIMARY KEY (channel, ts)
);

CREATE TABLE access_proof_ends (
  proof text NOT NULL,
  by jsonb NOT NULL,
  reason text NOT NULL,
  at timestamp with time zone NOT NULL,
  CONSTRAINT access_proof_ends_proof_check CHECK ((proof <> ''::text)),
  CONSTRAINT access_proof_ends_reason_check CHECK ((reason <> ''::text)),
  CONSTRAINT access_proof_ends_pkey PRIMARY KEY (proof)
);

CREATE TABLE access_request_ends (
  request text NOT NULL,
  by jsonb NOT NULL,
  at timestamp with time zone NOT NULL,
  CONSTRAINT access_request_ends_request_fkey FOREIGN KEY (request) REFERENCES access_requests(id),
  CONSTRAINT access_request_ends_pkey PRIMARY KEY (request)
);

CREATE TABLE access_requests (
  id text NOT NULL,
  workspace text NOT NULL,
  repository text NOT NULL,
  permission text NOT NULL,
  grantee text NOT NULL,
  for_ms integer NOT NULL,
  reason text NOT NULL,
  asked_by jsonb NOT NULL,
  asked_at timestamp with time zone NOT NULL,
  kind text NOT NULL DEFAULT 'collaborator'::text,
  CONSTRAINT access_requests_for_ms_check CHECK ((for_ms > 0)),
  CONSTRAINT access_requests_grantee_check CHECK ((grantee <> ''::text)),
  CONSTRAINT access_requests_id_check CHECK ((id <> ''::text)),
  CONSTRAINT access_requests_kind_check CHECK ((kind = ANY (ARRAY['collaborator'::text, 'team-member'::text, 'org-role'::text]))),
  CONSTRAINT access_requests_permission_check CHECK ((permission = ANY (ARRAY['read'::text, 'triage'::text, 'write'::text, 'maintain'::text, 'admin'::text, 'member'::text, 'maintainer'::text, 'holder'::text]))),
  CONSTRAINT access_requests_reason_check CHECK ((reason <> ''::text)),
  CONSTRAINT access_requests_repository_check CHECK ((repository <> ''::text)),
  CONSTRAINT access_requests_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT access_requests_pkey PRIMARY KEY (id)
);

CREATE TABLE access_rights (
  request text NOT NULL,
  state text NOT NULL,
  policy text,
  owner text,
  repository_id text,
  repository text,
  grantee_id text,
  grantee text,
  former text,
  approved_by jsonb,
  given_until timestamp with time zone,
  given_at timestamp with time zone,
  ending_why text,
  over_at timestamp with time zone,
  why text,
  due_at timestamp with time zone NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  claimed_by uuid,
  claimed_until timestamp with time zone,
  last_fault text,
  kind text NOT NULL DEFAULT 'collaborator'::text,
  owner_id text,
  ending_at timestamp with time zone,
  outlived_at timestamp with time zone,
  reminded_at timestamp with time zone,
  message jsonb,
  CONSTRAINT access_rights_ending_why_check CHECK ((ending_why = ANY (ARRAY['longest'::text, 'by-hand'::text, 'not-given'::text, 'incident'::text, 'policy'::text]))),
  CONSTRAINT access_rights_former_check CHECK ((former <> ''::text)),
  CONSTRAINT access_rights_grantee_check CHECK ((grantee <> ''::text)),
  CONSTRAINT access_rights_grantee_id_check CHECK ((grantee_id <> ''::text)),
  CONSTRAINT access_rights_kind_check CHECK ((kind = ANY (ARRAY['collaborator'::text, 'team-member'::text, 'org-role'::text]))),
  CONSTRAINT access_rights_last_fault_check CHECK ((last_fault <> ''::text)),
  CONSTRAINT access_rights_owner_check CHECK ((owner <> ''::text)),
  CONSTRAINT access_rights_owner_id_check CHECK ((owner_id <> ''::text)),
  CONSTRAINT access_rights_policy_check CHECK ((policy <> ''::text)),
  CONSTRAINT access_rights_repository_check CHECK ((repository <> ''::text)),
  CONSTRAINT access_rights_repository_id_check CHECK ((repository_id <> ''::text)),
  CONSTRAINT access_rights_state_check CHECK ((state = ANY (ARRAY['new'::text, 'asked'::text, 'giving'::text, 'given'::text, 'ending'::text, 'ended'::text, 'denied'::text, 'expired'::text]))),
  CONSTRAINT access_rights_tries_check CHECK ((tries >= 0)),
  CONSTRAINT access_rights_why_check CHECK ((why <> ''::text)),
  CONSTRAINT claims_end CHECK (((claimed_by IS NULL) = (claimed_until IS NULL))),
  CONSTRAINT endings_say_why CHECK (((state <> 'ending'::text) OR (ending_why IS NOT NULL))),
  CONSTRAINT given_is_recorded CHECK (((state <> ALL (ARRAY['giving'::text, 'given'::text, 'ending'::text])) OR ((policy IS NOT NULL) AND (owner IS NOT NULL) AND (repository_id IS NOT NULL) AND (repository IS NOT NULL) AND (grantee_id IS NOT NULL) AND (grantee IS NOT NULL) AND (former IS NOT NULL) AND (given_until IS NOT NULL)))),
  CONSTRAINT access_rights_request_fkey FOREIGN KEY (request) REFERENCES access_requests(id),
  CONSTRAINT access_rights_pkey PRIMARY KEY (request)
);

CREATE TABLE access_spent (
  issuer text NOT NULL,
  token_sha256 text NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT access_spent_issuer_check CHECK ((issuer <> ''::text)),
  CONSTRAINT access_spent_token_sha256_check CHECK ((token_sha256 ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT access_spent_pkey PRIMARY KEY (issuer, token_sha256)
);

CREATE TABLE access_step_ups (
  id text NOT NULL,
  workspace text NOT NULL,
  binding text NOT NULL,
  asked text NOT NULL,
  shown jsonb NOT NULL,
  number text NOT NULL,
  wrong_numbers integer NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'open'::text,
  asked_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  answered_by jsonb,
  answered_at timestamp with time zone,
  proved_at timestamp with time zone,
  method text,
  phishing_resistant boolean,
  rests_on text,
  link text,
  CONSTRAINT access_step_ups_asked_check CHECK ((asked <> ''::text)),
  CONSTRAINT access_step_ups_binding_check CHECK ((binding ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT access_step_ups_id_check CHECK ((id <> ''::text)),
  CONSTRAINT access_step_ups_link_check CHECK ((link <> ''::text)),
  CONSTRAINT access_step_ups_method_check CHECK ((method = ANY (ARRAY['oidc'::text, 'passkey'::text]))),
  CONSTRAINT access_step_ups_number_check CHECK ((number ~ '^[0-9]{4}$'::text)),
  CONSTRAINT access_step_ups_rests_on_check CHECK ((rests_on <> ''::text)),
  CONSTRAINT access_step_ups_shown_check CHECK ((jsonb_typeof(shown) = 'object'::text)),
  CONSTRAINT access_step_ups_state_check CHECK ((state = ANY (ARRAY['open'::text, 'approved'::text, 'refused'::text, 'closed'::text]))),
  CONSTRAINT access_step_ups_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT access_step_ups_wrong_numbers_check CHECK ((wrong_numbers >= 0)),
  CONSTRAINT answers_say_who CHECK (((state = ANY (ARRAY['approved'::text, 'refused'::text])) = ((answered_by IS NOT NULL) AND (answered_at IS NOT NULL) AND (proved_at IS NOT NULL) AND (method IS NOT NULL) AND (phishing_resistant IS NOT NULL)))),
  CONSTRAINT access_step_ups_pkey PRIMARY KEY (id)
);

CREATE TABLE delivery_questions (
  workspace text NOT NULL,
  event_id text NOT NULL,
  source text NOT NULL,
  event text,
  heard_at timestamp with time zone NOT NULL,
  asked_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  looked text[] NOT NULL DEFAULT '{}'::text[],
  proof text,
  answered_at timestamp with time zone,
  sent_at timestamp with time zone,
  CONSTRAINT answered_says_what CHECK (((proof IS NULL) = (answered_at IS NULL))),
  CONSTRAINT delivery_questions_proof_check CHECK ((proof = ANY (ARRAY['listed'::text, 'not-listed'::text, 'unavailable'::text]))),
  CONSTRAINT delivery_questions_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT delivery_questions_pkey PRIMARY KEY (workspace, event_id)
);

CREATE TABLE feed_polls (
  feed text NOT NULL,
  target text NOT NULL,
  begun_at timestamp with time zone NOT NULL,
  cursor text,
  unfinished boolean NOT NULL DEFAULT false,
  read_at timestamp with time zone,
  whole_until timestamp with time zone,
  holder uuid NOT NULL,
  held_until timestamp with time zone NOT NULL,
  failures integer NOT NULL DEFAULT 0,
  failing_since timestamp with time zone,
  failed_at timestamp with time zone,
  failed_kind text,
  failed_reason text,
  lost_from timestamp with time zone,
  lost_until timestamp with time zone,
  lost_at timestamp with time zone,
  lost_records text,
  CONSTRAINT failed_says_why CHECK ((((failures = 0) = (failing_since IS NULL)) AND ((failures = 0) = (failed_at IS NULL)) AND ((failures = 0) = (failed_kind IS NULL)) AND ((failures = 0) = (failed_reason IS NULL)))),
  CONSTRAINT feed_polls_cursor_check CHECK (((cursor <> ''::text) AND (length(cursor) <= 8192))),
  CONSTRAINT feed_polls_failed_kind_check CHECK ((failed_kind = ANY (ARRAY['retry'::text, 'rate-limited'::text, 'give-up'::text]))),
  CONSTRAINT feed_polls_failed_reason_check CHECK ((failed_reason <> ''::text)),
  CONSTRAINT feed_polls_failures_check CHECK ((failures >= 0)),
  CONSTRAINT feed_polls_feed_check CHECK ((feed <> ''::text)),
  CONSTRAINT feed_polls_lost_records_check CHECK ((lost_records <> ''::text)),
  CONSTRAINT feed_polls_target_check CHECK ((target <> ''::text)),
  CONSTRAINT lost_is_whole CHECK ((((lost_at IS NULL) = (lost_from IS NULL)) AND ((lost_at IS NULL) = (lost_until IS NULL)))),
  CONSTRAINT feed_polls_pkey PRIMARY KEY (feed, target)
);

CREATE TABLE feed_watch (
  workspace text NOT NULL,
  feed text NOT NULL,
  begun_at timestamp with time zone NOT NULL,
  last_at timestamp with time zone,
  counts jsonb NOT NULL DEFAULT '{}'::jsonb,
  silence text,
  silent_since timestamp with time zone,
  CONSTRAINT feed_watch_feed_check CHECK ((feed <> ''::text)),
  CONSTRAINT feed_watch_silence_check CHECK ((silence <> ''::text)),
  CONSTRAINT feed_watch_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT silence_says_since CHECK (((silence IS NULL) = (silent_since IS NULL))),
  CONSTRAINT feed_watch_pkey PRIMARY KEY (workspace, feed)
);

CREATE TABLE findings (
  id text NOT NULL,
  incident text,
  rule text NOT NULL,
  workspace text NOT NULL,
  subject text NOT NULL,
  occasion text NOT NULL,
  severity text NOT NULL,
  confidence text NOT NULL,
  title text NOT NULL,
  summary text NOT NULL,
  deciding_event text NOT NULL,
  occurred_at timestamp with time zone NOT NULL,
  detected_at timestamp with time zone NOT NULL,
  recorded_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  evidence jsonb NOT NULL,
  entities jsonb NOT NULL,
  response jsonb NOT NULL,
  remedy jsonb NOT NULL,
  silence text NOT NULL,
  attack text[] NOT NULL,
  attack_version text NOT NULL,
  owasp text[] NOT NULL,
  silenced_by text,
  withdrawn_at timestamp with time zone,
  withdrawn_reason text,
  unproven boolean NOT NULL DEFAULT false,
  lowered_at timestamp with time zone,
  lowered_reason text,
  excepted jsonb,
  superseded_by text,
  pages boolean NOT NULL DEFAULT true,
  CONSTRAINT findings_confidence_check CHECK ((confidence = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text]))),
  CONSTRAINT findings_deciding_event_check CHECK ((deciding_event <> ''::text)),
  CONSTRAINT findings_entities_check CHECK ((jsonb_typeof(entities) = 'array'::text)),
  CONSTRAINT findings_evidence_check CHECK ((jsonb_typeof(evidence) = 'array'::text)),
  CONSTRAINT findings_id_check CHECK ((id ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT findings_occasion_check CHECK ((occasion <> ''::text)),
  CONSTRAINT findings_remedy_check CHECK ((jsonb_typeof(remedy) = 'array'::text)),
  CONSTRAINT findings_response_check CHECK ((jsonb_typeof(response) = 'array'::text)),
  CONSTRAINT findings_rule_check CHECK ((rule <> ''::text)),
  CONSTRAINT findings_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  CONSTRAINT findings_subject_check CHECK ((subject <> ''::text)),
  CONSTRAINT findings_title_check CHECK ((char_length(title) <= 300)),
  CONSTRAINT findings_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT lowered_says_why CHECK ((((lowered_at IS NULL) = (lowered_reason IS NULL)) AND ((lowered_at IS NULL) OR (severity = 'low'::text)))),
  CONSTRAINT told_or_was_silenced CHECK (((incident IS NOT NULL) OR (silenced_by IS NOT NULL) OR (excepted IS NOT NULL) OR (superseded_by IS NOT NULL))) NOT VALID,
  CONSTRAINT withdrawn_says_why CHECK (((withdrawn_at IS NULL) = (withdrawn_reason IS NULL))),
  CONSTRAINT findings_incident_fkey FOREIGN KEY (incident) REFERENCES incidents(id),
  CONSTRAINT findings_pkey PRIMARY KEY (id),
  CONSTRAINT one_per_occasion UNIQUE (workspace, rule, subject, occasion)
);

CREATE TABLE hook_coverage (
  hook text NOT NULL,
  workspace text NOT NULL,
  event text NOT NULL,
  CONSTRAINT hook_coverage_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT hook_coverage_hook_fkey FOREIGN KEY (hook) REFERENCES hooks(hook) ON DELETE CASCADE,
  CONSTRAINT hook_coverage_pkey PRIMARY KEY (hook, workspace, event)
);

CREATE TABLE hooks (
  hook text NOT NULL,
  looked_until timestamp with time zone,
  look_newest timestamp with time zone,
  look_cursor text,
  holder uuid NOT NULL,
  held_until timestamp with time zone NOT NULL,
  failed_at timestamp with time zone,
  failed_reason text,
  gone_since timestamp with time zone,
  CONSTRAINT failed_says_why CHECK (((failed_at IS NULL) = (failed_reason IS NULL))),
  CONSTRAINT hooks_hook_check CHECK ((hook ~ '^(app:[0-9]+|org:[^/]+/[0-9]+)$'::text)),
  CONSTRAINT hooks_look_cursor_check CHECK ((look_cursor <> ''::text)),
  CONSTRAINT look_is_whole CHECK (((look_newest IS NULL) = (look_cursor IS NULL))),
  CONSTRAINT hooks_pkey PRIMARY KEY (hook)
);

CREATE TABLE imports (
  workspace text NOT NULL,
  requested_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  imported_at timestamp with time zone,
  counts jsonb,
  failed_at timestamp with time zone,
  failed_reason text,
  progress jsonb,
  CONSTRAINT failed_says_why CHECK (((failed_at IS NULL) = (failed_reason IS NULL))),
  CONSTRAINT imported_says_what CHECK (((imported_at IS NULL) = (counts IS NULL))),
  CONSTRAINT imports_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT progress_is_told CHECK (((progress IS NULL) OR (jsonb_typeof(progress) = 'object'::text))) NOT VALID,
  CONSTRAINT imports_pkey PRIMARY KEY (workspace)
);

CREATE TABLE incident_entities (
  incident text NOT NULL,
  workspace text NOT NULL,
  kind text NOT NULL,
  entity text NOT NULL,
  key text,
  CONSTRAINT incident_entities_entity_check CHECK ((entity <> ''::text)),
  CONSTRAINT incident_entities_key_check CHECK ((key <> ''::text)) NOT VALID,
  CONSTRAINT incident_entities_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'repository'::text, 'run'::text, 'runner'::text, 'credential'::text, 'commit'::text, 'grant'::text, 'environment'::text]))) NOT VALID,
  CONSTRAINT incident_entities_incident_fkey FOREIGN KEY (incident) REFERENCES incidents(id) ON DELETE CASCADE,
  CONSTRAINT incident_entities_pkey PRIMARY KEY (incident, kind, entity)
);

CREATE TABLE incident_events (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  incident text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL,
  actor jsonb NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT incident_events_kind_check CHECK ((kind = ANY (ARRAY['opened'::text, 'joined'::text, 'acknowledged'::text, 'resolved'::text, 'reopened'::text, 'withdrawn'::text, 'told'::text, 'remediated'::text, 'paged'::text, 'proven'::text, 'lowered'::text, 'grown'::text]))) NOT VALID,
  CONSTRAINT incident_events_incident_fkey FOREIGN KEY (incident) REFERENCES incidents(id) ON DELETE CASCADE,
  CONSTRAINT incident_events_pkey PRIMARY KEY (id)
);

CREATE TABLE incidents (
  id text NOT NULL,
  workspace text NOT NULL,
  state text NOT NULL DEFAULT 'open'::text,
  severity text NOT NULL,
  title text NOT NULL,
  version integer NOT NULL DEFAULT 1,
  opened_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  acknowledged_at timestamp with time zone,
  acknowledged_by jsonb,
  resolved_at timestamp with time zone,
  resolved_by jsonb,
  resolution text,
  last_verdict_at timestamp with time zone,
  page_generation integer NOT NULL DEFAULT 0,
  acknowledged_severity text,
  acknowledged_generation integer,
  page_severity text,
  CONSTRAINT acknowledged_has_time CHECK (((state <> 'acknowledged'::text) OR (acknowledged_at IS NOT NULL))),
  CONSTRAINT acknowledged_says_who CHECK (((acknowledged_at IS NULL) = (acknowledged_by IS NULL))),
  CONSTRAINT acknowledged_severity_is_one CHECK ((acknowledged_severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))) NOT VALID,
  CONSTRAINT incidents_id_check CHECK ((id ~ '^INC-[0-9]+$'::text)),
  CONSTRAINT incidents_page_severity_check CHECK ((page_severity = ANY (ARRAY['none'::text, 'low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  CONSTRAINT incidents_resolution_check CHECK ((resolution = ANY (ARRAY['true'::text, 'false'::text, 'accepted'::text]))),
  CONSTRAINT incidents_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  CONSTRAINT incidents_state_check CHECK ((state = ANY (ARRAY['open'::text, 'acknowledged'::text, 'resolved'::text]))),
  CONSTRAINT incidents_title_check CHECK ((char_length(title) <= 300)),
  CONSTRAINT incidents_version_check CHECK ((version > 0)),
  CONSTRAINT incidents_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT pages_are_counted CHECK (((page_generation >= 0) AND (acknowledged_generation <= page_generation))) NOT VALID,
  CONSTRAINT resolved_says_who_and_how CHECK ((((state = 'resolved'::text) = ((resolved_at IS NOT NULL) AND (resolved_by IS NOT NULL) AND (resolution IS NOT NULL))) AND ((resolved_at IS NULL) = (resolution IS NULL)) AND ((resolved_at IS NULL) = (resolved_by IS NULL)))),
  CONSTRAINT incidents_pkey PRIMARY KEY (id)
);

CREATE TABLE job_workers (
  worker text NOT NULL,
  begun_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT job_workers_worker_check CHECK ((worker <> ''::text)),
  CONSTRAINT job_workers_pkey PRIMARY KEY (worker)
);

CREATE TABLE known_heads (
  workspace text NOT NULL,
  repository text NOT NULL,
  revision text NOT NULL,
  before text,
  reviewed text NOT NULL,
  why text NOT NULL,
  told_at timestamp with time zone NOT NULL,
  CONSTRAINT known_heads_before_check CHECK ((before <> ''::text)),
  CONSTRAINT known_heads_repository_check CHECK ((repository <> ''::text)),
  CONSTRAINT known_heads_reviewed_check CHECK ((reviewed = ANY (ARRAY['reviewed'::text, 'unreviewed'::text, 'unknown'::text]))),
  CONSTRAINT known_heads_revision_check CHECK ((revision <> ''::text)),
  CONSTRAINT known_heads_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT known_heads_pkey PRIMARY KEY (workspace, repository, revision)
);

CREATE TABLE known_runs (
  workspace text NOT NULL,
  run text NOT NULL,
  jobs jsonb NOT NULL,
  told_at timestamp with time zone NOT NULL,
  CONSTRAINT known_runs_jobs_check CHECK ((jsonb_typeof(jobs) = 'array'::text)),
  CONSTRAINT known_runs_run_check CHECK ((run <> ''::text)),
  CONSTRAINT known_runs_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT known_runs_pkey PRIMARY KEY (workspace, run)
);

CREATE TABLE log (
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  appended_at_ms bigint NOT NULL,
  key bytea NOT NULL,
  headers json NOT NULL,
  value bytea STORAGE EXTERNAL,
  CONSTRAINT log_appended_at_ms_check CHECK ((appended_at_ms >= 0)),
  CONSTRAINT log_offset_check CHECK (("offset" >= 0)),
  CONSTRAINT log_partition_check CHECK ((partition >= 0)),
  CONSTRAINT log_pkey PRIMARY KEY (topic, partition, "offset")
);

CREATE TABLE log_consumers (
  group_name text NOT NULL,
  topic text NOT NULL,
  consumer bigint NOT NULL,
  joined_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT log_consumers_pkey PRIMARY KEY (group_name, topic, consumer)
);

CREATE TABLE log_leases (
  group_name text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  consumer bigint NOT NULL,
  CONSTRAINT log_leases_group_name_topic_consumer_fkey FOREIGN KEY (group_name, topic, consumer) REFERENCES log_consumers(group_name, topic, consumer) ON DELETE CASCADE,
  CONSTRAINT log_leases_pkey PRIMARY KEY (group_name, topic, partition)
);

CREATE TABLE log_partitions (
  topic text NOT NULL,
  partition integer NOT NULL,
  first_offset bigint NOT NULL DEFAULT 0,
  next_offset bigint NOT NULL DEFAULT 0,
  last_appended_ms bigint NOT NULL DEFAULT 0,
  CONSTRAINT log_partitions_check CHECK ((next_offset >= first_offset)),
  CONSTRAINT log_partitions_first_offset_check CHECK ((first_offset >= 0)),
  CONSTRAINT log_partitions_last_appended_ms_check CHECK ((last_appended_ms >= 0)),
  CONSTRAINT log_partitions_partition_check CHECK ((partition >= 0)),
  CONSTRAINT log_partitions_topic_fkey FOREIGN KEY (topic) REFERENCES log_topics(topic),
  CONSTRAINT log_partitions_pkey PRIMARY KEY (topic, partition)
) WITH (fillfactor=50);

CREATE TABLE log_topics (
  topic text NOT NULL,
  partitions integer NOT NULL,
  retention_ms bigint NOT NULL,
  max_record_bytes integer NOT NULL,
  CONSTRAINT log_topics_max_record_bytes_check CHECK ((max_record_bytes > 0)),
  CONSTRAINT log_topics_partitions_check CHECK ((partitions > 0)),
  CONSTRAINT log_topics_retention_ms_check CHECK ((retention_ms > 0)),
  CONSTRAINT log_topics_topic_check CHECK ((topic <> ''::text)),
  CONSTRAINT log_topics_pkey PRIMARY KEY (topic)
);

CREATE TABLE messages (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  incident text,
  telling bigint NOT NULL,
  sink text NOT NULL,
  kind text NOT NULL,
  mode text NOT NULL,
  version integer NOT NULL,
  possibly_repeated boolean NOT NULL DEFAULT false,
  body jsonb NOT NULL,
  sent_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT messages_body_check CHECK ((jsonb_typeof(body) = 'object'::text)),
  CONSTRAINT messages_kind_check CHECK ((kind = ANY (ARRAY['posted'::text, 'updated'::text, 'thread-reply'::text, 'broadcast'::text, 'folded'::text, 'trigger'::text, 'acknowledge'::text, 'resolve'::text]))) NOT VALID,
  CONSTRAINT messages_mode_check CHECK ((mode = ANY (ARRAY['live'::text, 'dry-run'::text]))),
  CONSTRAINT messages_sink_check CHECK ((sink ~ '^[a-z][a-z0-9-]*$'::text)) NOT VALID,
  CONSTRAINT messages_version_check CHECK ((version >= 0)),
  CONSTRAINT messages_incident_fkey FOREIGN KEY (incident) REFERENCES incidents(id) ON DELETE CASCADE,
  CONSTRAINT messages_telling_fkey FOREIGN KEY (telling) REFERENCES told(id) ON DELETE CASCADE,
  CONSTRAINT messages_pkey PRIMARY KEY (id)
);

CREATE TABLE outbox (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  event_id text NOT NULL,
  event_type text NOT NULL,
  workspace text NOT NULL,
  source text NOT NULL,
  at timestamp with time zone NOT NULL,
  data json NOT NULL,
  CONSTRAINT outbox_data_check CHECK ((json_typeof(data) = 'object'::text)),
  CONSTRAINT outbox_event_id_check CHECK ((event_id <> ''::text)),
  CONSTRAINT outbox_event_type_check CHECK ((event_type <> ''::text)),
  CONSTRAINT outbox_source_check CHECK ((source <> ''::text)),
  CONSTRAINT outbox_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT outbox_pkey PRIMARY KEY (id)
);

CREATE TABLE positions (
  consumer text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  next bigint NOT NULL DEFAULT 0,
  log_time_ms bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  state_epoch bigint,
  CONSTRAINT a_newer_tripline_owns_this_partition_stop_this_detector CHECK ((state_epoch = epoch)),
  CONSTRAINT positions_consumer_check CHECK ((consumer <> ''::text)),
  CONSTRAINT positions_epoch_check CHECK ((epoch >= 0)),
  CONSTRAINT positions_log_time_ms_check CHECK ((log_time_ms >= 0)),
  CONSTRAINT positions_next_check CHECK ((next >= 0)),
  CONSTRAINT positions_partition_check CHECK ((partition >= 0)),
  CONSTRAINT positions_topic_check CHECK ((topic <> ''::text)),
  CONSTRAINT positions_pkey PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor=20);

CREATE TABLE queue (
  purpose text NOT NULL,
  item text NOT NULL,
  due_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  claimed_by uuid,
  again_at timestamp with time zone,
  failures integer NOT NULL DEFAULT 0,
  failure text,
  CONSTRAINT queue_check CHECK (((again_at IS NULL) OR (claimed_by IS NOT NULL))),
  CONSTRAINT queue_failures_check CHECK ((failures >= 0)),
  CONSTRAINT queue_item_check CHECK ((item <> ''::text)),
  CONSTRAINT queue_purpose_check CHECK ((purpose = ANY (ARRAY['notify'::text, 'remediate'::text, 'prompt'::text]))),
  CONSTRAINT queue_pkey PRIMARY KEY (purpose, item)
) WITH (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=500);

CREATE TABLE reload_faults (
  process text NOT NULL,
  reason text NOT NULL,
  since timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  last_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT reload_faults_process_check CHECK ((process <> ''::text)),
  CONSTRAINT reload_faults_reason_check CHECK ((reason <> ''::text)),
  CONSTRAINT reload_faults_pkey PRIMARY KEY (process)
);

CREATE TABLE remediations (
  finding text NOT NULL,
  ordinal integer NOT NULL,
  workspace text NOT NULL,
  action text NOT NULL,
  code text NOT NULL,
  target jsonb NOT NULL,
  mode text NOT NULL,
  request jsonb,
  state text NOT NULL DEFAULT 'planned'::text,
  verdict text,
  attempts integer NOT NULL DEFAULT 0,
  leased_until timestamp with time zone,
  reason text,
  said text,
  check_result text,
  check_said text,
  planned_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  acted_at timestamp with time zone,
  settled_at timestamp with time zone,
  due_at timestamp with time zone,
  queued_at timestamp with time zone,
  begun_at timestamp with time zone,
  sent_at timestamp with time zone,
  CONSTRAINT a_dry_run_never_acts CHECK (((mode = 'live'::text) OR ((attempts = 0) AND (state = ANY (ARRAY['planned'::text, 'refused'::text]))))),
  CONSTRAINT acts_only_when_allowed CHECK (((state <> ALL (ARRAY['acting'::text, 'done'::text, 'failed'::text])) OR (verdict = 'act'::text))),
  CONSTRAINT begun_has_time CHECK (((attempts > 0) = (acted_at IS NOT NULL))),
  CONSTRAINT begun_when_acted CHECK (((state <> ALL (ARRAY['acting'::text, 'done'::text, 'failed'::text])) OR (attempts > 0))),
  CONSTRAINT leased_while_acting CHECK (((leased_until IS NULL) OR (state = 'acting'::text))),
  CONSTRAINT queued_says_why_and_until CHECK (((state <> 'queued'::text) OR ((verdict = 'rate-capped'::text) AND (due_at IS NOT NULL) AND (queued_at IS NOT NULL)))),
  CONSTRAINT refused_says_why CHECK (((state <> 'refused'::text) OR ((verdict IS NOT NULL) AND (verdict <> 'act'::text)))),
  CONSTRAINT remediations_action_check CHECK ((action ~ '^[a-z][a-z-]*$'::text)) NOT VALID,
  CONSTRAINT remediations_attempts_check CHECK ((attempts >= 0)),
  CONSTRAINT remediations_check CHECK (((target ->> 'action'::text) = action)),
  CONSTRAINT remediations_check_result_check CHECK ((check_result = ANY (ARRAY['dead'::text, 'alive'::text, 'unknown'::text]))),
  CONSTRAINT remediations_check_said_check CHECK ((char_length(check_said) <= 1000)),
  CONSTRAINT remediations_code_check CHECK ((code ~ '^A[0-9]+[a-z]?$'::text)),
  CONSTRAINT remediations_mode_check CHECK ((mode = ANY (ARRAY['dry-run'::text, 'live'::text]))),
  CONSTRAINT remediations_ordinal_check CHECK ((ordinal >= 0)),
  CONSTRAINT remediations_reason_check CHECK ((reason ~ '^[a-z][a-z-]*$'::text)),
  CONSTRAINT remediations_said_check CHECK ((char_length(said) <= 1000)),
  CONSTRAINT remediations_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'queued'::text, 'acting'::text, 'done'::text, 'failed'::text, 'refused'::text]))),
  CONSTRAINT remediations_verdict_check CHECK ((verdict = ANY (ARRAY['act'::text, 'dry-run'::text, 'not-in-policy'::text, 'break-glass'::text, 'protected'::text, 'rate-capped'::text, 'kill-switch'::text, 'not-configured'::text, 'withdrawn'::text, 'resolved'::text, 'unproven'::text, 'not-so'::text, 'by-hand'::text]))) NOT VALID,
  CONSTRAINT remediations_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT sends_what_it_shows CHECK (((request IS NOT NULL) OR (state = ANY (ARRAY['planned'::text, 'refused'::text])))) NOT VALID,
  CONSTRAINT settled_has_time CHECK (((state = ANY (ARRAY['done'::text, 'failed'::text, 'refused'::text])) = (settled_at IS NOT NULL))),
  CONSTRAINT remediations_finding_fkey FOREIGN KEY (finding) REFERENCES findings(id) ON DELETE CASCADE,
  CONSTRAINT remediations_pkey PRIMARY KEY (finding, ordinal),
  CONSTRAINT once_per_finding UNIQUE (finding, action, target)
);

CREATE TABLE rule_faults (
  rule text NOT NULL,
  reason text NOT NULL,
  times bigint NOT NULL,
  since timestamp with time zone NOT NULL,
  last_at timestamp with time zone NOT NULL,
  CONSTRAINT rule_faults_rule_check CHECK ((rule <> ''::text)),
  CONSTRAINT rule_faults_times_check CHECK ((times > 0)),
  CONSTRAINT rule_faults_pkey PRIMARY KEY (rule)
);

CREATE TABLE rule_set_uses (
  use bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  partition integer NOT NULL,
  next bigint NOT NULL,
  log_time_ms bigint NOT NULL,
  version text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT rule_set_uses_next_check CHECK ((next >= 0)),
  CONSTRAINT rule_set_uses_version_fkey FOREIGN KEY (version) REFERENCES rule_sets(version),
  CONSTRAINT rule_set_uses_pkey PRIMARY KEY (use)
);

CREATE TABLE rule_sets (
  version text NOT NULL,
  made_of jsonb NOT NULL,
  first_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT rule_sets_made_of_check CHECK ((jsonb_typeof(made_of) = 'object'::text)),
  CONSTRAINT rule_sets_version_check CHECK ((version <> ''::text)),
  CONSTRAINT rule_sets_pkey PRIMARY KEY (version)
);

CREATE TABLE rule_state (
  workspace text NOT NULL,
  rule text NOT NULL,
  key text NOT NULL,
  value json NOT NULL,
  expires_ms bigint NOT NULL,
  partition integer NOT NULL,
  CONSTRAINT rule_state_partition_check CHECK ((partition >= 0)),
  CONSTRAINT rule_state_rule_check CHECK ((rule <> ''::text)),
  CONSTRAINT rule_state_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT rule_state_pkey PRIMARY KEY (workspace, rule, key)
);

CREATE TABLE schema_migrations (
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);

CREATE TABLE seen_batches (
  partition integer NOT NULL,
  next bigint NOT NULL,
  log_time_ms bigint NOT NULL,
  entries bytea STORAGE EXTERNAL NOT NULL,
  CONSTRAINT seen_batches_entries_check CHECK (((octet_length(entries) % 20) = 0)),
  CONSTRAINT seen_batches_next_check CHECK ((next > 0)),
  CONSTRAINT seen_batches_partition_check CHECK ((partition >= 0)),
  CONSTRAINT seen_batches_pkey PRIMARY KEY (partition, next)
);

CREATE TABLE silenced_findings (
  finding text NOT NULL,
  workspace text NOT NULL,
  silence text NOT NULL,
  until timestamp with time zone NOT NULL,
  CONSTRAINT silenced_findings_finding_fkey FOREIGN KEY (finding) REFERENCES findings(id) ON DELETE CASCADE,
  CONSTRAINT silenced_findings_pkey PRIMARY KEY (finding)
);

CREATE TABLE silences (
  id text NOT NULL,
  workspace text,
  rule text,
  subject text,
  actor text,
  repository text,
  runner text,
  environment text,
  critical boolean NOT NULL DEFAULT false,
  owner text NOT NULL,
  reason text NOT NULL,
  until timestamp with time zone NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  created_by jsonb NOT NULL,
  expired_at timestamp with time zone,
  expired_by jsonb,
  CONSTRAINT expired_says_who CHECK (((expired_at IS NULL) = (expired_by IS NULL))),
  CONSTRAINT no_silence_for_ever CHECK ((until <= (created_at + '30 days'::interval))),
  CONSTRAINT silence_matches_something CHECK ((COALESCE(rule, subject, actor, repository, runner, environment) IS NOT NULL)),
  CONSTRAINT silences_actor_check CHECK ((actor <> ''::text)),
  CONSTRAINT silences_environment_check CHECK ((environment <> ''::text)),
  CONSTRAINT silences_id_check CHECK ((id ~ '^SIL-[0-9]+$'::text)),
  CONSTRAINT silences_owner_check CHECK ((owner <> ''::text)),
  CONSTRAINT silences_reason_check CHECK ((reason <> ''::text)),
  CONSTRAINT silences_repository_check CHECK ((repository <> ''::text)),
  CONSTRAINT silences_rule_check CHECK ((rule <> ''::text)),
  CONSTRAINT silences_runner_check CHECK ((runner <> ''::text)),
  CONSTRAINT silences_subject_check CHECK ((subject <> ''::text)),
  CONSTRAINT silences_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT silences_pkey PRIMARY KEY (id)
);

CREATE TABLE sink_troubles (
  sink text NOT NULL,
  since timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  tried_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  reason text NOT NULL,
  CONSTRAINT sink_troubles_reason_check CHECK ((reason <> ''::text)),
  CONSTRAINT sink_troubles_sink_check CHECK ((sink ~ '^[a-z][a-z0-9-]*$'::text)) NOT VALID,
  CONSTRAINT tried_since CHECK ((tried_at >= since)),
  CONSTRAINT sink_troubles_pkey PRIMARY KEY (sink)
);

CREATE TABLE standing_looks (
  organization text NOT NULL,
  workspace text NOT NULL,
  looked_at timestamp with time zone NOT NULL,
  whole_at timestamp with time zone,
  fault text,
  CONSTRAINT standing_looks_fault_check CHECK ((fault <> ''::text)),
  CONSTRAINT standing_looks_organization_check CHECK ((organization <> ''::text)),
  CONSTRAINT standing_looks_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT standing_looks_pkey PRIMARY KEY (organization)
);

CREATE TABLE standing_privileges (
  organization text NOT NULL,
  id text NOT NULL,
  kind text NOT NULL,
  "row" jsonb NOT NULL,
  told_sha256 text NOT NULL,
  told_at timestamp with time zone NOT NULL,
  CONSTRAINT standing_privileges_id_check CHECK ((id <> ''::text)),
  CONSTRAINT standing_privileges_kind_check CHECK ((kind <> ''::text)),
  CONSTRAINT standing_privileges_row_check CHECK ((jsonb_typeof("row") = 'object'::text)),
  CONSTRAINT standing_privileges_told_sha256_check CHECK ((told_sha256 ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT standing_privileges_organization_fkey FOREIGN KEY (organization) REFERENCES standing_looks(organization),
  CONSTRAINT standing_privileges_pkey PRIMARY KEY (organization, id)
);

CREATE TABLE state_pages (
  partition integer NOT NULL,
  run bigint NOT NULL,
  page integer NOT NULL,
  entries bytea STORAGE EXTERNAL NOT NULL,
  CONSTRAINT state_pages_page_check CHECK ((page >= 0)),
  CONSTRAINT state_pages_pkey PRIMARY KEY (partition, run, page)
) WITH (toast_tuple_target=8160, autovacuum_vacuum_scale_factor=0.05);

CREATE TABLE state_runs (
  partition integer NOT NULL,
  run bigint NOT NULL,
  state text NOT NULL,
  newest bigint NOT NULL,
  bits smallint NOT NULL,
  keys bigint NOT NULL,
  bytes bigint NOT NULL,
  inputs bigint[] NOT NULL DEFAULT '{}'::bigint[],
  CONSTRAINT state_runs_bits_check CHECK (((bits >= 0) AND (bits <= 30))),
  CONSTRAINT state_runs_bytes_check CHECK ((bytes >= 0)),
  CONSTRAINT state_runs_keys_check CHECK ((keys >= 0)),
  CONSTRAINT state_runs_newest_check CHECK ((newest > 0)),
  CONSTRAINT state_runs_partition_check CHECK ((partition >= 0)),
  CONSTRAINT state_runs_run_check CHECK ((run > 0)),
  CONSTRAINT state_runs_state_check CHECK ((state = ANY (ARRAY['building'::text, 'standing'::text, 'dropped'::text]))),
  CONSTRAINT state_runs_pkey PRIMARY KEY (partition, run)
);

CREATE TABLE state_segments (
  partition integer NOT NULL,
  segment bigint NOT NULL,
  entries bytea STORAGE EXTERNAL NOT NULL,
  CONSTRAINT state_segments_partition_check CHECK ((partition >= 0)),
  CONSTRAINT state_segments_segment_check CHECK ((segment > 0)),
  CONSTRAINT state_segments_pkey PRIMARY KEY (partition, segment)
) WITH (autovacuum_vacuum_scale_factor=0.05);

CREATE TABLE state_stretches (
  partition integer NOT NULL,
  run bigint NOT NULL,
  stretch integer NOT NULL,
  counts bytea NOT NULL,
  prints bytea STORAGE EXTERNAL NOT NULL,
  CONSTRAINT state_stretches_counts_check CHECK (((octet_length(counts) % 4) = 0)),
  CONSTRAINT state_stretches_prints_check CHECK (((octet_length(prints) % 2) = 0)),
  CONSTRAINT state_stretches_stretch_check CHECK ((stretch >= 0)),
  CONSTRAINT state_stretches_pkey PRIMARY KEY (partition, run, stretch)
) WITH (autovacuum_vacuum_scale_factor=0.05);

CREATE TABLE switches (
  name text NOT NULL,
  stopped boolean NOT NULL,
  by jsonb NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  reason text,
  CONSTRAINT switches_name_check CHECK ((name = 'remediation'::text)),
  CONSTRAINT switches_reason_check CHECK ((reason <> ''::text)),
  CONSTRAINT switches_pkey PRIMARY KEY (name)
);

CREATE TABLE timers (
  workspace text NOT NULL,
  rule text NOT NULL,
  id text NOT NULL,
  due_ms bigint NOT NULL,
  keys json NOT NULL,
  partition integer NOT NULL,
  CONSTRAINT timers_keys_check CHECK ((json_typeof(keys) = 'array'::text)),
  CONSTRAINT timers_partition_check CHECK ((partition >= 0)),
  CONSTRAINT timers_rule_check CHECK ((rule <> ''::text)),
  CONSTRAINT timers_workspace_check CHECK ((workspace <> ''::text)),
  CONSTRAINT timers_pkey PRIMARY KEY (workspace, rule, id)
);

CREATE TABLE told (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  incident text,
  sink text NOT NULL,
  mode text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  version integer NOT NULL DEFAULT 0,
  state text,
  story bigint NOT NULL DEFAULT 0,
  told_at timestamp with time zone,
  channel text,
  ts text,
  dedup_key text,
  digest bigint,
  claimed_by uuid,
  claimed_until timestamp with time zone,
  intent text,
  failures integer NOT NULL DEFAULT 0,
  failure text,
  due_at timestamp with time zone,
  severity text,
  generation integer NOT NULL DEFAULT 0,
  superseded integer[] NOT NULL DEFAULT '{}'::integer[],
  reference jsonb,
  CONSTRAINT claim_has_end CHECK (((claimed_by IS NULL) = (claimed_until IS NULL))),
  CONSTRAINT digests_are_slack CHECK (((incident IS NOT NULL) OR ((sink = 'slack'::text) AND (digest IS NULL)))),
  CONSTRAINT folded_is_not_posted CHECK (((digest IS NULL) OR ((sink = 'slack'::text) AND (ts IS NULL)))),
  CONSTRAINT reference_of_its_sink CHECK ((((ts IS NULL) OR (sink = 'slack'::text)) AND ((dedup_key IS NULL) OR (sink = 'pagerduty'::text)))),
  CONSTRAINT slack_names_both CHECK (((channel IS NULL) = (ts IS NULL))),
  CONSTRAINT told_failures_check CHECK ((failures >= 0)),
  CONSTRAINT told_generation_check CHECK ((generation >= 0)),
  CONSTRAINT told_mode_check CHECK ((mode = ANY (ARRAY['live'::text, 'dry-run'::text]))),
  CONSTRAINT told_reference_check CHECK ((jsonb_typeof(reference) = 'object'::text)) NOT VALID,
  CONSTRAINT told_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  CONSTRAINT told_sink_check CHECK ((sink ~ '^[a-z][a-z0-9-]*$'::text)) NOT VALID,
  CONSTRAINT told_state_check CHECK ((state = ANY (ARRAY['open'::text, 'acknowledged'::text, 'resolved'::text]))),
  CONSTRAINT told_version_check CHECK ((version >= 0)),
  CONSTRAINT told_digest_fkey FOREIGN KEY (digest) REFERENCES told(id),
  CONSTRAINT told_incident_fkey FOREIGN KEY (incident) REFERENCES incidents(id) ON DELETE CASCADE,
  CONSTRAINT told_pkey PRIMARY KEY (id),
  CONSTRAINT one_per_incident_and_sink UNIQUE (incident, sink)
);

CREATE TABLE trail (
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  appended_at timestamp with time zone NOT NULL,
  event_id text,
  event_type text,
  workspace text,
  fault text,
  key bytea NOT NULL,
  headers json NOT NULL,
  value bytea,
  hash bytea NOT NULL,
  repeats text,
  CONSTRAINT trail_hash_check CHECK ((octet_length(hash) = 32)),
  CONSTRAINT trail_offset_check CHECK (("offset" >= 0)),
  CONSTRAINT trail_partition_check CHECK ((partition >= 0)),
  CONSTRAINT trail_pkey PRIMARY KEY (topic, partition, "offset", appended_at)
) PARTITION BY RANGE (appended_at);

CREATE TABLE trail_bodies (
  body bytea NOT NULL,
  event_id text NOT NULL,
  CONSTRAINT trail_bodies_body_check CHECK ((octet_length(body) = 16)),
  CONSTRAINT trail_bodies_pkey PRIMARY KEY (body)
);

CREATE TABLE trail_heads (
  topic text NOT NULL,
  partition integer NOT NULL,
  first_offset bigint NOT NULL,
  last_offset bigint NOT NULL,
  row_count bigint NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT trail_heads_check CHECK ((last_offset >= first_offset)),
  CONSTRAINT trail_heads_first_offset_check CHECK ((first_offset >= 0)),
  CONSTRAINT trail_heads_hash_check CHECK ((octet_length(hash) = 32)),
  CONSTRAINT trail_heads_row_count_check CHECK ((row_count > 0)),
  CONSTRAINT trail_heads_pkey PRIMARY KEY (topic, partition)
);

CREATE TABLE undelivered (
  hook text NOT NULL,
  guid text NOT NULL,
  attempt text NOT NULL,
  event text NOT NULL,
  first_failed_at timestamp with time zone NOT NULL,
  last_failed_at timestamp with time zone NOT NULL,
  status_code integer NOT NULL,
  asked integer NOT NULL DEFAULT 0,
  due_at timestamp with time zone NOT NULL,
  made_at timestamp with time zone,
  late_told_at timestamp with time zone,
  CONSTRAINT undelivered_asked_check CHECK ((asked >= 0)),
  CONSTRAINT undelivered_attempt_check CHECK ((attempt ~ '^[0-9]{1,20}$'::text)),
  CONSTRAINT undelivered_guid_check CHECK ((guid ~ '^[A-Za-z0-9-]{1,100}$'::text)),
  CONSTRAINT undelivered_status_code_check CHECK (((status_code >= 0) AND (status_code <= 999))),
  CONSTRAINT undelivered_hook_fkey FOREIGN KEY (hook) REFERENCES hooks(hook) ON DELETE CASCADE,
  CONSTRAINT undelivered_pkey PRIMARY KEY (hook, guid)
);

CREATE INDEX access_credentials_alive ON public.access_credentials USING btree (due_at) WHERE (state <> ALL (ARRAY['dead'::text, 'lost'::text]));
CREATE INDEX access_credentials_by_hash ON public.access_credentials USING btree (token_hash);
CREATE INDEX access_credentials_not_minted ON public.access_credentials USING btree (grant_id) WHERE ((minted_at IS NULL) AND (last_fault IS NOT NULL));
CREATE INDEX access_credentials_to_revoke ON public.access_credentials USING btree (kind, due_at) WHERE (state = ANY (ARRAY['ending'::text, 'stuck'::text]));
CREATE INDEX access_ends_by_age ON public.access_ends USING btree (heard_at);
CREATE INDEX access_extensions_request ON public.access_extensions USING btree (request);
CREATE INDEX access_gates_by_age ON public.access_gates USING btree (heard_at);
CREATE UNIQUE INDEX access_gates_by_deployment ON public.access_gates USING btree (instance, repository_id, deployment_id) WHERE (deployment_id IS NOT NULL);
CREATE INDEX access_gates_by_run ON public.access_gates USING btree (instance, repository_id, run_id);
CREATE INDEX access_gates_open ON public.access_gates USING btree (due_at) WHERE (state = 'open'::text);
CREATE INDEX access_grants_by_end ON public.access_grants USING btree (ending_at) WHERE (ending_at IS NOT NULL);
CREATE INDEX access_grants_by_job ON public.access_grants USING btree (job_key);
CREATE INDEX access_grants_by_policy ON public.access_grants USING btree (workspace, policy, asked_at);
CREATE INDEX access_grants_by_run ON public.access_grants USING btree (run_key);
CREATE INDEX access_grants_standing ON public.access_grants USING btree (longest_until) WHERE (ending_at IS NULL);
CREATE UNIQUE INDEX access_links_by_account ON public.access_links USING btree (instance, account_id) WHERE ((confirmed_at IS NOT NULL) AND (ended_at IS NULL));
CREATE UNIQUE INDEX access_links_by_subject ON public.access_links USING btree (issuer, subject) WHERE ((confirmed_at IS NOT NULL) AND (ended_at IS NULL));
CREATE INDEX access_passkeys_by_account ON public.access_passkeys USING btree (instance, account_id);
CREATE INDEX access_prompt_messages_by_prompt ON public.access_prompt_messages USING btree (prompt);
CREATE INDEX access_rights_by_end ON public.access_rights USING btree (over_at) WHERE (over_at IS NOT NULL);
CREATE UNIQUE INDEX access_rights_one_standing ON public.access_rights USING btree (kind, repository_id, grantee_id) WHERE (state = ANY (ARRAY['giving'::text, 'given'::text, 'ending'::text]));
CREATE INDEX access_rights_open ON public.access_rights USING btree (due_at) WHERE (state <> ALL (ARRAY['ended'::text, 'denied'::text, 'expired'::text]));
CREATE INDEX access_spent_by_expiry ON public.access_spent USING btree (expires_at);
CREATE INDEX access_step_ups_by_age ON public.access_step_ups USING btree (asked_at);
CREATE INDEX access_step_ups_by_binding ON public.access_step_ups USING btree (binding);
CREATE UNIQUE INDEX access_step_ups_one_open ON public.access_step_ups USING btree (workspace, asked) WHERE (state = 'open'::text);
CREATE INDEX delivery_questions_open ON public.delivery_questions USING btree (heard_at) WHERE (proof IS NULL);
CREATE INDEX findings_by_incident ON public.findings USING btree (incident, detected_at);
CREATE INDEX findings_newest ON public.findings USING btree (recorded_at DESC);
CREATE INDEX incident_entities_by_entity ON public.incident_entities USING btree (workspace, kind, entity);
CREATE INDEX incident_entities_by_key ON public.incident_entities USING btree (workspace, kind, key) WHERE (key IS NOT NULL);
CREATE INDEX incident_events_by_incident ON public.incident_events USING btree (incident, id);
CREATE INDEX incidents_changed ON public.incidents USING btree (updated_at);
CREATE INDEX incidents_open ON public.incidents USING btree (workspace, updated_at DESC) WHERE (state <> 'resolved'::text);
CREATE INDEX known_runs_by_age ON public.known_runs USING btree (told_at);
CREATE INDEX log_leases_by_consumer ON public.log_leases USING btree (group_name, topic, consumer);
CREATE INDEX messages_by_incident ON public.messages USING btree (incident, id);
CREATE INDEX queue_due ON public.queue USING btree (purpose, due_at);
CREATE INDEX remediations_begun ON public.remediations USING btree (workspace, action, acted_at) WHERE (acted_at IS NOT NULL);
CREATE INDEX remediations_open ON public.remediations USING btree (leased_until) WHERE (state = ANY (ARRAY['planned'::text, 'acting'::text]));
CREATE INDEX remediations_queued ON public.remediations USING btree (workspace, action) WHERE (state = 'queued'::text);
CREATE INDEX rule_set_uses_by_partition ON public.rule_set_uses USING btree (partition, use);
CREATE INDEX rule_state_expired ON public.rule_state USING btree (partition, expires_ms);
CREATE INDEX rule_state_of_engine ON public.rule_state USING btree (partition) WHERE (rule ~~ '@%'::text);
CREATE INDEX silenced_findings_by_end ON public.silenced_findings USING btree (until);
CREATE INDEX silenced_findings_by_silence ON public.silenced_findings USING btree (silence);
CREATE INDEX silences_by_end ON public.silences USING btree (until) WHERE (expired_at IS NULL);
CREATE INDEX timers_by_partition ON public.timers USING btree (partition);
CREATE INDEX told_by_digest ON public.told USING btree (digest) WHERE (digest IS NOT NULL);
CREATE INDEX told_digests ON public.told USING btree (id) WHERE (incident IS NULL);
CREATE INDEX told_due ON public.told USING btree (sink, due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX told_waiting ON public.told USING btree (id) WHERE ((sink = 'slack'::text) AND (version = 0) AND (digest IS NULL) AND (incident IS NOT NULL));
CREATE INDEX trail_by_event ON ONLY public.trail USING btree (event_id);
CREATE INDEX trail_by_workspace ON ONLY public.trail USING btree (workspace, appended_at);
CREATE INDEX undelivered_due ON public.undelivered USING btree (hook, asked, first_failed_at) WHERE (made_at IS NULL);

CREATE OR REPLACE FUNCTION public.access_end_former(of_former text[], at_time timestamp with time zone, due_from timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
  ended text[];
BEGIN
  WITH ending AS MATERIALIZED (
    SELECT id FROM access_grants WHERE id = ANY (of_former) AND ending_at IS NULL ORDER BY id FOR UPDATE
  ), set_ending AS (
    UPDATE access_grants g SET ending_at = at_time, ending_why = 'asked-again' FROM ending WHERE g.id = ending.id RETURNING g.id
  )
  SELECT array_agg(id) INTO ended FROM set_ending;
  UPDATE access_credentials SET state = 'ending', due_at = due_from WHERE grant_id = ANY (ended) AND state = 'live';
  PERFORM pg_notify('tripline_access', id) FROM unnest(ended) AS of_ended (id);
  RETURN coalesce(cardinality(ended), 0);
END $function$
;

CREATE OR REPLACE FUNCTION public.access_grant_under_lock(of_run text, of_job text, of_grant text)
 RETURNS TABLE(ending_why text, end_key text)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
BEGIN
  IF of_job IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(of_run, 0));
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(coalesce(of_job, of_run), 0));
  RETURN QUERY
    SELECT g.ending_why, (SELECT key FROM access_ends WHERE key IN (of_run, of_job) ORDER BY ended_at, key LIMIT 1)
    FROM access_grants g WHERE g.id = of_grant FOR UPDATE;
END $function$
;

CREATE OR REPLACE FUNCTION public.access_job_under_lock(of_run text, of_job text, of_workspace text, of_policy text, since timestamp with time zone)
 RETURNS TABLE(end_key text, ended_at timestamp with time zone, granted integer, to_job integer, is_known boolean, former text[])
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
  own_key text := coalesce(of_job, of_run);
BEGIN
  IF of_job IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(of_run, 0));
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(own_key, 0));
  RETURN QUERY
    SELECT e.key, e.ended_at,
      (SELECT count(*)::integer FROM access_grants
       WHERE workspace = of_workspace AND policy = of_policy AND asked_at > since AND ending_why IS DISTINCT FROM 'not-recorded'),
      own.to_job,
      EXISTS (SELECT FROM access_grants WHERE workspace = of_workspace AND policy = of_policy),
      own.former
    FROM (
      SELECT (count(*) FILTER (WHERE asked_at > since AND ending_why IS DISTINCT FROM 'not-recorded'))::integer AS to_job,
        coalesce(array_agg(id ORDER BY id) FILTER (WHERE ending_at IS NULL), '{}') AS former
      FROM access_grants WHERE job_key = own_key AND policy = of_policy
    ) AS own
    LEFT JOIN (SELECT key, ended_at FROM access_ends WHERE key IN (of_run, of_job) ORDER BY ended_at, key LIMIT 1) AS e ON true;
END $function$
;

CREATE OR REPLACE FUNCTION public.log_append(of_topic text, of_partitions integer[], lengths integer[], bytes bytea)
 RETURNS TABLE(to_partition integer, base_offset bigint)
 LANGUAGE sql
AS $function$
  SELECT to_partition, base_offset FROM log_append_timed(of_topic, of_partitions, lengths, bytes)
$function$
;

CREATE OR REPLACE FUNCTION public.log_append_timed(of_topic text, of_partitions integer[], lengths integer[], bytes bytea)
 RETURNS TABLE(to_partition integer, base_offset bigint, appended_ms bigint)
 LANGUAGE plpgsql
AS $function$
DECLARE
  now_ms bigint;
  ends text;
BEGIN
  -- Always in the same order, so that two batches never wait for each other in a circle.
  PERFORM 1 FROM log_partitions p WHERE p.topic = of_topic AND p.partition = ANY (of_partitions)
    ORDER BY p.partition FOR UPDATE;
  -- Only now: a time taken before the lock could lie before one that a reader was told while we waited for it.
  now_ms := log_clock_ms();
  RETURN QUERY
  WITH places AS (
    SELECT i, of_partitions[i] AS part, row_number() OVER (PARTITION BY of_partitions[i] ORDER BY i) AS nth,
           lengths[3*i-2] AS key_length, lengths[3*i-1] AS headers_length, lengths[3*i] AS value_length,
           1 + sum(lengths[3*i-2] + lengths[3*i-1] + lengths[3*i]) OVER (ORDER BY i)
             - lengths[3*i-2] - lengths[3*i-1] - lengths[3*i] AS start
    FROM generate_subscripts(of_partitions, 1) AS i
  ), moved AS (
    UPDATE log_partitions p
       SET next_offset = p.next_offset + c.records, last_appended_ms = greatest(p.last_appended_ms, now_ms)
      FROM (SELECT part, count(*) AS records FROM places GROUP BY part) c
     WHERE p.topic = of_topic AND p.partition = c.part
    RETURNING p.partition, p.next_offset - c.records AS base, p.last_appended_ms
  ), written AS (
    INSERT INTO log (topic, partition, "offset", appended_at_ms, key, headers, value)
    SELECT of_topic, m.partition, m.base + r.nth - 1, m.last_appended_ms,
           substring(bytes FROM r.start::int FOR r.key_length),
           convert_from(substring(bytes FROM (r.start + r.key_length)::int FOR r.headers_length), 'UTF8')::json,
           substring(bytes FROM (r.start + r.key_length + r.headers_length)::int FOR r.value_length)
      FROM places r JOIN moved m ON m.partition = r.part
  )
  SELECT partition, base, last_appended_ms FROM moved;
  SELECT string_agg(p.partition || ':' || p.next_offset, ' ') INTO ends FROM log_partitions p
    WHERE p.topic = of_topic AND p.partition = ANY (of_partitions);
  PERFORM pg_notify('tripline_log', of_topic || ' ' || ends);
END $function$
;

CREATE OR REPLACE FUNCTION public.log_clock_ms()
 RETURNS bigint
 LANGUAGE sql
RETURN (floor((EXTRACT(epoch FROM clock_timestamp()) * (1000)::numeric)))::bigint
;

CREATE OR REPLACE FUNCTION public.log_heartbeat(of_group text, of_topic text, of_consumer bigint, ttl_ms integer)
 RETURNS TABLE(owned integer[], share integer)
 LANGUAGE plpgsql
AS $function$
DECLARE
  changed integer;
  taken integer;
BEGIN
  -- One heartbeat of a group at a time: shares are reckoned on a picture that holds still.
  PERFORM pg_advisory_xact_lock(hashtextextended(of_group || ' ' || of_topic, 0));
  INSERT INTO log_consumers AS c (group_name, topic, consumer, expires_at)
  VALUES (of_group, of_topic, of_consumer, clock_timestamp() + ttl_ms * interval '1 ms')
  ON CONFLICT (group_name, topic, consumer) DO UPDATE SET expires_at = excluded.expires_at;
  -- Dead is who holds its session's lock no more (killed: at once), or did not beat in time (cut off: later).
  DELETE FROM log_consumers c
   WHERE c.group_name = of_group AND c.topic = of_topic AND c.consumer <> of_consumer
     AND (c.expires_at < clock_timestamp() OR pg_try_advisory_xact_lock(c.consumer));
  GET DIAGNOSTICS changed = ROW_COUNT;

  SELECT t.partitions / m.members + CASE WHEN m.place <= t.partitions % m.members THEN 1 ELSE 0 END INTO share
    FROM log_topics t,
         (SELECT c.consumer, count(*) OVER () AS members, row_number() OVER (ORDER BY c.joined_at, c.consumer) AS place
            FROM log_consumers c WHERE c.group_name = of_group AND c.topic = of_topic) m
   WHERE t.topic = of_topic AND m.consumer = of_consumer;
  INSERT INTO log_leases (group_name, topic, partition, consumer)
  SELECT of_group, of_topic, p.partition, of_consumer FROM log_partitions p
   WHERE p.topic = of_topic
     AND NOT EXISTS (SELECT FROM log_leases l WHERE l.group_name = of_group AND l.topic = of_topic AND l.partition = p.partition)
   ORDER BY p.partition
   LIMIT greatest(0, share - (SELECT count(*) FROM log_leases l
                               WHERE l.group_name = of_group AND l.topic = of_topic AND l.consumer = of_consumer));
  GET DIAGNOSTICS taken = ROW_COUNT;
  IF changed + taken > 0 THEN PERFORM pg_notify('tripline_log_groups', of_group || ' ' || of_topic); END IF;

  SELECT coalesce(array_agg(l.partition ORDER BY l.partition), '{}') INTO owned FROM log_leases l
   WHERE l.group_name = of_group AND l.topic = of_topic AND l.consumer = of_consumer;
  RETURN NEXT;
END $function$
;

CREATE OR REPLACE FUNCTION public.make_trail_day(of date)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
  name text := 'trail_' || to_char(of, 'YYYYMMDD');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('make_trail_day'));
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE trail INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
  EXECUTE format('ALTER TABLE trail ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
    of::timestamp AT TIME ZONE 'UTC', (of + 1)::timestamp AT TIME ZONE 'UTC');
END $function$
;
