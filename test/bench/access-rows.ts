import type { AccessFigures } from './access.ts';
import { format, percentile } from './measure.ts';
import { type Row, row, spread } from './table.ts';

/** The section `access`, as rows. */
export function accessRows(figures: AccessFigures): Row[] {
  const { grants, bare, atFullSpeed, gateMs, deadMs, githubMs, leftAlive, honestMs, garbage, keyRequests, openBao } =
    figures;
  const told = (ms: readonly number[]) => `p50 ${format(percentile(ms, 0.5))}, p99 ${format(percentile(ms, 0.99))} ms`;
  const peer = (name: 'loginMs' | 'revokeMs', what: string) =>
    'absent' in openBao ? `OpenBao: ${openBao.absent}` : `${what}: ${told(openBao[name])}`;
  const login = peer('loginMs', 'OpenBao’s JWT login, in memory, which keeps no record of it and knows no review');
  const [alone, beside] = [percentile(honestMs.alone, 0.99), percentile(honestMs.besideGarbage, 0.99)];
  const answers = Object.entries(garbage.answers).map(([status, count]) => `${count} × ${status}`);
  return [
    ...spread(
      `a grant beyond the ${githubMs} ms that GitHub takes, 8 at once, the log’s append counted`,
      grants.ms,
      { p50: 15, p99: 40 },
      `${format(grants.perSecond)} a second; ${login}`,
    ),
    row({
      what: 'the same beside a server that makes the least calls of a grant and decides nothing, in turn: p50',
      figure: `${format(percentile(grants.ms, 0.5))} ms, ${format(grants.cpuMs)} ms CPU of the broker`,
      beside: `${told(bare.ms)}, ${format(bare.cpuMs)} ms CPU: one verification, three statements over tables with a key, a mint, an append`,
      ratio: format(percentile(grants.ms, 0.5) / percentile(bare.ms, 0.5)),
    }),
    row({
      what: 'the same at a GitHub that takes no time, so that the machine is full',
      figure: told(atFullSpeed.ms),
      beside: `${format(atFullSpeed.perSecond)} a second, ${format(atFullSpeed.cpuMs)} ms CPU of the broker a grant`,
    }),
    ...spread(
      `GitHub’s question to the gate in the log → its verdict at GitHub, 10 a second, four requests of ${githubMs} ms within`,
      gateMs,
      { p99: 1000 },
      `${gateMs.length} asked, all approved`,
    ),
    ...spread(
      `a job’s end in the log → its token dead, 50 a second, at a GitHub that takes ${githubMs} ms`,
      deadMs,
      { p99: 300 },
      `${leftAlive} left alive; ${peer('revokeMs', 'OpenBao’s revocation by accessor alone')}`,
    ),
    row({
      what: 'a grant, 20 a second, beside garbage at 100 a second from another address: p99',
      figure: `${format(beside)} ms`,
      beside: `without garbage ${format(alone)} ms; ${garbage.sent} answered ${answers.join(', ')}; ${keyRequests} requests for keys in all`,
      ratio: format(beside / alone),
      goal: '≤ 2 ×',
      met: beside <= 2 * alone,
      headline: true,
    }),
  ];
}
