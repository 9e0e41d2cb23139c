import { createRequire } from 'node:module';
import { parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Normalised } from '../contract.ts';
import { createWorkspaces } from '../workspace.ts';
import { openapiBodies } from './openapi-bodies.ts';
import { readEvents, unreadEvents } from './registry.ts';
import { github } from './source.ts';
import { signGithub } from './verify.ts';
import { isHosted } from './workflow.ts';

type Json = Record<string, unknown>;
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as { name: string; examples: Json[] }[];
const everybody = createWorkspaces({ workspaces: [], drills: true });
const receivedAtMs = Date.parse('2026-03-04T05:06:07Z');

function normalise(event: string, body: unknown, workspaces = everybody): Normalised {
  const rawBody = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const headers = { 'x-github-event': event, 'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958' };
  return github.normalise({ headers, rawBody, bodySha256: 'a'.repeat(64), receivedAtMs }, workspaces);
}
function eventOf(event: string, body: unknown): TriplineEvent {
  const normalised = normalise(event, body);
  if (!('event' in normalised)) throw new Error(`no event: ${JSON.stringify(normalised)}`);
  return normalised.event;
}
function example(name: string, fits: (body: Json) => boolean = () => true): Json {
  return structuredClone(examples.find((one) => one.name === name)!.examples.find(fits)!);
}
const action = (name: string) => (body: Json) => body['action'] === name;

test('every published example is an event that fits its contract, or set aside', () => {
  let count = 0;
  for (const { name, examples: bodies } of examples) {
    for (const body of bodies) {
      const normalised = normalise(name, body);
      expect(normalised, `${name} ${body['action'] ?? ''}`).not.toHaveProperty('refusal');
      expect(normalised, `${name} ${body['action'] ?? ''}`).not.toHaveProperty('aside', 'incomplete');
      if ('event' in normalised) parseEvent(normalised.event);
      count += 1;
    }
  }
  expect(count).toBe(329);
});

test('every action that GitHub describes is taken, with the least of its fields and with all of them', () => {
  const refused: string[] = [];
  for (const { event, operation, least, whole } of openapiBodies()) {
    for (const [extent, body] of Object.entries({ least, whole })) {
      const normalised = normalise(event, body);
      if ('refusal' in normalised) refused.push(`${operation}, ${extent}`);
      if ('event' in normalised) parseEvent(normalised.event);
    }
  }
  // What stays: bodies too bare to be told from other events', and organisations' with a repository, which GitHub sends none of.
  const told = /^(deployment-protection-rule-\S+|secret-scanning-alert-\S+), least$|^organization-\S+, whole$/;
  expect(refused.filter((body) => !told.test(body))).toEqual([]);
});

test('no example passes for another event that Tripline reads', () => {
  const passed = new Set<string>();
  for (const { name, examples: bodies } of examples) {
    for (const claimed of readEvents.keys()) {
      if (claimed === name) continue;
      for (const body of bodies) {
        if (!('refusal' in normalise(claimed, body))) passed.add(`${name} ${body['action'] ?? ''} as ${claimed}`);
      }
    }
  }
  expect([...passed]).toEqual([]);
  expect(normalise('member', example('push'))).toMatchObject({
    refusal: { status: 422, reason: 'body-does-not-fit-event' },
  });
  expect(normalise('star', example('push'))).toMatchObject({ refusal: { reason: 'body-does-not-fit-event' } });
});
