import type { IdentityRefusal } from './refusal.ts';
import type { Proof, Workload } from './workload.ts';

/** What an issuer adds to what every token says. */
type Job<One = Workload> = One extends unknown ? Omit<One, Exclude<keyof Proof, 'cautions'>> : never;

/**
 * One issuer as it is configured: the contract between its folder and verify.ts. Nothing of it comes out of a token.
 */
export type TrustedIssuer = {
  /** Exactly as tokens write `iss`. */
  iss: string;
  /** Where its keys are read, and nowhere else. */
  jwksUri: string;
  /** RFC 7638 thumbprints (SHA-256, base64url) of the only keys that are believed; absent: any that `jwksUri` gives. */
  thumbprints?: readonly string[] | undefined;
  /** Of `nbf` and `jti`, those that it always writes. */
  required: readonly ('nbf' | 'jti')[];
  /** Null where a job has one token for its whole life. */
  maxAgeMs: number | null;
  /**
   * Reads its own claims, of a token whose signature, audience and times were checked. Whose it is comes first: an
   * issuer may serve all the world.
   */
  read: (claims: Record<string, unknown>) => { job: Job } | { refusal: IdentityRefusal };
};
