import { createHash } from 'node:crypto';

/** A finding's id: hex SHA-256 of what makes it one. JSON keeps the parts apart, whatever stands in them. */
export function findingId(of: { workspace: string; rule: string; subject: string; occasion: string }): string {
  return createHash('sha256')
    .update(JSON.stringify([of.workspace, of.rule, of.subject, of.occasion]))
    .digest('hex');
}
