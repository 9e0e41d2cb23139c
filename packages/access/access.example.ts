/** A file of policies as the docs show it, and its lock file: what tests begin with. */
export const examplePolicies = `
audience: https://access.acme.example
tiers: { production: [production], staging: [staging], dev: [preview] }
policies:
  deploy-api:
    tier: production
    who:
      github:
        repository: acme/api
        caller: .github/workflows/release.yml@refs/heads/main
        workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main
        events: [push, workflow_dispatch]
        ref: refs/heads/main
        environment: production
        runner: { group: prod-deployers, network: [203.0.113.0/24] }
    needs:
      reviewed: true
      promotedFrom: staging
      knownRunner: true
      noIncident: high
      mfa: { of: trigger, within: 15m }
    give:
      - { aws: { role: 'arn:aws:iam::111122223333:role/deploy-api', for: 30m, policy: aws/deploy-api.json } }
      - { github: { repositories: [acme/api], permissions: { contents: read, deployments: write } } }
    max: 45m
    tests:
      - { job: {}, expect: granted }
      - { job: { ref: refs/heads/main-evil }, expect: denied, because: [ref] }
      - { job: { event: pull_request }, expect: denied, because: [event] }
      - { known: { mfa: false }, expect: pending, because: [mfa] }
`;
export const exampleLock = `
github:
  acme/api: { id: '74', owner: '65' }
`;
/** What the files that it names say. */
export const exampleFiles = {
  'aws/deploy-api.json':
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/*"}]}',
};
