import { loadConfig } from '@tripline/config/config';
import { readKeys } from '@tripline/detector/read-key';
import { plain } from '@tripline/runtime/plain';
import { type Command, oneOf, readArguments, UsageError } from '../command.ts';
import { moment } from '../show.ts';
import { withStore } from '../store.ts';

const options = { json: { type: 'boolean', doc: 'print one JSON object a line' } } as const;

export const state: Command = {
  name: 'state',
  summary: 'Show what a rule keeps, or a fact knows, under a key',
  usage: ['state get <workspace> <rule or fact> <key> [--json]'],
  details:
    'Of a rule: what it keeps under that key, and what stands of the subject of that name. Of a fact: its value, which ' +
    'subjects watch it, on which events findings rest, and whether a bound was reached. As of the last batch.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 4 });
    const [verb, workspace, name, key] = positionals;
    oneOf('verb', verb, ['get']);
    if (workspace === undefined || name === undefined || key === undefined) {
      throw new UsageError('say the workspace, the rule or fact, and the key: `tripline state get acme runs github:…`');
    }
    const keys = [name, `fact:${name}`, `subject:${name}`].map((rule) => ({ workspace, rule, key }));
    const rows = await withStore(loadConfig(io.env, io.cwd), (db) => readKeys(db, keys));
    for (const { rule, value, expiresMs, partition } of rows) {
      const expires = new Date(expiresMs).toISOString();
      if (values.json) {
        io.out(`${JSON.stringify({ workspace, rule, key, partition, expires, value })}\n`);
        continue;
      }
      io.out(`${plain(rule)} in partition ${partition}, until ${moment(expires)} UTC of the log’s time at least\n`);
      for (const line of JSON.stringify(value, null, 2).split('\n')) io.out(`${plain(line)}\n`);
    }
    if (rows.length === 0) io.out(`Nothing stands under ${plain(key)} of ${plain(name)} in ${plain(workspace)}.\n`);
    return rows.length > 0 ? 0 : 1;
  },
};
