import type { Config } from '@tripline/config/config';
import { stopSignal } from '@tripline/runtime/lifecycle';
import { showBanner } from './banner.ts';
import { createScreen } from './screen.ts';
import { startStandalone } from './standalone.ts';

/** `tripline up`: starts everything, says what to do next, and stops everything on Ctrl-C. */
export async function main(config: Config): Promise<void> {
  const asked = stopSignal();
  const screen = createScreen();
  const standalone = await startStandalone(config, screen);
  showBanner(screen, config, standalone);
  await asked;
  await screen.step('Stopping', () => standalone.close());
  screen.line('Stopped.');
}
