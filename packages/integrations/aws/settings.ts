import { listByTier, tiers } from '@tripline/access/settings';
import { httpUrl, secret } from '@tripline/runtime/setting';
import { z } from 'zod';

const aws = z
  .strictObject({
    tiers: tiers.describe('Tiers whose credentials it mints; absent: those that no other entry names.'),
    region: z
      .string()
      .regex(/^[a-z]{2}(?:-[a-z]+){1,3}-\d$/, 'say it as eu-central-1')
      .describe('Region whose STS is asked.'),
    stsUrl: httpUrl.optional().describe('Address of STS. Absent: https://sts.<region>.amazonaws.com.'),
    iamUrl: httpUrl.default('https://iam.amazonaws.com').describe('Address of IAM; others in other partitions.'),
    iamRegion: z.string().default('us-east-1').describe('Region for which requests to IAM are signed.'),
    accessKey: z
      .strictObject({
        id: z
          .string()
          .regex(/^[A-Z0-9]{16,128}$/, 'say the id of an access key')
          .describe('Id of an access key.'),
        secret: secret.describe('Its secret.'),
      })
      .optional()
      .describe('Access key of the broker’s own user.'),
    webIdentity: z
      .strictObject({
        role: z
          .string()
          .max(600)
          .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, 'say the role’s ARN')
          .describe('The broker’s own role.'),
        file: z
          .string()
          .min(1)
          .default('/var/run/secrets/eks.amazonaws.com/serviceaccount/token')
          .describe('File of the machine’s token, read whenever the role is taken.'),
      })
      .optional()
      .describe(
        'Or the role that it takes by the token of its machine (EKS). What it gives then lives for an hour at most.',
      ),
  })
  .refine(
    ({ accessKey, webIdentity }) => (accessKey === undefined) !== (webIdentity === undefined),
    'say either accessKey or webIdentity: by what the broker is known there',
  );

/** `broker.aws` of tripline.yaml. */
export const awsSettings = listByTier(aws)
  .default([])
  .describe('AWS as what gives jobs sessions of roles, one entry a tier. None: gives none.');
export type AwsSettings = z.output<typeof awsSettings>[number];
