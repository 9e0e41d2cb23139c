import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../processes.ts';
import { built } from './build-cache.ts';
import { cpuSeconds, residentMiB } from './cpu.ts';
import { prepare, startProgram } from './peer.ts';

const version = 'v0.34.2';
const module = 'github.com/prometheus/alertmanager';

/** Alertmanager, running, and what it was told to call. */
export type Alertmanager = {
  /** Hands over one fresh alert, which is a group of its own. */
  post: (id: string) => Promise<void>;
  cpuSeconds: () => number;
  /** Resident memory, MiB; NaN where the system does not tell. */
  residentMiB: () => number;
  close: () => Promise<void>;
};

/**
 * Builds Alertmanager of the Go proxy once, and starts it. It is tuned for the shortest way from an alert to the
 * call: no wait for a group, every alert a group of its own, its resolution not told, nothing told again.
 * @throws {Error} without Go.
 */
export async function startAlertmanager(webhook: string): Promise<Alertmanager> {
  const program = join(await built('alertmanager', [version], build), 'alertmanager');
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const config = join(folder, 'alertmanager.yml');
  writeFileSync(config, configFor(webhook));
  const port = await freePort();
  const { process: child, output } = startProgram(
    [
      program,
      `--config.file=${config}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      // Empty: one instance, which waits for no peers.
      '--cluster.listen-address=',
      '--log.level=error',
    ],
    { core: 0, env: { GOMAXPROCS: '1' } },
  );
  const url = `http://127.0.0.1:${port}`;
  const close = async () => {
    const exited = new Promise((resolve) => child.once('close', resolve));
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await exited;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const until = Date.now() + 30_000;
  for (;;) {
    const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
    if (answer?.ok) break;
    if (child.exitCode !== null || Date.now() > until) {
      await close();
      throw new Error(`Alertmanager does not answer:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    async post(id) {
      const alert = {
        labels: { alertname: 'build-from-unreviewed-commit', severity: 'high', workspace: 'acme', id },
        annotations: { title: `Run ${id} built a commit that nobody else reviewed`, summary: 'x'.repeat(400) },
      };
      const answer = await fetch(`${url}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify([alert]),
      });
      if (!answer.ok) throw new Error(`Alertmanager answered ${answer.status}: ${await answer.text()}`);
      await answer.arrayBuffer();
    },
    cpuSeconds: () => cpuSeconds(child.pid!),
    residentMiB: () => residentMiB(child.pid!),
    close,
  };
}

/** The module as the proxy has it lacks the built web page, without which it does not compile: an empty one will do. */
async function build(draft: string): Promise<void> {
  const { stdout } = await prepare('go', ['mod', 'download', '-json', `${module}@${version}`]);
  const { Dir: downloaded } = JSON.parse(stdout) as { Dir: string };
  const source = join(draft, 'source');
  cpSync(downloaded, source, { recursive: true });
  await prepare('chmod', ['-R', 'u+w', source]);
  const page = join(source, 'ui/app/dist');
  mkdirSync(page, { recursive: true });
  writeFileSync(join(page, 'index.html'), '<!doctype html><title>Alertmanager</title>\n');
  await prepare('go', ['-C', source, 'build', '-o', join(draft, 'alertmanager'), './cmd/alertmanager'], {
    GOFLAGS: '-buildvcs=false -trimpath -mod=mod',
  });
  rmSync(source, { recursive: true, force: true });
}

function configFor(webhook: string): string {
  return `route:
  receiver: slack
  group_by: ['...']
  group_wait: 0s
  group_interval: 1h
  repeat_interval: 24h
receivers:
  - name: slack
    slack_configs:
      - api_url: ${webhook}
        channel: '#alerts'
        send_resolved: false
        title: '{{ (index .Alerts 0).Annotations.title }}'
        text: '{{ (index .Alerts 0).Labels.id }} {{ (index .Alerts 0).Annotations.summary }}'
`;
}
