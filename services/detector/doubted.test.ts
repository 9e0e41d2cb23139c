import { signInternal } from '@tripline/contracts/internal';
import type { Db } from '@tripline/db/database';
import type { StoreOptions } from '@tripline/engine/keyed-state/state-store';
import { internalKey } from '@tripline/testing/internal-key';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { detectorByHand, whatStands } from '@tripline/testing/services/detector';
import { at, type LoggedEventInput, toRecords } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { created, lonelyRule, minuteMs, startMs } from '../../test/detector.rules.ts';

const body = { bodySha256: 'a'.repeat(64) };
const answer = (proof: 'listed' | 'unavailable' | 'not-listed'): LoggedEventInput =>
  at(startMs + 20 * minuteMs, 'dev.cdeventsx.tripline-delivery.looked-up', {
    'tripline.delivery.id': 'again',
    'tripline.delivery.proof': proof,
  });

/** All that a new owner needs is in memory, without looking into blocks. */
const state: StoreOptions = {};

describe('a delivery that waits for its proof', () => {
  /** A branch comes, the same body comes again; then follows `last`, after the partition was taken anew or not. */
  async function play(on: Db, last: readonly LoggedEventInput[], isTakenAnew: boolean) {
    const events = [
      { ...created(startMs, 'branch-2', 'first'), ...body },
      { ...created(startMs + 10 * minuteMs, 'branch-2', 'again'), ...body },
      ...last,
    ];
    const records = toRecords({ events }).map((record) =>
      record.headers['ce_type']!.endsWith('looked-up') ? { ...record, ...signInternal(record, internalKey) } : record,
    );
    const open = () => detectorByHand(on, { rules: [lonelyRule], github: true, state });
    let by = await open();
    await by.assign();
    await by.batch(records.slice(0, 2));
    if (isTakenAnew) {
      by = await open();
      await by.assign();
    }
    await by.batch(records.slice(2), startMs + 3 * 60 * minuteMs);
  }

  test.each([
    ['is listed', [answer('listed')]],
    ['is not listed', [answer('not-listed')]],
    ['can be asked of nobody', [answer('unavailable')]],
    ['gets no answer', []],
  ])('is judged in full by the partition’s next owner when it %s', async (_, last) => {
    const [one, other] = [await freshDatabase(), await freshDatabase()];
    await play(one.as('detector'), last, false);
    await play(other.as('detector'), last, true);
    expect(await whatStands(other.db)).toEqual(await whatStands(one.db));
    await Promise.all([one.close(), other.close()]);
  });
});
