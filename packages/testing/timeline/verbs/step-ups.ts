import { verb } from '../verb.ts';
import { type Run, runNumber, runOf } from './runs.ts';

/** Second factors for single runs. */
export const stepUps = [
  /** Whoever was asked says that it was not they. Options: `attempt <n>` (1), `as an owner`. */
  verb('says that run {run} is not theirs', (said, stage) => {
    const run: Run = runOf(said, stage);
    const repository = stage.repository(run.repository);
    const self = stage.user(said.who);
    const actor = stage.user(run.by);
    stage.feed(
      'dev.cdeventsx.tripline-stepup.refused',
      {
        ...{ 'user.id': String(self.id), 'user.name': self.login, 'user.type': self.type },
        ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com' },
        ...{ 'vcs.repository.name': repository.full_name, 'vcs.repository.id': String(repository.id) },
        'cicd.pipeline.run.id': String(runNumber(said.the('run'), stage)),
        'tripline.pipeline.run.attempt': Number(said.option('attempt') ?? 1),
        ...{ 'tripline.pipeline.triggered_by': actor.login, 'tripline.pipeline.triggered_by_id': String(actor.id) },
        ...{ 'tripline.access.policy': 'deploy-api', 'tripline.identity.method': 'passkey' },
        'tripline.stepup.asked': said.option('as an owner') === undefined ? 'trigger' : 'owners',
      },
      repository.owner.login,
    );
  }),
  /** Option: `another`, of an account that has one already. */
  verb('has a passkey confirmed by {person}', (said, stage) => {
    const [self, by] = [stage.user(said.who), stage.user(said.the('person'))];
    stage.feed('dev.cdeventsx.tripline-stepup.linked', {
      ...{ 'user.id': String(self.id), 'user.name': self.login, 'user.type': self.type },
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com' },
      'tripline.identity.method': 'passkey',
      'tripline.stepup.link': said.option('another') === undefined ? 'first' : 'another',
      ...{ 'tripline.stepup.confirmed_by': by.login, 'tripline.stepup.confirmed_by_id': String(by.id) },
    });
  }),
  /** Their sign-in at the OpenID provider is their account's. Option: `changed`, of an account that had another. */
  verb('has a sign-in confirmed by {person}', (said, stage) => {
    const [self, by] = [stage.user(said.who), stage.user(said.the('person'))];
    stage.feed('dev.cdeventsx.tripline-stepup.linked', {
      ...{ 'user.id': String(self.id), 'user.name': self.login, 'user.type': self.type },
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com' },
      ...{ 'tripline.identity.method': 'oidc', 'tripline.identity.subject': `${self.login}@acme` },
      'tripline.stepup.link': said.option('changed') === undefined ? 'first' : 'changed',
      ...{ 'tripline.stepup.confirmed_by': by.login, 'tripline.stepup.confirmed_by_id': String(by.id) },
    });
  }),
];
