import { expect, test } from 'vitest';
import { broker, brokerOnKafka } from './kill9.broker.ts';
import { detector } from './kill9.detector.ts';
import { gate } from './kill9.gate.ts';
import { notifier } from './kill9.notifier.ts';
import { receiver } from './kill9.receiver.ts';
import { recorder } from './kill9.recorder.ts';
import { remediator } from './kill9.remediator.ts';
import { standalone } from './kill9.standalone.ts';
import { points } from './points.ts';

test('somebody dies at each point', () => {
  const planned = new Set(
    [receiver, detector, recorder, notifier, remediator, broker, brokerOnKafka, gate, standalone].flatMap(
      (victim) => victim.points,
    ),
  );
  expect(Object.keys(points).filter((name) => !planned.has(name))).toEqual([]);
});
