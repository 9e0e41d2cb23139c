import type { Config } from '@tripline/config/config';
import { plain } from '@tripline/runtime/plain';
import type { Screen } from './screen.ts';
import type { Standalone } from './standalone.ts';

/** What a new user needs to know: where GitHub is to deliver, what is real and what is dry run, and what to try next. */
export function showBanner(
  screen: Screen,
  config: Config,
  { url, operationsUrl, madeSecret, startedMs, broken, broker }: Omit<Standalone, 'close'>,
): void {
  const { style } = screen;
  const secret = madeSecret ?? style('dim', 'as configured');
  const slack = config.slack ? `channel ${config.slack.channel}` : dryRun(screen, 'TRIPLINE_SLACK_BOT_TOKEN');
  const pagerduty = config.pagerduty
    ? `${config.pagerduty.minSeverity} and above`
    : dryRun(screen, 'TRIPLINE_PAGERDUTY_ROUTING_KEY');
  const hooks = config.github.hooks.length + (config.github.app ? 1 : 0);
  const redelivery =
    hooks > 0
      ? `of failed deliveries, ${hooks} ${hooks === 1 ? 'webhook' : 'webhooks'}`
      : `${style('yellow', 'off')}: deliveries that fail are not requested again (TRIPLINE_GITHUB_APP_ID, github.hooks)`;
  const acts =
    config.remediation.mode === 'automatic'
      ? `automatic, where ${config.remediation.policy.length} entries of remediation.policy say so`
      : dryRun(screen, 'remediation.mode: automatic');
  screen.line();
  screen.line(`${style('bold', 'Tripline is up')} ${style('dim', `after ${(startedMs / 1000).toFixed(1)} s`)}`);
  screen.line();
  screen.line(`  Webhook URL     ${style('bold', `${url}/webhooks/github`)}`);
  screen.line(`  Webhook secret  ${secret}`);
  const isStreamed = [config, ...config.workspaces].some((one) => (one['github-audit']?.tokens ?? []).length > 0);
  if (isStreamed)
    screen.line(`  Audit stream    ${style('bold', `${url}/services/collector`)} (as to Splunk, by its token)`);
  const read = (config['github-audit']?.polled ?? []).map((one) =>
    'enterprise' in one ? `enterprise ${one.enterprise}` : one.organization,
  );
  if (read.length > 0) screen.line(`  Audit log       read once a minute: ${read.join(', ')}`);
  const lacks = broker.isDryRun
    ? ` ${style('yellow', 'dry run')}: it says what it would give (${broker.lacks[0]})`
    : '';
  screen.line(`  Broker          ${style('bold', broker.url)}${lacks}`);
  screen.line(`  Redelivery      ${redelivery}`);
  screen.line(`  Slack           ${slack}`);
  screen.line(`  PagerDuty       ${pagerduty}`);
  screen.line(`  Remediation     ${acts}`);
  screen.line(
    `  Settings        ${config.file ?? style('dim', 'environment and defaults; there is no tripline.yaml here')}`,
  );
  screen.line(`  Operations      ${operationsUrl}/metrics, ${operationsUrl}/readyz`);
  screen.line(`  Data, log       ${config.dataDir}`);
  for (const { name, detail, remedy } of broken) {
    screen.line();
    screen.line(`  ${style('red', `✗ ${plain(name)}`)}: ${plain(detail)}`);
    if (remedy) screen.line(`    → ${plain(remedy)}`);
  }
  for (const remark of config.remarks) screen.line(`  ${style('yellow', '!')} ${remark}`);
  screen.line();
  screen.line(`  Next, in a second terminal:  ${style('bold', 'npx tripline attack tj-actions')}`);
  screen.line(`  ${style('dim', 'Ctrl-C stops it.')}`);
  screen.line();
}

function dryRun(screen: Screen, setting: string): string {
  return `${screen.style('yellow', 'dry run')}: recorded and shown, not sent (${setting})`;
}
