import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact, PassedOver } from '@tripline/contracts/fact';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { passingOver } from './passing-over.ts';

const type = 'dev.cdevents.taskrun.started' satisfies EventType;
const factOf = (passed?: PassedOver) => ({ passesOver: passed && { [type]: passed } }) as unknown as AnyFact;
const hosted = factOf({ says: { 'tripline.worker.hosted': true } });
const plain = factOf({
  without: ['deployment.environment.name'],
  says: { 'tripline.worker.hosted': true },
  unlessWanted: true,
});
const over = (...facts: AnyFact[]) => passingOver(new Map([[type, facts]]));
const bytes = (data: object) => Buffer.from(JSON.stringify(data));
const [never, always] = [() => false, () => true];

describe('an event that tells facts nothing', () => {
  test('is known by its bytes as by what it says, whatever strangers wrote into it', () => {
    const stranger = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '"tripline.worker.hosted":true',
        '\\"tripline.worker.hosted\\":true',
        '"deployment.environment.name"',
      ),
    );
    const events = fc.record(
      {
        'cicd.pipeline.task.name': stranger,
        'tripline.worker.hosted': fc.boolean(),
        'deployment.environment.name': stranger,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(events, fc.boolean(), (data, isWanted) => {
        const { byBytes, byData } = over(hosted, plain);
        const event = { type, data } as unknown as LoggedEvent;
        const said = [hosted, plain].every((fact) => byData(fact, event, () => isWanted));
        expect(byBytes(type, bytes(data), () => isWanted)).toBe(said);
        const isPlain = data['tripline.worker.hosted'] === true && data['deployment.environment.name'] === undefined;
        expect(said).toBe(isPlain && !isWanted);
      }),
    );
  });

  test('is known by texts that stand nowhere in it, and read where one does', () => {
    const injected = factOf({ lacks: ['$(', 'IFS'] });
    const { byBytes, byData } = over(injected);
    expect(byBytes(type, bytes({ 'cicd.pipeline.task.name': 'build (linux) $HOME' }), never)).toBe(true);
    for (const text of ['a$(id)', `x\${IFS}y`, '\n"$(']) {
      expect(byBytes(type, bytes({ 'cicd.pipeline.task.name': text }), never)).toBe(false);
    }
    expect(byData(injected, { type, data: {} } as unknown as LoggedEvent, never)).toBe(false);
    // Of another fact, all that it asks for must be so too.
    const both = over(injected, hosted);
    expect(both.byBytes(type, bytes({ 'tripline.worker.hosted': true }), never)).toBe(true);
    expect(both.byBytes(type, bytes({}), never)).toBe(false);
  });

  test('is read where one fact of several passes nothing over, and where settings ask for more', () => {
    const data = bytes({ 'tripline.worker.hosted': true });
    expect(over(hosted).byBytes(type, data, always)).toBe(true);
    expect(over(hosted, factOf()).byBytes(type, data, never)).toBe(false);
    expect(over(hosted, plain).byBytes(type, data, never)).toBe(true);
    expect(over(hosted, plain).byBytes(type, data, always)).toBe(false);
    expect(over(hosted).byBytes('dev.cdevents.taskrun.finished', data, never)).toBe(false);
  });
});
