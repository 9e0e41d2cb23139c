import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mskToken } from './msk-token.ts';
import { keepToken, type Token } from './token.ts';
import { runTokenCommand } from './token-command.ts';

describe('a token', () => {
  /** Tokens `1`, `2`, …, each of which lives for `livesMs` on a clock of the test's own. */
  function tokens(livesMs: number | null) {
    let nowMs = 1_000_000;
    let made = 0;
    const request = async (): Promise<Token> => {
      made += 1;
      return { value: String(made), endsAtMs: livesMs === null ? null : nowMs + livesMs };
    };
    return { provide: keepToken(request, () => nowMs), pass: (ms: number) => (nowMs += ms), made: () => made };
  }

  test('is asked for once by all who need it at once', async () => {
    const { provide, made } = tokens(900_000);
    expect(await Promise.all([provide(), provide(), provide()])).toEqual(['1', '1', '1']);
    expect(made()).toBe(1);
  });

  test('is followed by the next half a minute before it ends', async () => {
    const { provide, pass } = tokens(900_000);
    expect(await provide()).toBe('1');
    pass(869_999);
    expect(await provide()).toBe('1');
    pass(1);
    expect(await provide()).toBe('2');
  });

  test('that does not say when it ends is asked for each time', async () => {
    const { provide } = tokens(null);
    expect([await provide(), await provide()]).toEqual(['1', '2']);
  });

  test('that could not be had is asked for again', async () => {
    let tries = 0;
    const provide = keepToken(async () => {
      tries += 1;
      if (tries === 1) throw new Error('away');
      return { value: 'there', endsAtMs: null };
    });
    await expect(provide()).rejects.toThrow('away');
    expect(await provide()).toBe('there');
  });

  test('is never given out at its end, however long it lives and whenever it is asked for', async () => {
    const steps = fc.array(fc.nat(2_000_000), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 4_000_000 }), steps, async (livesMs, passes) => {
        let nowMs = 0;
        const provide = keepToken(
          async () => ({ value: String(nowMs + livesMs), endsAtMs: nowMs + livesMs }),
          () => nowMs,
        );
        for (const ms of passes) {
          nowMs += ms;
          expect(Number(await provide())).toBeGreaterThan(nowMs);
        }
      }),
    );
  });
});

describe('a token command', () => {
  const node = (script: string, ...args: string[]) => runTokenCommand([process.execPath, '-e', script, ...args]);
  const said = (work: Promise<unknown>) =>
    work.then(
      () => '',
      (error: Error) => error.message,
    );

  test('is run as it is written, by no shell', async () => {
    const argument = '$(id) `id` "; exit 1';
    const script = 'console.log(Buffer.from(process.argv[1]).toString("base64url"))';
    expect(Buffer.from((await node(script, argument)).value, 'base64url').toString()).toBe(argument);
  });

  test('says by its token when that ends', async () => {
    const claims = Buffer.from(JSON.stringify({ exp: 1_800_000_000 })).toString('base64url');
    expect(await node(`console.log('e30.${claims}.sign')`)).toMatchObject({ endsAtMs: 1_800_000_000_000 });
    expect(await node(`console.log('opaque')`)).toEqual({ value: 'opaque', endsAtMs: null });
  });

  test('that fails is named, and what it wrote is not', async () => {
    expect(await said(runTokenCommand(['/no/such/program']))).toMatch(/\(\/no\/such\/program\) is no program/);
    expect(await said(node('console.log("canary"); console.error("canary"); process.exit(7)'))).toMatch(
      /ended with 7$/,
    );
    expect(await said(node('console.log("a canary")'))).toMatch(/wrote no bearer token/);
    expect(await said(node('console.log("a\\u0001canary")'))).toMatch(/wrote no bearer token/);
    expect(await said(node('process.stdout.write("x".repeat(1e6))'))).toMatch(/wrote more than 65536 bytes/);
    expect(await said(node('process.kill(process.pid, "SIGTERM")'))).toMatch(/was ended by SIGTERM/);
  });
});

describe('a token for Amazon MSK', () => {
  const variables = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
  const before = variables.map((name) => [name, process.env[name]] as const);
  beforeEach(() => {
    for (const name of variables) process.env[name] = `canary-${name}`;
  });
  afterEach(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  test('is a request to the cluster of the region, signed for a quarter of an hour, without the secret', async () => {
    const { value, endsAtMs } = await mskToken('eu-central-1');
    const url = new URL(Buffer.from(value, 'base64url').toString('utf8'));
    expect(url.host).toBe('kafka.eu-central-1.amazonaws.com');
    expect(url.searchParams.get('Action')).toBe('kafka-cluster:Connect');
    expect(url.searchParams.get('X-Amz-Expires')).toBe('900');
    expect(url.searchParams.get('X-Amz-Credential')).toMatch(
      /^canary-AWS_ACCESS_KEY_ID\/\d{8}\/eu-central-1\/kafka-cluster\//,
    );
    expect(url.searchParams.get('X-Amz-Security-Token')).toBe('canary-AWS_SESSION_TOKEN');
    expect(url.href).not.toContain('canary-AWS_SECRET_ACCESS_KEY');
    expect(Math.abs(endsAtMs! - Date.now() - 900_000)).toBeLessThan(10_000);
  });
});
