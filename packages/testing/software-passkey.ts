import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest();
const bytes = (text: string) => Buffer.concat([Buffer.from([0x60 + text.length]), Buffer.from(text)]);
const userPresent = 0x01;
const userVerified = 0x04;
const withCredential = 0x40;

/** What a key says otherwise than an honest one. */
export type Misuse = { origin?: string; isVerified?: boolean; counter?: number; challenge?: string; rpId?: string };

/** A passkey in software: ES256, as a browser and an authenticator make one together (WebAuthn level 3, section 6). */
export function createSoftwarePasskey(at: { origin: string; rpId: string }) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const id = randomBytes(16);
  let counter = 0;
  const clientDataOf = (type: string, challenge: string, { origin = at.origin, ...misuse }: Misuse) =>
    Buffer.from(JSON.stringify({ type, challenge: misuse.challenge ?? challenge, origin, crossOrigin: false }));
  const authenticatorDataOf = ({ isVerified = true, counter: own, rpId = at.rpId }: Misuse, credential?: Buffer) => {
    counter += 1;
    const head = Buffer.alloc(5);
    head[0] = userPresent | (isVerified ? userVerified : 0) | (credential === undefined ? 0 : withCredential);
    head.writeUInt32BE(own ?? counter, 1);
    return Buffer.concat([sha256(rpId), head, ...(credential === undefined ? [] : [credential])]);
  };
  const answer = (response: object) => ({
    ...{
      id: id.toString('base64url'),
      rawId: id.toString('base64url'),
      type: 'public-key',
      clientExtensionResults: {},
    },
    response,
  });
  return {
    id: id.toString('base64url'),
    make({ challenge }: { challenge: string }, misuse: Misuse = {}) {
      const point = (name: number, value: string) => [Buffer.from([name, 0x58, 0x20]), Buffer.from(value, 'base64url')];
      const cose = Buffer.concat([Buffer.from('a5010203262001', 'hex'), ...point(0x21, x!), ...point(0x22, y!)]);
      const length = Buffer.from([0, id.length]);
      const data = authenticatorDataOf(misuse, Buffer.concat([Buffer.alloc(16), length, id, cose]));
      const attestation = Buffer.concat([
        ...[Buffer.from([0xa3]), bytes('fmt'), bytes('none'), bytes('attStmt'), Buffer.from([0xa0]), bytes('authData')],
        ...[Buffer.from([0x58, data.length]), data],
      ]);
      const clientDataJSON = clientDataOf('webauthn.create', challenge, misuse).toString('base64url');
      return answer({ attestationObject: attestation.toString('base64url'), clientDataJSON });
    },
    use({ challenge }: { challenge: string }, misuse: Misuse = {}) {
      const clientData = clientDataOf('webauthn.get', challenge, misuse);
      const data = authenticatorDataOf(misuse);
      const signature = sign('sha256', Buffer.concat([data, sha256(clientData)]), privateKey);
      return answer({
        ...{ authenticatorData: data.toString('base64url'), clientDataJSON: clientData.toString('base64url') },
        signature: signature.toString('base64url'),
      });
    },
  };
}
