import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

/** ARCHITECTURE.md's table of rooms, held against the code: which there are, and that arrows run down only. */
const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const folders = (path: string) =>
  readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map((entry) => `${path}/${entry.name}`);

/** Rooms as the page lists them: each package may import only those that stand above it. */
const listed = [...read('ARCHITECTURE.md').matchAll(/^\| `((?:services|packages)\/[a-z-]+)` \|/gm)].map(
  (match) => match[1]!,
);
const roomOf = (path: string) => /^(?:packages|services)\/[^/]+/.exec(path)?.[0];
const isTest = (path: string) => path.endsWith('.test.ts') || path.startsWith('test/');
/** The kit by which a rule is tested ships, since `tripline rules test` hands it to rules of the user's own. */
const isTestSupport = (path: string) => path.startsWith('packages/testing/') && !isKit(path);
const isKit = (path: string) => path.startsWith('packages/testing/timeline/');

const files = ['packages', 'services', 'test'].flatMap((top) =>
  readdirSync(join(root, top), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules') && !path.includes('/fixtures/')),
);
const known = new Set(files);

/** Every import in a source file of ours: `to` is a path of ours, or a library's name. */
const imports = files.flatMap((from) =>
  [...read(from).matchAll(/^(?:import|export)\b[^;']*?(?:from )?'([^']+)'|\bimport\(\s*'([^']+)'/gm)].map((match) => ({
    from,
    to: resolve(from, (match[1] ?? match[2])!),
  })),
);
const shipped = imports.filter(({ from }) => !isTest(from) && !isTestSupport(from));

function resolve(from: string, specifier: string): string {
  if (specifier.startsWith('.')) return join(from, '..', specifier);
  const [, name, path] = /^@tripline\/([^/]+)\/(.+)$/.exec(specifier) ?? [];
  if (name === undefined) return specifier;
  return `${listed.find((room) => room.endsWith(`/${name}`))}/${path}.ts`;
}

describe('rooms', () => {
  test('are the folders, all of them and no other', () => {
    expect([...listed].sort()).toEqual([...folders('services'), ...folders('packages')].sort());
  });

  test('import only what stands above them in the table', () => {
    const packages = listed.filter((room) => room.startsWith('packages/'));
    const wrong = shipped.filter(({ from, to }) => {
      const [below, above] = [roomOf(from)!, roomOf(to)];
      if (above === undefined || above === below) return false;
      // The door to everything, and all services in one process.
      if (below === 'packages/cli') return false;
      if (below === 'services/standalone') return above === 'packages/cli';
      if (above.startsWith('services/')) return true;
      return below.startsWith('packages/') && packages.indexOf(above) > packages.indexOf(below);
    });
    expect(wrong).toEqual([]);
  });

  test('import no test support in what ships; the kit by which rules are tested needs none either', () => {
    expect(shipped.filter(({ to }) => to.startsWith('packages/testing/') && !isKit(to))).toEqual([]);
    expect(shipped.filter(({ from, to }) => isKit(to) && !isKit(from))).toEqual([]);
    expect(shipped.filter(({ to }) => /^(vitest|fast-check)(\/|$)/.test(to))).toEqual([]);
    const armed = files.filter((path) => !isTest(path) && !isTestSupport(path) && /failpoint/i.test(read(path)));
    expect(armed).toEqual([]);
  });

  test('keep kafkajs to the Kafka backend, jose to identity, and the services that Tripline calls to integrations', () => {
    const wrong = shipped.filter(({ from, to }) => {
      if (to === 'jose' || to.startsWith('jose/')) return !from.startsWith('packages/identity/');
      if (to === 'kafkajs' || to.startsWith('kafkajs/')) return !from.startsWith('packages/stream/kafka/');
      if (!/^@(slack|octokit)\//.test(to)) return false;
      return !from.startsWith('packages/integrations/') && !from.startsWith('packages/sources/');
    });
    expect(wrong).toEqual([]);
  });

  test('name no provider’s address or API in rules: what is to be done is an intent, and where it is, its event says', () => {
    const rules = files.filter((path) => path.startsWith('packages/rules/') && !isTest(path));
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.filter((path) => /https?:\/\/|github\.com|['"`]\/(?:repos|orgs)\//.test(read(path)))).toEqual([]);
  });

  test('name a feed in its own folder and the registry alone, once it is received: receiver and doctor read the registries', () => {
    const wrong = shipped.filter(
      ({ from, to }) =>
        (from.startsWith('services/receiver/') || from.startsWith('packages/cli/doctor/')) &&
        /^packages\/(?:sources|integrations)\/[a-z-]+\//.test(to),
    );
    expect(wrong).toEqual([]);
  });
});

describe('folders', () => {
  const feedFolders = folders('packages/sources');
  const calledFolders = folders('packages/integrations');
  const issuerFolders = folders('packages/identity');
  const inRegistry = (path: string) =>
    [...read(path).matchAll(/from '\.\/([a-z-]+)\/(?:feed|registration|issuer)\.ts'/g)]
      .map((match) => match[1]!)
      .sort();
  const names = (of: readonly string[]) => of.map((path) => basename(path)).sort();

  test('of feeds, channels, providers, minters and issuers are those of the registries', () => {
    expect(names(feedFolders)).toEqual(inRegistry('packages/sources/registry.ts'));
    const called = ['channels', 'providers', 'minters'].flatMap((registry) =>
      inRegistry(`packages/integrations/${registry}.ts`),
    );
    expect(names(calledFolders)).toEqual([...new Set(called)].sort());
    expect(names(issuerFolders)).toEqual(inRegistry('packages/identity/registry.ts'));
  });

  test.each([...feedFolders, ...calledFolders])(
    '%s has its settings, its doctor check, its fixtures and a page',
    (folder) => {
      for (const name of ['settings.ts', 'doctor.ts', 'README.md'])
        expect(existsSync(join(root, folder, name)), name).toBe(true);
      const fixtures = join(root, folder, 'fixtures');
      expect(existsSync(fixtures) && readdirSync(fixtures).some((name) => name.endsWith('.json')), 'fixtures').toBe(
        true,
      );
      const page = read(`${folder}/README.md`);
      for (const part of ['**Settings.**', '**Fixtures.**', '**What it cannot']) expect(page, part).toContain(part);
    },
  );

  test.each(issuerFolders)('%s has its settings, its fixtures and a page', (folder) => {
    for (const name of ['settings.ts', 'README.md', 'fixtures/job.json'])
      expect(existsSync(join(root, folder, name)), name).toBe(true);
    const page = read(`${folder}/README.md`);
    for (const part of ['**Proof.**', '**Traps.**', '**Settings.**', '**Fixtures.**', '**What it cannot'])
      expect(page, part).toContain(part);
  });

  test('are named by the registries alone where settings are put together', () => {
    const wrong = shipped.filter(
      ({ from, to }) =>
        from.startsWith('packages/config/') && /^packages\/(?:sources|integrations)\/[a-z-]+\//.test(to),
    );
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  test('import each other in no circle', () => {
    const targets = Map.groupBy(imports, ({ from }) => from);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, way: readonly string[]) => {
      if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' → '));
      if (way.includes(file) || done.has(file)) return;
      for (const { to } of targets.get(file) ?? []) if (known.has(to)) visit(to, [...way, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  /**
   * Lines of a rule: its file and every file that no other rule, and nothing else that ships, imports. A fact's own file is apart: it
   * says what is known of a thing, and nothing of a verdict.
   */
  const mostOfRule = 250;
  test('of a rule have at most 250 lines together', () => {
    const lines = (path: string) => read(path).split('\n').length - 1;
    const within = (from: string) =>
      shipped.filter((one) => one.from === from && known.has(one.to)).map(({ to }) => to);
    const rules = within('packages/rules/registry.ts')
      .filter((path) => path.startsWith('packages/rules/'))
      // A table has a file a family.
      .flatMap((path) =>
        path.endsWith('/all.ts') ? within(path).filter((one) => one.includes('/audit-actions/')) : path,
      );
    expect(rules.length).toBeGreaterThan(10);
    const tooLong = rules.flatMap((rule) => {
      const own = [rule];
      for (const file of own) {
        for (const to of within(file)) {
          const importers = shipped.filter((one) => one.to === to).map(({ from }) => from);
          const isFact = /export const \w+: Fact</.test(read(to));
          if (!isFact && !own.includes(to) && importers.every((from) => own.includes(from))) own.push(to);
        }
      }
      const count = own.reduce((sum, path) => sum + lines(path), 0);
      return count > mostOfRule ? [`${rule}: ${count} (${own.join(', ')})`] : [];
    });
    expect(tooLong).toEqual([]);
  });

  /** One weakness over one builder: what they cannot say in so many lines is a fact or a builder that is missing. */
  const onBuilder = /^export const rule = (?:match|valueCount|temporal|fromFacts|absence|firstSeen|conclusion)\(/m;
  test('of a rule on a builder have at most 100 lines', () => {
    const built = files.filter((path) => /^packages\/rules\/[a-z-]+\.ts$/.test(path) && onBuilder.test(read(path)));
    expect(built.length).toBeGreaterThanOrEqual(5);
    expect(built.filter((path) => read(path).split('\n').length - 1 > 100)).toEqual([]);
  });

  /** Files of more than 400 lines, each with the reason why it is one. Tests have theirs: the cases of one subject, on one ground. */
  const long: Readonly<Record<string, string>> = {
    'packages/contracts/attributes.ts': 'a table: one line an attribute',
    'packages/facts/runs.ts':
      'a run, its attempts and their jobs: one value, which all of their events fill in any order',
    'packages/facts/reviewed.ts': 'one verdict, each of whose conditions reads what the others found',
    'packages/sources/github/grant.ts': 'all of GitHub’s events that give or take a right',
    'packages/testing/stream.conformance.ts': 'one suite, played by both backends',
    'test/bench/timelines.ts': 'what the corpus tells, one timeline after the other',
    'test/oracle/judging.ts': 'the rules’ meaning, told once more apart from the engine',
  };

  test('have a median below 150 lines, and more than 400 only for a reason', () => {
    const lines = new Map(files.map((path) => [path, read(path).split('\n').length - 1]));
    const sorted = [...lines.values()].sort((a, b) => a - b);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(150);
    const tooLong = files.filter((path) => lines.get(path)! > 400 && !path.endsWith('.test.ts'));
    expect(tooLong.filter((path) => long[path] === undefined)).toEqual([]);
    expect(
      Object.keys(long).filter((path) => !tooLong.includes(path)),
      'needs its reason no more',
    ).toEqual([]);
  });
});
