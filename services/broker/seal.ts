import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';

/** Seals values of credentials that must be kept until they are revoked. Made by {@link createSeals}. */
export type Seals = {
  seal: (value: string, of: SealedOf) => Buffer;
  /** @throws {SealError} no configured key opens it, it is of another credential, or it was changed. */
  open: (sealed: Uint8Array, of: SealedOf) => string;
};

/** Of which credential a sealed value is: one that is copied to another row does not open there. */
export type SealedOf = { grantId: string; nth: number };

/** A sealed value cannot be opened. The message says what to do, and nothing of the value. */
export class SealError extends Error {
  readonly code = 'SEAL';
}

const version = 1;
const keyIdBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 1 + keyIdBytes;
const leastBytes = headBytes + nonceBytes + tagBytes;

/**
 * Seals by AES-256-GCM: version (1 byte), id of the key (8), random nonce (12), tag (16), ciphertext. The key is derived from a
 * secret of `broker.sealingKeys`, of which the first seals and all open, so that one can be rotated; version, id, grant and number are
 * authenticated along. Random nonces allow some four billion values a key.
 */
export function createSeals(secrets: readonly string[]): Seals {
  const keys = secrets.map(derive);
  const [first] = keys;
  if (first === undefined) throw new SealError('broker.sealingKeys is empty: name one, made by `openssl rand -hex 32`');

  return {
    seal(value, of) {
      const head = Buffer.concat([Buffer.of(version), first.id]);
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', first.key, nonce, { authTagLength: tagBytes });
      cipher.setAAD(boundTo(head, of));
      const sealed = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
      return Buffer.concat([head, nonce, cipher.getAuthTag(), sealed]);
    },
    open(sealed, of) {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      if (bytes.length < leastBytes || bytes[0] !== version)
        throw new SealError('this is no sealed value of this version of Tripline');
      const head = bytes.subarray(0, headBytes);
      const by = keys.find(({ id }) => id.equals(head.subarray(1)));
      if (by === undefined)
        throw new SealError('sealed by a key that broker.sealingKeys does not name: put it back, behind the first');
      const nonce = bytes.subarray(headBytes, headBytes + nonceBytes);
      const decipher = createDecipheriv('aes-256-gcm', by.key, nonce, { authTagLength: tagBytes });
      decipher.setAAD(boundTo(head, of));
      decipher.setAuthTag(bytes.subarray(headBytes + nonceBytes, leastBytes));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(leastBytes)), decipher.final()]).toString('utf8');
      } catch {
        throw new SealError(`what is sealed for credential ${of.nth} of ${of.grantId} is another’s, or was changed`);
      }
    },
  };
}

function derive(secret: string): { id: Buffer; key: KeyObject } {
  const of = (purpose: string, bytes: number) =>
    Buffer.from(hkdfSync('sha256', secret, '', `tripline/broker/seal/${purpose}`, bytes));
  return { id: of('id', keyIdBytes), key: createSecretKey(of('key', 32)) };
}

/** What is authenticated along: each part has a length of its own, so that no two pairs give the same bytes. */
function boundTo(head: Buffer, { grantId, nth }: SealedOf): Buffer {
  const id = Buffer.from(grantId, 'utf8');
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(id.length, 0);
  numbers.writeUInt32BE(nth, 4);
  return Buffer.concat([head, numbers, id]);
}
