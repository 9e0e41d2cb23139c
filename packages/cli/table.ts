import type { Command } from './command.ts';
import { access } from './commands/access.ts';
import { attack } from './commands/attack.ts';
import { breakGlass } from './commands/break-glass.ts';
import { capture } from './commands/capture.ts';
import { deadLetters } from './commands/dead-letters.ts';
import { doctor } from './commands/doctor.ts';
import { events } from './commands/events.ts';
import { explain } from './commands/explain.ts';
import { findings } from './commands/findings.ts';
import { incidents } from './commands/incidents.ts';
import { inventory } from './commands/inventory.ts';
import { killSwitch } from './commands/kill-switch.ts';
import { migrate } from './commands/migrate.ts';
import { replay } from './commands/replay.ts';
import { revokeToken } from './commands/revoke-token.ts';
import { rules } from './commands/rules.ts';
import { serviceCommands } from './commands/services.ts';
import { silence } from './commands/silence.ts';
import { state } from './commands/state.ts';
import { trail } from './commands/trail.ts';
import { up } from './commands/up.ts';

/** Every verb of `tripline`, in the order in which help shows them. */
export const commands: readonly Command[] = [
  up,
  attack,
  events,
  deadLetters,
  findings,
  incidents,
  silence,
  rules,
  explain,
  replay,
  capture,
  inventory,
  access,
  doctor,
  state,
  trail,
  killSwitch,
  breakGlass,
  revokeToken,
  migrate,
  ...serviceCommands,
];
