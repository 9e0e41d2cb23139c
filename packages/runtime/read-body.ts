import type { IncomingMessage } from 'node:http';

/** What kept a body from being read: longer than allowed, or cut off. */
export type BodyFault = 'too-large' | 'cut-off';

/**
 * Reads a request's body whole, as its bytes came. Memory is allocated for what has arrived, never for what a header
 * announces. Once the body is known to be too large, nothing more of it is kept.
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer | BodyFault> {
  return new Promise((resolve) => {
    if (Number(request.headers['content-length']) > limitBytes) return resolve('too-large');
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limitBytes) {
        request.off('data', onData);
        chunks.length = 0;
        return resolve('too-large');
      }
      chunks.push(chunk);
    };
    request.on('data', onData);
    // Most bodies come in one piece, which is ours alone.
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes)));
    request.on('error', () => resolve('cut-off'));
  });
}
