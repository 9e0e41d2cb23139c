import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { checkOut } from '../faults/former-checkout.ts';
import { format, ratio } from './measure.ts';
import { benchServers, receiverProcess } from './receiver.ts';

/**
 * What a delivery costs the receiver now, beside what it cost at a former commit: the same bytes, the same broker and
 * the same core, in turn. The ratio is of µs of CPU a delivery, which moves least with what else the machine does.
 *
 *     node test/bench/receiver-former.ts --former <commit> [--rounds 7] [--deliveries 8000]
 */
const { values: flags } = parseArgs({
  options: {
    former: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    deliveries: { type: 'string', default: '8000' },
  },
});
if (flags.former === undefined) throw new Error('--former names the commit to measure beside');

const former = checkOut(flags.former);
const brokers = await startBrokers({ brokers: 1 });
try {
  const now = receiverProcess(brokers.bootstrap.join(','));
  const [program, ...args] = now.args;
  // A former one may not know the port for operators, and refuses what it does not know.
  const { TRIPLINE_OPERATIONS_PORT: _, ...env } = now.env;
  const before = { ...now, env, args: [join(former.folder, 'packages/cli/tripline.mjs'), ...args] };
  if (program === before.args[0]) throw new Error('the former program is this one');
  const { cpu } = await benchServers(
    {
      brokers: brokers.bootstrap.join(','),
      deliveries: Number(flags.deliveries),
      rounds: Number(flags.rounds),
      connections: 64,
    },
    [
      { name: 'receiver', server: now },
      { name: `receiver of ${flags.former}`, server: before },
    ],
  );
  const { median, min, max } = ratio(cpu[0]!, cpu[1]!);
  process.stdout.write(
    `${format(median)} (${format(min)}–${format(max)}) of the former’s CPU a delivery, ${cpu[0]!.values.length} rounds\n`,
  );
} finally {
  await brokers.close();
  former.remove();
}
