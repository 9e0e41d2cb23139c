import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  actionIds,
  formMetadata,
  type Interaction,
  InteractionError,
  parseInteraction,
  reasonForm,
  verifySlackSignature,
} from './interaction.ts';

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
const from = { team: { id: 'T1' }, api_app_id: 'A1', user: { id: 'U7', username: 'ada' } };
const pressed = (action: object, change: object = {}) =>
  press({ type: 'block_actions', ...from, channel: { id: 'C1' }, trigger_id: '1.2', actions: [action], ...change });
const submitted = (metadata: string, value: unknown, change: object = {}) => {
  const state = { values: { [reasonForm.block]: { [reasonForm.input]: { type: 'plain_text_input', value } } } };
  const view = { callback_id: reasonForm.callback, private_metadata: metadata, state };
  return press({ type: 'view_submission', ...from, view, ...change });
};
const pressBy = { team: 'T1', app: 'A1', channel: 'C1', user: { id: 'U7', name: 'ada' }, incident: 'INC-3' };

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

test('each button is one verb, with where and by whom it was pressed', () => {
  expect(pressed({ action_id: actionIds.acknowledge, value: 'INC-3' })).toEqual({ ...pressBy, verb: 'acknowledge' });
  expect(pressed({ action_id: actionIds.resolve, selected_option: { value: 'true INC-3' } })).toEqual({
    ...{ ...pressBy, verb: 'resolve', resolution: 'true' },
  });
});

test('false and accepted ask for a reason; the form that they lead to resolves', () => {
  const asked = {
    false: pressed({ action_id: actionIds.falsePositive, value: 'INC-3' }),
    accepted: pressed({ action_id: actionIds.resolve, selected_option: { value: 'accepted INC-3' } }),
  };
  for (const resolution of ['false', 'accepted'] as const) {
    expect(asked[resolution]).toEqual({ ...pressBy, verb: 'ask', resolution, trigger: '1.2' });
    const metadata = formMetadata(asked[resolution] as Interaction, resolution);
    const expected = { ...pressBy, verb: 'resolve', resolution };
    expect(submitted(metadata, ' we moved it ')).toEqual({ ...expected, reason: 'we moved it' });
    expect(submitted(metadata, null)).toEqual({ ...expected, reason: '' });
  }
});

test('anything else is refused by name, and not repeated', () => {
  const canary = 'canary-in-payload';
  const nonsense = [
    () => parseInteraction(Buffer.from('x=1')),
    () => parseInteraction(Buffer.from(`payload=${canary}`)),
    () => press({ type: canary }),
    () => press(null),
    () => pressed({ action_id: actionIds.acknowledge, value: 'INC-3' }, { team: canary }),
    () => pressed({ action_id: actionIds.acknowledge, value: 'INC-3' }, { channel: { id: canary } }),
    () => pressed({ action_id: actionIds.acknowledge, value: 'INC-3' }, { api_app_id: undefined }),
    () => submitted(`${canary} INC-3 C1`, 'why'),
    () => submitted(`true INC-3 C1`, 'why'),
    () => submitted(`false ${canary} C1`, 'why'),
    () => submitted('false INC-3 C1', canary, { view: { callback_id: canary } }),
    () => pressed({ action_id: canary, value: 'INC-3' }),
    () => pressed({ action_id: actionIds.acknowledge, value: canary }),
    () => pressed({ action_id: actionIds.resolve, selected_option: { value: `${canary} INC-3` } }),
  ];
  for (const read of nonsense) {
    expect(read).toThrow(InteractionError);
    expect(read).not.toThrow(new RegExp(canary));
  }
});
