import type { AppKeySettings } from '@tripline/access/settings';
import { ConfigError } from '@tripline/runtime/load-settings';
import { appClient, NoTokenError } from './app-token.ts';

/** An App's own key; `setting` is where it stands. */
type OwnKey = { setting: string; id: string; privateKey: string };

type Needs = {
  github: { apiUrl: string; app?: { id: string; privateKey: string } | undefined };
  broker: {
    apps: readonly ({ id: string } & AppKeySettings)[];
    peopleApp?: ({ id: string } & AppKeySettings) | undefined;
  };
};

/**
 * Has every private key of the settings sign once, so that nothing starts that could not do what it is for. A key that another signs
 * with (`transit`) is not asked for: whoever has it may be away for a moment, and the doctor tells of it.
 * @throws {ConfigError} one cannot; the message names it, and never the key.
 */
export async function refuseUnusableKeys({ github, broker }: Needs): Promise<void> {
  const own = (setting: string, app: ({ id: string } & AppKeySettings) | undefined): OwnKey[] =>
    app?.privateKey === undefined ? [] : [{ setting, id: app.id, privateKey: app.privateKey }];
  const keys = [
    ...own('github.app', github.app),
    ...broker.apps.flatMap((app, nth) => own(`broker.apps[${nth}]`, app)),
    ...own('broker.peopleApp', broker.peopleApp),
  ];
  const unusable: string[] = [];
  for (const { setting, ...app } of keys) {
    try {
      await appClient({ apiUrl: github.apiUrl, ...app });
    } catch (error) {
      if (!(error instanceof NoTokenError)) throw error;
      unusable.push(`${setting}.privateKey (App ${app.id})`);
    }
  }
  if (unusable.length === 0) return;
  const help =
    'paste the whole PEM file that GitHub gave when the key was made, with its line breaks, or make a new one at the App’s settings';
  throw new ConfigError(`${unusable.join(' and ')} cannot sign: ${help}`);
}
