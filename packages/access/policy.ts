import { severities } from '@tripline/contracts/finding';
import { z } from 'zod';
import { textSet } from './text-set.ts';
import { readYaml } from './yaml.ts';

/**
 * Who may have which access, while what holds: a closed vocabulary, which a reviewer reads as a table. It has no expressions
 * and no patterns but named prefixes, so that who can get what, and whether a new version gives more, can be computed.
 */

export const rights = ['read', 'triage', 'write', 'maintain', 'admin'] as const;
/** What somebody may be in a team: a maintainer manages its members. */
export const teamRoles = ['member', 'maintainer'] as const;
const unitsMs = { s: 1000, m: 60_000, h: 3_600_000 } as const;
/** A span, `30m`, in ms. */
const span = z
  .string()
  .regex(/^[1-9]\d{0,4}[smh]$/, 'say how long as 45s, 30m or 1h')
  .transform((text) => Number(text.slice(0, -1)) * unitsMs[text.at(-1) as keyof typeof unitsMs]);
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'small letters, digits and hyphens, at most 63');
/** As Buildkite's addresses have it. */
const slug = z.string().regex(/^[\w-]{1,100}$/, 'say it as it stands in its address');
const repository = z.string().regex(/^[\w.-]{1,100}\/[\w.-]{1,100}$/, 'say it as owner/name');
const login = z.string().regex(/^[\w-]{1,100}$/, 'say the login of a person');
const ofOrganization = (what: string) =>
  z.string().regex(/^[\w-]{1,100}\/[\w.-]{1,100}$/, `say it as organisation/${what}`);
const path = z.string().regex(/^[\w.-]{1,255}(?:\/[\w.-]{1,255}){1,20}$/, 'say its whole path, as group/project');
const words = z
  .array(z.string().regex(/^[a-z][a-z_]{0,49}$/, 'one word of the provider’s, such as push'))
  .min(1)
  .max(30);
const network = z.union([z.cidrv4(), z.cidrv6()], { error: 'say a network as 203.0.113.0/24' });

/** Machines of one's own. The token says only whether it is the provider's; the group is what the job's own event tells. */
const runner = z.union(
  [z.literal('hosted'), z.strictObject({ group: textSet, network: z.array(network).min(1).max(50).optional() })],
  { error: 'say hosted, or {group: …}' },
);
const github = z.strictObject({
  repository,
  /** The workflow that the run is of, `.github/workflows/release.yml@refs/heads/main`, of the repository. */
  caller: textSet,
  /** The workflow whose job asks, where the caller calls another one: `owner/name/.github/workflows/deploy.yml@refs/heads/main`. */
  workflow: textSet.optional(),
  events: words,
  ref: textSet,
  environment: textSet.optional(),
  runner: runner.optional(),
  /** Heads that lie in another repository may ask too. */
  forks: z.literal(true).optional(),
});
const gitlab = z.strictObject({
  repository: path,
  /** Where the pipeline's configuration lies, `gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main`. */
  workflow: textSet,
  /** Sources of pipelines, such as `push`. */
  events: words,
  ref: textSet,
  environment: textSet.optional(),
  /** Refs and environments that GitLab does not protect may ask too. */
  unprotected: z.literal(true).optional(),
});
const buildkite = z.strictObject({
  organization: slug,
  pipeline: slug,
  ref: textSet,
  forks: z.literal(true).optional(),
});
const uuid = z.guid('say its id, a UUID');
const circleci = z.strictObject({
  organization: uuid,
  project: uuid,
  /** The repository whose change starts the job, `github.com/acme/api`: a project that gives forks its secrets gives them tokens, too. */
  origin: z.string().regex(/^[\w.-]{1,255}(?:\/[\w.-]{1,255}){1,20}$/, 'say it as github.com/owner/name'),
  ref: textSet,
  /** Contexts by id, one of which the job has. */
  contexts: z.array(uuid).min(1).max(20).optional(),
  /** Jobs that somebody reran with SSH may ask too. */
  sshReruns: z.literal(true).optional(),
});

const give = z.union(
  [
    z.strictObject({
      github: z.strictObject({
        repositories: z.array(repository).min(1).max(50),
        permissions: z
          .record(z.string().regex(/^[a-z][a-z_]{0,49}$/), z.enum(['read', 'write', 'admin']))
          .refine((all) => Object.keys(all).length > 0, 'say at least one permission'),
      }),
    }),
    z.strictObject({
      aws: z.strictObject({
        role: z
          .string()
          .max(600)
          .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, 'say the role’s ARN'),
        for: span,
        /** A file of an inline policy that narrows the role further, relative to the policy's own. */
        policy: z
          .string()
          .max(300)
          .regex(/^\w[\w.-]*(?:\/\w[\w.-]*)*$/, 'say its path below the policies’ own folder, aws/deploy-api.json')
          .optional(),
      }),
    }),
    z.strictObject({ vault: z.strictObject({ role: z.string().regex(/^[\w/-]{1,200}$/), for: span }) }),
    z.strictObject({
      gitlab: z.strictObject({
        project: path,
        scopes: words,
        level: z.enum(['guest', 'planner', 'reporter', 'developer', 'maintainer']),
        for: span,
      }),
    }),
  ],
  { error: 'say one of github, aws, vault and gitlab, with all that it asks for' },
);

/** What the job is, otherwise than the policy asks, and what Tripline knows of it, in the words of its conditions. */
const testCase = z.strictObject({
  job: z
    .strictObject({
      repository: z.string(),
      caller: z.string(),
      workflow: z.string(),
      event: z.string(),
      ref: z.string(),
      environment: z.string(),
      runner: z.string(),
      network: z.string(),
      pipeline: z.string(),
      origin: z.string(),
      fork: z.boolean(),
      protected: z.boolean(),
      sshRerun: z.boolean(),
    })
    .partial()
    .default({}),
  known: z
    .strictObject({
      ended: z.boolean(),
      reviewed: z.union([z.boolean(), z.literal('unknown')]),
      promoted: z.boolean(),
      runner: z.boolean(),
      incident: z.enum(severities),
      mfa: z.union([z.literal(false), z.enum(['phishable', 'refused']), span]),
    })
    .partial()
    .default({}),
  expect: z.enum(['granted', 'denied', 'pending']),
  /** Conditions that it must fail, and no others. */
  because: z.array(z.string()).optional(),
});

/** By which octo-sts's clients ask: the repository, or the owner of several, and the name of a trust there. */
export const stsName = z.strictObject({
  scope: z.string().regex(/^[\w.-]{1,100}(?:\/[\w.-]{1,100})?$/, 'say it as owner/name, or owner'),
  identity: z
    .string()
    .regex(/^[\w.-]{1,100}(?:\/[\w.-]{1,100}){0,5}$/, 'say it as in its file’s name, <identity>.sts.yaml'),
});

const policy = z.strictObject({
  tier: name,
  /** Exactly one issuer. */
  who: z.union(
    [
      z.strictObject({ github }),
      z.strictObject({ gitlab }),
      z.strictObject({ buildkite }),
      z.strictObject({ circleci }),
    ],
    { error: 'say one of github, gitlab, buildkite and circleci, with all that it asks for' },
  ),
  needs: z
    .strictObject({
      /** As the rule build-from-unreviewed-commit knows it. */
      reviewed: z.literal(true),
      /** A tier in one of whose environments a deployment of the commit succeeded. */
      promotedFrom: name,
      /** A machine that the house knows: listed by an inventory, seen while learning, or accepted by a person. */
      knownRunner: z.literal(true),
      /** No open incident of this severity or a higher one names its repository, run, runner, commit or person. */
      noIncident: z.enum(severities),
      mfa: z.strictObject({
        of: z.enum(['trigger', 'owners']),
        within: span,
        phishingResistant: z.boolean().default(true),
        /** Logins of who is asked: with `of: owners`, and of a run that no person set off. Pinned in the lock file. */
        owners: z.array(login).min(1).max(50).optional(),
      }),
    })
    .partial()
    .default({}),
  give: z
    .array(give)
    .min(1)
    .max(20)
    .refine((all) => new Set(all.map((one) => Object.keys(one)[0])).size === all.length, {
      error: 'say one of each kind: a job is told what it is given by its kind',
    }),
  /** When it ends, at the latest after `max`. */
  until: z.enum(['job', 'run']).default('job'),
  max: span.default(3_600_000),
  /** When an incident ends it. */
  onIncident: z.enum(['atOnce', 'afterJob']).default('atOnce'),
  /** What octo-sts's clients may ask for it by, beside its name. */
  sts: z.array(stsName).max(20).default([]),
  tests: z.array(testCase).max(200).default([]),
});
/** A right of people's, for minutes. */
const right = z
  .strictObject({
    /** Who may ask for it, and have it. Pinned in the lock file. */
    who: z.array(login).min(1).max(200),
    /** On each of these, as a collaborator. */
    repositories: z.array(repository).min(1).max(50).optional(),
    /** At most this, on the repositories. */
    permission: z.enum(rights).optional(),
    /** To be a member of each of these, `organisation/team`. */
    teams: z.array(ofOrganization('team')).min(1).max(50).optional(),
    /** As which, at most; a member unless it says otherwise. */
    as: z.enum(teamRoles).optional(),
    /** To have each of these roles of an organisation, `organisation/role`. */
    roles: z.array(ofOrganization('role')).min(1).max(50).optional(),
    /** How long at most. */
    for: span,
    /** Who may approve, beside whoever asks. Pinned in the lock file. */
    approvedBy: z.array(login).max(50).default([]),
    /** Of the second factor by which somebody approves. */
    phishingResistant: z.boolean().default(true),
    /** Reading is given without anybody’s word. */
    fast: z.literal(true).optional(),
    /** Which of them must be on duty, by one of these schedules of PagerDuty’s: whoever asks, when they ask and when it is given, and whoever approves it, when it is given. */
    onDuty: z
      .strictObject({
        schedules: z
          .array(z.string().regex(/^[A-Z0-9]{4,20}$/, 'say the id of a schedule, as in its address'))
          .min(1)
          .max(10),
        of: z
          .array(z.enum(['who', 'approvedBy']))
          .min(1)
          .max(2),
      })
      .optional(),
    /** After so long without anybody’s answer whoever is to have it may approve it alone, which is found each time. */
    breakGlass: span.optional(),
  })
  .superRefine(({ repositories, permission, teams, as, roles }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if ([repositories, teams, roles].filter((one) => one !== undefined).length !== 1)
      fault('repositories', 'say one of repositories, teams and roles');
    if ((repositories === undefined) !== (permission === undefined))
      fault('permission', 'say which permission on which repositories');
    if (as !== undefined && teams === undefined) fault('as', 'say of which teams');
  });
const policyFile = z.strictObject({
  /** What jobs must ask for their token to be for: the broker's own address. */
  audience: z.url({ protocol: /^https$/, error: 'say the broker’s own address, https://…' }),
  /** Environments by tier. Nothing that one tier gives goes to a job of another. */
  tiers: z.record(name, z.array(z.string().min(1).max(255)).min(1).max(200)),
  policies: z.record(name, policy),
  /** What people may ask for, by name. */
  people: z.record(name, right).default({}),
});

/** Rights on a repository, each of which holds those before it. */
export type RepositoryRight = (typeof rights)[number];
export type PeoplePolicy = z.output<typeof right>;
export type PolicyFile = z.output<typeof policyFile>;
export type Policy = z.output<typeof policy>;
export type Give = Policy['give'][number];
export type StsName = z.output<typeof stsName>;
export type Case = Policy['tests'][number];
export type GithubWho = z.output<typeof github>;
export type GitlabWho = z.output<typeof gitlab>;
export type BuildkiteWho = z.output<typeof buildkite>;
export type CircleciWho = z.output<typeof circleci>;

/**
 * Reads a file of policies.
 * @throws {AccessFileError} it is no YAML of this form; the message names each fault and where it stands.
 */
export const readPolicies = (text: string): PolicyFile => readYaml(text, policyFile);
