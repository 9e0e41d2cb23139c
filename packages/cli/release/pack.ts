import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, posix, relative, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { shrinkwrap } from './shrinkwrap.ts';

/**
 * `npm run pack -- --to <folder>`: makes the npm package `tripline` and prints its file's name. Node strips no types
 * under node_modules, so what is packed is JavaScript: the same files without their types, line by line, in the same
 * folders. Only files that the program imports are packed, and those that own rules may import, with their types; no
 * tests.
 */
const root = join(import.meta.dirname, '../../..');
/** What runs, and what rules of a user's own may import. */
const entries = [
  'packages/cli/main.ts',
  ...sourcesOf('packages/contracts'),
  'packages/rules/outside.ts',
  ...sourcesOf('packages/rules/builders'),
  ...sourcesOf('packages/facts'),
  'packages/testing/timeline/play.ts',
  'packages/testing/timeline/in-words.ts',
  'packages/testing/timeline/captured.ts',
];

/** A rule of a user's own, to start from. */
const exampleRule = 'test/fixtures/own-rule';

/** Where a text names a module: `from '…'`, `import '…'`, `import('…')`, `import.meta.resolve('…')`. */
const naming = /(\bfrom |\bimport |\bimport\(|\bimport\.meta\.resolve\()'([^'\n]+)'/g;

type Manifest = {
  version: string;
  license: string;
  engines: Record<string, string>;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
};

/** Packs into the folder `to`, which is made; answers the package's file. */
export function pack(to: string): string {
  const staging = mkdtempSync(join(tmpdir(), 'tripline-pack-'));
  try {
    const files = reached(entries);
    for (const file of files) put(staging, asJavaScript(file), toJavaScript(file, read(file)));
    for (const [file, text] of declarations(files)) put(staging, file, text);
    for (const file of ['packages/cli/tripline.mjs', 'packages/cli/package.json']) {
      put(staging, file, toJavaScript(file, read(file)));
    }
    cpSync(join(root, 'migrations'), join(staging, 'migrations'), { recursive: true });
    for (const file of ['LICENSE', ...pagesReached(['README.md', 'CHANGELOG.md'])]) put(staging, file, read(file));
    for (const name of readdirSync(join(root, exampleRule))) {
      const text = read(posix.join(exampleRule, name)).replaceAll("'@tripline/", "'tripline/");
      // A folder of rules ignores files named as tests; in this repository, vitest would run the example's test as one
      // of its own.
      put(staging, `examples/own-rule/${name.replace('.node-test.', '.test.')}`, text);
    }
    const { manifest, lock } = manifests();
    put(staging, 'package.json', JSON.stringify(manifest, null, 2));
    put(staging, 'npm-shrinkwrap.json', JSON.stringify(lock, null, 2));
    mkdirSync(to, { recursive: true });
    const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', to, staging], {
      encoding: 'utf8',
    });
    return join(to, JSON.parse(packed)[0].filename);
  } finally {
    rmSync(staging, { recursive: true });
  }
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}
function put(staging: string, file: string, text: string): void {
  mkdirSync(dirname(join(staging, file)), { recursive: true });
  writeFileSync(join(staging, file), text);
}
function sourcesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.includes('node_modules'))
    .map((name) => posix.join(folder, name.replaceAll(sep, '/')));
}

/** The files of ours that `from` reach by their imports. */
function reached(from: readonly string[]): string[] {
  const found = new Set<string>();
  const open = [...from];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const [, , specifier] of read(file).matchAll(naming)) {
      const target = fileOf(file, specifier!);
      if (target !== undefined) open.push(target);
    }
  }
  return [...found].sort();
}

/** The file of ours that `specifier` names in `file`; undefined for Node's and other packages' modules. */
function fileOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(file), specifier);
  const [scope, room, ...rest] = specifier.split('/');
  if (scope !== '@tripline') return undefined;
  const folder = ['packages', 'services'].find((top) => readdirSync(join(root, top)).includes(room!));
  return `${folder}/${room}/${rest.join('/')}.ts`;
}

/** Pages, and the pages and alerting rules that they link to: users of the package have no checkout to read them in. */
function pagesReached(from: readonly string[]): string[] {
  const found = new Set<string>();
  const open = [...from];
  for (let page = open.pop(); page !== undefined; page = open.pop()) {
    if (found.has(page)) continue;
    found.add(page);
    if (!page.endsWith('.md')) continue;
    for (const [, target] of read(page).matchAll(/\]\(([^()#:\s[\]]+)(?:#[^()]*)?\)/g)) {
      if (/\.(?:md|yaml)$/.test(target!)) open.push(posix.join(posix.dirname(page), target!));
    }
  }
  return [...found].sort();
}

const asJavaScript = (file: string) => file.replace(/\.ts$/, '.js');

/** The text without its types, in the same lines, naming other files of ours by their place. */
function toJavaScript(file: string, text: string): string {
  const stripped = file.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
  return placed(file, stripped);
}
function placed(file: string, text: string): string {
  return text.replace(naming, (whole, before: string, specifier: string) => {
    const target = fileOf(file, specifier);
    if (target === undefined) return whole;
    const place = posix.relative(posix.dirname(file), asJavaScript(target));
    return `${before}'${place.startsWith('.') ? place : `./${place}`}'`;
  });
}

/** What TypeScript says of the files that rules of a user's own may import. */
function declarations(files: readonly string[]): [file: string, text: string][] {
  const out = mkdtempSync(join(tmpdir(), 'tripline-types-'));
  try {
    const project = join(out, 'tsconfig.json');
    const options = {
      noEmit: false,
      emitDeclarationOnly: true,
      declaration: true,
      rootDir: root,
      outDir: join(out, 'types'),
    };
    const include = files.filter((file) => file.startsWith('packages/')).map((file) => join(root, file));
    writeFileSync(
      project,
      JSON.stringify({
        extends: join(root, 'tsconfig.base.json'),
        compilerOptions: { ...options, typeRoots: [join(root, 'node_modules/@types')] },
        files: include,
      }),
    );
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', project], { stdio: 'inherit' });
    return sourcesOf(relative(root, join(out, 'types')).replaceAll(sep, '/')).map((path) => {
      const file = relative(join(out, 'types'), join(root, path)).replaceAll(sep, '/');
      return [file, placed(file.replace(/\.d\.ts$/, '.ts'), readFileSync(join(root, path), 'utf8'))];
    });
  } finally {
    rmSync(out, { recursive: true });
  }
}

/** The manifest of what is packed, and its lock. */
export function manifests() {
  const manifest = manifestOf(reached(entries));
  return { manifest, lock: shrinkwrap(JSON.parse(read('package-lock.json')), manifest) };
}

function manifestOf(files: readonly string[]) {
  const rooms = new Set(files.map((file) => file.split('/').slice(0, 2).join('/')));
  const manifests = [...rooms].map((room) => JSON.parse(read(`${room}/package.json`)) as Manifest);
  const of = JSON.parse(read('package.json')) as Manifest & { description: string };
  const outside = (all: readonly (Record<string, string> | undefined)[]) =>
    Object.fromEntries(
      all
        .flatMap((some) => Object.entries(some ?? {}))
        .filter(([name]) => !name.startsWith('@tripline/'))
        .sort(),
    );
  return {
    name: 'tripline',
    version: (JSON.parse(read('packages/cli/package.json')) as Manifest).version,
    ...{ description: of.description, license: of.license, type: 'module', engines: of.engines },
    bin: { tripline: 'packages/cli/tripline.mjs' },
    // For rules of a user's own: `tripline/contracts/rule`.
    exports: { './*': { types: './packages/*.d.ts', default: './packages/*.js' } },
    dependencies: outside(manifests.map(({ dependencies }) => dependencies)),
    optionalDependencies: outside([...manifests, of].map(({ optionalDependencies }) => optionalDependencies)),
  };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { to: { type: 'string', default: '.' } } });
  console.log(pack(values.to));
}
