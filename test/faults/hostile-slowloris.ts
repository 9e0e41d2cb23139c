import { connect, type Socket } from 'node:net';
import { signGithub } from '@tripline/sources/github/verify';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { honestBody, startVictimReceiver } from './hostile-receiver.ts';

/**
 * Sockets that dawdle: half of them never finish their head, a quarter never their body, a few hold large bodies back at
 * the last byte, the rest say nothing. Meanwhile honest deliveries are answered; every slow one is cut off in bounded
 * time; memory stays bounded.
 */
export const slowloris: Fault = {
  name: 'slowloris',
  what: 'sockets that never finish their head or body, or say nothing',
  sizes: { ci: 400, full: 10_000, unit: 'sockets' },
  run,
};

const secret = 'a secret that the slow do not need';
/** Beyond this the receiver holds on to what will never come. */
const cutOffWithinMs = 40_000;
const largeBytes = 20 * 1024 * 1024;
/** So many large bodies are held back at once: more than the receiver may keep in memory. */
const largeBodies = 30;
const mostMb = 600;

async function run(ground: Ground, size: number): Promise<FaultOutcome> {
  const differences: string[] = [];
  const victim = await startVictimReceiver(ground, { secret });
  const slow: Dawdler[] = [];
  try {
    if ((await victim.honest()) !== 202) differences.push('an honest delivery is refused before it began');
    const startedMs = performance.now();
    const large = Buffer.alloc(largeBytes - 1, 0x20);
    for (let place = 0; place < size; place += 1) {
      slow.push(dawdle(victim.port, place, place < largeBodies ? large : undefined));
      // A listener's queue is short: they come as fast as they are let in.
      if (place % 200 === 199) await Promise.all(slow.slice(-200).map(({ in: connected }) => connected));
    }
    await Promise.all(slow.map(({ in: connected }) => connected));
    const came = slow.filter(({ wasIn }) => wasIn()).length;
    if (came < size) differences.push(`only ${came} of ${size} sockets came in; raise \`ulimit -n\``);
    ground.say(`${came} sockets in after ${Math.round(performance.now() - startedMs)} ms`);
    let [answered, slowestMs, asked] = [0, 0, 0];
    while (slow.some(({ isOpen }) => isOpen()) && performance.now() - startedMs < cutOffWithinMs * 2) {
      const beganMs = performance.now();
      asked += 1;
      const status = await victim.honest();
      if (status === 202) answered += 1;
      else differences.push(`an honest delivery was answered ${status}`);
      slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const longestMs = Math.max(...slow.map(({ openMs }) => openMs()));
    const open = slow.filter(({ isOpen }) => isOpen()).length;
    if (open > 0) differences.push(`${open} slow sockets are still open`);
    if (longestMs > cutOffWithinMs)
      differences.push(`a slow socket was cut off only after ${Math.round(longestMs)} ms`);
    const residentMb = victim.residentMb();
    if (residentMb > mostMb) differences.push(`the receiver took ${residentMb} MB`);
    const kept = (await victim.kept()).filter((id) => !id.startsWith('github:honest-'));
    if (kept.length > 0) differences.push(`in the log: ${kept}`);
    return {
      size: `${came} sockets, ${asked} honest deliveries meanwhile`,
      compared: 'honest answers with 202, the log with honest deliveries',
      differences,
      figure: `cut off after at most ${(longestMs / 1000).toFixed(0)} s, honest answered ${answered}, slowest ${Math.round(slowestMs)} ms, receiver at most ${residentMb} MB`,
    };
  } finally {
    for (const { socket } of slow) socket.destroy();
    await victim.close();
  }
}

type Dawdler = {
  socket: Socket;
  in: Promise<void>;
  wasIn: () => boolean;
  isOpen: () => boolean;
  openMs: () => number;
};

/** A socket that begins, and then sends a byte now and then, or nothing. */
function dawdle(port: number, place: number, large: Buffer | undefined): Dawdler {
  const body = honestBody(place);
  const start = `POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-github-event: member\r\n`;
  const signed = `x-github-delivery: slow-${place}\r\nx-hub-signature-256: ${signGithub(body, secret)}\r\n`;
  const way = large ? 'large' : (['head', 'body', 'head', 'silent'] as const)[place % 4]!;
  const socket = connect(port, '127.0.0.1');
  let [beganMs, endedMs] = [0, 0];
  let drip: NodeJS.Timeout | undefined;
  const connected = new Promise<void>((resolve) => {
    socket.on('connect', () => {
      beganMs = performance.now();
      if (way === 'large') {
        socket.write(`${start}${signed}content-length: ${largeBytes}\r\n\r\n`);
        socket.write(large!);
      } else if (way === 'head') socket.write(start);
      else if (way === 'body') socket.write(`${start}${signed}content-length: ${body.length}\r\n\r\n`);
      // A byte a second keeps a connection from being idle.
      if (way !== 'silent') drip = setInterval(() => socket.write(way === 'head' ? 'x' : ' '), 1000);
      if (way === 'large') clearInterval(drip);
      resolve();
    });
    socket.on('error', () => resolve());
  });
  socket.on('close', () => {
    clearInterval(drip);
    endedMs = performance.now();
  });
  socket.resume();
  return {
    socket,
    in: connected,
    wasIn: () => beganMs > 0,
    isOpen: () => beganMs > 0 && endedMs === 0,
    openMs: () => (beganMs === 0 ? 0 : (endedMs || performance.now()) - beganMs),
  };
}
