import type { Breach } from './scenario.ts';

/** A breach that nothing replays yet. */
export type WaitingBreach = Breach & {
  /** The feed that would have shown it. */
  waitsFor: string;
};

/** Breaches that no feed of today would have shown: their numbers are kept for them. */
export const waitingBreaches: readonly WaitingBreach[] = [
  {
    ...{ number: 1, name: 'SolarWinds', date: '2020-02' },
    waitsFor:
      'the digests of what a second, independent build makes of the same commit: the source was swapped on the build host',
  },
  {
    ...{ number: 2, name: 'Codecov', date: '2021-01' },
    waitsFor: 'the audit trail of the object store: a key of the pipeline wrote to it while no job ran',
  },
  {
    ...{ number: 5, name: 'Travis CI', date: '2021-09' },
    waitsFor: 'the events of Travis CI: builds of forks were given secrets',
  },
  {
    ...{ number: 9, name: 'CircleCI', date: '2022-12' },
    waitsFor: 'the audit trail of the cloud: keys that CI stored were used from elsewhere',
  },
];
