import { expect, test } from 'vitest';
import { noRevision as none, type RefStep, refMoves } from './ref-steps.ts';

const mendMs = 3_600_000;
const step = (minute: number, before: string, after: string, commit = after) => ({
  ...{ time: new Date(Date.UTC(2026, 2, 11, 9, minute)).toISOString(), before, after, commit },
});
const moved = (...steps: RefStep[]) => refMoves(steps, mendMs).map(({ step: { after }, from }) => `${from} → ${after}`);

test('forced, or deleted and made again', () => {
  expect(moved(step(0, none, 'a'), step(5, 'a', 'b'))).toEqual(['a → b']);
  expect(moved(step(0, 'a', none), step(5, none, 'b'))).toEqual(['a → b']);
  expect(moved(step(0, none, 'a'), step(5, 'a', none), step(6, none, 'a'))).toEqual([]);
  expect(refMoves([step(0, 'a', none), step(5, none, 'b')], mendMs)[0]!.deletedBy?.before).toBe('a');
});

test('put back within the time is the mending, later it is a move', () => {
  expect(moved(step(0, 'a', 'b'), step(5, 'b', 'a'), step(6, 'a', 'c'))).toEqual(['a → b', 'a → c']);
  expect(moved(step(0, 'a', 'b'), step(5, 'b', 'c'), step(6, 'c', 'a'))).toEqual(['a → b', 'a → c']);
  expect(moved(step(0, 'a', 'b'), step(90, 'b', 'a'))).toEqual(['a → b', 'b → a']);
});

test('steps of one second are put in the only order that they can have had', () => {
  expect(moved(step(0, none, 'b'), step(0, 'a', none))).toEqual(['a → b']);
  expect(moved(step(0, 'b', 'c'), step(0, 'a', 'b'), step(0, none, 'a'))).toEqual(['a → b', 'a → c']);
  expect(moved(step(0, none, 'a'), step(1, none, 'c'), step(1, 'a', none))).toEqual(['a → c']);
});

test('another tag object on the same commit is no move; a step that was not heard of is seen by the next', () => {
  expect(moved(step(0, none, 't1', 'a'), step(5, 't1', 't2', 'a'))).toEqual([]);
  expect(moved(step(0, none, 'a'), step(5, 'x', 'b'))).toEqual(['a → b']);
});

test('whoever puts back what nobody told of did not move it', () => {
  const [move, ...more] = refMoves([step(0, none, 'a'), step(5, 'x', 'a')], mendMs);
  expect(more).toEqual([]);
  expect(move).toMatchObject({ from: 'a', unheard: 'x' });
  expect(moved(step(0, 'a', 'b'), step(5, 'x', 'a'))).toEqual(['a → b']);
});

test('a branch of the name stands for a tag that is gone, and for none that is there', () => {
  const branch = (minute: number, after: string) => ({ ...step(minute, none, after), isBranch: true });
  expect(moved(step(0, none, 'a'), step(5, 'a', none), branch(6, 'b'))).toEqual(['a → b']);
  expect(moved(step(0, none, 'a'), branch(5, 'b'), step(6, 'a', none), step(7, none, 'a'))).toEqual([]);
  expect(moved(step(0, none, 'a'), step(5, 'a', none), branch(6, 'b'), step(7, none, 'a'))).toEqual(['a → b']);
});
