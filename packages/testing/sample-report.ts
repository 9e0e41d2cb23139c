import type { IncidentReport, ReportedFinding } from '@tripline/integrations/incident-report';

/** An incident for tests of what people are shown: the tj-actions breach as its victim would have heard of it. */
export function sampleReport(change: Partial<IncidentReport> = {}): IncidentReport {
  return {
    id: 'INC-7',
    workspace: 'acme',
    state: 'open',
    severity: 'critical',
    title: 'mallory was given write on acme/app by a token, outside any job',
    openedAt: '2026-03-14T03:12:07.000Z',
    acknowledged: null,
    resolved: null,
    pagesAnew: false,
    findings: [sampleFinding()],
    steps: [
      { finding: 'a'.repeat(64), state: 'done', text: 'Done: cancel the run; GitHub says it is completed' },
      {
        finding: 'a'.repeat(64),
        state: 'shown',
        text: 'Dry run: would cancel the invitation (DELETE /repos/acme/app/invitations/5)',
      },
    ],
    ...change,
  };
}

export function sampleFinding(change: Partial<ReportedFinding> = {}): ReportedFinding {
  return {
    id: 'a'.repeat(64),
    rule: 'privilege-grant-outside-job',
    workspace: 'acme',
    subject: 'acme/app:mallory',
    occasion: 'event-2',
    severity: 'critical',
    confidence: 'high',
    title: 'mallory was given write on acme/app by a token, outside any job',
    summary:
      'ci-bot invited mallory to acme/app with write. No approved job was running that could explain it, and ci-bot never did so before.',
    decidingEvent: 'event-2',
    occurredAt: '2026-03-14T03:12:06.000Z',
    detectedAt: '2026-03-14T03:12:06.800Z',
    evidence: [
      {
        eventId: 'event-1',
        eventType: 'dev.cdevents.pipelinerun.started',
        time: '2026-03-14T03:11:40.000Z',
        what: 'A run of review.yml for a fork had the secrets of acme/app.',
        url: 'https://github.example/acme/app/actions/runs/77',
      },
      {
        eventId: 'event-2',
        eventType: 'dev.cdevents.pipelinerun.started',
        time: '2026-03-14T03:12:06.000Z',
        what: 'ci-bot invited mallory to acme/app with write.',
        url: 'https://github.example/acme/app/settings/access?a=1&b=2',
      },
    ],
    entities: [
      { kind: 'user', id: 'mallory' },
      { kind: 'repository', id: 'acme/app' },
    ],
    response: [],
    remedy: ['Revoke the token of ci-bot.', 'Ask who opened the fork’s pull request.'],
    silence: 'silences:\n  - rule: privilege-grant-outside-job\n    subject: acme/app:mallory',
    attack: ['T1098'],
    attackVersion: '19',
    owasp: ['CICD-SEC-2'],
    retracted: null,
    ...change,
  };
}
