import { type EnvironmentSetting, httpUrl, secret, secretList } from '@tripline/runtime/setting';
import { z } from 'zod';
import { mount, oneLogin, saysOneLogin, vaultConnection } from './vault-connection.ts';

const repository = z.string().regex(/^[\w.-]{1,100}\/[\w.-]{1,100}$/, 'say it as owner/name');

const policySource = z.union(
  [
    z.strictObject({
      file: z
        .string()
        .min(1)
        .describe(
          'A local file, relative to tripline.yaml: for a dry run alone, since nobody is known to have reviewed it.',
        ),
    }),
    z.strictObject({
      repository: repository.describe('The repository in which it lies, one of its own.'),
      path: z
        .string()
        .regex(/^[\w.-]+(?:\/[\w.-]+)*$/, 'say its path in the repository')
        .default('access.yaml')
        .describe('Its path there; the lock file lies beside it.'),
      branch: z.string().min(1).max(255).default('main').describe('The branch whose reviewed head is in force.'),
    }),
  ],
  { error: 'say {file: …} or {repository: owner/name, path: …, branch: …}' },
);

type OfTiers = { tiers?: string[] | undefined };

/** Tiers for which an entry is, where a list has one a tier. */
export const tiers = z.array(z.string().min(1)).min(1).optional();

/** A list of what gives credentials, each entry for its tiers: two for one tier would leave open which gives. */
export const listByTier = <Entry extends z.ZodType<OfTiers>>(entry: Entry) =>
  z.array(entry).superRefine((entries, context) => {
    const fault = (place: number, message: string) =>
      context.addIssue({ code: 'custom', path: [place, 'tiers'], message });
    const named = new Set<string>();
    (entries as OfTiers[]).forEach((one, place) => {
      if (one.tiers === undefined && (entries as OfTiers[]).findIndex((other) => other.tiers === undefined) !== place)
        fault(place, 'another entry without tiers is for those that no other names');
      for (const tier of one.tiers ?? []) {
        if (named.has(tier)) fault(place, `${tier} is named by another entry too`);
        named.add(tier);
      }
    });
  });

const transit = z
  .strictObject({
    ...vaultConnection,
    mount: mount.default('transit').describe('Where the transit engine is mounted.'),
    key: z
      .string()
      .regex(/^[\w.-]{1,200}$/, 'say its name')
      .describe('Name of the key there: RSA, imported from what GitHub gave.'),
  })
  .refine(saysOneLogin, oneLogin);

/** Who signs as an App: its key as a file, or a key that OpenBao or Vault keeps. */
const appKey = {
  privateKey: secret.optional().describe("The App's private key, PEM."),
  transit: transit
    .optional()
    .describe(
      'Or the key of OpenBao’s or Vault’s transit engine that signs for it, so that the broker’s host has none.',
    ),
};
export type AppKeySettings = z.output<z.ZodObject<typeof appKey>>;
const saysOneKey = ({ privateKey, transit }: AppKeySettings) => (privateKey === undefined) !== (transit === undefined);
const oneKey = 'say one of privateKey and transit: what signs as the App';

const app = z
  .strictObject({
    id: z.coerce.string().regex(/^\d+$/, 'must be the numeric App ID').describe('Id of the App.'),
    ...appKey,
    tiers: tiers.describe('Tiers whose credentials it mints; absent: those that no other App names.'),
    slug: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,99}$/, 'say it as in the address of its page, github.com/apps/<slug>')
      .optional()
      .describe(
        'Its name in the address of its page, `github.com/apps/<slug>`, by which the audit log tells its acts. Absent: nothing finds that somebody else mints with its key.',
      ),
  })
  .refine(saysOneKey, oneKey);

const words = z.array(z.string().min(1).max(200)).max(20).default([]);
const levels = (what: string) =>
  z
    .strictObject({
      any: words.describe(`Values of \`${what}\` that say that a second factor was given.`),
      phishingResistant: words.describe(
        `Values of \`${what}\` that say that one was given that cannot be phished, such as a security key.`,
      ),
    })
    .prefault({});

const openIdConnect = z
  .strictObject({
    issuer: httpUrl.describe('The provider, as its tokens name it (`iss`).'),
    clientId: z.string().min(1).max(300).describe('As it knows Tripline.'),
    clientSecret: secret.describe('With which Tripline proves to it who asks.'),
    acrValues: levels('acr'),
    amrValues: levels('amr'),
    alsoAt: z
      .array(httpUrl)
      .max(5)
      .default([])
      .describe('Further addresses that it has, where its token or key address is on another host than the issuer.'),
    accountClaim: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe(
        'The claim of its id tokens that holds the id of the person’s GitHub account, where the provider knows it.',
      ),
  })
  .superRefine(({ acrValues, amrValues }, context) => {
    const all = [acrValues, amrValues].flatMap(({ any, phishingResistant }) => [...any, ...phishingResistant]);
    if (all.length > 0) return;
    const message =
      'say by which values of acr or amr it tells that a second factor was given: without any, no sign-in counts for one';
    context.addIssue({ code: 'custom', path: ['acrValues'], message });
  });

const githubSignIn = z.strictObject({
  clientId: z.string().min(1).max(100).describe('Client id of a GitHub App, or OAuth app, that has no right at all.'),
  clientSecret: secret.describe('With which Tripline proves to GitHub who asks.'),
  url: httpUrl.optional().describe('Where people sign in at it; `https://<instance>` when absent.'),
});

/** `broker.stepUp`: how people prove a second factor for a run. */
const stepUp = z.strictObject({
  publicUrl: httpUrl.describe(
    'Address at which people’s browsers reach the broker, https://…; the provider must know `<publicUrl>/step-up/callback` as where to send them back.',
  ),
  instance: z
    .string()
    .regex(/^[a-z0-9.-]{1,253}$/, 'say its host, in small letters')
    .default('github.com')
    .describe('Host of the GitHub whose accounts people have.'),
  oidc: openIdConnect.describe('The OpenID provider at which people sign in.'),
  github: githubSignIn
    .optional()
    .describe(
      'By it people show themselves which GitHub account is theirs, and somebody else confirms it; GitHub must know `<publicUrl>/step-up/callback/github` as where to send them back. Absent: the settings or `accountClaim` alone say who is whom.',
    ),
  people: z
    .array(
      z.strictObject({
        account: z.coerce.string().regex(/^\d+$/, 'say the numeric id').describe('Id of the GitHub account.'),
        name: z.string().min(1).max(100).describe('Its login, for people to read.'),
        subject: z.string().min(1).max(300).describe('The same person at the OpenID provider (`sub`).'),
      }),
    )
    .default([])
    .superRefine((people, context) => {
      for (const field of ['account', 'subject'] as const) {
        const twice = people.find((one, place) => people.findIndex((other) => other[field] === one[field]) !== place);
        if (twice === undefined) continue;
        context.addIssue({ code: 'custom', message: `${field} ${twice[field]} stands twice: who is who?` });
      }
    })
    .describe(
      'Who is whom. Others sign in as nobody, unless `accountClaim` says who they are, or a link that somebody confirmed (`github`).',
    ),
});
/** `broker.duty`: who is on duty, which policies may ask of people. */
const duty = z.strictObject({
  token: secret.describe('Key of PagerDuty’s REST API, read-only.'),
  apiUrl: httpUrl
    .default('https://api.pagerduty.com')
    .describe('PagerDuty’s REST API; `https://api.eu.pagerduty.com` for accounts in its EU region.'),
  people: z
    .array(
      z.strictObject({
        account: z.coerce.string().regex(/^\d+$/, 'say the numeric id').describe('Id of the GitHub account.'),
        name: z.string().min(1).max(100).describe('Its login, for people to read.'),
        user: z
          .string()
          .regex(/^[A-Z0-9]{4,20}$/, 'say the id of a user, as in their address at PagerDuty')
          .describe('The same person at PagerDuty, by id: names and addresses there people change themselves.'),
      }),
    )
    .min(1)
    .superRefine((people, context) => {
      for (const field of ['account', 'user'] as const) {
        const twice = people.find((one, place) => people.findIndex((other) => other[field] === one[field]) !== place);
        if (twice === undefined) continue;
        context.addIssue({ code: 'custom', message: `${field} ${twice[field]} stands twice: who is who?` });
      }
    })
    .describe('Who is whom. Nobody else is ever on duty.'),
});
export type DutySettings = z.output<typeof duty>;

export type StepUpSettings = z.output<typeof stepUp>;

/** `broker` of tripline.yaml: the service that gives jobs credentials. */
export const brokerSettings = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address on which jobs ask. Loopback unless told otherwise.'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('Port on which jobs ask; 0 takes a free one. Absent: 8090, or a free one where `port` is 0.'),
  proxies: z
    .array(z.union([z.cidrv4(), z.cidrv6()], { error: 'say a network as 10.0.0.0/8' }))
    .default([])
    .describe(
      'Networks of the proxies before it, whose X-Forwarded-For says from where a job asks; nothing but proxies, since whoever is in them may say where it is. Where it cannot be read, that is unknown. Absent: whoever connects is who asks.',
    ),
  rate: z
    .strictObject({
      perSecond: z.number().positive().default(20).describe('In the long run.'),
      burst: z.int().positive().default(200).describe('At once.'),
    })
    .prefault({})
    .describe('How often one address may ask; beyond it the answer is 429.'),
  grantsPerHour: z
    .int()
    .positive()
    .default(200)
    .describe('How often a policy may be granted within an hour; beyond it nothing is given, and it is told.'),
  policy: policySource.optional().describe('Where the policies of access are. Absent: nothing is decided.'),
  apps: listByTier(app)
    .default([])
    .describe(
      'GitHub Apps that mint installation tokens for jobs: other ones than `github.app`, one a tier. None: a dry run.',
    ),
  peopleApp: z
    .strictObject({
      id: z.coerce.string().regex(/^\d+$/, 'must be the numeric App ID').describe('Id of the App.'),
      ...appKey,
    })
    .refine(saysOneKey, oneKey)
    .optional()
    .describe(
      'GitHub App that gives people rights for minutes (Administration: write, Members: read; Members: write for teams and roles), another one than those of jobs; name it in `accessApps` of the rule `privilege-grant-outside-job`. Absent: people get nothing.',
    ),
  eventKeys: z
    .array(secret)
    .min(1)
    .optional()
    .describe(
      'Keys of the MACs on what only the broker may write to the log; the first signs. Detector and recorder need them too; `tripline up` makes one in its data folder.',
    ),
  stepUp: stepUp
    .optional()
    .describe(
      'Second factors of people for single runs, which policies ask for as `needs.mfa`. Absent: nobody can prove one.',
    ),
  duty: duty
    .optional()
    .describe(
      'PagerDuty’s schedules, by which policies let people ask and approve while they are on duty (`onDuty`). Absent: nobody is, as far as policies ask for it.',
    ),
  sealingKeys: secretList
    .optional()
    .describe(
      'Keys under which values that are needed to revoke them lie in Postgres until the job ends; the first seals. Never in Postgres; `tripline up` makes one in its data folder.',
    ),
});
export type BrokerSettings = z.output<typeof brokerSettings>;

export const brokerEnvironment: readonly EnvironmentSetting[] = [
  { name: 'TRIPLINE_BROKER_HOST', path: 'broker.host' },
  { name: 'TRIPLINE_BROKER_PORT', path: 'broker.port', kind: 'number' },
  { name: 'TRIPLINE_BROKER_EVENT_KEY', path: 'broker.eventKeys', kind: 'list', secret: true },
  { name: 'TRIPLINE_STEP_UP_CLIENT_SECRET', path: 'broker.stepUp.oidc.clientSecret', secret: true },
  { name: 'TRIPLINE_STEP_UP_GITHUB_CLIENT_SECRET', path: 'broker.stepUp.github.clientSecret', secret: true },
  { name: 'TRIPLINE_BROKER_DUTY_TOKEN', path: 'broker.duty.token', secret: true },
  { name: 'TRIPLINE_BROKER_SEALING_KEY', path: 'broker.sealingKeys', kind: 'list', secret: true },
];
