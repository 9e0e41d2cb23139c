import type { Verb } from '../verb.ts';
import { access } from './access.ts';
import { answers } from './answers.ts';
import { broker } from './broker.ts';
import { changes } from './changes.ts';
import { controls } from './controls.ts';
import { feeds } from './feeds.ts';
import { gates } from './gates.ts';
import { pushes } from './pushes.ts';
import { runs } from './runs.ts';
import { stepUps } from './step-ups.ts';
import { tickets } from './tickets.ts';

/** Every form that a line can have. A new verb stands in the file of its family; a new family has a line here. */
export const verbs: readonly Verb[] = [
  ...pushes,
  ...changes,
  ...runs,
  ...access,
  ...broker,
  ...controls,
  ...feeds,
  ...gates,
  ...answers,
  ...stepUps,
  ...tickets,
];
