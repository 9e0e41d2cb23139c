import { sampleFinding, sampleReport } from '@tripline/testing/sample-report';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { actionIds } from './interaction.ts';
import {
  type Block,
  incidentBlocks,
  renderAnswer,
  renderDigest,
  renderDigestPage,
  renderIncident,
  renderPage,
  renderReply,
  type SlackMessage,
  slackLimits,
} from './message.ts';

const ada = { via: 'slack', id: 'U7', name: 'ada' } as const;

/** Every text of a message, with its kind. */
function texts(value: unknown): { type: string; text: string }[] {
  if (Array.isArray(value)) return value.flatMap(texts);
  if (typeof value !== 'object' || value === null) return [];
  const { type, text } = value as { type?: unknown; text?: unknown };
  const own = typeof type === 'string' && typeof text === 'string' ? [{ type, text }] : [];
  return [...own, ...Object.values(value).flatMap(texts)];
}

function shown({ blocks }: SlackMessage): string {
  return texts(blocks)
    .map(({ text }) => text)
    .join('\n');
}

function holdsLimits({ blocks }: SlackMessage): void {
  expect(blocks.length).toBeLessThanOrEqual(incidentBlocks);
  for (const block of blocks as (Block & { text?: { text: string }; elements?: { text?: unknown }[] })[]) {
    if (block.type === 'header') expect(block.text!.text.length).toBeLessThanOrEqual(slackLimits.headerChars);
    if (block.type === 'section') expect(block.text!.text.length).toBeLessThanOrEqual(slackLimits.sectionChars);
    if (block.type === 'context')
      for (const { text } of block.elements!) expect(String(text).length).toBeLessThanOrEqual(slackLimits.sectionChars);
  }
}

test('says what, how sure, who, what happened with links, what was done and what to do', () => {
  const message = renderIncident(sampleReport());
  expect(message.text).toBe('🔴 CRITICAL: mallory was given write on acme/app by a token, outside any job (INC-7)');
  const text = shown(message);
  for (const part of [
    '*INC-7* open · severity critical · confidence high · workspace acme · opened 2026-03-14 03:12:07 UTC',
    '<https://github.example/acme/app/actions/runs/77|03:11:40> A run of review.yml',
    '<https://github.example/acme/app/settings/access?a=1&amp;b=2|03:12:06> ci-bot invited',
    '✅ Done: cancel the run',
    '📝 Dry run: would cancel the invitation',
    '1. Revoke the token of ci-bot.',
    'user `mallory`',
    'ATT&amp;CK T1098 · CICD-SEC-2',
    'subject: acme/app:mallory',
  ])
    expect(text).toContain(part);
  const actions = JSON.stringify(message.blocks[1]);
  const { endAccess: _, openAccess: __, ...ofIncidents } = actionIds;
  for (const id of Object.values(ofIncidents)) expect(actions).toContain(id);
});

test('the first screen says what it is, offers the buttons, says who has it, and leads to what decided', () => {
  const { blocks } = renderIncident(sampleReport());
  expect(blocks.slice(0, 4).map(({ type }) => type)).toEqual(['header', 'actions', 'section', 'section']);
  const [first, second, last] = texts(blocks[2])[0]!.text.split('\n');
  expect(first).toBe('*Nobody has it yet.*');
  expect(second).toContain('*INC-7* open');
  expect(last).toBe(
    '<https://github.example/acme/app/settings/access?a=1&amp;b=2|Deciding evidence> · all of it: `tripline incidents show INC-7`',
  );
});

test('an incident of many findings stays within its blocks: gravest first, whoever it concerns named once', () => {
  const findings = (['high', 'medium', 'critical', 'high', 'low'] as const).map((severity, nth) =>
    sampleFinding({ id: String(nth).repeat(64), severity, title: `thing ${nth}` }),
  );
  const steps = Array.from({ length: 14 }, (_, nth) => ({
    finding: '0'.repeat(64),
    state: nth === 13 ? ('refused' as const) : ('done' as const),
    text: `step ${nth}`,
  }));
  const message = renderIncident(sampleReport({ findings, steps }), { possiblyRepeated: true });
  holdsLimits(message);
  const text = shown(message);
  const titles = [2, 0, 3, 1, 4].map((nth) => text.indexOf(`thing ${nth}`));
  expect(titles).toEqual([...titles].sort((one, other) => one - other));
  expect(titles).not.toContain(-1);
  for (const once of [
    'user `mallory`',
    'repository `acme/app`',
    'rule privilege-grant-outside-job',
    'Revoke the token',
  ])
    expect(text.split(once)).toHaveLength(2);
  expect(text).toContain('⛔ step 13\n✅ step 0');
  expect(text).toContain('… 4 more');
});

test('acknowledged and resolved say who and when, and offer only what is left to do', () => {
  const acknowledged = { at: '2026-03-14T03:15:00.000Z', by: ada };
  const taken = renderIncident(sampleReport({ state: 'acknowledged', acknowledged }));
  expect(shown(taken)).toContain('*Acknowledged* by ada (Slack) at 2026-03-14 03:15:00 UTC');
  expect(JSON.stringify(taken)).not.toContain(actionIds.acknowledge);
  const resolved = { at: '2026-03-14T04:00:00.000Z', by: ada, resolution: 'true' } as const;
  const over = renderIncident(sampleReport({ state: 'resolved', acknowledged, resolved }));
  expect(shown(over)).toContain('*Resolved* (it was a real breach) by ada (Slack) at 2026-03-14 04:00:00 UTC');
  expect(over.text).toMatch(/^✅ RESOLVED/);
  expect(over.blocks.some(({ type }) => type === 'actions')).toBe(false);
});

test('of an incident larger than its history the rest is counted', () => {
  const findings = Array.from({ length: 20 }, (_, nth) => sampleFinding({ id: String(nth).padStart(64, '0') }));
  const text = shown(renderIncident(sampleReport({ findings, findingCount: 5000 })));
  expect(text).toContain('… and 4989 more: `tripline findings --incident INC-7`');
});

test('a finding that is not proved, or fell to low, says so before its summary', () => {
  const lowered = { at: '2026-03-14T04:00:00.000Z', reason: 'nobody could ask GitHub' };
  for (const findings of [
    [sampleFinding({ unproven: true, lowered })],
    [sampleFinding({ unproven: true, lowered }), sampleFinding({ id: 'b'.repeat(64) })],
  ]) {
    const text = shown(renderIncident(sampleReport({ findings })));
    const [fell, unproven, summary] = [
      '*Lowered:* nobody could ask',
      '*Unproven:*',
      'ci-bot invited mallory to acme/app with',
    ];
    expect(text.indexOf(fell!)).toBeGreaterThan(0);
    expect(text.indexOf(unproven!)).toBeGreaterThan(text.indexOf(fell!));
    expect(text.indexOf(summary!)).toBeGreaterThan(text.indexOf(unproven!));
  }
});

test('a page after the first is for the whole channel, and says what it is for and who has it', () => {
  const acknowledged = { at: '2026-03-14T03:15:00.000Z', by: ada };
  const report = sampleReport({ state: 'acknowledged', acknowledged, pagesAnew: true });
  const page = renderPage(report, ['revoke the token: STILL ALIVE']);
  expect(page).toMatchObject({ reply_broadcast: true, text: expect.stringContaining('INC-7 pages again') });
  const text = shown(page);
  expect(text).toContain('• revoke the token: STILL ALIVE');
  expect(text).toContain('*Acknowledged* by ada (Slack)');
  // Who answers it needs the button again.
  expect(JSON.stringify(renderIncident(report))).toContain(actionIds.acknowledge);
});

test('a repeat is marked', () => {
  for (const render of [
    renderIncident(sampleReport(), { possiblyRepeated: true }),
    renderReply(['x'], { possiblyRepeated: true }),
  ])
    expect(shown(render)).toContain('Possibly a repeat');
  expect(shown(renderIncident(sampleReport()))).not.toContain('repeat');
});

test('addresses that are none of the web make no link, and names and passwords in them are dropped', () => {
  const evidence = ['javascript:alert(1)', 'https://bot:hunter2@github.example/x', 'https://e.example/|>@channel'].map(
    (url) => ({ ...sampleFinding().evidence[0]!, url }),
  );
  const text = shown(renderIncident(sampleReport({ findings: [sampleFinding({ evidence })] })));
  expect(text).not.toContain('javascript:');
  expect(text).not.toContain('hunter2');
  expect(text).toContain('<https://github.example/x|');
  expect(text).toContain('<https://e.example/%7C%3E@channel|');
});

const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.constantFrom(
    '<!channel>',
    '<@U1>',
    '<https://evil.example|click>',
    '&lt;!here&gt;',
    '```',
    '\u202egnp',
    '*x*\n*Resolved* by you',
  ),
  fc.string({ unit: fc.constantFrom('<', '>', '&', '|', '!', '@', '\n', '`', 'a', '🔴'), maxLength: 5000 }),
);

test('nothing untrusted makes a mention or a link, and all limits hold', () => {
  const finding = fc
    .record({
      title: nasty,
      summary: nasty,
      what: nasty,
      url: nasty,
      id: nasty,
      remedy: nasty,
      silence: nasty,
      many: fc.nat(60),
    })
    .map(({ title, summary, what, url, id, remedy, silence, many }) =>
      sampleFinding({
        title,
        summary,
        evidence: Array.from({ length: many }, () => ({ ...sampleFinding().evidence[0]!, what, url })),
        entities: Array.from({ length: many }, () => ({ kind: 'user', id })),
        remedy: Array.from({ length: many }, () => remedy),
        silence,
      }),
    );
  const steps = fc.array(
    nasty.map((text) => ({ finding: 'a'.repeat(64), state: 'done' as const, text })),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(nasty, fc.array(finding, { maxLength: 12 }), steps, (title, findings, steps) => {
      const by = { via: 'slack', id: 'U1', name: title } as const;
      const entry = { incident: 'INC-1', title, severity: 'high', state: 'open' } as const;
      const many = <T>(one: T) => Array.from({ length: 30 }, () => one);
      const counts = { incidents: 30, open: 30, severities: [{ name: 'high', count: 30 }] } as const;
      const messages = [
        renderIncident(sampleReport({ title, findings, steps, acknowledged: { at: '2026-03-14T03:15:00.000Z', by } })),
        renderReply([title, title]),
        renderPage(sampleReport({ title, acknowledged: { at: '2026-03-14T03:15:00.000Z', by } }), many(title)),
        renderAnswer(title),
        renderDigestPage(many(entry)),
        renderDigest({ ...counts, rules: many({ name: title, count: 1 }), gravest: many(entry) }),
      ];
      for (const message of messages) {
        holdsLimits(message);
        for (const { type, text } of [...texts(message.blocks), { type: 'mrkdwn', text: message.text }]) {
          // What is left of "<" are our own links, to the web, labelled by a time or in our words.
          const rest =
            type === 'mrkdwn' ? text.replace(/<https?:\/\/[^<>|\s]+\|(?:[0-9:?]+|Deciding evidence)>/g, '') : text;
          expect(rest).not.toMatch(/[<>]/);
          expect(rest).not.toMatch(/\p{Cs}|[\u202a-\u202e]/u);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('a digest counts by severity and rule, and names the gravest', () => {
  const message = renderDigest({
    incidents: 3,
    open: 2,
    severities: [
      { name: 'critical', count: 1 },
      { name: 'high', count: 2 },
    ],
    rules: [
      { name: 'workflow', count: 2 },
      { name: 'other', count: 1 },
    ],
    gravest: [{ incident: 'INC-1', title: 'thing 1', severity: 'critical', state: 'open' }],
  });
  expect(message.text).toBe('3 more incidents, 2 open: 1 critical, 2 high');
  expect(shown(message)).toContain('🔴 3 more incidents');
  expect(shown(message)).toContain('• 2 × workflow\n• 1 × other');
  expect(shown(message)).toContain('*INC-1* (open) thing 1');
});
