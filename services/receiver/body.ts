import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { BodyFault } from '@tripline/runtime/read-body';

const gunzipped = promisify(gunzip);

export const isGzipped = (headers: IncomingHttpHeaders): boolean => headers['content-encoding'] === 'gzip';

/** A gzipped body as it was before; no more than `limitBytes` of it are made. */
export async function inflate(body: Buffer, limitBytes: number): Promise<Buffer | BodyFault> {
  try {
    return await gunzipped(body, { maxOutputLength: limitBytes });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : 'cut-off';
  }
}
