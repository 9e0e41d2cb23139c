#!/usr/bin/env node
// Plain JavaScript, so that a Node too old for the rest can still say so, or hand over to the one that npm installed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(import.meta.url);
const handedOver = 'NODE_HANDED_OVER_BY_TRIPLINE';

if (isNewEnough()) {
  makeRoom();
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  const newer = process.env[handedOver] ? undefined : installedNode();
  if (newer) handOver(newer);
  else {
    console.error(
      `Tripline needs Node 22.18 or newer, and this is ${process.version}: ${process.platform === 'linux' ? 'run npm ci without --omit=optional, which brings Node 24, or install one' : 'install Node 24 (npm has none for this system to bring along)'}.`,
    );
    process.exitCode = 1;
  }
}

function isNewEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/**
 * A batch of the detector is some 10 MB that lives until it is committed, and several are on their way to Postgres at
 * once: with the young generation that V8 gives by itself they are copied twice and then kept too long, which costs a
 * fifth of the detector's time; helpers that copy beside it cost more in agreeing with it than they do. All of Tripline in
 * one process has small batches, and holds up a delivery while the young generation is collected: a small one takes 100 MB
 * less and is collected in a fraction of the time. The broker's V8 makes small by itself whenever no job asks for a moment; then it
 * is collected ten times as often, what a grant needs for a moment is kept too long, and all that is kept is gone through
 * more often, for which every job that asks waits. V8 takes the size at its start alone, so this process starts anew in its own place.
 */
function makeRoom() {
  const judging = ['--min-semi-space-size=64', '--max-semi-space-size=64', '--no-parallel-scavenge'];
  const flags = {
    detector: judging,
    broker: ['--min-semi-space-size=16', '--max-semi-space-size=16', '--no-parallel-scavenge'],
    // Its threads take the sizes of their process.
    replay: judging,
    up: ['--max-semi-space-size=8'],
  }[process.argv[2]];
  const isSet = process.execArgv.some((flag) => flag.includes('semi-space-size'));
  if (!flags || isSet || process.platform === 'win32' || !process.execve) return;
  const args = [process.execPath, ...flags, ...process.execArgv, here, ...process.argv.slice(2)];
  process.execve(process.execPath, args, process.env);
}

/** The Node that package-lock.json pins (npm's `node-linux-<cpu>`), in the nearest node_modules above. */
function installedNode() {
  for (let folder = dirname(here); folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
    if (existsSync(candidate)) return candidate;
  }
  return undefined;
}

/** Runs this file anew on `node`, and ends as it ends. */
function handOver(node) {
  const child = spawn(node, [here, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [handedOver]: '1' },
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const passOn = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, passOn);
  child.on('error', (error) => {
    console.error(`Tripline could not start ${node}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    for (const name of signals) process.off(name, passOn);
    process.exitCode = code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 15);
  });
}
