import type { Config } from '@tripline/config/config';
import type { Reloading } from '@tripline/config/reload';
import { stopSignal } from '@tripline/runtime/lifecycle';
import { showBanner } from './banner.ts';
import { createScreen } from './screen.ts';
import { startStandalone } from './standalone.ts';

/** `tripline up`: starts everything, says what to do next, and stops everything on Ctrl-C. */
export async function main(config: Config, reloading: Reloading): Promise<void> {
  const asked = stopSignal();
  const screen = createScreen();
  const standalone = await startStandalone(config, screen, reloading);
  showBanner(screen, config, standalone);
  await asked;
  await screen.step('Stopping', () => standalone.close());
  screen.line('Stopped.');
}
