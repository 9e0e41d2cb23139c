import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Io } from '../../command.ts';
import { styled, wrapped } from '../../show.ts';
import type { Passage } from './story.ts';

/** `tripline access try`: shows the broker at work, in a temporary folder, which is gone afterwards. */
export async function tryBroker({ json, keep }: { json: boolean; keep: boolean }, io: Io): Promise<number> {
  const { playStory } = await import('./story.ts');
  const folder = mkdtempSync(join(tmpdir(), 'tripline-try-'));
  try {
    const ok = await playStory(folder, (told) => io.out(json ? `${JSON.stringify(told)}\n` : lineOf(told, io)));
    if (json) io.out(`${JSON.stringify({ kind: 'verdict', ok })}\n`);
    else
      io.out(
        `\n${ok ? styled(io, 'green', 'All went as it should.') : styled(io, 'red', 'Not all went as it should.')}\n`,
      );
    if (keep) io.err(`What it left is in ${folder}; it holds secrets of nothing but this playing.\n`);
    return ok ? 0 : 1;
  } finally {
    if (!keep) rmSync(folder, { recursive: true, force: true });
  }
}

function lineOf(told: Passage, io: Io): string {
  if (told.kind === 'chapter') return `\n${styled(io, 'bold', told.title)}\n`;
  if (told.kind === 'line') return `    ${wrapped(io, told.text, 4)}\n`;
  const mark = told.ok ? styled(io, 'green', '✓') : styled(io, 'red', '✗');
  return `  ${mark} ${wrapped(io, told.text, 4)}\n`;
}
