import type { IntentOf } from '@tripline/contracts/response';
import type { GitHubRequest } from '../client.ts';
import { type Action, type Asked, type Asking, askByListing, changeOnce, checkByAsking, noTargets } from './action.ts';

/** An app's installation of which the number is known: by its name alone nothing is uninstalled. */
export type AppInstallation = Extract<IntentOf<'revoke-grant'>, { grant: 'app-installation' }> & {
  installationId: string;
};

/**
 * A11: uninstalls an app from an organisation of the enterprise. GitHub lets only an App that is installed on the enterprise do
 * so; an App of an organisation can suspend nothing but itself. Tripline's own App is never uninstalled.
 */
export const uninstallApp = (enterprise: string): Action<AppInstallation> => {
  const inOrganization = ({ organization: org }: AppInstallation, route: string, more = {}): GitHubRequest => ({
    route,
    parameters: { enterprise, org, ...more },
  });
  const request = (step: AppInstallation) =>
    inOrganization(step, 'DELETE /enterprises/{enterprise}/apps/organizations/{org}/installations/{installation_id}', {
      installation_id: step.installationId,
    });
  const isInstalled = (step: AppInstallation, context: Asking): Promise<Asked> =>
    askByListing<{ id: number }>(
      context,
      inOrganization(step, 'GET /enterprises/{enterprise}/apps/organizations/{org}/installations'),
      ({ id }) => String(id) === step.installationId,
      {
        absent: () => ({ result: 'not-so', detail: `${step.app} is not installed on ${step.organization}` }),
        read: () => ({ result: 'so', detail: `${step.app} is installed on ${step.organization}` }),
      },
    );
  return {
    code: 'A11',
    reversible: false,
    undo: (step) =>
      `irreversible: install ${step.app} on ${step.organization} again; what it stored of its installation may not fit the new one`,
    scope: (step) => ({
      owner: step.organization,
      enterprise,
      permissions: { enterprise_organization_installations: 'write' },
    }),
    targets: () => noTargets,
    request,
    async ask(step, context) {
      const answer = await isInstalled(step, context);
      if (answer.result !== 'so') return answer;
      const own = (await context.ownInstallationOn?.(step.organization)) ?? { result: 'unknown', reason: 'unclear' };
      if (own.result !== 'known') {
        return {
          result: 'unknown',
          reason: own.reason,
          detail: 'GitHub does not say which installation is Tripline’s own',
        };
      }
      if (own.value !== step.installationId) return answer;
      return {
        result: 'not-so',
        detail: `${step.app} is Tripline’s own App, which it does not uninstall`,
        alive: true,
      };
    },
    act: (step, context) => changeOnce(request(step), context),
    check: checkByAsking(isInstalled),
  };
};
