import fc from 'fast-check';
import { expect, test } from 'vitest';
import { brokerEventTypes, faultOfOrigin, internalEventTypes, isFromWithin, signInternal } from './internal.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const record = fc.record({
  key: text,
  headers: fc.dictionary(text, text, { maxKeys: 6 }),
  value: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
});
const key = fc.string({ minLength: 16, maxLength: 40 });

test('a record that was signed is from within, by whichever of the keys in rotation', () => {
  fc.assert(
    fc.property(record, key, key, (of, former, now) => {
      expect(isFromWithin(signInternal(of, former), [now, former])).toBe(true);
      expect(isFromWithin(signInternal(signInternal(of, former), now), [now])).toBe(true);
    }),
  );
});

test('the order of headers is of no matter', () => {
  fc.assert(
    fc.property(record, key, (of, secret) => {
      const { headers, ...rest } = signInternal(of, secret);
      const turned = Object.fromEntries(Object.entries(headers).reverse());
      expect(isFromWithin({ ...rest, headers: turned }, [secret])).toBe(true);
    }),
  );
});

test('any change of key, header or value breaks it, and so does another key or none', () => {
  const change = fc.oneof(
    fc.record({ what: fc.constant('key' as const), to: text }),
    fc.record({ what: fc.constant('header' as const), name: text, to: text }),
    fc.record({ what: fc.constant('drop' as const), name: text }),
    fc.record({ what: fc.constant('rename' as const), name: text, to: text }),
    fc.record({ what: fc.constant('value' as const), to: fc.uint8Array({ maxLength: 60 }) }),
  );
  fc.assert(
    fc.property(record, key, fc.array(change, { minLength: 1, maxLength: 3 }), (of, secret, changes) => {
      const signed = signInternal(of, secret);
      let other = signed;
      for (const one of changes) {
        const headers = { ...other.headers };
        if (one.what === 'header') headers[one.name] = one.to;
        else if (one.what === 'drop') delete headers[one.name];
        else if (one.what === 'rename' && one.name in headers) {
          headers[one.to] = headers[one.name]!;
          if (one.to !== one.name) delete headers[one.name];
        }
        other = { ...other, headers };
        if (one.what === 'key') other = { ...other, key: one.to };
        if (one.what === 'value') other = { ...other, value: Buffer.from(one.to) };
      }
      const same =
        other.key === signed.key &&
        other.value.equals(signed.value) &&
        JSON.stringify(Object.entries(other.headers).sort()) === JSON.stringify(Object.entries(signed.headers).sort());
      expect(isFromWithin(other, [secret])).toBe(same);
    }),
  );
  const signed = signInternal({ key: 'a', headers: { b: 'c' }, value: Buffer.from('d') }, 'one-key-of-sixteen');
  expect(isFromWithin(signed, ['another-key-of-sixteen'])).toBe(false);
  expect(isFromWithin(signed, [])).toBe(false);
  expect(isFromWithin({ ...signed, headers: { b: 'c' } }, ['one-key-of-sixteen'])).toBe(false);
});

test('what a provider could be made to say is not among the internal types', () => {
  for (const type of internalEventTypes) {
    if (brokerEventTypes.has(type)) continue;
    expect(type).toMatch(/observed$|looked-up$|performed$|finished$|breakglass\.opened$|silent$/);
  }
});

test('the broker is believed by its own key alone, which makes nothing else believed', () => {
  const keys = { internalKeys: ['the-key-of-the-detector'], broker: { eventKeys: ['now-of-the-broker', 'former'] } };
  const of = (ce_type: string, key = 'acme') => ({ key, headers: { ce_type, ce_workspace: key }, value: null });
  for (const type of brokerEventTypes) {
    expect(faultOfOrigin(signInternal(of(type), 'now-of-the-broker'), keys)).toBeNull();
    expect(faultOfOrigin(signInternal(of(type), 'former'), keys)).toBeNull();
    expect(faultOfOrigin(of(type), keys)).toMatch(/comes from the broker alone/);
    expect(faultOfOrigin(signInternal(of(type), 'the-key-of-the-detector'), keys)).toMatch(
      /no key of broker.eventKeys/,
    );
    const drill = signInternal(of(type, 'tripline-drill-1'), 'the-drill-key');
    expect(faultOfOrigin(drill, { ...keys, drillKey: 'the-drill-key' })).toBeNull();
    expect(
      faultOfOrigin(signInternal(of(type), 'the-drill-key'), { ...keys, drillKey: 'the-drill-key' }),
    ).not.toBeNull();
  }
  const inventory = signInternal(of('dev.cdeventsx.tripline-inventory.observed'), 'now-of-the-broker');
  expect(faultOfOrigin(inventory, keys)).toMatch(/comes from within/);
});
