import type { Table, Tables } from '../builders/table.ts';
import { ask, audit } from './audit.ts';

const registered: Table = {
  ...audit,
  ...{ principles: [4], attack: ['T1195.002', 'T1543'], owasp: ['CICD-SEC-7'] },
  why: 'Jobs, with their secrets, run on somebody’s machine from now on, and whoever may start jobs there may reach it for good.',
  remedy: ['Ask {user.name} whose machine it is; remove it unless they can say.'],
  falseAlarms: ['Controllers that scale runners: an exception for their account.'],
};
const removed: Table = {
  ...registered,
  attack: ['T1531', 'T1070'],
  why: 'A machine that is gone can no longer be looked at.',
  remedy: [ask],
};
const reach: Table = {
  ...registered,
  attack: ['T1098', 'T1195.002'],
  why: 'Jobs of other repositories, perhaps of public ones, may come to machines that were set apart.',
  remedy: [`${ask}; close the group again unless it was.`],
  falseAlarms: ['Repositories that move to another pool: an exception for who keeps the pools.'],
};
const network: Table = {
  ...reach,
  attack: ['T1133', 'T1685'],
  why: 'The provider’s machines may reach, or be reached from, another network.',
  remedy: [`${ask}; put it back unless it was.`],
  falseAlarms: ['Networks that are set up as planned: resolve it as accepted.'],
};
const images: Table = {
  ...registered,
  attack: ['T1525', 'T1554'],
  ...{ principles: [4], owasp: ['CICD-SEC-9'] },
  why: 'Jobs run on another machine or image than before.',
  remedy: [`${ask}, and who built the image.`],
  falseAlarms: ['Images that are renewed by a pipeline: an exception for its account.'],
};

const rogue = ['rogue-runner-registered', 'credential-new-runner'] as const;

export const runners: Tables = [
  [
    registered,
    [
      [
        'repo.register_self_hosted_runner',
        'Runner of a single repository registered',
        'low',
        { better: rogue, ordinary: 'daily' },
      ],
      [
        'org.register_self_hosted_runner',
        'Runner registered',
        'low',
        { also: ['enterprise.register_self_hosted_runner'], better: rogue, ordinary: 'daily' },
      ],
      [
        'org.configure_self_hosted_jit_runner',
        'Runner for one job configured',
        'low',
        {
          also: ['repo.configure_self_hosted_jit_runner', 'enterprise.configure_self_hosted_jit_runner'],
          better: rogue,
          ordinary: 'daily',
        },
      ],
      [
        'org.update_repo_self_hosted_runners_policy',
        'Which repositories may have runners changed',
        'medium',
        {
          also: [
            'business.update_repo_self_hosted_runners_policy',
            'business.update_emu_repo_self_hosted_runners_policy',
          ],
          undocumented: ['repo.update_repo_self_hosted_runners_policy'],
        },
      ],
    ],
  ],
  [
    removed,
    [
      [
        'org.remove_self_hosted_runner',
        'Runner removed',
        'low',
        { also: ['repo.remove_self_hosted_runner', 'enterprise.remove_self_hosted_runner'], ordinary: 'daily' },
      ],
    ],
  ],
  [
    reach,
    [
      [
        'org.runner_group_visiblity_updated',
        'Runner group opened to other repositories',
        'low',
        {
          better: ['runner-group-widened'],
          also: ['enterprise.runner_group_visiblity_updated'],
          undocumented: ['org.runner_group_visibility_updated', 'enterprise.runner_group_visibility_updated'],
        },
      ],
      [
        'org.runner_group_updated',
        'Runner group changed',
        'low',
        { also: ['org.runner_group_renamed', 'enterprise.runner_group_updated', 'enterprise.runner_group_renamed'] },
      ],
      ['org.runner_group_created', 'Runner group made', 'low', { also: ['enterprise.runner_group_created'] }],
      ['org.runner_group_removed', 'Runner group deleted', 'low', { also: ['enterprise.runner_group_removed'] }],
      [
        'org.runner_group_runners_added',
        'Runners of a group changed',
        'low',
        {
          also: [
            ...['org.runner_group_runners_updated', 'org.runner_group_runner_removed'],
            ...['enterprise.runner_group_runners_added', 'enterprise.runner_group_runners_updated'],
            ...['enterprise.runner_group_runner_removed'],
          ],
          ordinary: 'weekly',
        },
      ],
    ],
  ],
  [
    network,
    [
      [
        'network_configuration.create',
        'Network of the provider’s runners changed',
        'medium',
        { also: ['network_configuration.update', 'network_configuration.delete'] },
      ],
    ],
  ],
  [
    images,
    [
      [
        'github_hosted_runner.create',
        'Pool of the provider’s machines made or changed',
        'low',
        {
          also: [
            ...['github_hosted_runner.update', 'custom_hosted_runner.create', 'custom_hosted_runner.update'],
            ...['premium_runner.create', 'premium_runner.update'],
          ],
        },
      ],
      ['org.update_custom_images_policy', 'Policy on images of runners changed', 'medium'],
      [
        'org.delete_custom_image',
        'Image of runners deleted',
        'low',
        {
          also: [
            ...['org.delete_custom_image_version', 'business.delete_custom_image'],
            ...['business.delete_custom_image_version', 'repository_image.destroy'],
          ],
          ordinary: 'weekly',
        },
      ],
    ],
  ],
];
