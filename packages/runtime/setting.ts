import { z } from 'zod';
import { faultOfServiceUrl } from './addresses.ts';

/** Building blocks of settings. Each room has its own settings in `settings.ts`; packages/config composes them. */

/** Shorter secrets could be guessed. */
export const shortestSecret = 16;
export const secret = z
  .string()
  .min(shortestSecret, 'must have at least 16 characters; make one with `openssl rand -hex 32`');
export const secretList = z.array(secret).min(1);

/** URL of a service that Tripline calls; forbidden addresses are refused. */
export const httpUrl = z.url({ protocol: /^https?$/ }).superRefine((text, context) => {
  const message = URL.canParse(text) ? faultOfServiceUrl(text) : undefined;
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

/**
 * An environment variable, and the field of tripline.yaml that it overrides. `kind` says how its text is read. A secret
 * one may also be given as `<NAME>_FILE`, the path of a file that holds it (Docker and Kubernetes secrets).
 */
export type EnvironmentSetting = { name: string; path: string; kind?: 'list' | 'number' | 'boolean'; secret?: true };
