import type { Outbound } from './outbound.ts';

/** `outbound`, but the body of an answer breaks off where it is longer than `mostBytes`: what answers may not fill our memory. */
export function bounded(outbound: Outbound, mostBytes: number): Outbound {
  return async (input, init) => {
    const { body, status, headers } = await outbound(input, init);
    if (body === null) return new Response(null, { status, headers });
    let bytes = 0;
    const counted = body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          bytes += chunk.byteLength;
          if (bytes > mostBytes) controller.error(new Error(`the answer has more than ${mostBytes} bytes`));
          else controller.enqueue(chunk);
        },
      }),
    );
    return new Response(counted, { status, headers });
  };
}
