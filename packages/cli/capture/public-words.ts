import { worms } from '@tripline/rules/known-worms';
import { rules } from '@tripline/rules/registry';
import { shellTexts } from '@tripline/rules/shell-text';

/**
 * Words that are everybody's and that rules look for: they stay wherever they stand. Parts of addresses, refs and paths that the
 * provider gives, its own accounts and machines, usual branches, clients, what injected text runs, what worms call things.
 */
const everybodys = `
  github com api www org net io localhost users noreply https http ssh git actions runner runners self hosted latest ubuntu windows macos
  linux x64 arm64 refs heads tags pull merge pulls issues commit tree blob main master develop release releases head base bot web flow
  dependabot renovate advanced security queue workflow workflows yml yaml action dynamic arc readme md
  tripline drill audit response act lookup inventory receiver fact token secret environment production staging prod stable edge nightly next
  npm pnpm yarn bun pip cargo bundler composer ruby rubygems curl wget gh
  ifs bash sh nc ncat python python3 perl node eval base64 printenv socat echo require event sha256
  from fork by address true false null undefined redacted v1 v2 v3 v4 v5 v6
  server user to app installation 127 255
`;

const split = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** Texts that the defaults of our own rules name, such as environments that are guarded. */
const defaultsOfRules = (): string[] => rules.flatMap(({ settings }) => textsIn(settings.safeParse({}).data));
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** All of them, in lower case. */
export const publicWords = (): ReadonlySet<string> =>
  new Set(
    [
      everybodys,
      ...shellTexts,
      ...worms.flatMap((worm) => [...worm.repositories, ...worm.descriptions, ...worm.runners]),
      ...defaultsOfRules(),
    ].flatMap(split),
  );
