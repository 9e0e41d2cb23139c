import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { UserError } from '../../command.ts';

/** The step of a workflow, as the broker's page has it (services/broker/README.md); a test holds them equal. */
export const workflowStep = String.raw`ask() {  # a fresh id token each time: it is spent once it is shown
  id=$(curl -fsS -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$BROKER" | jq -r .value)
  curl -sS -o answer.json -w '%{http_code}' -H "Authorization: Bearer $id" --json "{\"policy\":\"$POLICY\"}" "$BROKER/v1/access"
}
for _ in $(seq 90); do case $(ask) in
  201) break ;;
  202) jq -r '.waits // "waiting: \(.links.stepUp) (number \(.number))"' answer.json; sleep "$(jq .retryAfterS answer.json)" ;;
  429 | 503 | 000) sleep 2 ;;
  *) jq -r '.error.message, (.reasons[]? | "- \(.message). \(.help)")' answer.json; exit 1 ;;
esac; done
token=$(jq -er .github.token answer.json); rm answer.json
echo "::add-mask::$token"; echo "GH_TOKEN=$token" >> "$GITHUB_ENV"
`;

/** What a step left: its status, what it printed, its token where it has one. The token is in what it printed, for the runner to mask. */
export type StepDone = { status: number | null; printed: string[]; token: string | undefined };

export type StepOf = {
  /** Address of the broker as policies and tokens name it, and where it listens here: what ends TLS before it is left out. */
  broker: { named: string; at: string };
  policy: string;
  idTokens: { url: string; requestToken: string };
  folder: string;
};

/**
 * Runs the step by the shell that GitHub runs steps with. In the place of `curl` stands one that asks the broker where it listens.
 * @throws {UserError} a program that steps need is not here.
 */
export async function runStep({ broker, policy, idTokens, folder }: StepOf): Promise<StepDone> {
  const place = mkdtempSync(join(folder, 'step-'));
  const path = process.env['PATH'] ?? '';
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's.
  const curl = '#!/bin/bash\nPATH=$REAL_PATH exec curl "${@/#$BROKER/$BROKER_AT}"\n';
  writeFileSync(join(place, 'curl'), curl);
  chmodSync(join(place, 'curl'), 0o700);
  const env = {
    ...{ PATH: `${place}${delimiter}${path}`, REAL_PATH: path, HOME: place, GITHUB_ENV: join(place, 'env') },
    ...{ BROKER: broker.named, BROKER_AT: broker.at, POLICY: policy },
    ACTIONS_ID_TOKEN_REQUEST_URL: `${idTokens.url}?api-version=2.0`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: idTokens.requestToken,
  };
  writeFileSync(env.GITHUB_ENV, '');
  try {
    const needs =
      'for one in curl jq; do command -v $one > /dev/null || { echo "$one is not here"; exit 127; }; done\n';
    const { status, printed } = await bash(`${needs}${workflowStep}`, env, place);
    if (status === 127) throw new UserError(`a step of a workflow needs bash, curl and jq: ${printed.join(' ')}`);
    const [, token] = /^GH_TOKEN=(\S+)$/m.exec(readFileSync(env.GITHUB_ENV, 'utf8')) ?? [];
    return { status, printed, token };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function bash(script: string, env: Record<string, string>, cwd: string): Promise<Pick<StepDone, 'status' | 'printed'>> {
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], { cwd, env });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
    });
  return new Promise((resolve, reject) => {
    child.once('error', () => reject(new UserError('a step of a workflow needs bash, curl and jq: bash is not here')));
    child.once('close', (status) => resolve({ status, printed: printed.split('\n').filter((line) => line !== '') }));
  });
}
