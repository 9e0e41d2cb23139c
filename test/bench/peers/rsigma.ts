import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewRecord } from '@tripline/stream/stream';
import type { Corpus } from '../corpus.ts';
import { format } from '../measure.ts';
import { freePort } from '../processes.ts';
import { cpuSeconds } from './cpu.ts';
import { type Found, orAbsent, type Peer, startProgram } from './peer.ts';
import { builtRsigma, rsigmaVersion } from './rsigma-build.ts';

const name = `RSigma ${rsigmaVersion} daemon, what Sigma can say of the rules`;
const note =
  'events as lines to stdin, so no log is read; state in SQLite each second and at the end, findings in a file. ' +
  'build-from-unreviewed-commit without who approved what (three keys, no word in Sigma), credential-new-runner by a ' +
  'list in the rule (nothing is learned), no late retraction, no duplicates dropped, not exactly once';
const ruleFile = join(import.meta.dirname, 'rsigma/rules.yml');

/**
 * RSigma's daemon on the same events. From the first line given until it has ended with all findings and its state on
 * disk; it is ready before. Needs Cargo, which builds it once.
 */
export function rsigma(task: {
  records: readonly NewRecord[];
  corpus: Corpus;
  check: (findings: readonly Found[]) => void;
}) {
  return orAbsent(name, async (): Promise<Peer> => {
    const folder = await builtRsigma();
    const lines = Buffer.from(`${task.records.map(lineOf).join('\n')}\n`);
    const rules = rulesFor(task.corpus);
    const run = async () => {
      const dir = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
      try {
        const played = await play(join(folder, 'bin/rsigma'), dir, rules, lines);
        task.check(readFindings(played.output));
        process.stderr.write(`  RSigma: ${format((played.cpuSeconds * 1e6) / task.records.length)} µs CPU an event\n`);
        return task.records.length / played.seconds;
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    };
    return { name, unit: 'events/s', note, run, close: async () => {} };
  });
}

/** An event as one flat object: its envelope beside its attributes. */
function lineOf({ headers, value }: NewRecord): string {
  const { ce_id: id, ce_type: type, ce_time: time, ce_workspace: workspace } = headers;
  return JSON.stringify({ id, type, time, workspace, ...JSON.parse(value.toString()) });
}

/** The rules with the ids of all inventories' runners in their place. */
function rulesFor(corpus: Corpus): string {
  const ids = new Set<string>();
  for (const inventory of corpus.inventories.values())
    for (const { id } of inventory['tripline.inventory.runners'] ?? []) ids.add(id);
  const list = [...ids].map((id) => `'${id}'`).join('\n      - ');
  return readFileSync(ruleFile, 'utf8').replace('- INVENTORY', `- ${list}`);
}

async function play(program: string, dir: string, rules: string, lines: Buffer) {
  const output = join(dir, 'findings.ndjson');
  const rulesAt = join(dir, 'rules.yml');
  writeFileSync(rulesAt, rules);
  const port = await freePort();
  const { process: child, output: said } = startProgram(
    [
      program,
      'engine',
      'daemon',
      ...['--rules', rulesAt, '--input', 'stdin', '--input-format', 'json', '--output', `file://${output}`],
      ...['--no-detections', '--suppress', '72h', '--max-state-entries', '10000000'],
      ...['--state-db', join(dir, 'state.db'), '--state-save-interval', '1'],
      ...['--buffer-size', '65536', '--batch-size', '1024', '--drain-timeout', '60'],
      ...['--api-addr', `127.0.0.1:${port}`],
    ],
    { core: 0, env: { RUST_LOG: 'warn' } },
  );
  const exited = once(child, 'close');
  const until = Date.now() + 30_000;
  while (!(await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`RSigma does not get ready:\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const cpu = cpuSeconds(child.pid!);
  let used = Number.NaN;
  const watch = setInterval(() => {
    const now = cpuSeconds(child.pid!);
    if (!Number.isNaN(now)) used = now - cpu;
  }, 10);
  const begun = performance.now();
  child.stdin!.end(lines);
  const [code] = await exited;
  const seconds = (performance.now() - begun) / 1000;
  clearInterval(watch);
  if (code !== 0) throw new Error(`RSigma ended with ${code}:\n${said()}`);
  return { seconds, cpuSeconds: used, output };
}

type Line = { rule_id: string; correlation_type?: string; group_key: [string, string][] };

function readFindings(file: string): Found[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => {
    const { rule_id: rule, group_key } = JSON.parse(line) as Line;
    const key = Object.fromEntries(group_key);
    const workspace = key['workspace']!;
    if (rule === 'build-from-unreviewed-commit')
      return { rule, workspace, subject: `${key['vcs.repository.name']}@${key['revision']}`, occasion: '' };
    if (rule === 'credential-new-runner')
      return {
        rule,
        workspace,
        subject: `self-hosted:${key['cicd.worker.id']}:${key['cicd.worker.name']}`,
        occasion: `${key['vcs.repository.name']}#${key['cicd.pipeline.run.id']}`,
      };
    return { rule, workspace, subject: '', occasion: key['id']! };
  });
}
