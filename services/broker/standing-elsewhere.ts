import type { StandingLook } from '@tripline/access/standing';
import type { Config } from '@tripline/config/config';
import { createAwsApi } from '@tripline/integrations/aws/api';
import { readAwsStanding } from '@tripline/integrations/aws/standing';
import { tiersOf } from '@tripline/integrations/minter';
import { createVaultSession } from '@tripline/integrations/vault/session';
import { readVaultStanding, vaultPlaceOf } from '@tripline/integrations/vault/standing';
import type { Clock } from '@tripline/runtime/clock';

/** Where something stands: an organisation of GitHub's, or what the broker is known to elsewhere. */
export type StandingPlace = {
  /** By which it is the same at the next look: the organisation's login, `aws production`. */
  name: string;
  workspace: string;
  /** Not at GitHub: jobs of all organisations of the workspace may reach what stands there. */
  isElsewhere?: true;
  read: () => Promise<StandingLook>;
};

/** Accounts of AWS and Vaults in which the broker is known: what id tokens of jobs open there beside it, and access keys. Nothing is asked once it is `closed`. */
export function placesElsewhere(
  { aws, vault }: Pick<Config['broker'], 'aws' | 'vault'>,
  { clock, workspace, closed }: { clock: Clock; workspace: string; closed: AbortSignal | undefined },
): StandingPlace[] {
  const untilClosed =
    <Asked extends unknown[], Answer>(ask: (...asked: Asked) => Promise<Answer>) =>
    async (...asked: Asked): Promise<Answer> => {
      closed?.throwIfAborted();
      return ask(...asked);
    };
  return [
    ...aws.map((settings): StandingPlace => {
      const api = createAwsApi(settings, { clock });
      return {
        name: `aws ${tiersOf(settings)}`,
        workspace,
        read: () => readAwsStanding({ ask: untilClosed(api.ask) }),
      };
    }),
    ...vault.map((settings): StandingPlace => {
      const session = createVaultSession(settings, { clock });
      const { host } = new URL(settings.url);
      return {
        name: `vault ${host} ${tiersOf(settings)}`,
        workspace,
        read: () => readVaultStanding({ ask: untilClosed(session.ask) }, vaultPlaceOf(settings)),
      };
    }),
  ];
}
