import type { GateDecision } from '@tripline/access/decide-gate';
import type { Condition, Reason } from '@tripline/access/reason';

/** What GitHub shows beside the deployment: each condition, what failed first. At most `mostCharacters`, and whole lines. */
export function commentOf(
  verdict: 'approved' | 'rejected' | 'waiting',
  { policy, reasons, held }: Pick<GateDecision, 'policy' | 'reasons' | 'held'>,
  mostCharacters: number,
  /** What to do, a sentence of ours. */
  toDo?: string,
): string {
  const by = policy === undefined ? '' : ` by policy \`${policy.name}\``;
  const titles = {
    approved: `approved${by}`,
    rejected: `rejected${by}`,
    waiting: `waits${by === '' ? '' : `, ${by.slice(4)}`}`,
  };
  const lines = [
    `**Tripline ${titles[verdict]}**`,
    '',
    ...(toDo === undefined ? [] : [toDo, '']),
    ...reasons.map(lineOf),
    ...held.map(lineOfHeld),
  ];
  const whole = lines.join('\n');
  if (whole.length <= mostCharacters) return whole;
  const more = '… and more: see the log of Tripline’s broker.';
  while (lines.join('\n').length + more.length + 1 > mostCharacters) lines.pop();
  return [...lines, more].join('\n');
}

const marks = { failed: '✗', unknown: '…', waiting: '…' } as const;
/** Longer than any honest name, and short enough that every condition has its line. */
const mostOfOne = 250;

/** Names in it are chosen by whoever may name a branch: as code they are neither links nor mentions. */
function lineOf({ condition, state, message, help }: Reason): string {
  return `- ${marks[state]} **${condition}**: ${code(message.slice(condition.length + 2))} ${plain(help)}`;
}

const lineOfHeld = (condition: Condition): string => `- ✓ ${condition}`;

const code = (text: string): string => `\`${plain(text).replaceAll('`', '’') || ' '}\``;
const plain = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, mostOfOne).toWellFormed();
