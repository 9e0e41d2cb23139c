import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { outcomeOf, pageOf } from './page.ts';
import { playMonth } from './play.ts';

/**
 * `npm run month [-- --size 0.1 --seed 1 --days 30 --write]`: plays a month of ordinary work and shows what the rules made of it.
 * It is played twice, as it is and with breaches hidden in it. Size 1 is an organisation of 500 people and takes a quarter of an hour; `--write` puts the page beside this file; `--found` lists what
 * was found.
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    days: { type: 'string', default: '30' },
    write: { type: 'boolean', default: false },
    found: { type: 'boolean', default: false },
  },
});
const of = { size: Number(values.size), seed: Number(values.seed), days: Number(values.days) };
const play = (isBreached: boolean, what: string) =>
  playMonth({ ...of, isBreached }, (day) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${what}: day ${day} of ${of.days} `);
  });
const honest = play(false, 'as it is');
const breached = play(true, 'with breaches');
if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K');
const page = pageOf(honest, breached, of);
if (values.write) writeFileSync(join(import.meta.dirname, 'MONTH.md'), page);
else process.stdout.write(page);
if (values.found) {
  for (const { finding, became } of outcomeOf(honest.judged, honest.world).wrong)
    process.stdout.write(
      `${finding.detectedAt} ${finding.severity} ${became} ${finding.rule}: ${finding.title}. ${finding.summary}\n`,
    );
}
