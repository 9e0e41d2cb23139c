import { createHmac, timingSafeEqual } from 'node:crypto';
import { makeCorpus } from '../corpus.ts';

/** Signs the corpus's bodies, then verifies each; prints deliveries a second of the verifying alone. */
const secret = 'bench-webhook-secret';
const options = { deliveries: Number(process.argv[2]), workspaces: 200, attackEvery: 50, seed: 1, startMs: Date.now() };
const signed = makeCorpus(options).deliveries.map(({ body }) => ({
  body,
  signature: createHmac('sha256', secret).update(body).digest(),
}));
const begun = performance.now();
for (const { body, signature } of signed) {
  if (!timingSafeEqual(createHmac('sha256', secret).update(body).digest(), signature)) throw new Error('no match');
}
console.log(JSON.stringify({ rate: (signed.length * 1000) / (performance.now() - begun) }));
