import { createEngine } from '@tripline/engine/engine';
import { configureRule } from '@tripline/engine/settings';
import { rulesByDefault as rules } from '@tripline/rules/registry';
import { at, createKept, runBatch, toRecords } from '@tripline/testing/timeline/play';

/** What a grant of an onboarding day writes of keyed state, bytes before compression. */
export type Onboarding = { grants: number; firstBytes: number; lastBytes: number; totalBytes: number };

const startMs = Date.parse('2026-03-02T09:00:00Z');
const tenth = (bytes: readonly number[]) => bytes.slice(0, Math.ceil(bytes.length / 10));
const mean = (bytes: readonly number[]) => bytes.reduce((sum, one) => sum + one, 0) / bytes.length;

/**
 * `grants` people join an organisation in a day, a batch each, through all rules of ours. What the last of them write beside
 * the first shows whether a grant costs the same however many there are.
 */
export function benchOnboarding(grants: number): Onboarding {
  const kept = createKept();
  const engine = createEngine({ rules: rules.map((rule) => configureRule(rule)), learningDays: 0 }, kept.snapshot());
  const events = Array.from({ length: grants }, (_, nth) =>
    at(
      startMs + nth * 60_000,
      'dev.cdeventsx.tripline-grant.added',
      {
        'vcs.provider.name': 'github',
        'vcs.owner.name': 'acme',
        'vcs.owner.id': '1',
        'user.id': '7',
        'user.name': 'ada',
        'tripline.grant.kind': 'org-member',
        'tripline.grant.grantee': `newcomer-${nth}`,
        'tripline.grant.grantee_id': `${1000 + nth}`,
        'tripline.grant.target': 'acme',
        'tripline.grant.target_id': '1',
        'tripline.grant.permission': 'member',
      },
      { id: `github:grant-${nth}` },
    ),
  );
  const bytes = toRecords({ events }).map((record) => {
    const effects = runBatch(engine, { records: [record], caughtUpAtMs: null }, kept.read);
    kept.keep(effects);
    engine.commit();
    return effects.state.reduce((sum, { rule, key, json }) => sum + rule.length + key.length + (json?.length ?? 0), 0);
  });
  const { poison } = kept.played();
  if (poison.length > 0) throw new Error(`${poison[0]!.rule}: ${poison[0]!.reason}`);
  const [first, last] = [mean(tenth(bytes.slice(1))), mean(tenth(bytes.toReversed()))];
  return { grants, firstBytes: first, lastBytes: last, totalBytes: bytes.reduce((sum, one) => sum + one, 0) };
}

if (import.meta.main) console.log(benchOnboarding(Number(process.argv[2] ?? 100)));
