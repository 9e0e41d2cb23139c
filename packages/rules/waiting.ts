/** Rules of the catalogue that no feed serves yet: what each would find, and which feed would tell it. */
export const waiting: readonly { id: string; title: string; waitsFor: string }[] = [
  {
    id: 'ci-credential-off-runner',
    title: 'A credential of a pipeline used from a network that is no runner’s',
    waitsFor: 'a cloud’s own log of calls (AWS CloudTrail), which tells from where a key is used',
  },
  {
    id: 'oidc-assume-without-job',
    title: 'A cloud role assumed by a job’s token while no such job runs',
    waitsFor: 'a cloud’s own log of calls, which tells who assumed a role',
  },
  {
    id: 'oidc-subject-drift',
    title: 'A cloud role assumed for a repository or environment that never had it',
    waitsFor: 'a cloud’s own log of calls, which tells the subject of the token',
  },
  {
    id: 'artifact-digest-mismatch',
    title: 'What a registry serves is not what was built',
    waitsFor: 'attestations of what was built, and registries that tell what they serve',
  },
];
