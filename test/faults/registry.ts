import { accessClock, accessFrozen, accessFrozenOnKafka } from './access-frozen.ts';
import { accessRace, accessRaceOnKafka } from './access-race.ts';
import { accessSpent } from './access-spent.ts';
import { accessKafkaStopped, accessStopped } from './access-stopped.ts';
import { brokersLost } from './brokers-lost.ts';
import { diskFull } from './disk-full.ts';
import type { Fault } from './fault.ts';
import { gateFaulty } from './gate-faulty.ts';
import { gateFrozen } from './gate-frozen.ts';
import { gateStopped } from './gate-stopped.ts';
import { framing } from './hostile-framing.ts';
import { garbageFault } from './hostile-garbage.ts';
import { badSignatures } from './hostile-signatures.ts';
import { slowloris } from './hostile-slowloris.ts';
import { ssrf } from './hostile-ssrf.ts';
import { broker, brokerOnKafka } from './kill9.broker.ts';
import { detector } from './kill9.detector.ts';
import { gate } from './kill9.gate.ts';
import { notifier } from './kill9.notifier.ts';
import { receiver } from './kill9.receiver.ts';
import { recorder } from './kill9.recorder.ts';
import { remediator } from './kill9.remediator.ts';
import { standalone } from './kill9.standalone.ts';
import { kill9 } from './kill9.ts';
import { lostReplies } from './lost-replies.ts';
import { postgresStopped } from './postgres-stopped.ts';
import { rebalanceStorm } from './rebalance-storm.ts';
import { accessSimulation, simulation } from './simulation.ts';
import { sinksAway } from './sinks-away.ts';
import { sinksFaulty } from './sinks-faulty.ts';
import { stoppedOwner } from './stopped-owner.ts';
import { storm } from './storm.ts';
import { upgrade } from './upgrade.ts';

/** Every fault that is played, in the order of the table: by CI in its small size, by `npm run test:faults` in full. */
export const faults: readonly Fault[] = [
  ...[receiver, detector, recorder, notifier, remediator, broker, brokerOnKafka, gate, standalone].map(kill9),
  // What we stand on.
  ...[lostReplies, postgresStopped, brokersLost, stoppedOwner, rebalanceStorm, diskFull, upgrade],
  // What jobs are given, and is taken back.
  ...[accessRace, accessStopped, accessSpent, accessFrozen, accessClock],
  ...[accessRaceOnKafka, accessKafkaStopped, accessFrozenOnKafka],
  // Whom GitHub asks before a deployment.
  ...[gateStopped, gateFrozen, gateFaulty],
  // Whom we tell, and who acts for us.
  ...[sinksFaulty, sinksAway, storm],
  // All of it at once, by chance.
  ...[simulation, accessSimulation],
  // What comes from outside.
  ...[garbageFault, badSignatures, framing, slowloris, ssrf],
];
