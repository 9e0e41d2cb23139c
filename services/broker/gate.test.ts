import { examplePolicies } from '@tripline/access/access.example';
import { setRemediationSwitch } from '@tripline/incidents/kill-switch';
import { credentialHash } from '@tripline/runtime/redact';
import {
  type GateStage,
  policiesAt,
  question,
  sha,
  startGateStage,
  usualPolicies,
  workerA,
} from '@tripline/testing/services/gate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { keysOfJob } from './keys.ts';
import type { PoliciesInForce } from './local-policies.ts';
import type { ToStandFor } from './step-up.ts';
import type { StandsFor } from './store/approvals.ts';
import { claimQuestions } from './store/gates.ts';

let g: GateStage;
beforeEach(async () => {
  g = await startGateStage();
});
afterEach(() => g.close());

describe('a deployment of a job of which all is known', () => {
  test('is claimed in turn with those of other repositories, however many those are', async () => {
    const many = Array.from({ length: 50 }, (_, nth) => question({ id: `m${nth}`, deploymentId: String(600 + nth) }));
    await g.asked(...many);
    g.nowMs += 1000;
    await g.asked(question({ id: 'other', repository: { id: '75', name: 'acme/web' }, deploymentId: '700' }));
    const claimed = await claimQuestions(
      g.db,
      { by: workerA, nowMs: g.nowMs, forMs: 60_000 },
      { fresh: 4, failing: 0 },
    );
    expect(claimed.map(({ id }) => id)).toContain('other');
  });

  test('is answered with a token that the log names before it is used', async () => {
    await g.told();
    await g.asked();
    const named: string[][] = [];
    g.github.instead = ({ method, path }) => {
      const isOfApp = path.startsWith('/app/') || method === 'DELETE';
      if (!isOfApp) named.push(g.stream.appended.map(({ headers }) => headers['ce_type']!.split('-').at(-1)!));
      return undefined;
    };
    await g.answer();
    expect(named[0]).toEqual(['credential.minted']);
    const [{ value, headers }] = g.stream.appended as [(typeof g.stream.appended)[number]];
    expect(headers['ce_id']).toMatch(/^gate:github:q1:minted:/);
    expect(JSON.parse(value.toString())).toMatchObject({
      'tripline.credential.token_hash': credentialHash(`ghs_${'1'.padStart(36, '0')}`),
      ...{
        'vcs.repository.id': '74',
        'cicd.pipeline.run.id': '9',
        'tripline.access.grant': expect.stringMatching(/^gate:github:q1:/),
      },
    });
  });

  test('is approved with every condition, and the log has it first', async () => {
    await g.told();
    await g.asked();
    g.github.instead = ({ path }) => {
      if (path.endsWith('/deployment_protection_rule')) expect(g.decided()).toHaveLength(1);
      return undefined;
    };
    await g.answer();
    expect(g.github.words).toEqual([
      {
        ...{ environment: 'production', state: 'approved' },
        comment:
          '**Tripline approved by policy `deploy-api`**\n\n- ✓ repository\n- ✓ caller\n- ✓ event\n- ✓ ref\n- ✓ environment\n- ✓ fork\n- ✓ reviewed\n- ✓ promoted\n- ✓ incident',
      },
    ]);
    expect(g.events()).toMatchObject([
      {
        ...{ id: 'gate:github:q1:granted', 'tripline.access.decision': 'granted', 'vcs.ref.head.revision': sha },
        ...{ 'tripline.deployment.question': 'github:q1', 'tripline.access.policy': 'deploy-api' },
        ...{ 'cicd.pipeline.run.id': '9', 'tripline.pipeline.run.attempt': 1, 'deployment.id': '501' },
      },
    ]);
    expect(g.events()[0]).not.toHaveProperty('tripline.access.dry_run');
    expect(await g.rowOf()).toMatchObject({ state: 'answered', decision: 'granted', attempt: 1, last_fault: null });
    await expect.poll(() => g.github.alive()).toBe(0);
    expect(await g.answer()).toBe(0);
  });

  test('is rejected with what speaks against it, and what strangers name is neither link nor mention', async () => {
    await g.told({
      job: { ref: 'refs/heads/`@acme/all`](https://evil.example)' },
      known: { reviewed: { is: 'unreviewed', why: 'pushed by mallory after it was approved' }, deployedTo: [] },
    });
    await g.asked();
    await g.answer();
    const [word] = g.github.words;
    expect(word).toMatchObject({ state: 'rejected' });
    expect(word!.comment).toMatch(/^\*\*Tripline rejected by policy `deploy-api`\*\*\n\n- ✗ \*\*ref\*\*: `wanted is /);
    expect(word!.comment).toContain(
      '- ✗ **reviewed**: `wanted is a commit that somebody else reviewed, and it is one that is not: pushed by mallory after it was approved` Have the commit reviewed',
    );
    expect(word!.comment).toContain('- … **promoted**');
    for (const line of word!.comment.split('\n')) expect(line.replace(/`[^`]*`/g, '')).not.toMatch(/[@[\]]/);
    expect(word!.comment.length).toBeLessThanOrEqual(1024);
    expect(g.events()).toMatchObject([{ 'tripline.access.decision': 'denied' }]);
  });

  test('is rejected where an open incident names its run, and no policy is for it', async () => {
    await g.told();
    const entities = [{ kind: 'run' as const, id: 'acme/api#9', key: 'github:github.com:74#9' }];
    await recordFindings(g.owner, [{ ...someFinding('one', { person: 'ada' }), entities }]);
    await g.asked();
    await g.answer();
    expect(g.github.words).toMatchObject([
      { state: 'rejected', comment: expect.stringMatching(/incident.*\(critical\)/) },
    ]);
    g.github.waiting.add('staging').add('elsewhere');
    await g.asked(question({ id: 'q2', environment: 'staging', deploymentId: null }));
    await g.asked(question({ id: 'q3', environment: 'elsewhere', deploymentId: null }));
    await g.answer();
    expect(
      g.github.words
        .slice(1)
        .map(({ comment }) => comment)
        .sort(),
    ).toEqual([
      expect.stringContaining('a policy of tier staging for this repository'),
      expect.stringContaining('elsewhere, which is of none'),
    ]);
  });
});

describe('what is not known', () => {
  test('is waited for without a word, then with one, and then decided once it is told', async () => {
    await g.asked();
    await g.answer();
    expect(g.github.requests).toEqual([]);
    g.nowMs += 9000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: undefined, comment: expect.stringContaining('Tripline waits') }]);
    expect(g.events()).toMatchObject([{ id: 'gate:github:q1:pending', 'tripline.access.decision': 'pending' }]);
    for (let looks = 0; looks < 5; looks += 1) {
      g.nowMs += 5000;
      await g.answer();
    }
    expect(g.github.words).toHaveLength(1);
    expect(g.github.requests.length).toBeLessThan(6);
    await g.told();
    g.nowMs += 5000;
    await g.answer();
    expect(g.github.words.map(({ state }) => state)).toEqual([undefined, 'approved']);
    expect(g.events().map(({ id }) => id)).toEqual(['gate:github:q1:pending', 'gate:github:q1:granted']);
  });

  test('takes few tokens of GitHub’s while it is waited for without a word, and none is left', async () => {
    await g.told({ known: { reviewed: { is: 'unknown', why: 'nothing was received' } } });
    await g.asked();
    const untilMs = g.nowMs + 8000;
    for (; g.nowMs < untilMs; g.nowMs += 50) await g.answer();
    const minted = g.stream.appended.filter(({ headers }) => headers['ce_type']?.includes('credential.minted'));
    expect(minted.length).toBeGreaterThan(3);
    expect(minted.length).toBeLessThanOrEqual(11);
    expect([g.github.alive(), g.github.words]).toEqual([0, []]);
    await g.answer();
    expect(g.github.words).toHaveLength(1);
  });

  test('is a no after ten minutes', async () => {
    await g.told({ known: { reviewed: { is: 'unknown', why: 'nobody told' } } });
    await g.asked();
    g.nowMs += 9 * 60_000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: undefined }]);
    g.nowMs += 61_000;
    await g.answer();
    expect(g.github.words).toMatchObject([{}, { state: 'rejected' }]);
  });

  test('that another workspace asks about is told nothing: its log knows no such run, and that is no no', async () => {
    await g.told();
    await g.asked(question({ workspace: 'other', owner: { id: '66', name: 'other' } }));
    g.nowMs += 11 * 60_000;
    await g.answer();
    expect(g.github.words).toEqual([]);
    expect(await g.rowOf()).toMatchObject({ state: 'over', decision: null });
  });

  test('a second factor is asked for, with a link that is said anew while it is waited for, and waited for two hours', async () => {
    g.inForce = policiesAt(examplePolicies);
    let approval: { by: string; ageMs: number; isPhishingResistant: boolean } | undefined;
    const opened: ToStandFor[] = [];
    const sought: StandsFor[] = [];
    g.parts.stepUps = {
      open: async (of) => {
        opened.push(of);
        return {
          state: 'open',
          id: 'p1',
          url: `https://access.acme.example/step-up/p${opened.length}`,
          number: '4711',
        };
      },
      approvalFor: async (of) => {
        sought.push(of);
        return approval;
      },
    };
    await g.told();
    await g.asked();
    await g.answer();
    const waits = { state: undefined, comment: expect.stringContaining('… **mfa**') };
    expect(g.github.words).toMatchObject([waits]);
    expect(g.github.words[0]!.comment).toContain('Open https://access.acme.example/step-up/p1 and type 4711');
    // What is stood for is what the job itself will ask for.
    const { run } = keysOfJob({ ...opened[0]!.job, checkRunId: null } as never, {
      workspace: 'acme',
      instance: 'github.com',
    });
    expect(opened[0]).toMatchObject({ run, workspace: 'acme', policyName: 'deploy-api' });
    expect(sought[0]).toMatchObject({ run, sha, environment: 'production', policy: { name: 'deploy-api' } });
    for (let minutes = 0; minutes < 100; minutes += 1) {
      g.nowMs += 60_000;
      await g.answer();
    }
    expect(g.github.words).toHaveLength(7);
    expect(g.events().filter(({ id }) => id !== 'gate:github:q1:pending')).toEqual([]);
    approval = { by: 'ada', ageMs: 1000, isPhishingResistant: true };
    g.nowMs += 5000;
    await g.answer();
    expect(g.github.words.at(-1)).toMatchObject({ state: 'approved', comment: expect.stringContaining('✓ mfa') });
    approval = undefined;
    g.github.waiting.add('production');
    await g.asked(question({ id: 'q2', deploymentId: '502' }));
    await g.answer();
    g.nowMs += 7_200_001;
    await g.answer();
    expect(g.github.words.at(-1)).toMatchObject({ state: 'rejected' });
  });

  test('of a run that somebody ran again whoever set it off at first is asked, and an incident of either rejects it', async () => {
    g.inForce = policiesAt(examplePolicies);
    const opened: ToStandFor[] = [];
    g.parts.stepUps = {
      open: async (of) => {
        opened.push(of);
        return { state: 'open', id: 'p1', url: 'https://access.acme.example/step-up/p1', number: '4711' };
      },
      approvalFor: async () => undefined,
    };
    g.github.attempt = 2;
    const again = { run: { id: '9', attempt: 2 }, actor: { id: '7', name: 'mallory' } };
    await g.told({ job: again });
    await g.asked();
    await g.answer();
    expect(opened.map(({ job }) => job.actor)).toEqual([{ id: '3', name: 'ada' }]);
    const ada = { kind: 'user' as const, id: 'ada', key: 'github:github.com:user:3' };
    await recordFindings(g.owner, [{ ...someFinding('one', { person: 'ada' }), entities: [ada] }]);
    await g.asked(question({ id: 'q2', deploymentId: '502' }));
    await g.answer();
    expect(g.github.words.at(-1)).toMatchObject({
      state: 'rejected',
      comment: expect.stringContaining('**incident**'),
    });
  });

  test('nothing is answered without policies, or while the kill switch is on', async () => {
    await g.told();
    await g.asked();
    g.inForce = { fault: 'nobody reviewed them' };
    await g.answer();
    g.inForce = usualPolicies();
    await setRemediationSwitch(g.cli, { stopped: true, by: { name: 'ada', via: 'cli' } as never });
    g.nowMs += 5000;
    await g.answer();
    expect(await g.rowOf()).toMatchObject({ state: 'open', last_fault: expect.stringContaining('kill switch') });
    expect(g.github.requests).toEqual([]);
    await setRemediationSwitch(g.cli, { stopped: false, by: { name: 'ada', via: 'cli' } as never });
    g.nowMs += 5000;
    await g.answer();
    expect(g.github.words).toMatchObject([{ state: 'approved' }]);
  });

  test('a local file decides dry runs: the log has it, GitHub hears nothing', async () => {
    g.inForce = { ...(g.inForce as PoliciesInForce), revision: null };
    await g.asked();
    await g.answer();
    expect(g.decided()).toEqual([]);
    await g.told();
    g.nowMs += 1000;
    await g.answer();
    expect(g.events()).toMatchObject([{ 'tripline.access.decision': 'granted', 'tripline.access.dry_run': true }]);
    expect(g.github.requests).toEqual([]);
    expect(await g.rowOf()).toMatchObject({ state: 'over' });
  });
});
