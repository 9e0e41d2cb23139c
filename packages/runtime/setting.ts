import { z } from 'zod';
import { faultOfServiceUrl } from './addresses.ts';

/** What the settings of several rooms are made of. Each room has its own settings beside it; packages/config composes them. */

/** A secret that could be guessed proves nothing. */
export const shortestSecret = 16;
export const secret = z
  .string()
  .min(shortestSecret, 'must have at least 16 characters; make one with `openssl rand -hex 32`');
export const secretList = z.array(secret).min(1);

/** Address of a service that Tripline calls, none that nothing may ever call. */
export const httpUrl = z.url({ protocol: /^https?$/ }).superRefine((text, context) => {
  const message = URL.canParse(text) ? faultOfServiceUrl(text) : undefined;
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

/**
 * An environment variable, and the field of tripline.yaml that it overrides. `kind` says how its text is read. A secret
 * one may also be given as `<NAME>_FILE`, the path of a file that holds it (Docker and Kubernetes secrets).
 */
export type EnvironmentSetting = { name: string; path: string; kind?: 'list' | 'number' | 'boolean'; secret?: true };
