/**
 * The text of an answer whose body has at most `mostBytes`: what answers may not fill our memory.
 * @throws {Error} its body is longer, or broke off; then what is left of it is not read.
 */
export async function boundedText(
  { body }: { body: Response['body'] | AsyncIterable<Uint8Array> },
  mostBytes: number,
): Promise<string> {
  if (body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) throw new Error(`the answer has more than ${mostBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
