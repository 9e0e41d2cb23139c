import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { loadConfig } from '@tripline/config/config';
import { plain } from '@tripline/runtime/plain';
import { longestBreakGlassMs } from '@tripline/sources/tripline/source';
import { whoRuns } from '../actor.ts';
import { deliver, signCloudEvent } from '../attack/deliver.ts';
import { type Command, readArguments, UsageError } from '../command.ts';
import { moment } from '../show.ts';
import { breakGlassKeyOf, receiverUrl } from '../target.ts';

const options = {
  workspace: { type: 'string', value: 'name', doc: 'whose rules are to know of it' },
  reason: { type: 'string', value: 'text', doc: 'why; recorded in the audit trail' },
  actor: {
    type: 'string',
    value: 'login:id',
    doc: 'who will act, by login and id at the provider, or by login alone; your own user name when absent',
  },
  for: { type: 'string', value: 'time', doc: 'how long, such as 30m or 2h; 1h when absent, 24h at most' },
  url: { type: 'string', value: 'url', doc: "the receiver's address, when it does not run here" },
} as const;

export const breakGlass: Command = {
  name: 'break-glass',
  summary: 'Sign a record that says who will act outside the usual way, why, and until when',
  usage: ['break-glass --workspace <name> --reason <text> [--actor <login:id>] [--for <time>] [--url <url>]'],
  details: [
    'What this person grants from then on counts as explained until the time is over; grants that still exist then are found.',
    'Slack and PagerDuty are notified at once, and it cannot be revoked. It is signed with a key of the workspace',
    '(workspaces[].breakGlassKeys), which the receiver must have too.',
  ].join('\n'),
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const { workspace, reason, actor = userInfo().username } = values;
    if (!workspace) throw new UsageError('say whose: --workspace <name>');
    if (!reason?.trim()) throw new UsageError('say why: --reason <text>');
    const nowMs = Date.now();
    const expiresAt = new Date(nowMs + duration(values.for ?? '1h')).toISOString();
    const config = loadConfig(io.env, io.cwd);
    const receiver = { url: receiverUrl(config, values.url), secret: breakGlassKeyOf(config, workspace) };
    const id = randomUUID();
    // Who signs it, beside who will act.
    const by = whoRuns();
    const data = {
      ...{ 'user.id': by.id, 'user.name': by.name, 'tripline.act.via': by.via },
      'tripline.breakglass.id': id,
      'tripline.breakglass.actor': actor,
      'tripline.breakglass.reason': reason,
      'tripline.breakglass.expires_at': expiresAt,
    };
    const type = 'dev.cdeventsx.tripline-breakglass.opened';
    const time = new Date(nowMs).toISOString();
    await deliver(receiver, signCloudEvent({ id, type, workspace, time, data }, receiver.secret));
    io.out(`${plain(actor)} may act outside the usual way in ${plain(workspace)} until ${moment(expiresAt)} UTC.\n`);
    return 0;
  },
};

function duration(text: string): number {
  const [, count, unit] = /^(\d{1,4})([mh])$/.exec(text) ?? [];
  const ms = Number(count) * (unit === 'h' ? 3_600_000 : 60_000);
  if (!(ms > 0 && ms <= longestBreakGlassMs))
    throw new UsageError('--for must be minutes or hours up to 24h, such as 30m or 2h');
  return ms;
}
