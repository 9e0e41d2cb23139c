import { loadConfig } from '@tripline/config/config';
import { type Command, readArguments } from '../command.ts';
import { reloadOnHangUp } from '../reload-on-hang-up.ts';

export const up: Command = {
  name: 'up',
  summary: 'Run all of Tripline in this one process, on an embedded database unless settings name others',
  usage: ['up'],
  details:
    'Keeps its data in .tripline (TRIPLINE_DATA) and listens on 127.0.0.1:8080 (TRIPLINE_HOST, TRIPLINE_PORT), for operators on port 9464. Makes a ' +
    'webhook secret and a key for drills on its first start, and shows the secret with the URL. Ctrl-C stops it; SIGHUP reloads its settings; rules and their settings are also reloaded when a file changes.',
  async run(args, io) {
    readArguments(args, {}, { atMost: 0 });
    const config = loadConfig(io.env, io.cwd);
    const reloading = reloadOnHangUp(config, io, { say: (line) => io.out(`! ${line}\n`), runsRules: true });
    const { main } = await import('@tripline/standalone/main');
    await (await import('@tripline/integrations/github/usable-keys')).refuseUnusableKeys(config);
    await main(config, reloading);
    return 0;
  },
};
