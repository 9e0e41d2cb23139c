import { createHash, randomBytes } from 'node:crypto';
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import type { Db } from '@tripline/db/database';
import { SignInRefusedError } from './step-up-sign-in.ts';
import { keepPasskey, listPasskeys, noteUse, type Owner, type Passkey, readConfirmed } from './store/passkeys.ts';

/** What the browser keeps between asking and answering: 32 random bytes in hex, and until when they are good. */
export type Challenge = { of: string; random: string; untilMs: number };
export const challengeMs = 5 * 60_000;

/**
 * Passkeys: user verification is required, and what is signed is the SHA-256 of what it is for and 32 random bytes, good once. So
 * an assertion can be moved to no other run, attempt, commit, environment or policy, even by whoever sees it.
 */
export function createPasskeys({ db, publicUrl, nowMs }: { db: Db; publicUrl: URL; nowMs: () => number }) {
  const expected = {
    expectedOrigin: publicUrl.origin,
    expectedRPID: publicUrl.hostname,
    requireUserVerification: true,
  };
  const refused = new SignInRefusedError(
    'passkey-refused',
    'The passkey proves nothing here: it is unknown, not confirmed, was used meanwhile, or signed something else.',
  );
  return {
    /** `of`: what is to be signed for; of a prompt its id and binding. */
    async askUse(of: string) {
      const challenge = newChallenge(of, nowMs());
      const options = await generateAuthenticationOptions({
        ...{ rpID: publicUrl.hostname, userVerification: 'required', timeout: challengeMs },
        challenge: digest(challenge),
      });
      return { options, challenge };
    },
    /**
     * Whose passkey signed for `of`.
     * @throws {SignInRefusedError}
     */
    async use(
      of: string,
      instance: string,
      challenge: Challenge,
      response: AuthenticationResponseJSON,
    ): Promise<Passkey> {
      const passkey = await readConfirmed(db, response.id, instance);
      if (passkey === undefined || !isGood(challenge, of, nowMs())) throw refused;
      const { counter } = await verifyAuthenticationResponse({
        ...{ ...expected, response, expectedChallenge: digest(challenge).toString('base64url') },
        credential: { id: passkey.id, publicKey: new Uint8Array(passkey.publicKey), counter: passkey.counter },
      }).then(
        ({ verified, authenticationInfo }) => {
          if (!verified) throw refused;
          return { counter: authenticationInfo.newCounter };
        },
        () => {
          throw refused;
        },
      );
      const use = {
        id: passkey.id,
        counter,
        challengeSha256: createHash('sha256').update(digest(challenge)).digest('hex'),
        untilMs: challenge.untilMs,
      };
      if (!(await noteUse(db, use, nowMs()))) throw refused;
      return passkey;
    },
    async askMake(of: string, owner: Owner) {
      const challenge = newChallenge(of, nowMs());
      const known = await listPasskeys(db, owner);
      const options = await generateRegistrationOptions({
        ...{ rpName: 'Tripline', rpID: publicUrl.hostname, userName: owner.account.name, attestationType: 'none' },
        userID: new TextEncoder().encode(`${owner.instance}/${owner.account.id}`.slice(0, 64)),
        challenge: digest(challenge),
        excludeCredentials: known.map((id) => ({ id })),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        timeout: challengeMs,
      });
      return { options, challenge };
    },
    /**
     * Keeps a passkey that was made for `of`; it counts once somebody else confirms it.
     * @returns the key of the link under which that is done.
     * @throws {SignInRefusedError}
     */
    async make(
      of: string,
      owner: Owner & { workspace: string },
      challenge: Challenge,
      response: RegistrationResponseJSON,
    ): Promise<string> {
      if (!isGood(challenge, of, nowMs())) throw refused;
      const verified = await verifyRegistrationResponse({
        ...{ ...expected, response, expectedChallenge: digest(challenge).toString('base64url') },
      }).catch(() => {
        throw refused;
      });
      if (!verified.verified) throw refused;
      const { id, publicKey, counter } = verified.registrationInfo.credential;
      const confirmKey = randomBytes(18).toString('base64url');
      if (!(await keepPasskey(db, { ...owner, id, publicKey, counter, confirmKey }, nowMs()))) throw refused;
      return confirmKey;
    },
  };
}
export type Passkeys = ReturnType<typeof createPasskeys>;

const newChallenge = (of: string, nowMs: number): Challenge => ({
  of,
  random: randomBytes(32).toString('hex'),
  untilMs: nowMs + challengeMs,
});
const isGood = (challenge: Challenge, of: string, nowMs: number): boolean =>
  challenge.of === of && nowMs < challenge.untilMs;

function digest({ of, random }: Challenge): Buffer<ArrayBuffer> {
  const hash = createHash('sha256').update(of).update('\n').update(Buffer.from(random, 'hex')).digest();
  return Buffer.from(hash);
}
