import { z } from 'zod';
import { identifier, text, textRecord } from '../untrusted.ts';
import { absent, bodyOf, flag, instant, maybe, number, string } from './body.ts';
import { type Draft, defineEvent } from './family.ts';

const type = 'dev.cdeventsx.tripline-control.changed';
const alertBody = { number: number.nullish(), created_at: instant, updated_at: instant };

function attributesOf(
  kind: Draft['tripline.control.kind'],
  action: string,
  name: string | null | undefined,
  id: number | string | null | undefined,
): Draft {
  return {
    'tripline.control.kind': kind,
    'tripline.control.action': text(action),
    'tripline.control.name': text(name),
    'tripline.control.id': identifier(id),
  };
}

/** Never what leaked, only its kind: GitHub may send the secret's value in the alert, and the schema leaves it out. */
const secretAlert = z.object({
  ...alertBody,
  secret_type: maybe,
  /** Whether it still opens something, as far as the provider asked, and whether it was seen in public. */
  validity: maybe,
  publicly_leaked: flag,
  rule: absent,
  security_advisory: absent,
  affected_package_name: absent,
});

export const secretScanningAlert = defineEvent({
  marks: ['action', 'alert'],
  carries: ['assignee'],
  schema: bodyOf({ action: string, alert: secretAlert }),
  normalise: ({ action, alert }) => ({
    type,
    time: action === 'created' ? alert.created_at : alert.updated_at,
    data: {
      ...attributesOf('secret-scanning', action, alert.secret_type, alert.number),
      'tripline.control.settings': saidOf({ validity: alert.validity, publicly_leaked: alert.publicly_leaked }),
    },
  }),
});

function saidOf(said: Record<string, unknown>): Record<string, string> | undefined {
  const told = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined && value !== null));
  return Object.keys(told).length === 0 ? undefined : textRecord(told);
}

export const secretScanningAlertLocation = defineEvent({
  marks: ['alert', 'location'],
  carries: ['action'],
  schema: bodyOf({ action: maybe, alert: secretAlert, location: z.object({ type: maybe }) }),
  normalise: ({ alert }) => ({
    type,
    data: attributesOf('secret-scanning', 'location_created', alert.secret_type, alert.number),
  }),
});

export const codeScanningAlert = defineEvent({
  marks: ['action', 'alert'],
  carries: ['commit_oid', 'ref'],
  schema: bodyOf({
    action: string,
    alert: z.object({ ...alertBody, rule: z.object({ id: maybe }) }),
  }),
  normalise: ({ action, alert }) => ({
    type,
    data: attributesOf('security-alert', action, alert.rule.id, alert.number),
  }),
});

export const dependabotAlert = defineEvent({
  marks: ['action', 'alert'],
  carries: ['assignee'],
  schema: bodyOf({
    action: string,
    alert: z.object({ ...alertBody, security_advisory: z.object({ ghsa_id: maybe }) }),
  }),
  normalise: ({ action, alert }) => ({
    type,
    time: action === 'created' ? alert.created_at : alert.updated_at,
    data: attributesOf('security-alert', action, alert.security_advisory.ghsa_id, alert.number),
  }),
});

export const repositoryVulnerabilityAlert = defineEvent({
  marks: ['action', 'alert'],
  schema: bodyOf({
    action: string,
    alert: z.object({ ...alertBody, id: number.nullish(), affected_package_name: string, ghsa_id: maybe }),
  }),
  normalise: ({ action, alert }) => ({
    type,
    data: attributesOf(
      'security-alert',
      action,
      alert.ghsa_id ?? alert.affected_package_name,
      alert.number ?? alert.id,
    ),
  }),
});
