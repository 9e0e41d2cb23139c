import { inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';

/** Every way in which a secret may have been written down: as it is, in base64 and base64url, hexadecimal, URL and JSON escapes. */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // Base64 depends on where in a group of three the secret begins: take the part that is the same whatever stands around it.
  const shifted = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    return text.slice(4, -4);
  });
  const each = (form: (byte: number) => string) => [...bytes].map(form).join('');
  const hex = bytes.toString('hex');
  return [
    ...[
      secret,
      hex,
      hex.toUpperCase(),
      encodeURIComponent(secret),
      secret.replaceAll('_', '%5F').replaceAll('-', '%2D'),
    ],
    ...[...shifted, ...shifted.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))],
    each((byte) => `%${byte.toString(16)}`),
    each((byte) => `%${byte.toString(16).toUpperCase()}`),
    each((byte) => `\\u00${byte.toString(16)}`),
    each((byte) => `\\x${byte.toString(16)}`),
    Buffer.from(secret, 'utf16le').toString('latin1'),
  ];
}

/** Names of the canaries that stand in `text`, in whatever form. */
export function canariesIn(text: string, canaries: Record<string, string>): string[] {
  return Object.entries(canaries)
    .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
    .map(([name]) => name);
}

/**
 * What a stored value says to whoever unpacks it: every run of bytes in it that inflates, as text. `hex` is as Postgres
 * writes a bytea, `\x…`. Our own pages begin with a head of some bytes, so each of the first is tried as the start.
 */
export function unpacked(hex: string): string {
  const bytes = Buffer.from(hex.slice(2), 'hex');
  const texts = [bytes.toString('latin1')];
  for (let start = 0; start < Math.min(bytes.length, 64); start += 1) {
    for (const unpack of [inflateRawSync, inflateSync, zstdDecompressSync]) {
      try {
        texts.push(unpack(bytes.subarray(start), { maxOutputLength: 16 * 1024 * 1024 }).toString('latin1'));
      } catch {}
    }
  }
  return texts.join('\n');
}
