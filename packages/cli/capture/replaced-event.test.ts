import { attributes, id as idSchema } from '@tripline/contracts/attributes';
import { type EventType, eventTypes, parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import { seeded } from '@tripline/testing/timeline/any-order';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createPseudonyms, type Pseudonyms } from './pseudonyms.ts';
import { publicWords } from './public-words.ts';
import { replacedEvent } from './replaced-event.ts';

const known = publicWords();
const create = (...noted: unknown[]): Pseudonyms => {
  const names = createPseudonyms((word) => known.has(word), seeded(11));
  names.note(JSON.stringify(noted));
  return names;
};

/** A value of each form that a schema takes, each of its texts with a canary of its own. */
function filled(schema: unknown, canary: (isId: boolean) => string): unknown {
  if (schema instanceof z.ZodOptional) return filled(schema.unwrap(), canary);
  if (schema instanceof z.ZodArray) return [filled(schema.element, canary), filled(schema.element, canary)];
  if (schema instanceof z.ZodObject)
    return Object.fromEntries(Object.entries(schema.shape).map(([key, inner]) => [key, filled(inner, canary)]));
  if (schema instanceof z.ZodRecord)
    return Object.fromEntries([0, 1].map(() => [canary(false), filled(schema.valueType, canary)]));
  if (schema instanceof z.ZodUnion) return filled(schema.options[0], canary);
  if (schema instanceof z.ZodEnum) return schema.options[0];
  if (schema instanceof z.ZodLiteral) return schema.value;
  if (schema instanceof z.ZodBoolean) return true;
  if (schema instanceof z.ZodNumber) return 3;
  if (schema instanceof z.ZodISODateTime) return '2026-03-11T09:00:00Z';
  if (schema instanceof z.ZodUnknown) return canary(false);
  return canary(schema === idSchema);
}

describe('nothing of the original is left', () => {
  const forms: Record<string, (word: string) => string> = {
    'a name': (word) => word,
    'an address of e-mail': (word) => `${word}@${word}.example`,
    'a repository': (word) => `${word}/${word}`,
    'a URL': (word) => `https://github.com/${word}/${word}/pull/7?${word}=${word}#${word}`,
    'words beside the provider’s': (word) => `admin ${word} write`,
    JSON: (word) => JSON.stringify([{ [word]: word, actor_type: word, name: word, ids: [word], from: { name: word } }]),
    'JSON that was clipped': (word) => JSON.stringify({ name: word, [word]: `\n${word}` }).slice(0, -2),
    'other letters': (word) => `é${word}字`,
    escaped: (word) => `%41${word}%C3%A9`,
    capitals: (word) => word.toUpperCase(),
    'beside a time': (word) => `2026-03-11T09:00:00Z${word}`,
    'beside an address': (word) => `10.1.2.3${word}:${word}::1`,
  };
  test.each(Object.entries(forms))('of %s in every attribute of every type of event', (_, form) => {
    const canaries: string[] = [];
    const canary = (isId: boolean) => {
      const word =
        isId && canaries.length % 2 === 0
          ? `8675309${canaries.length + 100_000}`
          : `zanary${canaries.length + 10_000}q`;
      canaries.push(word);
      return form(word);
    };
    for (const type of Object.keys(eventTypes) as EventType[]) {
      canaries.length = 0;
      const data = Object.fromEntries(
        Object.entries(attributes).map(([name, schema]) => [name, filled(schema, canary)]),
      );
      data['tripline.audit.record'] = Object.assign({}, data['tripline.audit.record'], {
        ...{
          action: canary(false),
          actor: canary(false),
          actor_id: 8_675_309_999,
          actor_ip: '203.0.113.77',
          nothing: null,
        },
        ...{ 'reasons.code': canary(false), created_at: 1_790_000_000_000, list: [canary(false)], flag: true },
      });
      const event = {
        ...{
          id: `github:${canary(false)}`,
          source: `//github.com/${canary(false)}`,
          type,
          time: '2026-03-11T09:00:00Z',
        },
        ...{ workspace: canary(false).slice(0, 128), trust: 'high', bodySha256: 'ab12'.repeat(16), data },
      } as unknown as TriplineEvent;
      const replaced = replacedEvent(event, create(event));
      const text = JSON.stringify(replaced).toLowerCase();
      const left = [...canaries, 'zanary', '8675309', '203.0.113', 'ab12ab12'].filter((word) => text.includes(word));
      expect(left, type).toEqual([]);
      expect(parseEvent(replaced)).toEqual(replaced);
    }
  });

  test('nor of an attribute that is none', () => {
    const event = {
      id: 'x1',
      source: 's',
      workspace: 'w',
      data: { 'tripline.unheard.of': 'zanary' },
    } as unknown as TriplineEvent;
    expect(JSON.stringify(replacedEvent(event, create(event)))).not.toContain('zanary');
  });

  test('of any text of any words', () => {
    const word = fc.stringMatching(/^[a-z]{5,12}$/).filter((one) => !known.has(one));
    const glue = fc.constantFrom(
      '/',
      ' ',
      '-',
      '_',
      '.',
      '@',
      ':',
      '"',
      '\\',
      '${{ ',
      ' }}',
      '%20',
      '\n',
      '#',
      '=',
      '字',
      '`',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(word, glue), { minLength: 1, maxLength: 12 }), (parts) => {
        const text = parts.flat().join('');
        const replaced = create(text).text(text).toLowerCase();
        for (const [one] of parts) expect(replaced.split(/[^a-z]+/)).not.toContain(one);
        // As long, and of the same form.
        if (!text.includes('字') && !/\\[bfnrt]/.test(text))
          expect(replaced.replaceAll(/[a-z]/g, 'x')).toBe(text.replaceAll(/[a-z]/g, 'x'));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the same is replaced by the same', () => {
  test('wherever it stands, and in whatever case', () => {
    const given = [
      'Lovelace/engine',
      'https://github.com/lovelace/Engine/pull/7',
      'ada@lovelace.example',
      'refs/heads/lovelace-fix',
    ];
    const names = create(given);
    const [repository, url, mail, ref] = given.map(names.text) as [string, string, string, string];
    const [owner, name] = repository.toLowerCase().split('/') as [string, string];
    expect(url.toLowerCase()).toBe(`https://github.com/${owner}/${name}/pull/7`);
    expect(mail.split('@')[1]).toMatch(new RegExp(`^${owner}\\.`));
    expect(ref.startsWith(`refs/heads/${owner}-`)).toBe(true);
    expect(repository[0]).toMatch(/[A-Z]/);
  });

  test('numbers stay numbers and hashes hashes; what is an abbreviation stays one, and two are never one', () => {
    const sha = '3083a36683d5b8e7d1a2c3d4e5f60718293a4b5c';
    const names = create(sha);
    expect(names.id(sha)).toMatch(/^[0-9a-f]{40}$/);
    expect(names.id(sha).startsWith(names.text(sha.slice(0, 12)))).toBe(true);
    expect(names.id('0'.repeat(40))).toBe('0'.repeat(40));
    expect(names.id('4711')).toMatch(/^\d{4}$/);
    expect(names.text('#4711, v1.2.3')).toBe(`#4711, ${names.text('v1.2.3')}`);
    const all = Array.from({ length: 900 }, (_, nth) => String(nth + 100_000));
    expect(new Set(all.map(names.id)).size).toBe(900);
    expect(new Set(all.map((one) => names.text(`w${one}`))).size).toBe(900);
    expect(names.id('72d3162e-cc78-11e3-81ab-4c9367dc0958')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    );
  });

  test('an account by its number is the same in a record as in the event made of it, however short the number', () => {
    const record = { action: 'org.add_member', actor: 'ada', actor_id: 66, org_id: 9, user_id: 7 };
    const event = {
      ...{ id: 'github-audit:d1', source: '//github.com/acme', workspace: 'acme', trust: 'medium' },
      ...{ type: 'dev.cdeventsx.tripline-audit.recorded', time: '2026-03-11T09:00:00Z' },
      data: { 'user.id': '66', 'user.name': 'ada', 'tripline.audit.record': record },
    } as unknown as TriplineEvent;
    const { data } = replacedEvent(event, create());
    const replaced = data['tripline.audit.record'] as typeof record;
    expect(String(replaced.actor_id)).toBe(data['user.id']);
    expect(replaced.actor_id).not.toBe(66);
  });

  test('addresses of one network stay in one', () => {
    const names = create();
    const [a, b, c, d] = ['203.0.113.7', '203.0.113.9', '203.0.114.7', '2001:db8:1::7'].map(names.text) as [
      string,
      string,
      string,
      string,
    ];
    const net = (address: string) => address.slice(0, address.lastIndexOf('.'));
    expect(net(a)).toBe(net(b));
    expect(a).not.toBe(b);
    expect(net(a)).not.toBe(net(c));
    expect(d).toMatch(/^[0-9a-f]{4}:[0-9a-f]{3}:[0-9a-f]{1,4}::[0-9a-f]{1,4}$/);
    expect(names.text('2001:db8:1::9').split('::')[0]).toBe(d.split('::')[0]);
  });

  test('a pattern still fits what it fitted', () => {
    const names = create('release-train/*', 'release-train/spring');
    const [pattern, branch] = ['release-train/*', 'release-train/spring'].map(names.text) as [string, string];
    expect(branch.startsWith(pattern.slice(0, -1))).toBe(true);
    expect(names.text('~DEFAULT_BRANCH')).toBe('~DEFAULT_BRANCH');
  });
});
