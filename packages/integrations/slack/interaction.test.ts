import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { actionIds, InteractionError, parseInteraction, verifySlackSignature } from './interaction.ts';

const nowMs = 1_800_000_000_000;
const signingSecret = 'canary-signing-3fd0';
const body = Buffer.from('payload=%7B%7D');
function signed(change: { secret?: string; ageS?: number; body?: Buffer } = {}) {
  const timestamp = String(nowMs / 1000 - (change.ageS ?? 0));
  const hmac = createHmac('sha256', change.secret ?? signingSecret).update(`v0:${timestamp}:`);
  return { signingSecret, timestamp, signature: `v0=${hmac.update(change.body ?? body).digest('hex')}`, body, nowMs };
}
const press = (payload: unknown) =>
  parseInteraction(Buffer.from(new URLSearchParams({ payload: JSON.stringify(payload) }).toString()));
const user = { id: 'U7', username: 'ada' };
const pressed = (action: object) => press({ type: 'block_actions', user, actions: [action] });

test('only what Slack signed, within five minutes, is believed', () => {
  expect(verifySlackSignature(signed())).toBe(true);
  expect(verifySlackSignature(signed({ ageS: 300 }))).toBe(true);
  expect(verifySlackSignature(signed({ ageS: 301 }))).toBe(false);
  expect(verifySlackSignature(signed({ ageS: -301 }))).toBe(false);
  expect(verifySlackSignature(signed({ secret: 'other' }))).toBe(false);
  expect(verifySlackSignature(signed({ body: Buffer.from('payload=%7B%7D ') }))).toBe(false);
  for (const wrong of [{ timestamp: undefined }, { timestamp: 'NaN' }, { signature: undefined }, { signature: 'v0=' }])
    expect(verifySlackSignature({ ...signed(), ...wrong })).toBe(false);
});

test('each button is one verb', () => {
  const actor = { via: 'slack', id: 'U7', name: 'ada' };
  expect(pressed({ action_id: actionIds.acknowledge, value: 'INC-3' })).toEqual({
    verb: 'acknowledge',
    incident: 'INC-3',
    actor,
  });
  expect(pressed({ action_id: actionIds.falsePositive, value: 'INC-3' })).toMatchObject({ resolution: 'false' });
  expect(pressed({ action_id: actionIds.resolve, selected_option: { value: 'accepted INC-3' } })).toMatchObject({
    verb: 'resolve',
    incident: 'INC-3',
    resolution: 'accepted',
  });
});

test('anything else is refused by name, and not repeated', () => {
  const canary = 'canary-in-payload';
  const nonsense = [
    () => parseInteraction(Buffer.from('x=1')),
    () => parseInteraction(Buffer.from(`payload=${canary}`)),
    () => press({ type: canary }),
    () => press(null),
    () => pressed({ action_id: canary, value: 'INC-3' }),
    () => pressed({ action_id: actionIds.acknowledge, value: canary }),
    () => pressed({ action_id: actionIds.resolve, selected_option: { value: `${canary} INC-3` } }),
  ];
  for (const read of nonsense) {
    expect(read).toThrow(InteractionError);
    expect(read).not.toThrow(new RegExp(canary));
  }
});
