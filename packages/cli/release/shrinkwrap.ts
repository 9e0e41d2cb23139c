/**
 * The lock of what is packed: of package-lock.json the packages that an installed Tripline needs, at the same versions with
 * the same hashes, so that a user runs what was tested. npm reads it from the `npm-shrinkwrap.json` of a package that comes from
 * a registry, and of a folder by `npm ci`; not of a package that is installed from a file.
 */
type Locked = {
  version?: string;
  link?: boolean;
  dev?: boolean;
  optional?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
};
type Lock = { lockfileVersion: number; packages: Record<string, Locked> };
type Packed = {
  name: string;
  version: string;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
};

/** @throws {Error} when the lock lacks a package that is needed: run `npm install`. */
export function shrinkwrap(lock: Lock, packed: Packed): Lock & { name: string; version: string } {
  const { name, version, dependencies, optionalDependencies } = packed;
  const taken: Record<string, Locked> = {};
  // What is needed directly first, so that it stands at the top.
  const open = [
    ...Object.entries(dependencies).map(([other, wanted]) => ({ place: placeOf(lock, other, wanted), to: '' })),
    ...Object.entries(optionalDependencies).map(([other, wanted]) => ({ place: placeOf(lock, other, wanted), to: '' })),
  ];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const { dev: _, ...entry } = lock.packages[next.place]!;
    const of = next.place.slice(next.place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    // What only one room has, it has below itself; packed, there are no rooms.
    const usual = next.place.replace(/^(?:packages|services)\/[^/]+\//, '');
    const at =
      taken[usual] === undefined || taken[usual].version === entry.version ? usual : `${next.to}/node_modules/${of}`;
    if (taken[at] !== undefined) continue;
    taken[at] = entry;
    for (const { other, needed } of needs(entry)) {
      const place = nearest(lock, next.place, other);
      if (place !== undefined) open.push({ place, to: at });
      else if (needed) throw new Error(`package-lock.json lacks ${other}, which ${of} needs: run npm install`);
    }
  }
  const packages = { '': packed as unknown as Locked, ...Object.fromEntries(Object.entries(taken).sort()) };
  return { name, version, lockfileVersion: lock.lockfileVersion, packages };
}

function needs({ dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta }: Locked) {
  const peers = Object.keys(peerDependencies ?? {});
  return [
    ...Object.keys(dependencies ?? {}).map((other) => ({ other, needed: true })),
    ...Object.keys(optionalDependencies ?? {}).map((other) => ({ other, needed: false })),
    ...peers.map((other) => ({ other, needed: peerDependenciesMeta?.[other]?.optional !== true })),
  ];
}

/** Where `name` stands at `wanted`, its exact version: at the top, or below the room that alone has it so. */
function placeOf({ packages }: Lock, name: string, wanted: string): string {
  const place = Object.keys(packages).find(
    (key) =>
      /^(?:(?:packages|services)\/[^/]+\/)?node_modules\/(?:@[^/]+\/)?[^/]+$/.test(key) &&
      key.endsWith(`node_modules/${name}`) &&
      packages[key]!.version === wanted,
  );
  if (place === undefined) throw new Error(`package-lock.json lacks ${name} ${wanted}: run npm install`);
  return place;
}

/** Where Node finds `name` for what stands at `from`. */
function nearest({ packages }: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const place = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (!folder.endsWith('node_modules') && packages[place] !== undefined) return place;
    if (folder === '') return undefined;
  }
}
