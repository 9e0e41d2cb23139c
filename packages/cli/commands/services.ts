import { type Config, loadConfig } from '@tripline/config/config';
import type { Reloading } from '@tripline/config/reload';
import { type Command, readArguments } from '../command.ts';
import { reloadOnHangUp } from '../reload-on-hang-up.ts';

type Service = {
  name: string;
  summary: string;
  details: string;
  /** The variable of the port that it listens on; `TRIPLINE_PORT` where absent. */
  port?: string;
  load: () => Promise<(config: Config, reloading: Reloading) => Promise<void>>;
};

/** The services, each of which runs alone until it is told to stop. Loaded when asked for: `tripline findings` needs none of them. */
const services: readonly Service[] = [
  {
    name: 'receiver',
    summary: 'Run the receiver alone: verify deliveries and append them to the log',
    details: 'Needs KAFKA_BROKERS or DATABASE_URL for the log, and TRIPLINE_GITHUB_WEBHOOK_SECRET.',
    load: async () => (await import('@tripline/receiver/main')).main,
  },
  {
    name: 'reconciler',
    summary: 'Run the reconciler alone: redelivery by GitHub, and feeds that are polled',
    details:
      'Needs DATABASE_URL, and a GitHub App, github.hooks with github.hookToken or a feed to poll; without them it does nothing. Appends what it polls to the log of KAFKA_BROKERS where set.',
    load: async () => (await import('@tripline/reconciler/main')).main,
  },
  {
    name: 'recorder',
    summary: 'Run the recorder alone: keep every event in the audit trail',
    details: 'Needs DATABASE_URL; reads the log from KAFKA_BROKERS where set.',
    load: async () => (await import('@tripline/recorder/main')).main,
  },
  {
    name: 'detector',
    summary: 'Run the detector alone: evaluate the rules and record findings',
    details:
      'Needs DATABASE_URL; reads the log from KAFKA_BROKERS where set. Several share the partitions. Reloads rules and their settings when a file changes.',
    load: async () => (await import('@tripline/detector/main')).main,
  },
  {
    name: 'notifier',
    summary: "Run the notifier alone: notify Slack and PagerDuty, and handle Slack's buttons",
    details: 'Needs DATABASE_URL. With neither Slack nor PagerDuty configured it records what it would have sent.',
    load: async () => (await import('@tripline/notifier/main')).main,
  },
  {
    name: 'remediator',
    summary: 'Run the remediator alone: guard, act, check',
    details: 'Needs DATABASE_URL. Dry run unless remediation.mode says automatic.',
    load: async () => (await import('@tripline/remediator/main')).main,
  },
  {
    name: 'broker',
    summary: 'Run the broker alone: answer jobs that ask for access',
    details:
      'Needs DATABASE_URL; reads and appends to the log of KAFKA_BROKERS where set. Jobs ask at TRIPLINE_BROKER_HOST and TRIPLINE_BROKER_PORT. A dry run until identity, broker.policy and broker.apps are configured.',
    port: 'TRIPLINE_BROKER_PORT',
    load: async () => (await import('@tripline/broker/main')).main,
  },
];

export const serviceCommands: readonly Command[] = services.map(
  ({ name, summary, details, load, port = 'TRIPLINE_PORT' }) => ({
    name,
    summary,
    usage: [name],
    details: `${details} Serves /healthz and /readyz on ${port}, /metrics and /readyz with causes on TRIPLINE_OPERATIONS_PORT; reloads its settings on SIGHUP and stops on SIGTERM.`,
    run: async (args, io) => {
      readArguments(args, {}, { atMost: 0 });
      const config = loadConfig(io.env, io.cwd);
      // The log goes to stdout, as JSON.
      if (config.file !== null) io.err(`tripline: settings of ${config.file}\n`);
      for (const remark of config.remarks) io.err(`tripline: ${remark}\n`);
      const say = (line: string) => io.err(`tripline: ${line}\n`);
      const reloading = reloadOnHangUp(config, io, { say, runsRules: name === 'detector' });
      const main = await load();
      await (await import('@tripline/integrations/github/usable-keys')).refuseUnusableKeys(config);
      await main(config, reloading);
      return 0;
    },
  }),
);
