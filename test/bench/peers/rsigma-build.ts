import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { built } from './build-cache.ts';
import { prepare } from './peer.ts';

export const rsigmaVersion = '0.23.0';

/** The folder that holds RSigma as `bin/rsigma`. Needs Cargo, which builds it once. */
export const builtRsigma = (): Promise<string> =>
  built('rsigma', [rsigmaVersion], (draft) =>
    prepare('cargo', ['install', '--locked', '--quiet', 'rsigma', '--version', rsigmaVersion, '--root', draft], {
      CARGO_TARGET_DIR: join(tmpdir(), 'tripline-peer-rsigma'),
    }),
  );
