import type { SentNotification } from '@tripline/notifier/deliver';
import type { Acted } from '@tripline/remediator/playbook';
import { plain } from '@tripline/runtime/plain';
import type { Screen } from './screen.ts';

/** Prints notifications and responses, a line each, as they happen. */
export function showLive(screen: Screen): {
  onSent: (sent: SentNotification) => void;
  onActed: (acted: Acted) => void;
} {
  const show = (label: string, text: string) => {
    const time = screen.style('dim', new Date().toISOString().slice(11, 23));
    screen.line(`${time}  ${label.padEnd(10)}${plain(text)}`);
  };
  return {
    onSent: ({ channel, mode, line }) => show(channel, mode === 'dry-run' ? `(dry run) ${line}` : line),
    onActed: ({ text, rule, incident }) => show('github', `${text}, for ${rule}${incident ? ` of ${incident}` : ''}`),
  };
}
