import { byGravity, type Severity } from '@tripline/contracts/finding';
import {
  type DigestReport,
  describeActor,
  type IncidentReport,
  type ReportedFinding,
  type ReportedStep,
  resolutionText,
} from '../incident-report.ts';
import { actionIds, formMetadata, type Press, type ReasonedResolution, reasonForm } from './interaction.ts';
import { escapeCode, escapeLine, escapeText, link } from './text.ts';

/** A message as chat.postMessage and chat.update take it. `text` is what notifications and screen readers show. */
export type SlackMessage = { text: string; blocks: Block[]; reply_broadcast?: true };

type Text = { type: 'plain_text'; text: string; emoji: false } | { type: 'mrkdwn'; text: string; verbatim: true };
export type Block = { type: 'header' | 'section' | 'context' | 'actions'; [field: string]: unknown };

/** A form as views.open takes it. https://docs.slack.dev/reference/views/modal-views */
export type SlackForm = { type: 'modal'; [field: string]: unknown };

/** https://docs.slack.dev/reference/block-kit/blocks */
export const slackLimits = { blocks: 50, sectionChars: 3000, headerChars: 150, contextChars: 2000, fallbackChars: 300 };

/** So that an incident fits on a screen; Slack itself would take 50. */
export const incidentBlocks = 12;
/** Findings shown with their evidence; of a larger incident further ones by name, and the rest is counted. */
const shownFindings = 3;
const namedFindings = 8;
const shownEvidence = { alone: 12, among: 4 };
const shownSteps = 10;

export const severityMarks: Record<Severity, string> = { critical: '🔴', high: '🟠', medium: '🟡', low: '⚪' };

/**
 * An incident as one message of at most `incidentBlocks`: what, and the buttons; who has it, confidence, where to look;
 * what Tripline did; what happened, most severe first, with links; what to do; whom it concerns, each named once.
 * `possiblyRepeated` marks a message that may have been posted before.
 */
export function renderIncident(report: IncidentReport, options: { possiblyRepeated?: boolean } = {}): SlackMessage {
  const standing = report.findings.filter((finding) => finding.retracted === null);
  const told = gravestFirst(standing.length > 0 ? standing : report.findings);
  const alone = told.length === 1 ? told[0] : undefined;
  const retracted = report.findings.length - told.length;
  const blocks: Block[] = [
    { type: 'header', text: plain(`${marked(report)} ${escapeLine(report.title, slackLimits.headerChars - 20)}`) },
  ];
  if (report.state !== 'resolved') blocks.push(buttons(report));
  blocks.push(section([...stateLines(report), facts(report, told), whereToLook(report, told)].join('\n')));
  if (options.possiblyRepeated) blocks.push(context(repeatNote));
  if (report.steps.length > 0) blocks.push(section(fitLines('*What Tripline does about it*', stepLines(report))));
  if (alone) blocks.push(...aloneBlocks(alone, report));
  else for (const finding of told.slice(0, shownFindings)) blocks.push(section(fitLines(...amongLines(finding))));
  if (told.length > shownFindings) blocks.push(section(fitLines('*Further findings*', furtherLines(report, told))));
  const remedies = unique(told.flatMap(({ remedy }) => remedy).map((what) => escapeLine(what, 600)));
  if (remedies.length > 0)
    blocks.push(
      section(
        fitLines(
          '*What to do*',
          remedies.slice(0, 8).map((what, index) => `${index + 1}. ${what}`),
        ),
      ),
    );
  const entities = told.flatMap((finding) => finding.entities);
  const who = unique(entities.map(({ kind, id }) => `${kind} \`${escapeCode(id, 120)}\``));
  if (who.length > 0) blocks.push(context(fitWords('Concerns ', who)));
  const ids = [
    ...told.map(({ rule }) => `rule ${escapeLine(rule, 100)}`),
    ...told.flatMap(({ attack, owasp }) => [...attack.map((id) => `ATT&CK ${id}`), ...owasp]).map(escapedId),
    ...(retracted > 0 ? [`${retracted} more retracted: later evidence explained them`] : []),
  ];
  if (ids.length > 0) blocks.push(context(fitWords('', unique(ids))));
  if (alone && alone.silence !== '')
    blocks.push(
      context(
        `If this is right and expected, silence it in tripline.yaml:\n\`\`\`${escapeCode(alone.silence, 1500)}\`\`\``,
      ),
    );
  return { text: escapeFallback(`${marked(report)} ${report.title} (${report.id})`), blocks };
}

/** What is new, as a short reply in the incident's thread. */
export function renderReply(lines: readonly string[], options: { possiblyRepeated?: boolean } = {}): SlackMessage {
  const text = lines.map((line) => escapeLine(line, 400)).join('\n');
  const blocks = [section(escapedCut(text))];
  if (options.possiblyRepeated) blocks.push(context(repeatNote));
  return { text: escapeFallback(lines.join(' ')), blocks };
}

/** A page after the first: a reply in the incident's thread that the whole channel sees. `lines`: what it is for. */
export function renderPage(
  report: IncidentReport,
  lines: readonly string[],
  options: { possiblyRepeated?: boolean } = {},
): SlackMessage {
  const heading = `🔔 *${marked(report)} ${escapeLine(report.title, 300)}* (${escapeLine(report.id, 40)}) pages again`;
  const said = lines.map((line) => `• ${escapeLine(line, 400)}`);
  const blocks = [section(fitLines(heading, said)), context(stateLines(report).join('\n'))];
  if (options.possiblyRepeated) blocks.push(context(repeatNote));
  const text = escapeFallback(`🔔 ${marked(report)} ${report.id} pages again: ${lines.join('; ')}`);
  return { text, blocks, reply_broadcast: true };
}

/** One sentence for the person who pressed a button. */
export function renderAnswer(sentence: string): SlackMessage {
  return { text: escapeFallback(sentence), blocks: [section(escapeLine(sentence, 2000))] };
}

/** The form that asks why an incident is to be resolved so. */
export function renderReasonForm(press: Press, resolution: ReasonedResolution): SlackForm {
  return {
    type: 'modal',
    callback_id: reasonForm.callback,
    private_metadata: formMetadata(press, resolution),
    title: plain(resolution === 'false' ? 'False positive' : 'Right, but allowed'),
    submit: plain('Resolve'),
    close: plain('Back'),
    blocks: [
      section(`*${escapeLine(press.incident, 40)}* is closed for everybody, in PagerDuty too.`),
      {
        type: 'input',
        block_id: reasonForm.block,
        label: plain('Why?'),
        hint: plain('Kept in the audit trail with your name.'),
        element: {
          type: 'plain_text_input',
          action_id: reasonForm.input,
          multiline: true,
          min_length: 3,
          max_length: reasonForm.most,
        },
      },
    ],
  };
}

/** One message for many incidents: counts by severity, rule and state, and the most severe by name. */
export function renderDigest(
  { incidents, open, severities, rules, gravest }: DigestReport,
  options: { possiblyRepeated?: boolean } = {},
): SlackMessage {
  const heading = `${incidents} more incidents, ${open} open`;
  const bySeverity = severities.map(({ name, count }) => `${count} ${name}`).join(', ');
  const byRule = rules.slice(0, 20).map(({ name, count }) => `• ${count} × ${escapeLine(name, 100)}`);
  const blocks: Block[] = [
    { type: 'header', text: plain(`${severityMarks[severities[0]?.name ?? 'low']} ${heading}`) },
    context('So many came at once that they are reported in one message. It is kept up to date.'),
    section(`*By severity:* ${bySeverity}`),
    section(`*By rule*\n${byRule.join('\n')}`),
  ];
  if (gravest.length > 0) {
    const lines = gravest
      .slice(0, 10)
      .map(
        ({ incident, title, severity, state }) =>
          `• ${severityMarks[severity]} *${escapeLine(incident, 40)}* (${state}) ${escapeLine(title, 180)}`,
      );
    blocks.push(section(`*Gravest that are not resolved*\n${lines.join('\n')}`));
  }
  blocks.push(context('All of them: `tripline incidents list`. To take one: `tripline incidents ack INC-…`.'));
  if (options.possiblyRepeated) blocks.push(context(repeatNote));
  return { text: escapeFallback(`${heading}: ${bySeverity}`), blocks };
}

/** Incidents of a digest that page again, as a reply that the whole channel sees; the most severe come first. */
export function renderDigestPage(
  pages: readonly { incident: string; title: string; severity: Severity }[],
  options: { possiblyRepeated?: boolean } = {},
): SlackMessage {
  const heading = `${pages.length} of these incidents page${pages.length === 1 ? 's' : ''} again`;
  const lines = pages
    .slice(0, 10)
    .map(
      ({ incident, title, severity }) =>
        `• ${severityMarks[severity]} *${escapeLine(incident, 40)}* ${escapeLine(title, 180)}`,
    );
  if (pages.length > lines.length) lines.push(`… ${pages.length - lines.length} more`);
  const blocks = [
    section(fitLines(`🔔 *${heading}*`, lines)),
    context('Why: `tripline incidents show INC-…`. To take one: `tripline incidents ack INC-…`.'),
  ];
  if (options.possiblyRepeated) blocks.push(context(repeatNote));
  return { text: escapeFallback(`🔔 ${heading}: ${pages[0]?.title ?? ''}`), blocks, reply_broadcast: true };
}

const repeatNote = '⚠️ Possibly a repeat: Tripline could not learn whether it had sent this message before.';

function marked({ severity, state }: IncidentReport): string {
  if (state === 'resolved') return '✅ RESOLVED:';
  return `${severityMarks[severity]} ${severity.toUpperCase()}:`;
}

function gravestFirst(findings: readonly ReportedFinding[]): ReportedFinding[] {
  return findings.toSorted((one, other) => byGravity(other.severity, one.severity));
}

function facts(report: IncidentReport, findings: readonly ReportedFinding[]): string {
  const confidence = (['high', 'medium', 'low'] as const).find((level) =>
    findings.some((finding) => finding.confidence === level),
  );
  const words = [
    `*${escapeLine(report.id, 40)}* ${report.state}`,
    `severity ${report.severity}`,
    ...(confidence ? [`confidence ${confidence}`] : []),
    `workspace ${escapeLine(report.workspace, 100)}`,
    `opened ${at(report.openedAt)}`,
  ];
  return words.join(' · ');
}

/** Who has it, and how it ended. */
function stateLines({ acknowledged, resolved, pagesAnew }: IncidentReport): string[] {
  const lines: string[] = [];
  if (acknowledged)
    lines.push(`👀 *Acknowledged* by ${escapeLine(describeActor(acknowledged.by), 200)} at ${at(acknowledged.at)}`);
  if (pagesAnew) lines.push('🔔 *Pages again since:* nobody has answered that yet.');
  if (resolved)
    lines.push(
      `✅ *Resolved* (${resolutionText[resolved.resolution]}) by ${escapeLine(describeActor(resolved.by), 200)} at ${at(resolved.at)}`,
    );
  return lines.length > 0 ? lines : ['*Nobody has it yet.*'];
}

/** The newest evidence decided, so that is what the first link leads to. */
function whereToLook({ id }: IncidentReport, findings: readonly ReportedFinding[]): string {
  const urls = findings.flatMap(({ evidence }) => evidence.map(({ url }) => url).reverse());
  const found = urls.map((url) => link(url, 'Deciding evidence')).find((text) => text.startsWith('<'));
  const words = `all of it: \`tripline incidents show ${escapeCode(id, 40)}\``;
  return found === undefined ? `A${words.slice(1)}` : `${found} · ${words}`;
}

/** The blocks of an incident's only finding: its whole summary, and all of its evidence. */
function aloneBlocks(finding: ReportedFinding, of: IncidentReport): Block[] {
  const blocks: Block[] = [];
  const heading = [
    ...(finding.title === of.title ? [] : [`*${escapeLine(finding.title, 300)}*`]),
    ...standingLines(finding),
  ];
  if (heading.length > 0) blocks.push(section(heading.join('\n')));
  blocks.push({ type: 'section', text: plain(escapeText(finding.summary, slackLimits.sectionChars)) });
  if (finding.evidence.length > 0)
    blocks.push(section(fitLines('*What happened* (UTC)', evidenceLines(finding, shownEvidence.alone))));
  return blocks;
}

/** One of several findings, as one block. */
function amongLines(finding: ReportedFinding): [heading: string, lines: string[]] {
  const { severity, confidence, title, summary } = finding;
  return [
    `${severityMarks[severity]} *${escapeLine(title, 300)}*`,
    [
      `${severity}, confidence ${confidence}`,
      ...standingLines(finding),
      escapeLine(summary, 600),
      ...evidenceLines(finding, shownEvidence.among),
    ],
  ];
}

function furtherLines(report: IncidentReport, findings: readonly ReportedFinding[]): string[] {
  const { id } = report;
  const unlisted = Math.max(0, (report.findingCount ?? 0) - report.findings.length);
  const further = findings.slice(shownFindings);
  const named = further.slice(0, namedFindings);
  const lines = named.map(({ severity, title }) => `${severityMarks[severity]} ${escapeLine(title, 200)}`);
  const hidden = further.length - named.length + unlisted;
  if (hidden > 0) lines.push(`… and ${hidden} more: \`tripline findings --incident ${escapeCode(id, 40)}\``);
  return lines;
}

/** Doubts about a finding: retracted, lowered or unproven. */
function standingLines({ retracted, lowered, unproven }: ReportedFinding): string[] {
  return [
    ...(retracted ? [`*Retracted:* ${escapeLine(retracted.reason, 1000)}`] : []),
    ...(lowered ? [`*Lowered:* ${escapeLine(lowered.reason, 1000)}`] : []),
    ...(unproven ? [unprovenLine] : []),
  ];
}

const unprovenLine =
  '*Unproven:* its delivery repeats an older one, and the provider’s own list has not named it. Nothing is done by itself.';

function evidenceLines({ evidence }: ReportedFinding, most: number): string[] {
  // Of a long list, the first and the last entries are shown: how it began, and what decided.
  const left = evidence.length - most;
  const first = Math.min(2, most - 2);
  const shown = left > 0 ? [...evidence.slice(0, first), ...evidence.slice(first + left)] : evidence;
  const lines = shown.map(({ time, what, url }) => `${link(url, clock(time))} ${escapeLine(what, 220)}`);
  if (left > 0) lines.splice(first, 0, `… ${left} more …`);
  return lines;
}

/** Failed steps come first: somebody must do them by hand. Identical lines are shown once. */
function stepLines({ steps }: IncidentReport): string[] {
  const urgent = ({ state }: ReportedStep) => (state === 'failed' || state === 'refused' ? 0 : 1);
  const lines = unique([...steps].sort((one, other) => urgent(one) - urgent(other)).map(stepLine));
  if (lines.length <= shownSteps) return lines;
  return [...lines.slice(0, shownSteps), `… ${lines.length - shownSteps} more`];
}

function escapedId(id: string): string {
  return escapeLine(id, 100);
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

const stepMarks: Record<ReportedStep['state'], string> = {
  planned: '⏳',
  shown: '📝',
  done: '✅',
  failed: '❌',
  refused: '⛔',
};

function stepLine({ state, text }: ReportedStep): string {
  return `${stepMarks[state]} ${escapeLine(text, 500)}`;
}

function buttons({ id, state, pagesAnew }: IncidentReport): Block {
  const acknowledge = {
    type: 'button',
    action_id: actionIds.acknowledge,
    text: plain('Acknowledge'),
    style: 'primary',
    value: id,
  };
  return {
    type: 'actions',
    elements: [
      ...(state === 'open' || pagesAnew ? [acknowledge] : []),
      {
        type: 'static_select',
        action_id: actionIds.resolve,
        placeholder: plain('Resolve as …'),
        options: [
          { text: plain('Real: dealt with'), value: `true ${id}` },
          { text: plain('Right, but allowed …'), value: `accepted ${id}` },
        ],
      },
      { type: 'button', action_id: actionIds.falsePositive, text: plain('False positive …'), value: id },
    ],
  };
}

function plain(text: string): Text {
  return { type: 'plain_text', text, emoji: false };
}

/** `verbatim`: Slack must not make links of bare addresses and names. */
function section(text: string): Block {
  return { type: 'section', text: { type: 'mrkdwn', text, verbatim: true } satisfies Text };
}

function context(text: string): Block {
  return { type: 'context', elements: [{ type: 'mrkdwn', text, verbatim: true } satisfies Text] };
}

/** Whole lines only, so that no link is cut in half. */
function fitLines(heading: string, lines: readonly string[]): string {
  let text = heading;
  for (const [index, line] of lines.entries()) {
    const rest = `\n… ${lines.length - index} more`;
    if (text.length + 1 + line.length + rest.length > slackLimits.sectionChars) return text + rest;
    text += `\n${line}`;
  }
  return text;
}

function fitWords(heading: string, words: readonly string[]): string {
  let text = heading;
  for (const [index, word] of words.entries()) {
    if (text.length + word.length + 24 > slackLimits.contextChars) return `${text} … ${words.length - index} more`;
    text += index === 0 ? word : ` · ${word}`;
  }
  return text;
}

/** Cuts text of lines that are escaped already, each far shorter than the limit. */
function escapedCut(text: string): string {
  if (text.length <= slackLimits.sectionChars) return text;
  return `${text.slice(0, text.lastIndexOf('\n', slackLimits.sectionChars - 2))}\n…`;
}

/** Slack makes links of bare addresses in `text`, and no field switches that off: an invisible space breaks them. */
function escapeFallback(text: string): string {
  return escapeLine(text, slackLimits.fallbackChars).replaceAll('://', ':\u200b//');
}

function at(time: string): string {
  return `${time.slice(0, 10)} ${clock(time)} UTC`;
}

function clock(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString().slice(11, 19);
}
