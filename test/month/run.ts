import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isOfBreach } from './breaches.ts';
import { outcomeOf, pageOf } from './page.ts';
import { playMonth } from './play.ts';

/**
 * `npm run month [-- --size 0.1 --seed 1 --days 30 --once --write --found]`: plays a month of ordinary work with all breaches hidden in
 * it, and shows what the rules made of it. It is played again without them, to see whether they change anything else, unless `--once`.
 * Size 1 is an organisation of 500 people, of which a playing takes some minutes; `--write` puts the page beside this file; `--found`
 * lists what was found of ordinary work.
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    days: { type: 'string', default: '30' },
    once: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    found: { type: 'boolean', default: false },
  },
});
const of = { size: Number(values.size), seed: Number(values.seed), days: Number(values.days) };
const play = (isBreached: boolean, what: string) =>
  playMonth({ ...of, isBreached }, (day) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${what}: day ${day} of ${of.days} `);
    else if (day % 5 === 0) process.stderr.write(`${what}: day ${day} of ${of.days}\n`);
  });
const breached = play(true, 'with breaches');
const asItIs = values.once ? null : play(false, 'without them');
if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K');
const page = pageOf(breached, asItIs, of);
if (values.write) writeFileSync(join(import.meta.dirname, 'MONTH.md'), page);
else process.stdout.write(page);
if (values.found) {
  const { judged, world, hidden } = asItIs ?? breached;
  const own = { ...judged, findings: judged.findings.filter((found) => !isOfBreach(found, hidden)) };
  for (const { finding, became } of outcomeOf(own, world).wrong)
    process.stdout.write(
      `${finding.detectedAt} ${finding.severity} ${became} ${finding.rule}: ${finding.title}. ${finding.summary}\n`,
    );
}
